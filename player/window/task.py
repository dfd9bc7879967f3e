"""One piece of work beside the window, e.g. deriving a key from a password, which takes half a second."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from PySide6.QtCore import QObject, Signal

from orvault.errors import ErrorKind, OrvaultError

Result = TypeVar("Result")


class _Ends(QObject):
    """Carries the outcome over to the window's thread."""

    ended = Signal(object, object)


class Task(Generic[Result]):
    """Runs `work` in a thread; then `done(result)` or `failed(error)` in the window's. Keep it until then."""

    def __init__(
        self,
        work: Callable[[], Result],
        done: Callable[[Result], None],
        failed: Callable[[OrvaultError], None],
    ) -> None:
        self._done, self._failed, self._ends = done, failed, _Ends()
        self._ends.ended.connect(self._deliver)
        threading.Thread(target=self._run, args=(work,), name="task", daemon=True).start()

    def _run(self, work: Callable[[], Result]) -> None:
        try:
            result = work()
        except OrvaultError as error:
            self._ends.ended.emit(None, error)
        except BaseException as error:
            # Its own words may hold what nobody is to read; and a window that waits on would say nothing at all.
            message = f"The player failed ({type(error).__name__})."
            advice = "Open the package again; if it happens again, tell the hospital."
            self._ends.ended.emit(None, OrvaultError(ErrorKind.INTERNAL, message, advice=advice))
            raise
        else:
            self._ends.ended.emit(result, None)

    def _deliver(self, result: Result, error: OrvaultError | None) -> None:
        if error is not None:
            self._failed(error)
        else:
            self._done(result)
