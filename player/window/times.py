"""Times as the window shows them: the hospital's wall clock, always with its distance from UTC.

A package says no time zone; OR Vault's hospitals are in Korea, as its papers are (ADR 0034).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from orvault.clock import US_PER_S

HOSPITAL = timezone(timedelta(hours=9))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def clock_time(us: int) -> str:
    """Time of day to the tenth of a second, e.g. 18:30:05.2."""
    return _told(us, f"%H:%M:%S.{us % US_PER_S // 100_000}")


def date_time(us: int) -> str:
    """Date and time, e.g. 2026-11-22 18:30:05 (+09:00)."""
    return _told(us, "%Y-%m-%d %H:%M:%S (+09:00)")


def date(us: int) -> str:
    """The day, e.g. 2026-11-22."""
    return _told(us, "%Y-%m-%d")


def _told(us: int, form: str) -> str:
    """A damaged file may name any number: one outside the calendar is told as such, in both languages."""
    try:
        return (_EPOCH + timedelta(microseconds=us)).astimezone(HOSPITAL).strftime(form)
    except OverflowError:
        return f"{us} µs (달력 밖 / outside the calendar)"
