"""Starts the window. The one place that knows whether Qt is there: without it the command line still verifies."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

from orvault.errors import ErrorKind, OrvaultError

_SCREENS = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")  # without any Qt ends the program by a signal


def open_window(file: Path | None, extra_roots: list[Path], key: Path | None = None) -> int:
    """Show the window until it is closed; the program's exit code. UNAVAILABLE without Qt or without a screen."""
    if find_spec("PySide6") is None:
        raise OrvaultError(
            ErrorKind.UNAVAILABLE,
            "The window needs Qt, which was not installed with this player.",
            advice="Install it (pip install 'orvault[player]'), or use `verify`, or `play --headless`.",
        )
    if sys.platform == "linux" and not any(os.environ.get(name) for name in _SCREENS):
        raise OrvaultError(
            ErrorKind.UNAVAILABLE,
            "The window needs a screen, and this session has none.",
            advice="Start it from a desktop, or use `verify`, or `play --headless`.",
        )
    from player.window.app import run

    return run(file, extra_roots, key)
