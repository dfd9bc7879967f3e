"""The languages of papers; apart from them, for a command line names a language and prints no paper."""

from __future__ import annotations

from enum import StrEnum


class Language(StrEnum):
    """What a paper is written in."""

    KOREAN = "ko"
    ENGLISH = "en"
