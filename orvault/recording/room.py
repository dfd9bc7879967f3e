"""How much room a node's disk has left, for how long that will do, and when to say so.

What is done when it is used up, `store` decides: the reserve stays free for gap records.
"""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from orvault.clock import US_PER_S, Clock

GB = 10**9
RESERVE_BYTES = 64 << 20  # gap records are under 8 KiB: for months of them, with their folders
LEAST_SPAN_US = 300 * US_PER_S  # what is measured over less says nothing
_SAMPLE_US = 60 * US_PER_S
_SAMPLES = 60  # an hour of them
_LIFTED = (
    1.1  # times the limit must be there again before an alarm ends, or it would come and go with each file
)


@dataclass(frozen=True)
class RoomLimits:
    """Below which an alarm is due: bytes free above the reserve, or seconds of recording at the present rate."""

    free_bytes: int = 20 * GB
    seconds: float = 24 * 3600.0


def free_bytes(folder: Path) -> int | None:
    """What is free where this folder lies, or will lie; None if the disk does not say."""
    for place in (folder, *folder.parents):
        try:
            return shutil.disk_usage(place).free
        except OSError:
            continue
    return None


class RoomWatch:
    """Watches one disk from one process; asked now and then, it knows how fast the disk fills."""

    def __init__(
        self,
        folder: Path,
        limits: RoomLimits,
        clock: Clock,
        free: Callable[[Path], int | None] = free_bytes,
    ) -> None:
        self._folder, self._limits, self._clock, self._free = folder, limits, clock, free
        self._samples: deque[tuple[int, int]] = deque(maxlen=_SAMPLES)
        self._low = False

    def alarm(self) -> str:
        """What is wrong with the room that is left, for people; empty if nothing is."""
        free, now_us = self._free(self._folder), self._clock.now_us()
        if free is None:
            return "the recordings' disk does not answer"
        if not self._samples or now_us - self._samples[-1][0] >= _SAMPLE_US:
            self._samples.append((now_us, free))
        left = max(0, free - RESERVE_BYTES)
        lasts_s = self._lasts_s(now_us, free, left)
        self._low = self._is_low(left, lasts_s)
        if left == 0:
            return "the recordings' disk is full: what is left is kept for gap records"
        if not self._low:
            return ""
        rate = "" if lasts_s is None else f", {lasts_s / 3600:.1f} hours at the present rate"
        return f"the recordings' disk is filling up: {left / GB:.1f} GB are left{rate}"

    def _is_low(self, left: int, lasts_s: float | None) -> bool:
        times = _LIFTED if self._low else 1.0
        by_rate = lasts_s is not None and lasts_s < self._limits.seconds * times
        return left == 0 or left < self._limits.free_bytes * times or by_rate

    def _lasts_s(self, now_us: int, free: int, left: int) -> float | None:
        """How long it will do at the rate of the last hour; None if that is not known, or nothing fills it."""
        since_us, before = self._samples[0]
        if now_us - since_us < LEAST_SPAN_US or before <= free:
            return None
        return left * ((now_us - since_us) / US_PER_S) / (before - free)
