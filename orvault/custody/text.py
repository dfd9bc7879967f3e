"""Checks on what people type: lengths, characters (orvault/text.py), and times as they are shown in messages."""

from __future__ import annotations

import unicodedata

from orvault.clock import utc_iso
from orvault.errors import ErrorKind, OrvaultError
from orvault.text import is_unseen

MAX_TIME_US = 7_258_118_400 * 1_000_000  # 2200-01-01: later times are typing errors


def clean_text(text: str, where: str, *, longest: int, lines: bool = False, drawn: bool = False) -> str:
    """The text in NFC without surrounding blanks; BAD_REQUEST if empty, too long or holding control
    characters. A text that is `drawn` into pictures holds no joiners either: they have no shape.
    """
    clean = unicodedata.normalize("NFC", text).strip()
    if not clean:
        raise OrvaultError(ErrorKind.BAD_REQUEST, "This field is empty.", where=where, advice="Fill it in.")
    if len(clean) > longest:
        message = f"This text has {len(clean)} characters; at most {longest} are kept."
        raise OrvaultError(ErrorKind.BAD_REQUEST, message, where=where, advice="Shorten it.")
    for character in clean:
        if is_unseen(character, formats=drawn) and not (lines and character in "\n\t"):
            message = f"This text holds a character that cannot be shown (U+{ord(character):04X})."
            raise OrvaultError(
                ErrorKind.BAD_REQUEST, message, where=where, advice="Type it without that one."
            )
    return clean


def check_range(from_us: int, to_us: int, where: str = "from, to") -> None:
    """Raise BAD_REQUEST unless 1970 <= from < to <= 2200 (UTC microseconds)."""
    if not 0 <= from_us < to_us <= MAX_TIME_US:
        raise OrvaultError(
            ErrorKind.BAD_REQUEST,
            "The end of the period does not come after its beginning.",
            where=where,
            advice="Give two times with their offset from UTC, the earlier one first.",
        )


def show_time(us: int) -> str:
    """UTC to the second, as messages show it: 2026-11-22 09:30:00Z."""
    return utc_iso(us)[:19].replace("T", " ") + "Z"
