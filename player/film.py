"""Finds a camera's coded pictures by their time in the sealed stream, without an index and without reading it all.

A package's video has none: it was written forwards. Fragments are found by guessing from their times, and by halving
where that does not help; what was found or came by is remembered. Decoding is decoding.py's.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

from orvault.errors import ErrorKind, OrvaultError
from player.boxes import Fragment, Sample, Track, read_fragment, read_track
from player.mp4 import Stream, bad, read_exactly

_WINDOW_BYTES = 1 << 18  # read at a time when a fragment's beginning is looked for
_WALK_BYTES = 4 << 20  # nearer than this, fragments are followed one by one: looking would read as much
_GUESSES = 4  # in a row, before every other look halves what is left
STRETCH_PICTURES = 3_000  # for one decoder, which keeps a row for each of them as long as it lives
_CANDIDATES = 64  # looked at in a window: those letters are rare in what was not made to hold them
_REMEMBERED = 4_096  # fragments' places; over an hour of a usual camera
_UNREADABLE = (ErrorKind.DAMAGED, ErrorKind.ALTERED)


@dataclass(frozen=True, slots=True)
class Coded:
    """One coded picture and its bytes."""

    sample: Sample
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, order=True)
class _Place:
    """Where a fragment begins at which decoding can start, and when its first picture is shown."""

    first_90k: int
    offset: int


class Film:
    """One camera's sealed video, read by one decoder at a time; `span_90k`, how long it says it is, guides guesses.

    Raises (all methods):
        OrvaultError: BAD_MEDIA, and what reading the stream raises: ALTERED, DAMAGED, STORAGE.
    """

    def __init__(self, stream: Stream, span_90k: int = 0) -> None:
        self._stream = stream
        self.track: Track = read_track(stream)
        first = read_fragment(stream, self.track, self.track.begin)
        if first is None:
            bad("It holds no picture.")
        if not first.sync:
            bad("It does not begin with a picture that can be decoded alone.")
        self._first = first
        self._known = [_Place(first.first_90k, first.offset)]
        self._end = _Place(first.first_90k + max(1, span_90k), stream.size)

    @property
    def origin_90k(self) -> int:
        """The time of the first picture."""
        return self._first.first_90k

    def find(self, at_90k: int) -> tuple[Fragment, int]:
        """Where decoding starts for the picture on screen at `at_90k`, and that picture's own time."""
        entry = low = self._near(at_90k)
        shown = low.first_90k
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
            if fragment.sync:
                self._remember(fragment)
            pictures += len(fragment.samples)
            for sample in fragment.samples:
                yield Coded(sample, read_exactly(self._stream, sample.offset, sample.size))
            fragment = read_fragment(self._stream, self.track, fragment.end)

    def _near(self, at_90k: int) -> Fragment:
        """A fragment not after `at_90k` at which decoding can start, and from which it is not far."""
        low, high = self._bounds(at_90k)
        found: Fragment | None = None
        for look in itertools.count():
            if high.offset - low.offset <= _WALK_BYTES:
                break
            halve = look >= _GUESSES and look % 2 == 0
            middle = (low.offset + high.offset) // 2 if halve else self._guess(low, high, at_90k)
            entry = self._next_entry(middle, high.offset)
            if entry is None or entry.first_90k > at_90k:
                high = _Place(high.first_90k if entry is None else entry.first_90k, middle)
                continue
            low, found = _Place(entry.first_90k, entry.offset), entry
            self._remember(entry)
            if any(sample.pts_90k >= at_90k for sample in entry.samples):
                break
        found = found or read_fragment(self._stream, self.track, low.offset)
        assert found is not None, "it was there when it was remembered"
        return found

    def _bounds(self, at_90k: int) -> tuple[_Place, _Place]:
        """The nearest known place not after `at_90k`, and where the search ends."""
        above = bisect.bisect_right(self._known, at_90k, key=lambda known: known.first_90k)
        low = self._known[max(0, above - 1)]
        return low, self._known[above] if above < len(self._known) else self._end

    def _guess(self, low: _Place, high: _Place, at_90k: int) -> int:
        """Where the fragment probably begins that holds `at_90k`: a little before its share of the bytes."""
        passed = max(0, at_90k - low.first_90k) / max(1, high.first_90k - low.first_90k)
        share = low.offset + int((high.offset - low.offset) * min(1.0, passed))
        return min(max(share - (self._first.end - self._first.offset), low.offset + 1), high.offset - 1)

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
        known = _Place(fragment.first_90k, fragment.offset)
        place = bisect.bisect_left(self._known, known)
        if len(self._known) < _REMEMBERED and self._known[place : place + 1] != [known]:
            self._known.insert(place, known)
