"""What a hostile package can reach in the player, as targets for a fuzzer: each takes bytes and gives nothing.

Only OrvaultError may come out of them, and that is caught here. The signer is a thief with an identity of their own:
labels and manifests are signed as they are, so that what lies behind a signature is reached too.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable
from functools import cache
from pathlib import Path

from orvault.clock import US_PER_S, FakeClock
from orvault.container import canonical, dsse
from orvault.container.canonical import Fields
from orvault.container.frame_reader import read_frame
from orvault.container.label import LABEL, LABEL_TYPE, MAX_LABEL_BYTES, read_label, read_slots
from orvault.container.manifest import Manifest
from orvault.container.package_reader import PackageReader
from orvault.container.trust import Identity, create_root, issue
from orvault.errors import OrvaultError
from player.decoding import Decoder
from player.film import Film
from player.window.budget import views
from player.window.facts import Known, sections
from player.window.marks import Columns, Events, marks_of, span_of
from player.window.verdicts import Level, Shown
from player.window.words import Language

MAX_PICTURES = 12  # decoded of one input: what a bad one does, it does early
_SHOWN = Shown(Level.CHECKING, "Checking", "So far.", "checking")
EARLY = FakeClock(us=1_700_000_000 * US_PER_S)


class Clear(io.BytesIO):
    """A video as the sealed stream gives it."""

    @property
    def size(self) -> int:
        """Bytes of it."""
        return len(self.getbuffer())


@cache
def thief() -> Identity:
    """Somebody who signs what they like."""
    return issue(create_root("Thief root", EARLY, years=40), "Thief", "export-server", EARLY, 12_000)


def package(data: bytes) -> None:
    """A file that says it is a package, whole and with its tail missing; the papers too if it gets so far."""
    for partial in (False, True):
        file = io.BytesIO(data)
        with PackageReader(file, read_frame(file, partial=partial)) as reader:
            reader.verify_label([], reader.label.not_before_us)
            reader.verify_all()


def label(data: bytes) -> None:
    """A label's payload, signed; then what a label says of sizes and chunks."""
    found = read_label(dsse.seal_envelope(data, LABEL_TYPE, thief()))
    for camera in found.cameras:
        assert 0 < camera.media.chunks < 2**31


def manifest(data: bytes) -> None:
    """A manifest's payload, behind its seal and its signature; then what the window makes of it."""
    value = canonical.decode(data, max_bytes=MAX_LABEL_BYTES, where="manifest")
    found = Manifest.read(Fields(value, "manifest"))
    assert found.to_json() == value, "history's digest is over what was read"
    marks = marks_of(found)
    first_us, last_us = span_of(found.media)
    Columns(marks, first_us, max(last_us, first_us + 1)).held(1000, 3)
    Events(marks).between(first_us, last_us, 5)
    assert views(found.media)
    for language in Language:
        sections(Known(Path("package"), _SHOWN, manifest=found), language)


def slots(data: bytes) -> None:
    """The key slots, which nobody signs."""
    read_slots(data)


def envelope(data: bytes) -> None:
    """A signed envelope as bytes."""
    dsse.read_envelope(data, LABEL_TYPE, LABEL, MAX_LABEL_BYTES)


def video(data: bytes) -> None:
    """A camera's video in a package that is signed properly: found, decoded, searched."""
    film = Film(Clear(data))
    entry, _ = film.find(film.origin_90k)
    decoder = Decoder(film.track, threads=1)
    for looked_at in (False, True):  # what lies before the picture sought is decoded and never looked at
        decoder.turn_to(film.coded(entry, []), entry.first_90k)
        for shown in itertools.islice(iter(decoder.next, None), MAX_PICTURES):
            if looked_at:
                shown.pixels(64)
    film.find(film.origin_90k + 90_000)
    film.find(1 << 40)


TARGETS: tuple[Callable[[bytes], None], ...] = (package, label, manifest, slots, envelope, video)


def run(data: bytes) -> None:
    """One input: its first byte names the target."""
    if not data:
        return
    try:
        TARGETS[data[0] % len(TARGETS)](data[1:])
    except OrvaultError:
        return
