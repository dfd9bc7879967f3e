"""Segments and runs: good ones, and each way to tamper with them."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from orvault.clock import US_PER_S
from orvault.container.keys import encode_slots, unwrap_key, wrap_key
from orvault.container.segment import (
    MAGIC,
    PREAMBLE_BYTES,
    SIGNATURE_BYTES,
    SIGNATURE_CONTEXT,
    SealedSegment,
    SegmentMeta,
    SegmentSigner,
    seal_content,
    segment_digest,
    slot_info,
)
from orvault.container.stream import seal_bytes
from orvault.container.trust import Identity
from tests.vectors.world import (
    CASE_KEY,
    CHUNK_BYTES,
    FORGER_NODE,
    NODE,
    START_US,
    STOLEN_NODE,
    STOLEN_US,
    Vectors,
    flipped,
    noise,
    places,
    repeatable,
)

VIDEO_BYTES = 9_000  # three chunks
LENGTH = 5  # of the good run


def meta(sequence: int, **changes: object) -> SegmentMeta:
    run = str(changes.get("run_id", "run-1"))
    value = SegmentMeta(
        segment_id=f"{run}.{sequence:06d}",
        node_id="node-1",
        case_id="case-1",
        camera_id="or1-ceiling",
        run_id=run,
        sequence=sequence,
        epoch=1,
        start_us=START_US + 2 * sequence * US_PER_S,
        end_us=START_US + 2 * (sequence + 1) * US_PER_S,
        codec="h264",
        width=1280,
        height=720,
        frames=30,
    )
    return replace(value, **changes)  # type: ignore[arg-type]


def seal(what: SegmentMeta, previous: str, by: Identity = NODE, salt: str = "") -> SealedSegment:
    name = f"segment {what.segment_id} {what.camera_id} {what.case_id} {salt}"
    with repeatable(name):
        video = noise(f"video {name}", VIDEO_BYTES)
        return SegmentSigner(by).sign(seal_content(what, video, CASE_KEY.public(), CHUNK_BYTES), previous)


def run(**changes: object) -> list[SealedSegment]:
    """An unbroken run of five segments."""
    made: list[SealedSegment] = []
    for sequence in range(LENGTH):
        made.append(seal(meta(sequence, **changes), made[-1].digest if made else ""))
    return made


def resigned(
    data: bytes, change: Callable[[dict[str, Any]], object], ciphertext: bytes | None = None
) -> bytes:
    """What someone who holds the node's signing key can make of a segment."""
    end = header_end(data)
    header = json.loads(data[PREAMBLE_BYTES:end])
    change(header)
    encoded = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    signed = MAGIC + struct.pack(">I", len(encoded)) + encoded
    rest = data[end + SIGNATURE_BYTES :] if ciphertext is None else ciphertext
    return signed + NODE.sign(SIGNATURE_CONTEXT + signed) + rest


def header_end(data: bytes) -> int:
    return PREAMBLE_BYTES + int(struct.unpack(">I", data[len(MAGIC) : PREAMBLE_BYTES])[0])


def add_segments(vectors: Vectors) -> None:
    """Single segments, their slots and their node."""
    good = run()
    for segment in good:
        vectors.file(f"segment/good-{segment.header.meta.sequence}.seg", segment.data)
    _add_single(vectors, good[1])
    _add_forged(vectors, good[1])
    _add_slots(vectors, good[1], good[2])
    _add_nodes(vectors)


def _add_single(vectors: Vectors, good: SealedSegment) -> None:
    data, end = good.data, header_end(good.data)
    start = end + SIGNATURE_BYTES
    slots = vectors.file("segment/good-1.slots", encode_slots(good.slots))
    vectors.add(
        "segment/good", "segment", "good", "", "nothing", file="segment/good-1.seg", slots=slots, key="case"
    )
    for name, changed, words, about in (
        ("magic", flipped(data, 3), "does not begin as a segment", "a bit of the magic"),
        ("header", flipped(data, data.index(b'"width":1280') + 9), "not what was signed", "a bit of the header"),
        ("json", flipped(data, end - 1), "not readable as JSON", "the header's last brace"),
        ("signature", flipped(data, end + 10), "not what was signed", "a bit of the signature"),
        ("chunk", flipped(data, start + 5000), "ciphertext is not what was signed", "a bit of the second chunk"),
        ("tag", flipped(data, len(data) - 1), "ciphertext is not what was signed", "a bit of the last tag"),
        ("stream-header", flipped(data, start + 20), "ciphertext is not what was signed", "a bit of the salt"),
        ("length", data[:8] + b"\xff\xff\xff\xff" + data[12:], "claims to be", "a header of 4 GiB announced"),
        ("appended", data + b"more", "4 bytes were appended", "four bytes more"),
    ):  # fmt: skip
        file = vectors.file(f"segment/{name}.seg", changed)
        vectors.add(f"segment/{name}", "segment", "altered", words, f"{about}", file=file)
    for number, cut in enumerate(places(len(data)), 1):
        name, about = f"segment/cut-{number:02d}", f"cut off after {cut} of {len(data)} bytes"
        vectors.add(name, "segment", "damaged", "ends after", about, file="segment/good-1.seg", bytes=cut)


def _add_forged(vectors: Vectors, good: SealedSegment) -> None:
    """By someone who knows the segment's key, and by someone who holds the node's signing key."""
    data, start = good.data, header_end(good.data) + SIGNATURE_BYTES
    dek = unwrap_key(good.slots[0], CASE_KEY, slot_info(good.header.meta))
    aad = (
        b"orvault/segment/v1\n"
        + json.dumps(good.header.meta.to_json(), sort_keys=True, separators=(",", ":")).encode()
    )
    with repeatable("rewritten"):
        rewritten = seal_bytes(noise("another video", VIDEO_BYTES), dek, aad, CHUNK_BYTES)

    def rehash(header: dict[str, Any]) -> None:
        header["ciphertext_sha256"] = hashlib.sha256(rewritten).hexdigest()

    rehashed = resigned(data, rehash, rewritten)
    end = header_end(rehashed)
    old_signature = rehashed[:end] + data[start - SIGNATURE_BYTES : start] + rewritten
    for name, forged, words, about in (
        ("rewritten", data[:start] + rewritten, "ciphertext is not what was signed",
         "other pictures, sealed under the right key"),
        ("rewritten-header", old_signature, "not what was signed",
         "other pictures under the right key, and their digest in the header"),
        ("plaintext-size", resigned(data, lambda h: h.update(plaintext_bytes=1 << 40)), "'plaintext_bytes'",
         "signed by the node: a terabyte announced"),
        ("chunk-size", resigned(data, lambda h: h.update(chunk_bytes=1 << 30)), "'chunk_bytes'",
         "signed by the node: chunks of a gigabyte"),
        ("unknown-field", resigned(data, lambda h: h.update(extra=1)), "'extra' is unknown",
         "signed by the node: a field that the format does not have"),
        ("version", resigned(data, lambda h: h.update(version=2)), "'version' is not 1",
         "signed by the node: another version"),
        ("id", resigned(data, lambda h: h["meta"].update(case_id="../case")), "'case_id' is not an id",
         "signed by the node: an id that leads out of a folder"),
    ):  # fmt: skip
        file = vectors.file(f"segment/{name}.seg", forged)
        vectors.add(f"segment/{name}", "segment", "altered", words, about, file=file)
    for name, change in (("camera", {"camera_id": "or2-ceiling"}), ("case", {"case_id": "case-2"})):
        forged = resigned(data, lambda h, change=change: h["meta"].update(change))  # type: ignore[misc]
        file = vectors.file(f"segment/moved-{name}.seg", forged)
        vectors.add(
            f"segment/moved-{name}", "segment", "altered", "Chunk 1 of 3 is not what was sealed",
            f"signed by the node: the ciphertext under another {name}'s header", file=file,
            slots="segment/good-1.slots", key="case",
        )  # fmt: skip


def _add_slots(vectors: Vectors, good: SealedSegment, other: SealedSegment) -> None:
    info = slot_info(good.header.meta)
    (slot,) = good.slots
    with repeatable("wrong key"):
        wrong = wrap_key(noise("wrong key", 32), CASE_KEY.public(), info)
    spoilt = replace(slot, sealed=flipped(slot.sealed, 1130))
    spoilt_secret = replace(slot, sealed=flipped(slot.sealed, 5))
    for name, slots, key, expected, words, about in (
        ("slot", (spoilt,), "case", "altered", "not what was sealed", "a bit of the sealed key in the slot"),
        ("slot-secret", (spoilt_secret,), "case", "altered", "not what was sealed", "a bit of the encapsulation"),
        ("slot-of-another", other.slots, "case", "altered", "belongs to something else", "another segment's slot"),
        ("slot-wrong-key", (wrong,), "case", "altered", "another key than was signed", "a slot with another key"),
        ("foreign-key", good.slots, "foreign", "not-for-you", "No key slot", "opened with a foreign key"),
        ("no-slot", (), "case", "not-for-you", "No key slot", "no slot: the case was destroyed"),
    ):  # fmt: skip
        file = vectors.file(f"segment/{name}.slots", encode_slots(slots))
        vectors.add(
            f"segment/{name}", "segment", expected, words, about,
            file="segment/good-1.seg", slots=file, key=key,
        )  # fmt: skip


def _add_nodes(vectors: Vectors) -> None:
    good = "segment/good-1.seg"
    vectors.add(
        "segment/foreign-node", "segment", "untrusted", "Another node", "another node's certificate",
        file=good, node="other-node",
    )  # fmt: skip
    forged = seal(meta(1), segment_digest(run()[0].data), FORGER_NODE)
    file = vectors.file("segment/forger.seg", forged.data)
    vectors.add(
        "segment/forger",
        "segment",
        "untrusted",
        "Another node",
        "sealed by a certificate of the same name",
        file=file,
    )
    for name, leaf, root, words, about in (
        ("forger", "forger-node", "root", "not issued by the root", "a node under another root"),
        ("wrong-root", "node", "forger-root", "not issued by the root", "the right node, a wrong root"),
        ("role", "server", "root", "not that of a recording node", "an export server as node"),
        ("root-itself", "root", "root", "not one that may sign data", "the root as node"),
    ):
        vectors.add(f"node/{name}", "node", "untrusted", words, about, leaf=leaf, root=root)
    vectors.add("node/good", "node", "good", "", "nothing", leaf="node", root="root")
    _add_stolen(vectors)


def _add_stolen(vectors: Vectors) -> None:
    """A node that was stolen and revoked: what counts is when the server first saw a segment, not what it says."""
    early = meta(1, node_id="node-3", run_id="run-3")
    late = meta(2, node_id="node-3", run_id="run-3", start_us=STOLEN_US, end_us=STOLEN_US + 2 * US_PER_S)
    files = {
        name: vectors.file(f"segment/stolen-{name}.seg", seal(what, "0" * 64, STOLEN_NODE).data)
        for name, what in (("early", early), ("late", late))
    }
    before, after = STOLEN_US - 1, STOLEN_US
    for name, file, seen_us, enrolled, expected, words, about in (
        ("good", "early", before, ["stolen-node"], "good", "", "nothing: recorded and seen before the theft"),
        ("revoked", "late", after, ["stolen-node"], "untrusted", "before this was recorded",
         "recorded by a node that was revoked before"),
        ("backdated", "early", after, ["stolen-node"], "untrusted", "first saw it",
         "seen first after its node was revoked; it says that it is older"),
        ("postdated", "late", before, ["stolen-node"], "untrusted", "before this was recorded",
         "seen before its node was revoked; it says that it is newer"),
        ("unknown", "early", before, ["node", "other-node"], "untrusted", "not enrolled here",
         "signed by a node that nobody enrolled"),
    ):  # fmt: skip
        vectors.add(
            f"enrolled/{name}", "enrolled", expected, words, about,
            file=files[file], enrolled=enrolled, list="certificates/revoked.crl", seen_us=seen_us,
        )  # fmt: skip


def add_runs(vectors: Vectors) -> None:
    """Runs: `good-N.seg` in every wrong order, and strangers among them."""
    good = run()
    names = [f"segment/good-{number}.seg" for number in range(LENGTH)]
    anchor = {"sequence": LENGTH - 1, "digest": good[-1].digest}
    elsewhere = {
        "camera": {"camera_id": "or2-ceiling"},
        "case": {"case_id": "case-2"},
        "run": {"run_id": "run-2"},
    }
    stranger = {
        what: vectors.file(f"run/other-{what}.seg", run(**c)[2].data) for what, c in elsewhere.items()
    }
    fork = vectors.file("run/fork.seg", seal(meta(2), good[1].digest, salt="fork").data)
    back = vectors.file(
        "run/back.seg", seal(meta(2, start_us=START_US, end_us=START_US), good[1].digest).data
    )
    first, second, third, fourth, fifth = names
    for name, files, expected, words, about in (
        ("whole", names, "good", "", "nothing"),
        ("dropped", [first, second, fourth, fifth], "damaged", "segment 2 is", "a segment dropped"),
        ("dropped-first", names[1:], "damaged", "segment 0 is", "the first dropped"),
        ("dropped-two", [first, fourth, fifth], "damaged", "segments 1 to 2 are", "two dropped"),
        ("repeated", [first, second, second, *names[2:]], "altered", "second segment with the number 1", "repeated"),
        ("swapped", [first, third, second, fourth, fifth], "altered", "out of order", "two swapped"),
        ("cut-off", names[:3], "damaged", "segments 3 to 4 are", "the last two cut off"),
        ("nothing-left", [], "damaged", "segments 0 to 4 are", "all of it cut off"),
        ("other-camera", [first, second, stranger["camera"], fourth], "altered", "camera", "another camera's"),
        ("other-case", [first, second, stranger["case"], fourth], "altered", "case", "another case's"),
        ("other-run", [first, second, stranger["run"], fourth], "altered", "run run-2", "another run's"),
        ("fork", [first, second, fork, fourth, fifth], "altered", "does not follow",
         "another segment under its number, signed by the node"),
        ("fork-at-the-end", [*names[:2], fork], "damaged", "segments 3 to 4 are", "the same, as the end"),
        ("time", [first, second, back], "altered", "begins before", "signed by the node: time runs back"),
    ):  # fmt: skip
        vectors.add(f"run/{name}", "run", expected, words, about, files=files, from_start=True, anchor=anchor)
    other_end = {"sequence": 2, "digest": segment_digest((vectors.folder / fork).read_bytes())}
    vectors.add(
        "run/other-head", "run", "altered", "not the one that was anchored", "another head was anchored",
        files=names, from_start=True, anchor=other_end,
    )  # fmt: skip
    vectors.add(
        "run/stretch",
        "run",
        "good",
        "",
        "nothing: a stretch out of the middle",
        files=names[1:4],
        from_start=False,
    )
