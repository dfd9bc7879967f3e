"""A piece of a masked result as it was encoded: its pictures by the time when they were taken.

Opening it is the actor's part (actors/result_views.py); what a viewer sees of it, `stored`'s.
"""

from __future__ import annotations

from collections.abc import Iterator

from orvault.video.codec import Frame, decode_fragment
from orvault.video.joining import begins_90k, parts_of


class ResultPiece:
    """A video of about a minute, whose first picture is shown at `first_90k` of a whole that begins at `start_us`
    (UTC). It is held coded, and decoded from keyframe to keyframe.
    """

    def __init__(self, video: bytes, start_us: int, first_90k: int) -> None:
        self._origin_us = start_us + first_90k * 100 / 9
        parts = [(self._taken_us(begins_90k(part)), part) for part in parts_of(video, 0)]
        ends = [*(begin for begin, _ in parts[1:]), float("inf")]
        self._parts = [(begin, end, part) for (begin, part), end in zip(parts, ends, strict=True)]

    def pictures(self, from_us: int, to_us: int) -> Iterator[tuple[Frame, int]]:
        """Those that were taken in from-to, each with when (UTC us). Errors: BAD_MEDIA."""
        for begin, end, part in self._parts:
            if begin < to_us and end > from_us:
                for frame in decode_fragment(part):
                    taken_us = round(self._taken_us(frame.pts_90k))
                    if from_us <= taken_us < to_us:
                        yield frame, taken_us

    def _taken_us(self, at_90k: int) -> float:
        return self._origin_us + at_90k * 100 / 9
