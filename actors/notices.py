"""Tells outside recorders of recordings, and people of requests by e-mail: everything, in order, until it is taken.

History is the outbox, and how far each target has come stands in the ledger: after any crash at most the last event
is sent again. One thread for each target, so that a dead one holds up nobody else.
"""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

import tenacity

from actors.mail import Post
from actors.notice_targets import Target
from orvault.clock import Clock
from orvault.custody.mails import TARGET, Mail
from orvault.custody.notices import Notice
from orvault.custody.service import CustodyService
from orvault.errors import OrvaultError

LOOK_S = 0.5  # between two looks for new events: one row is read
LONGEST_S = 60.0  # between two attempts

log = logging.getLogger(__name__)
T = TypeVar("T")
Item = TypeVar("Item")


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
        self,
        open_custody: Callable[[], CustodyService],
        targets: Sequence[Target],
        clock: Clock,
        post: Post | None = None,
    ) -> None:
        custody = open_custody()
        self._couriers: list[Courier[Any]] = [EventCourier(custody, target, clock) for target in targets]
        if post is not None:
            self._couriers.append(MailCourier(custody, post, clock))
        for gone in custody.follow_notices([courier.name for courier in self._couriers]):
            log.warning("event target %s is in the settings no more; what it had not taken is dropped", gone)
        for courier in self._couriers:
            threading.Thread(target=courier.run, name=f"events:{courier.name}", daemon=True).start()

    def statuses(self) -> list[NoticeStatus]:
        """How each target does."""
        return [courier.status for courier in self._couriers]


class Courier(ABC, Generic[Item]):
    """One target's messages, one after the other."""

    def __init__(self, custody: CustodyService, name: str, clock: Clock) -> None:
        self._custody, self._clock = custody, clock
        self.name = name
        self.status = NoticeStatus(name, 0)

    @abstractmethod
    def _page(self, number: int) -> tuple[Sequence[Item], int]:
        """Messages from this number in history on, and the number to ask from next."""

    @abstractmethod
    def _send(self, item: Item) -> int | None:
        """Return when it was taken, with its number; None when there was nothing to send. Errors: OrvaultError."""

    def run(self) -> None:
        """For ever."""
        number = self._patiently(partial(self._custody.notices_begin, self.name))
        while True:
            number = self.go_on(number)

    def go_on(self, number: int) -> int:
        """What there is from this number in history on, or a moment's rest; the number to go on from."""
        items, next_number = self._patiently(partial(self._page, number))
        for item in items:
            self._deliver(item)
        self.status = NoticeStatus(self.name, next_number)
        if not items:
            self._clock.sleep(LOOK_S)
        return next_number

    def _deliver(self, item: Item) -> None:
        """1. sent and taken; 2. noted. A crash in between sends it again."""
        number = self._patiently(partial(self._send, item))
        if number is None:
            return  # nothing to note: it is passed over again after a crash
        self._patiently(partial(self._custody.notice_taken, self.name, number))
        self.status = NoticeStatus(self.name, number + 1)

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
        told = str(error)  # with the file or server that it is about
        if self.status.detail != told:
            log.error("events for %s wait: %s", self.name, error)
        since_us = self.status.failing_since_us or self._clock.now_us()
        self.status = NoticeStatus(self.name, self.status.next_number, since_us, told)


class EventCourier(Courier[Notice]):
    """Tells one outside recorder of recordings."""

    def __init__(self, custody: CustodyService, target: Target, clock: Clock) -> None:
        super().__init__(custody, target.name, clock)
        self._target = target

    def _page(self, number: int) -> tuple[Sequence[Notice], int]:
        page = self._custody.notices_from(number)
        return page.notices, page.next_number

    def _send(self, item: Notice) -> int | None:
        channel = self._target.channel(item.camera_id)
        if channel is None:
            return None
        self._target.send(item, channel)
        return item.number


class MailCourier(Courier[Mail]):
    """Tells people of requests by e-mail."""

    def __init__(self, custody: CustodyService, post: Post, clock: Clock) -> None:
        super().__init__(custody, TARGET, clock)
        self._post = post

    def _page(self, number: int) -> tuple[Sequence[Mail], int]:
        page = self._custody.mails_from(number)
        return page.mails, page.next_number

    def _send(self, item: Mail) -> int | None:
        return item.number if self._post.send(item) else None
