"""Characters as people meet them: which may be shown, and fingerprints as they stand on paper.

How long a text may be, and what is said when it is not in order, its reader decides (custody/text.py, canonical.py).
"""

from __future__ import annotations

import unicodedata

_TURNING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
_UNSEEN = {"Cc", "Cs", "Co", "Cn", "Zl", "Zp"}
# Letters and a symbol that are blanks by what they stand for: a name made of them would be none.
_BLANKS = {"\u115f", "\u1160", "\u2800", "\u3164", "\uffa0"}


def is_unseen(character: str, *, formats: bool = False) -> bool:
    """Whether this has no place in a text that people typed: what nobody sees, and what turns the direction of
    writing, with which a name can be shown as another one. `formats` counts joiners and the like in, which some
    scripts need.
    """
    category = unicodedata.category(character)
    turning = unicodedata.bidirectional(character) in _TURNING
    return turning or category in _UNSEEN or character in _BLANKS or (formats and category == "Cf")


def is_name(text: str) -> bool:
    """Whether this is a name as certificates hold it: 1 to 64 printable characters."""
    return 1 <= len(text) <= 64 and text.isprintable()


def printable(text: str, *, lines: bool = False) -> str:
    """Text from a file as it may go to a terminal: no escape sequences, no reversed writing.

    Line breaks stay with `lines` only: without, what a file says cannot pass for a line of this program's own. A tab
    is a space there: people type it, and it cannot steer anything so.
    """
    return "".join(
        char if char.isprintable() or (lines and char == "\n") else "\N{REPLACEMENT CHARACTER}"
        for char in (text.replace("\t", " ") if lines else text)
    )


def grouped(fingerprint_hex: str) -> str:
    """A fingerprint as it stands on paper: upper case, in groups of four."""
    upper = fingerprint_hex.upper()
    return " ".join(upper[at : at + 4] for at in range(0, len(upper), 4))
