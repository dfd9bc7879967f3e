"""A picture's own date and time as it is drawn into it: 2026-11-22 18:30:05.123+09:00, always as many characters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

TIME_FIELD = "{time}"
TIME_CHARACTERS = "0123456789-+:. Z"  # all that can occur in it


def frame_time(taken_us: int, utc_offset_min: int) -> str:
    """UTC microseconds as local time with its offset, to the millisecond, cut off (a picture never shows a later
    time than its own).
    """
    seconds, rest_us = divmod(taken_us, 1_000_000)
    local = datetime.fromtimestamp(seconds, UTC) + timedelta(minutes=utc_offset_min)
    hours, minutes = divmod(abs(utc_offset_min), 60)
    sign = "-" if utc_offset_min < 0 else "+"
    offset = f"{sign}{hours:02d}:{minutes:02d}" if utc_offset_min else "Z"
    return f"{local:%Y-%m-%d %H:%M:%S}.{rest_us // 1000:03d}{offset}"
