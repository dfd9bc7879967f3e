"""The one clock that all cameras of a package follow: a position in wall-clock time that runs, stands and jumps."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from orvault.clock import US_PER_S

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0)


class PlayClock:
    """Position between `first_us` and `last_us` (UTC microseconds); safe to be read from any thread.

    It waits for nobody: a camera that is late leaves pictures out.
    """

    def __init__(self, first_us: int, last_us: int, now_s: Callable[[], float] = time.monotonic) -> None:
        self.first_us, self.last_us = first_us, max(first_us, last_us)
        self._now_s = now_s
        self._lock = threading.Lock()
        self._from_us = first_us
        self._since_s: float | None = None
        self._speed = 1.0

    @property
    def position_us(self) -> int:
        """Where the clock is."""
        with self._lock:
            return self._position()

    @property
    def running(self) -> bool:
        """Whether it runs; at the end it stands."""
        with self._lock:
            return self._since_s is not None and self._position() < self.last_us

    @property
    def speed(self) -> float:
        """How much faster than time it runs."""
        return self._speed

    def play(self) -> None:
        """Run on from here; from the beginning if it stood at the end."""
        with self._lock:
            here = self._position()
            self._set(self.first_us if here >= self.last_us else here, self._now_s())

    def pause(self) -> None:
        """Stand still."""
        with self._lock:
            self._set(self._position(), None)

    def seek(self, at_us: int) -> int:
        """Jump, and run on if it ran; the position taken, which lies within the package."""
        with self._lock:
            taken = min(max(at_us, self.first_us), self.last_us)
            self._set(taken, None if self._since_s is None else self._now_s())
            return taken

    def set_speed(self, speed: float) -> None:
        """Run faster or slower from here on."""
        with self._lock:
            self._set(self._position(), None if self._since_s is None else self._now_s())
            self._speed = speed

    def faster(self) -> None:
        """The next of `SPEEDS`."""
        self.set_speed(next((each for each in SPEEDS if each > self._speed), SPEEDS[-1]))

    def slower(self) -> None:
        """The one before."""
        self.set_speed(next((each for each in reversed(SPEEDS) if each < self._speed), SPEEDS[0]))

    def _set(self, from_us: int, since_s: float | None) -> None:
        self._from_us, self._since_s = from_us, since_s

    def _position(self) -> int:
        if self._since_s is None:
            return self._from_us
        ran_us = round((self._now_s() - self._since_s) * self._speed * US_PER_S)
        return min(self._from_us + ran_us, self.last_us)
