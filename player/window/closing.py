"""The end of a package that is shown no more: its threads finish, then its file is closed, and nobody waits for it.

A decoder can take long over its last picture, and a file on a share over its last read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from player.window.own_thread import OwnThread


class Leaving(Protocol):
    """A thread that was told to end."""

    def wait(self) -> None:
        """Until it has let go of what it holds, or seconds have passed."""
        ...

    @property
    def gone(self) -> bool:
        """Whether it has."""
        ...


class Closing(OwnThread):
    """Waits in a thread of its own for those that leave, then calls `close`: none reads what is closed."""

    def __init__(self, leaving: Sequence[Leaving], close: Callable[[], None]) -> None:
        self._leaving, self._close = leaving, close
        self._start("closing")

    def _run(self) -> None:
        for each in self._leaving:
            while not each.gone:
                each.wait()
        self._leaving = ()
        self._close()
