"""Time as the product sees it: UTC microseconds since 1970, from an injected clock.

Nothing here converts to local time; what people read is formatted where it is shown.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

US_PER_S = 1_000_000
_CALENDAR_US = 253_402_300_800 * US_PER_S  # the year 10000, where the library's calendar ends


class Clock(Protocol):
    """What the core needs of time; tests inject `FakeClock`."""

    def now_us(self) -> int:
        """Wall-clock time in UTC microseconds since 1970-01-01."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let this much time pass."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now_us(self) -> int:
        """Wall-clock time in UTC microseconds since 1970-01-01."""
        return time.time_ns() // 1_000

    def sleep(self, seconds: float) -> None:
        """Block this thread."""
        time.sleep(seconds)


@dataclass
class FakeClock:
    """A clock that stands still until it is told otherwise."""

    us: int = 1_800_000_000 * US_PER_S
    slept_s: list[float] = field(default_factory=list)

    def now_us(self) -> int:
        """The time that was set."""
        return self.us

    def sleep(self, seconds: float) -> None:
        """Move on at once, and remember by how much."""
        self.slept_s.append(seconds)
        self.us += round(seconds * US_PER_S)


def utc_iso(us: int) -> str:
    """RFC 3339 in UTC with microseconds, e.g. 2026-11-22T09:30:00.000000Z.

    A number beyond the calendar stands as it is: who names what was forged must not fail by its time.
    """
    if not 0 <= us < _CALENDAR_US:
        return f"{us} us"
    return datetime.fromtimestamp(us / US_PER_S, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{us % US_PER_S:06d}Z"


def from_iso(text: str) -> int:
    """UTC microseconds of an RFC 3339 time; one without an offset is an error (ValueError)."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} names no offset from UTC")
    return round((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * US_PER_S)
