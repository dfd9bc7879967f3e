"""What each open view shows at this moment, for whoever makes pictures. What cannot be read counts as masked.

It decides nothing: it keeps what custody decided, for a second at the most.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping

from orvault.clock import US_PER_S, Clock
from orvault.custody.viewing import Showing, ViewDecision
from orvault.errors import OrvaultError

STALE_US = US_PER_S  # a decision that is older counts no more
Read = Callable[[Collection[str]], Mapping[str, ViewDecision]]


class Board:
    """Decisions by view, read again and again; safe to ask from every thread, at every picture."""

    def __init__(self, read: Read, clock: Clock) -> None:
        self._read, self._clock = read, clock
        self._reading = threading.Lock()
        self._changing = threading.Lock()
        self._open: dict[str, ViewDecision | None] = {}
        self._read_us = 0

    def open(self, view_id: str) -> None:
        """Follow this view from now on."""
        with self._changing:
            self._open[view_id] = None
        self.refresh()

    def close(self, view_id: str) -> None:
        """Follow it no more."""
        with self._changing:
            self._open.pop(view_id, None)

    def refresh(self) -> str:
        """Read all decisions anew; why that failed, "" if it did not. One reading at a time."""
        with self._reading:
            with self._changing:
                asked = list(self._open)
            if not asked:
                return ""
            began_us = self._clock.now_us()
            try:
                found = self._read(asked)
            except OrvaultError as error:
                return error.message
            with self._changing:
                self._open = {
                    view_id: found.get(view_id, _GONE) if view_id in asked else decision
                    for view_id, decision in self._open.items()
                }
                self._read_us = began_us
            return ""

    def decision(self, view_id: str) -> ViewDecision:
        """What this view shows now, and why."""
        now_us = self._clock.now_us()
        with self._changing:
            known, read_us = self._open.get(view_id, _GONE), self._read_us
        if known is None:
            return _UNREAD
        if not known.allowed:
            return known
        if not 0 <= now_us - read_us <= STALE_US:
            return _UNREAD
        if now_us >= known.until_us and known.showing is not Showing.MASKED:
            return _LAPSED
        return known


_GONE = ViewDecision(False, Showing.MASKED, "This view is over.", 0)
_UNREAD = ViewDecision(True, Showing.MASKED, "The quick mask cannot be read, which counts as on.", 0)
_LAPSED = ViewDecision(True, Showing.MASKED, "The time for seeing more is over.", 0)
