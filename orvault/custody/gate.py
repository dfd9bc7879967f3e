"""A gate before work that takes memory, time or somebody else's answer: so many at once, so many waiting.

Whoever waits holds a thread of the API, and the same threads start and stop recordings: so few may wait.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from orvault.custody.throttle import ThrottledError
from orvault.errors import ErrorKind

_RETRY_S = 5


class Gate:
    """Places for `at_once` and `waiting` callers, turns for `at_once`; `busy` tells others why they have none."""

    def __init__(self, at_once: int, waiting: int, busy: str) -> None:
        self._working = threading.BoundedSemaphore(at_once)
        self._places = threading.BoundedSemaphore(at_once + waiting)
        self._busy = busy

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place at the gate, or TOO_MANY_ATTEMPTS at once."""
        if not self._places.acquire(blocking=False):
            raise ThrottledError(
                ErrorKind.TOO_MANY_ATTEMPTS,
                self._busy,
                advice="Try again in a few seconds.",
                retry_after_s=_RETRY_S,
            )
        try:
            yield
        finally:
            self._places.release()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """The work itself, for whoever has a place; waits for those before."""
        with self._working:
            yield
