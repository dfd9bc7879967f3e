"""Puts a camera's time stamps on the wall clock, through resets and pauses, without ever going back.

It sees times only; which pictures are kept is the cutter's part (`gop`).
"""

from __future__ import annotations

from orvault.clock import Clock
from orvault.video.packet import TICKS_PER_S

# Reordered pictures differ by well under a second; a larger step needs a look at the clock.
_ODD_STEP = 2 * TICKS_PER_S


def to_us(ticks_90k: int) -> int:
    """1/90000 s as microseconds."""
    return ticks_90k * 100 // 9


def to_90k(us: int) -> int:
    """Microseconds as 1/90000 s."""
    return us * 9 // 100


class Timeline:
    """The times of one connection, made continuous and anchored to the wall clock.

    Anchor: a picture can arrive late, never early, so of "arrival less stream time" the smallest value seen
    is the best estimate of when the stream's zero was. It is refined until `settle`, and then stays: from
    there only the camera's own time counts, so that a step of this machine's clock moves no picture.
    Reset: when the camera's time steps by over 2 s and the clock does not agree, its clock was set; the
    stream goes on by what the clock says has passed.
    """

    def __init__(self, clock: Clock, frame_90k: int, not_before_us: int) -> None:
        self._clock = clock
        self._frame = frame_90k
        self._not_before_us = not_before_us
        self._offset = 0
        self._latest: int | None = None
        self._arrived_us = 0
        self._anchor_us: int | None = None
        self._settled = False

    def place(self, pts_90k: int) -> int:
        """The stream time of a picture that arrives now, 1/90000 s, continuous over resets."""
        now_us = self._clock.now_us()
        time = pts_90k + self._offset
        if self._latest is not None and abs(time - self._latest) > _ODD_STEP:
            elapsed = max(self._frame, to_90k(now_us - self._arrived_us))
            if abs(time - self._latest - elapsed) > _ODD_STEP:
                self._offset += self._latest + elapsed - time
                time = self._latest + elapsed
        self._latest = time if self._latest is None else max(time, self._latest)
        self._arrived_us = now_us
        if not self._settled:
            start_us = now_us - to_us(time)
            self._anchor_us = start_us if self._anchor_us is None else min(start_us, self._anchor_us)
        return time

    def settle(self, first_90k: int) -> None:
        """Fix the anchor; the first picture kept is not put before what was recorded last."""
        if self._settled:
            return
        assert self._anchor_us is not None, "a picture was placed before"
        self._anchor_us = max(self._anchor_us, self._not_before_us - to_us(first_90k))
        self._settled = True

    def wall_us(self, time_90k: int) -> int:
        """UTC microseconds of a stream time; only after `settle`."""
        assert self._anchor_us is not None, "a picture was placed before"
        return self._anchor_us + to_us(time_90k)
