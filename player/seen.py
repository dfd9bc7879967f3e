"""A clock that does not go back: the latest time that this player has seen counts where the computer's is earlier.

It stops who turns a clock back to open what has expired. It cannot stop who also deletes the file below, or brings
the package to another computer: off line nothing can. The computer's clock and pinned issuers are believed, nobody
else.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from orvault.clock import US_PER_S, Clock, SystemClock
from orvault.container.files import read_bounded, write_private
from orvault.errors import ErrorKind, OrvaultError
from player import roots

FILE = "latest-time"  # UTC microseconds, in decimal digits
MAX_BYTES = 32
LATEST_US = 32_503_680_000 * US_PER_S  # the year 3000, where Windows' own dates end
TOLERANCE_US = 600 * US_PER_S  # computers put their clocks right by seconds and minutes


class SeenClock:
    """The computer's clock, or the latest time seen where that is later."""

    def __init__(self, machine: Clock, path: Path | None = None) -> None:
        self._machine = machine
        self._path = path or roots.folder().with_name(FILE)
        self._latest_us = _read(self._path)

    def now_us(self) -> int:
        """UTC microseconds; never before what was seen."""
        self._latest_us = max(self._machine.now_us(), self._latest_us)
        return self._latest_us

    def machine_us(self) -> int:
        """What the computer's clock shows, whatever was seen."""
        return self._machine.now_us()

    def sleep(self, seconds: float) -> None:
        """Let this much time pass."""
        self._machine.sleep(seconds)

    @property
    def turned_back_from_us(self) -> int | None:
        """The latest time seen, if the computer's clock is behind it by more than clocks are put right by."""
        behind = self._latest_us - self._machine.now_us()
        return self._latest_us if behind > TOLERANCE_US else None

    def note(self, issued_us: int = 0) -> None:
        """Remember the present time, and when a package of a pinned issuer says that it was made. Errors: STORAGE."""
        self._latest_us = max(self.now_us(), issued_us)
        write_private(self._path, str(self._latest_us).encode())


def noted_clock(told: Callable[[OrvaultError], None]) -> SeenClock:
    """The clock, with the present time remembered; that it could not be kept is `told`, and keeps nobody out."""
    clock = SeenClock(SystemClock())
    try:
        clock.note()
    except OrvaultError as error:
        told(error)
    return clock


def _read(path: Path) -> int:
    """What was remembered; nothing if there is none or it is no time, as if it had been deleted."""
    try:
        text = read_bounded(path, MAX_BYTES).decode("ascii", "replace")
    except OrvaultError as error:
        if error.kind is ErrorKind.STORAGE:
            raise
        return 0
    seen_us = int(text) if text.isascii() and text.isdigit() else 0
    return seen_us if seen_us < LATEST_US else 0
