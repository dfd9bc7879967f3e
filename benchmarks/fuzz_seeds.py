"""Where the fuzzer begins: every hostile vector, a small video, and good papers of every kind that packages have.

Without good papers behind good signatures a fuzzer spends its time on finding out what JSON is.
"""

from __future__ import annotations

import base64
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.fuzz_targets import EARLY, TARGETS, envelope, label, manifest, package, slots, thief, video
from orvault.clock import US_PER_S
from orvault.container import canonical
from orvault.container.activation import Activation
from orvault.container.chosen import ClearPart, DrawnKey, DrawnRegion, ToldChoice
from orvault.container.happened import EventKind, Happened, Means
from orvault.container.history import HistoryProof, ProvenEntry
from orvault.container.keys import Argon2idParams, Recipient, generate_private_key, password_recipient
from orvault.container.label import write_slots
from orvault.container.package import Manifest, MediaInfo, PackageBuilder, PackageReader, PackageTerms

TESTS = Path(__file__).resolve().parents[1] / "tests"
VECTORS, VIDEO = TESTS / "vectors" / "hostile", TESTS / "media" / "bars.mp4"
_NOW = EARLY.us
_CHEAP = Argon2idParams(memory_kib=8 * 1024, iterations=1, lanes=1)
_TERMS = PackageTerms(
    package_id="pkg-seed", request_id="req-1", case_id="case-1", purpose="court", legal_basis="court",
    recipients=("Kim 김", "Court"), terms_text="For this purpose only.\nDestroy it.", masking="head, solid",
    watermark="req-1", not_before_us=_NOW, not_after_us=_NOW + 9 * US_PER_S, issued_us=_NOW,
)  # fmt: skip
_CHOICE = ToldChoice(
    "Officer",
    _NOW,
    (ClearPart("or1", "3", "person", _NOW, _NOW + 9),),
    (DrawnRegion("or1", "door", (DrawnKey(_NOW, (0, 0, 9, 9)), DrawnKey(_NOW + 9, (1, 1, 9, 9)))),),
)
_EVENTS = (
    Happened(_NOW, EventKind.CASE_ARMED, None, Means.ACCOUNT),
    Happened(_NOW + 1, EventKind.RECORDING_STARTED, "or1", Means.PEDAL),
    Happened(_NOW + 2, "of-later-writers", "or2"),
)
_SOURCE = {"segment_id": "seg-0", "digest": "ab" * 32}


def write(folder: Path) -> None:
    """One file for each seed, as `fuzz_targets.run` takes them."""
    for path in sorted(VECTORS.glob("*.bin")):
        (folder / path.name).write_bytes(path.read_bytes())
    for number, (target, data) in enumerate(_made()):
        (folder / f"{target.__name__}-{number}").write_bytes(bytes([TARGETS.index(target)]) + data)


def _made() -> Iterator[tuple[Callable[[bytes], None], bytes]]:
    yield video, VIDEO.read_bytes()
    for told in (_TERMS, replace(_TERMS, events=_EVENTS, overlay=False), _everything()):
        yield manifest, canonical.encode(Manifest(told, _media(), _history()).to_json())
    for activation in (None, Activation("https://127.0.0.1:9", b"authority")):
        data, sealed = _package(activation)
        yield package, data
        yield envelope, sealed
        yield label, base64.b64decode(json.loads(sealed)["payload"])
        yield slots, _slots(data)


def _everything() -> PackageTerms:
    return replace(_TERMS, events=_EVENTS, masking_choice=_CHOICE, utc_offset_min=-210)


def _media() -> tuple[MediaInfo, ...]:
    gaps = ((_NOW + 1, _NOW + 2), (_NOW + 5, _NOW + 9))
    one = MediaInfo("or1", "Ceiling", 1280, 720, 15.0, 30, _NOW, _NOW + 2 * US_PER_S, gaps, (_SOURCE,))
    return one, replace(one, camera_id="or2", gaps=())


def _history() -> HistoryProof:
    entries = tuple(ProvenEntry(b'{"seq":1}', (bytes(32),)) for _ in range(2))
    return HistoryProof("orvault/history\n1\nAAAA\n\n— name AAAA\n", entries)


def _package(activation: Activation | None) -> tuple[bytes, bytes]:
    """A package by a thief, and its label as it stands in it."""
    people = [
        password_recipient("Kim", "correct horse", _CHEAP),
        Recipient("B", generate_private_key().public()),
    ]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "package"
        with PackageBuilder(Path(folder), thief(), _TERMS, 4096, activation) as builder:
            for info in _media():
                with builder.media_sink(info.camera_id) as sink:
                    sink.write(bytes(5000))
            builder.finish(out, _media(), people)
        with PackageReader.open(out) as reader:
            return out.read_bytes(), reader.label.seal(thief())


def _slots(data: bytes) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "package"
        path.write_bytes(data)
        with PackageReader.open(path) as reader:
            return write_slots(reader.slots)
