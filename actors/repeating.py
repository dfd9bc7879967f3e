"""Acts that an actor repeats for ever, each in a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from orvault.errors import OrvaultError

log = logging.getLogger(__name__)


def repeat(name: str, act: Callable[[], None], every_s: float) -> None:
    """Begin to act now, and again after each pause. What it raises on purpose is logged, and tried again."""
    threading.Thread(target=_for_ever, args=(act, every_s), name=name, daemon=True).start()


def _for_ever(act: Callable[[], None], every_s: float) -> None:
    pause = threading.Event()
    while True:
        try:
            act()
        except OrvaultError as error:
            log.error("%s: %s", threading.current_thread().name, error)
        pause.wait(every_s)
