"""Takes the signals of gestures and pedals, and repeats what recording control owes while nobody calls.

What a signal does is custody's (`orvault.custody.control`); people's signals come over the API, without this actor.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from actors.repeating import repeat
from orvault.custody.control import Signal
from orvault.custody.ports import TriggerReport
from orvault.custody.service import Alarm, CustodyService, SignalOutcome

RIPEN_S = 1.0  # how late a dwell may end; one query, while nothing waits
SETTLE_S = 15.0  # between two looks; a camera that follows its order already answers in a millisecond
WATCH_S = 15.0
ARM_S = 15.0  # a camera forgets an arming that was not repeated for a minute

log = logging.getLogger(__name__)


class Triggers(Protocol):
    """The trigger actors."""

    def statuses(self) -> Sequence[TriggerReport]:
        """How each room's pedal and gestures do; one whose actor does not answer says so."""
        ...


class ControlActor:
    """One per cluster, on the export server."""

    def __init__(self, open_custody: Callable[[], CustodyService], triggers: Triggers | None = None) -> None:
        self._custody, self._triggers = open_custody(), triggers
        self._alarms: tuple[Alarm, ...] = ()
        self._rehearsed = False
        # A thread each: a camera that does not answer holds up its orders, and must not hold up anything else.
        repeat("ripening", self.ripen, RIPEN_S)
        repeat("settling", self.settle, SETTLE_S)
        repeat("arming", self.arm, ARM_S)
        repeat("watching", self.watch, WATCH_S)

    def signal(self, signal: Signal) -> SignalOutcome:
        """Hear a device's signal; cameras that could not be told are told again by themselves.

        Errors: BAD_REQUEST, CONFLICT, UNAVAILABLE (the ledger is away: send the same signal again).
        """
        outcome = self._custody.signal(signal)
        for problem in outcome.problems:
            log.warning("camera %s does not follow yet: %s", problem.camera_id, problem.message)
        return outcome

    def records(self, room: str) -> bool:
        """Whether the room records now; a momentary pedal's next press depends on it."""
        return self._custody.records(room)

    def alarms(self) -> tuple[Alarm, ...]:
        """What was wrong in the rooms at the last look."""
        return self._alarms

    def ripen(self) -> None:
        """Stop where a dwell is over; let stops lapse that nobody confirmed.

        After the first: a start is rehearsed, once there is a case, that no foot waits for what is made on first use.
        """
        for problem in self._custody.ripen_stops():
            log.warning("camera %s does not stop yet: %s", problem.camera_id, problem.message)
        if not self._rehearsed and self._custody.rehearse():
            self._rehearsed = True
            self.arm()  # by this actor too: its way to the cameras is another than the API's

    def settle(self) -> None:
        """Tell cameras again what they may have missed: runs that should record, and those that should not."""
        custody = self._custody
        problems = (*custody.resume_recordings(), *custody.settle_stops(), *custody.retry_starts())
        for problem in (*problems, *custody.stop_strays()):
            log.warning("camera %s does not follow yet: %s", problem.camera_id, problem.message)

    def arm(self) -> None:
        """Tell the cameras of armed cases again that they are: what they keep for a start lapses otherwise."""
        for problem in self._custody.keep_armed():
            log.debug("camera %s keeps nothing from before a start: %s", problem.camera_id, problem.message)

    def watch(self) -> None:
        """Look for alarms, and log those that are new."""
        triggers = self._triggers.statuses() if self._triggers is not None else ()
        known, self._alarms = self._alarms, self._custody.watch(triggers)
        for alarm in self._alarms:
            if alarm not in known:
                log.warning("%s: %s", alarm.room, alarm.text)
