"""Asks the system to keep the window out of screen captures, where it offers that.

Windows 10 (2004) and later take it; it stops neither a camera before the screen nor a program with the system's
rights. Linux and macOS offer nothing that a program could rely on.
"""

from __future__ import annotations

import sys

EXCLUDE_FROM_CAPTURE = 0x11  # WDA_EXCLUDEFROMCAPTURE


def discourage(window_id: int) -> bool:
    """Whether the system took the wish."""
    if sys.platform == "win32":
        import ctypes

        return bool(ctypes.windll.user32.SetWindowDisplayAffinity(window_id, EXCLUDE_FROM_CAPTURE))
    return False
