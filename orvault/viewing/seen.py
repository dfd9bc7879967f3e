"""Keeps which seconds a viewer was sent, and how much they showed, until history has it."""

from __future__ import annotations

import threading

from orvault.clock import US_PER_S
from orvault.custody.desks.viewing import SeenSpan
from orvault.custody.viewing import Showing

_JOIN_US = 2 * US_PER_S  # pictures farther apart than this are two spans


class Seen:
    """The spans of one view since they were last taken; safe between threads."""

    def __init__(self) -> None:
        self._spans: list[SeenSpan] = []
        self._lock = threading.Lock()

    def add(self, from_us: int, to_us: int, showing: Showing) -> None:
        """These microseconds (end exclusive) were sent."""
        with self._lock:
            last = self._spans[-1] if self._spans else None
            joins = (
                last is not None and last.showing is showing and -_JOIN_US <= from_us - last.to_us <= _JOIN_US
            )
            if last is not None and joins:
                self._spans[-1] = SeenSpan(min(last.from_us, from_us), max(last.to_us, to_us), showing)
            else:
                self._spans.append(SeenSpan(from_us, to_us, showing))

    def take(self) -> tuple[SeenSpan, ...]:
        """What came since the last taking."""
        with self._lock:
            spans, self._spans = tuple(self._spans), []
            return spans

    def put_back(self, spans: tuple[SeenSpan, ...]) -> None:
        """History did not take them: they come first the next time."""
        with self._lock:
            self._spans = [*spans, *self._spans]
