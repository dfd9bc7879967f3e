"""Finds a camera's coded pictures by their time in the sealed stream, without an index and without reading it all.

A package's video has none: it was written forwards. Fragments are found by halving, and what was found is remembered.
Decoding is decoding.py's.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from dataclasses import dataclass, field

from orvault.errors import ErrorKind, OrvaultError
from player.boxes import Fragment, Sample, Track, read_fragment, read_track
from player.mp4 import Stream, bad, read_exactly

_WINDOW_BYTES = 1 << 18  # read at a time when a fragment's beginning is looked for
_WALK_BYTES = 8 << 20  # nearer than this, fragments are followed one by one: halving would read as much
STRETCH_PICTURES = 3_000  # for one decoder, which keeps a row for each of them as long as it lives
_CANDIDATES = 64  # looked at in a window: those letters are rare in what was not made to hold them
_REMEMBERED = 4_096  # fragments' places; over two hours of a usual camera
_UNREADABLE = (ErrorKind.DAMAGED, ErrorKind.ALTERED)


@dataclass(frozen=True, slots=True)
class Coded:
    """One coded picture and its bytes."""

    sample: Sample
    data: bytes = field(repr=False)


class Film:
    """One camera's sealed video, read by one decoder at a time.

    Raises (all methods):
        OrvaultError: BAD_MEDIA, and what reading the stream raises: ALTERED, DAMAGED, STORAGE.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.track: Track = read_track(stream)
        first = read_fragment(stream, self.track, self.track.begin)
        if first is None:
            bad("It holds no picture.")
        if not first.sync:
            bad("It does not begin with a picture that can be decoded alone.")
        self._first = first
        self._known: list[tuple[int, int]] = [(first.first_90k, first.offset)]  # decoding can start there

    @property
    def origin_90k(self) -> int:
        """The time of the first picture."""
        return self._first.first_90k

    def find(self, at_90k: int) -> tuple[Fragment, int]:
        """Where decoding starts for the picture on screen at `at_90k`, and that picture's own time."""
        low, high = self._bounds(at_90k)
        low = self._halved(low, high, at_90k)
        entry, shown = low, low.first_90k
        fragment: Fragment | None = low
        while fragment is not None and fragment.first_90k <= at_90k:
            if fragment.sync:
                entry = fragment
                self._remember(fragment)
            times = [sample.pts_90k for sample in fragment.samples]
            shown = max(time for time in times if time <= at_90k)
            if max(times) >= at_90k:
                break  # what follows is later, and might be unreadable
            fragment = read_fragment(self._stream, self.track, fragment.end)
        return entry, shown

    def coded(self, entry: Fragment, following: list[Fragment]) -> Iterator[Coded]:
        """The coded pictures from a fragment on, in decoding order, for some minutes.

        Where it stops before the end it puts the fragment that comes next, with which decoding can start, into
        `following`.
        """
        fragment: Fragment | None = entry
        pictures = 0
        while fragment is not None:
            if pictures >= STRETCH_PICTURES and fragment.sync:
                following.append(fragment)
                return
            pictures += len(fragment.samples)
            for sample in fragment.samples:
                yield Coded(sample, read_exactly(self._stream, sample.offset, sample.size))
            fragment = read_fragment(self._stream, self.track, fragment.end)

    def key_picture(self, fragment: Fragment) -> Coded:
        """The one with which a fragment begins."""
        sample = fragment.samples[0]
        return Coded(sample, read_exactly(self._stream, sample.offset, sample.size))

    def _bounds(self, at_90k: int) -> tuple[Fragment, int]:
        """The nearest known fragment not after `at_90k`, and where the search ends."""
        place = max(0, bisect.bisect_right(self._known, at_90k, key=lambda known: known[0]) - 1)
        high = self._known[place + 1][1] if place + 1 < len(self._known) else self._stream.size
        low = read_fragment(self._stream, self.track, self._known[place][1])
        assert low is not None, "it was there when it was remembered"
        return low, high

    def _halved(self, low: Fragment, high: int, at_90k: int) -> Fragment:
        """A fragment not after `at_90k` from which it is not far."""
        while high - low.end > _WALK_BYTES:
            middle = (low.end + high) // 2
            found = self._next_entry(middle, high)
            if found is not None and found.first_90k <= at_90k:
                low = found
                self._remember(found)
            else:
                high = middle
        return low

    def _next_entry(self, begin: int, end: int) -> Fragment | None:
        """The first fragment that begins in this stretch and at which decoding can start.

        What cannot be read counts as none: who walks up to it then says what is wrong there.
        """
        at, tail = begin, b""
        try:
            while at < end:
                self._stream.seek(at)
                window = tail + (self._stream.read(min(_WINDOW_BYTES, end - at)) or b"")
                if len(window) <= len(tail):
                    return None
                base = at - len(tail)
                place = window.find(b"moof", 4)
                for _ in range(_CANDIDATES):
                    if place < 4:
                        break
                    fragment = self._fragment_at(base + place - 4)
                    if fragment is not None and fragment.sync:
                        return fragment
                    place = window.find(b"moof", place + 4)
                at, tail = base + len(window), window[-7:]
        except OrvaultError as error:
            if error.kind not in _UNREADABLE:
                raise
        return None

    def _fragment_at(self, offset: int) -> Fragment | None:
        """The fragment there, if one is: the same four letters can stand in a picture's bytes."""
        try:
            return read_fragment(self._stream, self.track, offset)
        except OrvaultError as error:
            if error.kind is not ErrorKind.BAD_MEDIA:
                raise
            return None

    def _remember(self, fragment: Fragment) -> None:
        known = (fragment.first_90k, fragment.offset)
        place = bisect.bisect_left(self._known, known)
        if len(self._known) < _REMEMBERED and self._known[place : place + 1] != [known]:
            self._known.insert(place, known)
