"""The end of a package that is shown no more: its threads finish, then its file is closed, and nobody waits for it.

A decoder can take long over its last picture, and a file on a share over its last read.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

LONGEST_WAIT_S = 5.0


class Leaving(Protocol):
    """A thread that was told to end."""

    def wait(self) -> None:
        """Until it has let go of what it holds, or seconds have passed."""
        ...

    @property
    def gone(self) -> bool:
        """Whether it has."""
        ...


class Closing:
    """Waits in a thread of its own for those that leave, then calls `close`: none reads what is closed."""

    def __init__(self, leaving: Sequence[Leaving], close: Callable[[], None]) -> None:
        self._leaving, self._close = leaving, close
        self._thread = threading.Thread(target=self._run, name="closing", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Until all is closed, or seconds have passed."""
        self._thread.join(LONGEST_WAIT_S)

    @property
    def gone(self) -> bool:
        """Whether all is closed."""
        return not self._thread.is_alive()

    def _run(self) -> None:
        for each in self._leaving:
            while not each.gone:
                each.wait()
        self._leaving = ()
        self._close()
