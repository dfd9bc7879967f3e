"""When each picture of a camera's footage was taken, noted while the first pass opens it; so that each piece can be
placed in the whole before those in front of it are rendered. It decodes nothing.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Sequence

from actors.following import Opened
from actors.render_pieces import spans_of
from actors.render_work import RenderWork
from orvault.custody.recorded import SegmentLike
from orvault.custody.stretches import Track
from orvault.video.codec import decode_fragment
from orvault.video.placing import Placing, Reached, taken_us
from orvault.video.times import shown_90k

Times = list[int]  # of a segment's pictures, in 1/90000 s, in the order of showing


class PictureTimes:
    """Of one camera's segments, whose `keys` these are. `opened` opens them; what is noted lies sealed in `work`."""

    def __init__(self, track: Track, keys: Sequence[bytes], opened: Opened, work: RenderWork) -> None:
        self._track = track
        self._keys = keys
        self._opened = opened
        self._work = work
        self._noted: tuple[int, int, list[Times]] | None = None  # of the last piece, not kept yet

    def noted(self, first: int, end: int) -> Iterator[tuple[SegmentLike, bytes]]:
        """As `Opened`, of a whole piece; its times are kept when the next one is asked for, or all of them."""
        self._keep()
        times: list[Times] = []
        for segment, fragment in self._opened(first, end):
            times.append(shown_90k(fragment))
            yield segment, fragment
        self._noted = first, end, times

    def _keep(self) -> None:
        if self._noted is not None:
            (first, end, times), self._noted = self._noted, None
            self._work.put(*self._place(first, end), zlib.compress(json.dumps(times).encode(), 1))

    def reached(
        self,
        spans: Sequence[tuple[int, int]],
        counts: Sequence[int],
        fps: float,
        range_us: tuple[int, int],
    ) -> list[Reached]:
        """How far the video is before each of these pieces, and behind the last: placed as `Rendition` places.

        `counts`: how many pictures each segment was seen to have; pictures outside `range_us` are left out.
        """
        line, known = Placing(fps), self._all()
        begins = {begin for begin, _ in spans}
        before: list[Reached] = []
        for number, (told, count) in enumerate(zip(known, counts, strict=True)):
            if number in begins:
                before.append(line.reached())
            times = told if len(told) == count else self._decoded(number)
            start_us = self._track.segments[number].header.meta.start_us
            for shown in times:
                at_us = taken_us(start_us, shown, times[0])
                if range_us[0] <= at_us < range_us[1]:
                    line.place(at_us)
            line.next_fragment()
        return [*before, line.reached()]

    def _all(self) -> Iterator[Times]:
        """Those of each segment; memory holds a piece's."""
        self._keep()
        for first, end in spans_of(self._track.segments, 1):
            place = self._place(first, end)
            kept = self._work.get(*place)
            if kept is None:  # a scan looked through it, or the file is spoiled
                for _ in self.noted(first, end):
                    pass
                self._keep()
                kept = self._work.read(*place)
            yield from json.loads(zlib.decompress(kept))

    def _decoded(self, number: int) -> Times:
        """Where a decoder shows other pictures than the packets promise it is asked."""
        ((_, fragment),) = self._opened(number, number + 1)
        return [frame.pts_90k for frame in decode_fragment(fragment, black_for_damaged=True)]

    def _place(self, first: int, end: int) -> tuple[str, bytes]:
        return f"{self._track.camera.camera_id}-{first:05d}-times", self._work.key(self._keys[first:end])
