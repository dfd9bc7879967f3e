"""Hostile input: whatever the bytes, only an OrvaultError ever leaves the public functions."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orvault.container import canonical, dsse
from orvault.container.frame_reader import read_frame
from orvault.container.keys import KeySlot, PublicKey, Recipient, decode_slots, encode_slots, wrap_key
from orvault.container.label import MAX_LABEL_BYTES, read_label, read_slots
from orvault.container.package import MediaInfo, PackageReader
from orvault.container.segment import (
    SegmentHeader,
    open_segment,
    read_header,
    segment_digest,
    unwrap_dek,
    verify_segment,
)
from orvault.container.stream import open_bytes, seal_bytes
from orvault.container.trust import check_chain, load_pem
from orvault.errors import ErrorKind, OrvaultError

from .container_support import (
    CHUNK_BYTES,
    CLIP,
    NOW_US,
    PASSWORD,
    Made,
    hospital,
    make_package,
    media_info,
    password_person,
    recipient_key,
    seal_segment,
    segment_meta,
)

ROOT, SERVER, NODE = hospital()
SEGMENT = seal_segment(NODE, segment_meta(), b"video" * 2000, recipient_key().public(), chunk_bytes=4096)
DEK = unwrap_dek(SEGMENT.slots, recipient_key(), SEGMENT.header)
STREAM = seal_bytes(b"video" * 2000, DEK, b"aad", 4096)
SLOTS = encode_slots([wrap_key(DEK, recipient_key().public(), b"info")])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_package(tmp_path_factory.mktemp("hostile"), clips={"or1": CLIP})


@st.composite
def mutations(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """Bytes changed, cut out, put in, repeated, cut off: up to four times."""
    steps = draw(
        st.lists(
            st.tuples(
                st.sampled_from(["set", "cut", "put", "end", "twice"]),
                st.floats(0, 1),
                st.binary(max_size=12),
            ),
            min_size=1,
            max_size=4,
        )
    )

    def mutate(data: bytes) -> bytes:
        for what, place, piece in steps:
            at = int(place * len(data))
            match what:
                case "set":
                    data = data[:at] + piece + data[at + len(piece) :]
                case "cut":
                    data = data[:at] + data[at + len(piece) + 1 :]
                case "put":
                    data = data[:at] + piece + data[at:]
                case "end":
                    data = data[:at]
                case _:
                    data = data[:at] + data[max(0, at - 60) :]
        return data

    return mutate


@settings(max_examples=150, deadline=None)
@given(mutations())
def test_mutated_segments(mutate: Callable[[bytes], bytes]) -> None:
    data = mutate(SEGMENT.data)
    for use in (
        read_header,
        segment_digest,
        lambda d: verify_segment(d, NODE.certificate_der),
        lambda d: open_segment(d, DEK),
    ):
        with contextlib.suppress(OrvaultError):
            use(data)
    if data != SEGMENT.data:
        with pytest.raises(OrvaultError):
            verify_segment(data, NODE.certificate_der)


@settings(max_examples=100, deadline=None)
@given(mutations())
def test_mutated_streams_slots_and_certificates(mutate: Callable[[bytes], bytes]) -> None:
    stream, slots, der = mutate(STREAM), mutate(SLOTS), mutate(SERVER.certificate_der)
    if stream != STREAM:
        with pytest.raises(OrvaultError):
            open_bytes(stream, DEK, b"aad", 4096)
    with contextlib.suppress(OrvaultError):
        decode_slots(slots)
    if der != SERVER.certificate_der:
        with pytest.raises(OrvaultError):
            check_chain(der, SERVER.chain_ders, [], "export-server", NOW_US)
    with contextlib.suppress(OrvaultError):
        check_chain(SERVER.certificate_der, [mutate(ROOT.certificate_der)], [], "export-server", NOW_US)
    with contextlib.suppress(OrvaultError):
        load_pem(mutate(SERVER.certificate_pem), CLIP)


@settings(max_examples=150, deadline=None)
@given(mutations())
def test_mutated_packages_never_verify(made: Made, mutate: Callable[[bytes], bytes]) -> None:
    data = mutate(made.data)
    for partial in (False, True):
        with contextlib.suppress(OrvaultError):
            read_frame(io.BytesIO(data), partial=partial)
    if data == made.data:
        return
    with pytest.raises(OrvaultError) as caught:
        reader = PackageReader(io.BytesIO(data), read_frame(io.BytesIO(data), partial=False))
        reader.verify_label([made.root_der], NOW_US)
        reader.verify_all()
    assert caught.value.kind in (ErrorKind.ALTERED, ErrorKind.DAMAGED, ErrorKind.NOT_A_PACKAGE)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def _values(good: dict[str, object]) -> st.SearchStrategy[object]:
    """Nonsense, and good objects with one field of nonsense."""
    return JSON | st.tuples(st.sampled_from(sorted(good)), JSON).map(lambda pair: good | {pair[0]: pair[1]})


READERS: dict[str, tuple[dict[str, object], Callable[[object], object]]] = {
    "segment header": (SEGMENT.header.to_json(), SegmentHeader.from_json),
    "slot": (SEGMENT.slots[0].to_json(), KeySlot.from_json),
    "public key": (recipient_key().public().to_json(), PublicKey.from_json),
    "recipient": (password_person().to_json(), Recipient.from_json),  # type: ignore[dict-item]
}


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_nonsense_in_json(name: str, data: st.DataObject) -> None:
    good, read = READERS[name]
    value = data.draw(_values(good))
    try:
        read(value)
    except OrvaultError:
        assert repr(value) != repr(good)  # Python takes True for 1, JSON does not


@pytest.mark.parametrize(
    "change",
    [
        {"end_us": NOW_US - 1},
        {"end_us": 2**53},
        {"sources": [{"segment_id": "a" * 129, "digest": "ab" * 32}]},
        {"sources": [{"segment_id": "../a", "digest": "ab" * 32}]},
        {"sources": [{"segment_id": ["a"], "digest": "ab" * 32}]},
        {"sources": [{"digest": "ab" * 32}]},
    ],
)
def test_a_camera_that_ends_before_it_begins_or_names_no_segment(change: dict[str, object]) -> None:
    good = media_info("or1", CLIP).to_json()
    assert MediaInfo.read(canonical.Fields(good, "here")).to_json() == good
    with pytest.raises(OrvaultError, match=next(iter(change))):
        MediaInfo.read(canonical.Fields(good | change, "here"))


@settings(max_examples=100, deadline=None)
@given(JSON)
def test_nonsense_in_signed_papers(value: object) -> None:
    try:
        payload = canonical.encode(value)
    except OrvaultError:
        return
    envelope = dsse.seal_envelope(payload, "application/vnd.orvault.label.v1+json", SERVER)
    for read in (read_label, read_slots):
        for data in (payload, envelope):
            with pytest.raises(OrvaultError):
                read(data)


@pytest.mark.parametrize(
    "text",
    [
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"a":1e400}',
        b'{"a":NaN}',
        b'{"a":-0}',
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":1,"a":2}',
        b'{"b":1,"a":2}',
        b'{ "a":1}',
        b'{"a":"\\u0041"}',
        b'{"a":"\\ud800"}',
        b"\xff\xfe{\x00}\x00",
        b"\xef\xbb\xbf{}",
        b"{}\n",
        b"[]",
        b"",
        '{"가":1}'.encode(),
    ],
)
def test_json_that_is_not_its_own_canonical_form_is_refused(text: bytes) -> None:
    with pytest.raises(OrvaultError) as caught:
        canonical.decode(text, max_bytes=1 << 20, where="here")
    assert caught.value.kind is ErrorKind.ALTERED and caught.value.where == "here"


@given(
    st.dictionaries(
        st.text(st.characters(max_codepoint=126, min_codepoint=32)),
        st.text(st.characters(exclude_categories=["Cs"])) | st.integers(-(2**53) + 1, 2**53 - 1),
    )
)
def test_canonical_json_is_json_and_reads_back(value: dict[str, object]) -> None:
    data = canonical.encode(value)
    assert json.loads(data) == value == canonical.decode(data, max_bytes=1 << 20, where="here")


def test_a_hostile_package_cannot_ask_for_hours_or_all_memory(made: Made) -> None:
    """Cost parameters outside the bounds are refused when the slots are read, before any password is tried."""
    good = next(iter(json.loads(_slots_of(made))["slots"]))
    for change in ({"memory_kib": 1 << 31}, {"iterations": 1 << 20}, {"lanes": 255}, {"salt": ""}):
        slot = {**good, "password": {**good["password"], **change}}
        data = canonical.encode({"format": "orvault-package-slots", "slots": [slot], "version": 1})
        with pytest.raises(OrvaultError):
            read_slots(data)
    many = canonical.encode({"format": "orvault-package-slots", "slots": [good] * 17, "version": 1})
    with pytest.raises(OrvaultError, match="more than 16"):
        read_slots(many)


def _slots_of(made: Made) -> bytes:
    with PackageReader.open(made.path) as reader:
        entry = reader._frame.entries["slots.json"]
    return made.data[entry.data_offset : entry.end]


def test_the_limits_hold_for_what_the_builder_makes(made: Made) -> None:
    with PackageReader.open(made.path) as reader:
        assert reader._frame.entries["label.json"].bytes < MAX_LABEL_BYTES
        assert reader.label.cameras[0].media.chunk_bytes == CHUNK_BYTES
        reader.verify_label([], NOW_US)
        reader.unlock(PASSWORD)
