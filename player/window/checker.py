"""Verifies every byte of an open package behind its playing, in a thread of its own.

What the outcome means is player.verdict's; this finds it and tells it once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from orvault.errors import OrvaultError
from player.session import Session
from player.window.own_thread import OwnThread


class _Stopped(Exception):  # noqa: N818 - no error: the window was closed
    """Ends `verify_all` from within its progress."""


class Checker(OwnThread):
    """`progress(share)` from 0 to 1, then `done(error or None)`; both are called in its thread."""

    def __init__(
        self, session: Session, progress: Callable[[float], None], done: Callable[[OrvaultError | None], None]
    ) -> None:
        self._session, self._progress, self._done = session, progress, done
        self._closed = threading.Event()
        self._told = -1
        self._start("verification")

    def leave(self) -> None:
        """Stop, and do not wait for it; an outcome that was just found may still be told."""
        self._closed.set()

    def _run(self) -> None:
        try:
            self._session.reader.verify_all(self._step)
        except _Stopped:
            return
        except OrvaultError as error:
            self._end(error)
            return
        self._end(None)

    def _end(self, error: OrvaultError | None) -> None:
        if not self._closed.is_set():
            self._done(error)

    def _step(self, done: int, total: int) -> None:
        if self._closed.is_set():
            raise _Stopped
        per_mille = 1000 * done // max(total, 1)
        if per_mille != self._told:  # a package has a hundred thousand chunks, a bar a hundred steps
            self._told = per_mille
            self._progress(per_mille / 1000)
