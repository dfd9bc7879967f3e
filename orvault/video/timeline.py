"""Puts a camera's time stamps on the wall clock, through resets and pauses, without ever going back.

It sees times only; which pictures are kept is the cutter's part (`gop`).
"""

from __future__ import annotations

from dataclasses import dataclass

from orvault.clock import Clock
from orvault.video.packet import TICKS_PER_S

_ODD_FRAMES = 3  # a picture that lies farther back than so many has no place among those that were there
_REORDERED_FRAMES = 17  # where pictures are reordered: x264's 16 pictures between two others, and one
_HOLE = TICKS_PER_S // 2  # a step forwards that is larger is held against the clock
_EARLY = TICKS_PER_S * 3 // 10  # so much before the earliest one to be expected no picture arrives
_NEVER_LATE = 5 * TICKS_PER_S  # later than that by itself a connection is not; this machine's clock was set
_BLOCK = 256  # pictures after which what is known of arrivals is looked at anew
_DRIFT = TICKS_PER_S // 100  # the camera's clock and ours drift apart by less in that time


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
    Reset: the camera's clock was set when a picture lies farther back than reordering puts it, or steps forwards
    and arrives before it can have been taken. Its time says nothing then; the stream goes on one picture later, or
    by what the clock says has passed. A pause is no reset, nor is a stall of the network: its pictures come late, and
    in a burst, but their own times follow each other; what a camera leaves out to catch up was taken before now.
    A step back is taken back when the pictures after it go on where those before it were: one was stamped oddly, or
    the stream reorders although it was said not to.
    """

    def __init__(self, clock: Clock, frame_90k: int, not_before_us: int, *, reorders: bool) -> None:
        self._clock = clock
        self._frame = frame_90k
        self._reordering = _REORDERED_FRAMES * frame_90k if reorders else 0
        self._not_before_us = not_before_us
        self._offset = 0
        self._latest: int | None = None
        self._back: _StepBack | None = None  # the newest, while it may be none
        self._arrivals = _Arrivals()
        self._anchor_us: int | None = None
        self._settled = False

    def place(self, pts_90k: int) -> int:
        """The stream time of a picture that arrives now, 1/90000 s, continuous over resets."""
        now_us = self._clock.now_us()
        now = to_90k(now_us)
        self._doubt(pts_90k)
        time = pts_90k + self._offset
        if self._latest is not None and self._reset(time - self._latest, now - time):
            if time < self._latest and self._back is None:
                self._back = _StepBack(self._offset, self._latest, self._latest - time)
            following = max(self._latest + self._frame, now - self._arrivals.earliest - _EARLY)
            self._offset += following - time
            time = following
        self._latest = time if self._latest is None else max(time, self._latest)
        self._arrivals.add(now - time)
        if not self._settled:
            start_us = now_us - to_us(time)
            self._anchor_us = start_us if self._anchor_us is None else min(start_us, self._anchor_us)
        return time

    def _reset(self, step: int, arrival: int) -> bool:
        """Whether the camera's clock was set: `step` from the latest picture, `arrival` less stream time."""
        if step < 0:
            return step < -max(self._reordering, _ODD_FRAMES * self._frame)
        early = self._arrivals.earliest - arrival
        return step > _HOLE + self._reordering and early > _EARLY + self._reordering

    def _doubt(self, pts_90k: int) -> None:
        """Take a step back back where this picture is due by the times from before it: none of them was lost.

        Had the clock been set, it would be as late by them as the step was long, which is three pictures at least.
        """
        back = self._back
        if back is None or self._latest is None:
            return
        back.pictures += 1
        time = pts_90k + back.offset
        back.depth = max(back.depth, back.latest - time)
        # The second: what was placed too late meanwhile is not followed by an earlier picture.
        if time - back.latest > (back.pictures - 1) * self._frame and time > self._latest:
            self._offset, self._back = back.offset, None
            if back.depth <= _REORDERED_FRAMES * self._frame:
                self._reordering = max(self._reordering, back.depth)  # it will do that again
        elif back.pictures > _REORDERED_FRAMES:
            self._back = None

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


@dataclass
class _StepBack:
    """A step back of the camera's times: what held before it, the farthest back by that, the pictures since."""

    offset: int
    latest: int
    depth: int
    pictures: int = 0


class _Arrivals:
    """ "Arrival less stream time" of the pictures so far, 1/90000 s: the least that is to be expected now.

    It rises a little with each block, because clocks drift, and at once where this machine's clock was set.
    """

    def __init__(self) -> None:
        self.earliest = 0
        self._least: int | None = None  # of this block
        self._count = 0

    def add(self, arrival: int) -> None:
        if self._least is None and not self._count:
            self.earliest = arrival
        self._least = arrival if self._least is None else min(arrival, self._least)
        self.earliest = min(arrival, self.earliest)
        self._count += 1
        if self._count % _BLOCK == 0:
            set_forward = self._least - self.earliest > _NEVER_LATE
            self.earliest = self._least if set_forward else min(self._least, self.earliest + _DRIFT)
            self._least = None
