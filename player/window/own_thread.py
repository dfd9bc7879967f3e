"""What the parts of an open package share that each work in a thread of their own."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod

JOIN_S = 5.0


class OwnThread(ABC):
    """Works in a thread of its own; it is told to end by its own means, and others may wait until it has."""

    def _start(self, name: str) -> None:
        """Called at the end of `__init__`, when `_run` finds all that it needs."""
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Until the thread has ended and let go of what it holds, or seconds have passed."""
        self._thread.join(JOIN_S)

    @property
    def gone(self) -> bool:
        """Whether the thread has ended."""
        return not self._thread.is_alive()

    @abstractmethod
    def _run(self) -> None:
        """What the thread does."""
