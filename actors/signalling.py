"""Offers a room's signals to recording control until they are heard, in order, each with its own time.

A bounded few wait in memory while the server is away. Whether a late one still counts is custody's policy.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import Protocol

import tenacity

from orvault.clock import US_PER_S, Clock
from orvault.custody.control import Signal
from orvault.custody.desks.control import SignalOutcome
from orvault.errors import OrvaultError, is_away

WAITING = 64
RETRY_S = 0.5
LATE_US = 2 * US_PER_S  # from here on it is worth a line in the log

log = logging.getLogger(__name__)


class Control(Protocol):
    """The control actor, seen from a room."""

    def signal(self, signal: Signal) -> SignalOutcome:
        """Hear a signal. Errors: UNAVAILABLE (offer the same one again)."""
        ...

    def records(self, room: str) -> bool:
        """Whether the room records now."""
        ...


class Signaller:
    """Takes signals from any thread; `heard` gets each with its outcome, `unheard` each that has to wait."""

    def __init__(
        self,
        control: Control,
        clock: Clock,
        heard: Callable[[Signal, SignalOutcome], None],
        unheard: Callable[[Signal], None] = lambda _signal: None,
    ) -> None:
        self._control, self._clock, self._heard, self._unheard = control, clock, heard, unheard
        self._signals: queue.Queue[Signal] = queue.Queue(WAITING)
        threading.Thread(target=self._offer_for_ever, name="signals", daemon=True).start()

    @property
    def waiting(self) -> int:
        """How many wait behind the one that is being offered."""
        return self._signals.qsize()

    def put(self, signal: Signal) -> None:
        """Have it offered. Never waits: where too many wait, the oldest is given up, because the newest decides."""
        while True:
            try:
                self._signals.put_nowait(signal)
                return
            except queue.Full:
                self._give_up()

    def _give_up(self) -> None:
        try:
            lost = self._signals.get_nowait()
        except queue.Empty:
            return
        log.error("%s was never heard: too many signals wait for the server", _named(lost))

    def _offer_for_ever(self) -> None:
        while True:
            signal = self._signals.get()
            try:
                outcome = self._patiently(signal)
            except OrvaultError as error:  # it will not be taken at another time either
                log.error("%s is not taken: %s", _named(signal), error)
                continue
            self._note(signal, outcome)
            self._heard(signal, outcome)

    def _patiently(self, signal: Signal) -> SignalOutcome:
        attempts = tenacity.Retrying(
            wait=tenacity.wait_fixed(RETRY_S),
            sleep=self._clock.sleep,
            retry=tenacity.retry_if_exception(is_away),
            before_sleep=lambda state: self._say_away(signal, state),
            reraise=True,
        )
        return attempts(self._control.signal, signal)

    def _say_away(self, signal: Signal, state: tenacity.RetryCallState) -> None:
        if state.attempt_number == 1:
            log.error("%s waits: recording control does not answer", _named(signal))
            self._unheard(signal)

    def _note(self, signal: Signal, outcome: SignalOutcome) -> None:
        late_us = self._clock.now_us() - signal.at_us
        late = f", {late_us / US_PER_S:.1f} s late" if late_us > LATE_US else ""
        word = "accepted" if outcome.accepted else "refused"
        log.warning("%s was %s%s: %s", _named(signal), word, late, outcome.why)


def _named(signal: Signal) -> str:
    return f"{signal.room}: {signal.kind.value} by {signal.source.value} {signal.device} ({signal.signal_id})"
