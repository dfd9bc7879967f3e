"""Tells outside recorders of recordings: every event to every target, in order, until it is taken.

History is the outbox, and how far each target has come stands in the ledger: after any crash at most the last event
is sent again. One thread for each target, so that a dead one holds up nobody else.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import tenacity

from actors.notice_targets import Target
from orvault.clock import Clock
from orvault.custody.notices import Notice
from orvault.custody.service import CustodyService
from orvault.errors import OrvaultError

LOOK_S = 0.5  # between two looks for new events: one row is read
LONGEST_S = 60.0  # between two attempts

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True)
class NoticeStatus:
    """How a target does: since when it takes nothing and why (None: it does), and the number it has come to."""

    target: str
    next_number: int
    failing_since_us: int | None = None
    detail: str = ""


class NoticeActor:
    """One per cluster, on the export server."""

    def __init__(
        self, open_custody: Callable[[], CustodyService], targets: Sequence[Target], clock: Clock
    ) -> None:
        custody = open_custody()
        for gone in custody.follow_notices([target.name for target in targets]):
            log.warning("event target %s is in the settings no more; what it had not taken is dropped", gone)
        self._couriers = [Courier(custody, target, clock) for target in targets]
        for courier in self._couriers:
            threading.Thread(target=courier.run, name=f"events:{courier.name}", daemon=True).start()

    def statuses(self) -> list[NoticeStatus]:
        """How each target does."""
        return [courier.status for courier in self._couriers]


class Courier:
    """One target's events, one after the other."""

    def __init__(self, custody: CustodyService, target: Target, clock: Clock) -> None:
        self._custody, self._target, self._clock = custody, target, clock
        self.name = target.name
        self.status = NoticeStatus(target.name, 0)

    def run(self) -> None:
        """For ever."""
        number = self._patiently(partial(self._custody.notices_begin, self.name))
        while True:
            number = self.go_on(number)

    def go_on(self, number: int) -> int:
        """What there is from this number in history on, or a moment's rest; the number to go on from."""
        page = self._patiently(partial(self._custody.notices_from, number))
        for notice in page.notices:
            self._deliver(notice)
        self.status = NoticeStatus(self.name, page.next_number)
        if not page.notices:
            self._clock.sleep(LOOK_S)
        return page.next_number

    def _deliver(self, notice: Notice) -> None:
        """1. sent and taken; 2. noted. A crash in between sends it again."""
        channel = self._target.channel(notice.camera_id)
        if channel is None:
            return  # nothing to note: it is passed over again after a crash
        self._patiently(partial(self._target.send, notice, channel))
        self._patiently(partial(self._custody.notice_taken, self.name, notice.number))
        self.status = NoticeStatus(self.name, notice.number + 1)

    def _patiently(self, act: Callable[[], T]) -> T:
        """Until it is done: the next event may not go before this one, and none may be left out."""
        attempts = tenacity.Retrying(
            wait=tenacity.wait_random_exponential(multiplier=0.5, max=LONGEST_S),
            sleep=self._clock.sleep,
            retry=tenacity.retry_if_exception_type(OrvaultError),
            before_sleep=self._note_failure,
            reraise=True,
        )
        return attempts(act)

    def _note_failure(self, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        assert isinstance(error, OrvaultError), "only these are tried again"
        if self.status.detail != error.message:
            log.error("events for %s wait: %s", self.name, error)
        since_us = self.status.failing_since_us or self._clock.now_us()
        self.status = NoticeStatus(self.name, self.status.next_number, since_us, error.message)
