"""What the window remembers from one start to the next: its language. Of packages nothing is remembered.

Lies beside the pinned roots, in the user's configuration folder.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from orvault.container.files import read_bounded, write_private
from orvault.errors import OrvaultError
from player import roots
from player.window.words import Language

FILE = "language"
MAX_BYTES = 8


def _path() -> Path:
    return roots.folder().with_name(FILE)


def language() -> Language | None:
    """The one that was chosen last; None if none was, or the file holds something else or cannot be read."""
    try:
        chosen = read_bounded(_path(), MAX_BYTES).decode("ascii", "replace").strip()
    except OrvaultError:
        return None
    return Language(chosen) if chosen in set(Language) else None


def keep_language(chosen: Language) -> None:
    """Begin with this one from now on; where the folder takes nothing, with the system's as before."""
    with contextlib.suppress(OrvaultError):
        write_private(_path(), chosen.value.encode())
