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

    def add(self, from_us: int, to_us: int, showing: Showing, grant_id: str = "") -> None:
        """These microseconds (end exclusive) were sent; by which viewing grant, if they showed more than a mosaic."""
        grant_id = "" if showing is Showing.MASKED else grant_id
        with self._lock:
            last = self._spans[-1] if self._spans else None
            if last is not None and _joins(last, from_us, showing, grant_id):
                begin, end = min(last.from_us, from_us), max(last.to_us, to_us)
                self._spans[-1] = SeenSpan(begin, end, showing, grant_id)
            else:
                self._spans.append(SeenSpan(from_us, to_us, showing, grant_id))

    def take(self) -> tuple[SeenSpan, ...]:
        """What came since the last taking."""
        with self._lock:
            spans, self._spans = tuple(self._spans), []
            return spans

    def put_back(self, spans: tuple[SeenSpan, ...]) -> None:
        """History did not take them: they come first the next time."""
        with self._lock:
            self._spans = [*spans, *self._spans]


def _joins(last: SeenSpan, from_us: int, showing: Showing, grant_id: str) -> bool:
    same = (last.showing, last.grant_id) == (showing, grant_id)
    return same and -_JOIN_US <= from_us - last.to_us <= _JOIN_US
