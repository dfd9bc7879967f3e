"""Turns the times at which pictures were taken into their places in a video: from 0, growing, gaps kept."""

from __future__ import annotations

from dataclasses import dataclass

from orvault.video.codec import CLOCK_90K

_GAP_90K = CLOCK_90K // 2  # pictures farther apart than half a second are a gap that the recipient is told of


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a video is; what is needed to go on with it, in another process too. Times UTC microseconds."""

    count: int = 0
    steps: int = 0
    origin_us: float = 0.0
    last_us: float = 0.0
    last_90k: int = -1


def taken_us(start_us: int, pts_90k: int, first_90k: int) -> float:
    """When a picture was taken (UTC microseconds), of a fragment whose first one was taken at `start_us`."""
    return start_us + (pts_90k - first_90k) * 100 / 9


class Placing:
    """Places pictures of one camera, one after the other; `after`: how far the video was before the first of them."""

    def __init__(self, fps: float, after: Reached | None = None) -> None:
        before = after or Reached()
        self.count = before.count
        self.steps = before.steps
        self.gaps: list[tuple[int, int]] = []  # since `after`
        self._frame_us = 1_000_000 / fps
        self._origin_us = before.origin_us
        self._last_us = before.last_us
        self._last_90k = before.last_90k
        self._shift_us = 0.0

    def next_fragment(self) -> None:
        """A new fragment brings its own start time: what was corrected in the last one is over."""
        self._shift_us = 0.0

    def place(self, taken_us: float) -> int:
        """The time stamp, in 1/90000 s, of the picture taken at `taken_us`."""
        at_us = taken_us + self._shift_us
        if self.count == 0:
            self._origin_us = at_us
        elif at_us <= self._last_us:
            # The recorder's clock was set back between two fragments: the picture follows the last one.
            self.steps += 1
            self._shift_us += self._last_us + self._frame_us - at_us
            at_us = self._last_us + self._frame_us
        elif (at_us - self._last_us) * 9 / 100 > _GAP_90K:
            self.gaps.append((round(self._last_us), round(at_us)))
        self.count += 1
        self._last_us = at_us
        self._last_90k = max(self._last_90k + 1, round((at_us - self._origin_us) * 9 / 100))
        return self._last_90k

    def reached(self) -> Reached:
        """How far the video is now."""
        return Reached(self.count, self.steps, self._origin_us, self._last_us, self._last_90k)

    @property
    def start_us(self) -> int:
        """When the first picture was taken."""
        return round(self._origin_us)

    @property
    def end_us(self) -> int:
        """When the last picture's time was over."""
        return round(self._last_us + self._frame_us)
