"""A gate before work that takes memory, time or somebody else's answer: so many at once, so many waiting.

Whoever waits holds a thread of the API, and the same threads start and stop recordings: so few may wait.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from orvault.custody.throttle import ThrottledError
from orvault.errors import ErrorKind

_RETRY_S = 5


class Gate:
    """Places for `at_once` and `waiting` callers, turns for `at_once`; `busy` tells others why they have none.

    Of the places each holder, who may be an address or a name that is asked for, has `share` at most; None: all.
    """

    def __init__(self, at_once: int, waiting: int, busy: str, share: int | None = None) -> None:
        self._working = threading.BoundedSemaphore(at_once)
        self._free = at_once + waiting
        self._share = self._free if share is None else share
        self._held: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._busy = busy

    @contextmanager
    def place(self, *holders: str) -> Iterator[None]:
        """A place at the gate under each of the holders, or TOO_MANY_ATTEMPTS at once."""
        if not self._taken(holders):
            raise ThrottledError(
                ErrorKind.TOO_MANY_ATTEMPTS,
                self._busy,
                advice="Try again in a few seconds.",
                retry_after_s=_RETRY_S,
            )
        try:
            yield
        finally:
            with self._lock:
                self._free += 1
                self._held -= Counter(holders)  # drops who holds none any more

    def _taken(self, holders: tuple[str, ...]) -> bool:
        with self._lock:
            if not self._free or any(self._held[holder] >= self._share for holder in holders):
                return False
            self._free -= 1
            self._held.update(holders)
            return True

    @contextmanager
    def turn(self) -> Iterator[None]:
        """The work itself, for whoever has a place; waits for those before."""
        with self._working:
            yield
