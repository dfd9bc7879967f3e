"""Asks the system to keep a window out of screen captures, where it offers that.

Windows 10 (2004) and later take it, earlier ones show the window black there; it stops neither a camera before the
screen nor a program with the system's rights. Linux and macOS offer nothing that a program could rely on.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

EXCLUDE_FROM_CAPTURE, BLACK_IN_CAPTURE = 0x11, 0x01  # WDA_EXCLUDEFROMCAPTURE, WDA_MONITOR


def discourage(window_id: int) -> bool:
    """Whether the system took the wish."""
    if sys.platform == "win32":
        import ctypes

        return taken(ctypes.windll.user32.SetWindowDisplayAffinity, window_id)
    return False


def taken(wish: Callable[[int, int], int], window_id: int) -> bool:
    """Whether `wish(window, affinity)` took one of the two, the better one first."""
    return any(wish(window_id, affinity) for affinity in (EXCLUDE_FROM_CAPTURE, BLACK_IN_CAPTURE))
