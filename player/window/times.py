"""Times as the window shows them: the operating room's wall clock, always with its distance from UTC.

Where no package says what that is, or one from before it could, it is Korea's, as OR Vault's papers are (ADR 0034).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from orvault.clock import US_PER_S
from orvault.container.package import PackageTerms

HOSPITAL = timezone(timedelta(hours=9))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def zone_of(terms: PackageTerms) -> timezone:
    """The clock on the wall of the room in which this was recorded."""
    minutes = terms.utc_offset_min
    return HOSPITAL if minutes is None else timezone(timedelta(minutes=minutes))


def clock_time(us: int, zone: timezone = HOSPITAL) -> str:
    """Time of day to the tenth of a second, e.g. 18:30:05.2."""
    return _told(us, f"%H:%M:%S.{us % US_PER_S // 100_000}", zone)


def date_time(us: int, zone: timezone = HOSPITAL, *, tenths: bool = False) -> str:
    """Date and time, e.g. 2026-11-22 18:30:05 (+09:00)."""
    tenth = f".{us % US_PER_S // 100_000}" if tenths else ""
    distance = str(zone).removeprefix("UTC") or "+00:00"
    return _told(us, f"%Y-%m-%d %H:%M:%S{tenth} ({distance})", zone)


def date(us: int) -> str:
    """The day, e.g. 2026-11-22."""
    return _told(us, "%Y-%m-%d", HOSPITAL)


def _told(us: int, form: str, zone: timezone) -> str:
    """A damaged file may name any number: one outside the calendar is told as such, in both languages."""
    try:
        return (_EPOCH + timedelta(microseconds=us)).astimezone(zone).strftime(form)
    except OverflowError:
        return f"{us} µs (달력 밖 / outside the calendar)"
