"""The hands-free triggers of one operating room: its foot switch and its raised hands become signals.

It decides nothing about recording: custody does, behind the control actor. Its failure, or the server's, never
touches a recording. No picture leaves it, and none is kept.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from pathlib import Path

from actors.camera import CameraFeed
from actors.feedback import Feedback, FeedbackPlan, Sign, sign_of
from actors.gesture_eye import GestureEye, Watcher
from actors.repeating import repeat
from actors.signalling import Control, Signaller
from orvault.clock import US_PER_S, Clock
from orvault.custody.control import Action, Signal, SignalKind, SignalSource
from orvault.custody.desks.control import SignalOutcome
from orvault.custody.ids import new_id
from orvault.custody.ports import TriggerReport, Trouble, TroubleKind
from orvault.errors import OrvaultError
from orvault.recording.pedal import PedalEvent, PedalMode
from orvault.recording.serial_pedal import PedalReader, PedalWiring
from orvault.video.source import open_source
from orvault.vision.gesture import GestureRules, Hand, Raise

FOLLOW_S = 1.0  # between two looks at whether the room records, for a momentary pedal
KEEP_S = (
    10.0  # between two calls that keep the way to the control actor open: the first call of all takes longest
)

log = logging.getLogger(__name__)
_MEANT = {Hand.RIGHT: SignalKind.START, Hand.LEFT: SignalKind.STOP}


@dataclass(frozen=True)
class GesturePlan:
    """The camera that hands are seen by, and the models that see them."""

    feed: CameraFeed
    rules: GestureRules
    models: Path
    threads: int
    pictures_per_s: float

    def open_watcher(self) -> Watcher:
        """Load the models. Errors: BAD_MODEL."""
        from orvault.vision.watcher import GestureWatcher  # a room with a pedal alone loads no vision library

        return GestureWatcher(self.models, rules=self.rules, threads=self.threads)


@dataclass(frozen=True)
class TriggerPlan:
    """What a room has. `dwell_us`: how long a pedal's stop waits by itself; None: a second press confirms it."""

    room: str
    pedal: PedalWiring | None = None
    pedal_name: str = "pedal"
    gesture: GesturePlan | None = None
    feedback: FeedbackPlan | None = None
    dwell_us: int | None = 3 * US_PER_S


class TriggerActor:
    """One per room with triggers, on the client node that the pedal is plugged into."""

    def __init__(self, plan: TriggerPlan, control: Control, clock: Clock) -> None:
        self._plan, self._control, self._clock = plan, control, clock
        self._feedback = None if plan.feedback is None else Feedback(plan.room, plan.feedback, clock)
        self._signaller = Signaller(control, clock, self._heard, lambda _signal: self._show(Sign.UNHEARD))
        self._hold_us = 0
        repeat("keeping in touch", self._keep_in_touch, KEEP_S)
        self._reader: PedalReader | None = None
        self._eye: GestureEye | None = None
        if plan.pedal is not None:
            self._reader = self._start_pedal(plan.pedal)
        if plan.gesture is not None:
            self._eye = self._start_eye(plan.gesture)

    def status(self) -> TriggerReport:
        """What is wrong with pedal and gestures; a pedal or an eye that the room does not have is well."""
        troubles = [self._eye.trouble if self._eye is not None else None]
        pedal = self._reader.status if self._reader is not None else None
        if pedal is not None and not pedal.ready:
            name = self._plan.pedal_name
            troubles.append(Trouble(TroubleKind.PEDAL_LOST, name, pedal.since_us, pedal.detail))
        return TriggerReport(self._plan.room, tuple(one for one in troubles if one is not None))

    @property
    def waiting(self) -> int:
        """How many signals the server has yet to hear, the one that is being offered left out."""
        return self._signaller.waiting

    def follow(self) -> None:
        """Let a momentary pedal know what others did: its next press means the other of what the room does.

        Not while its own stop ripens, when the next press is to take that back.
        """
        assert self._reader is not None, "only begun with a pedal"
        try:
            on = self._control.records(self._plan.room)
        except OrvaultError as error:
            log.debug("%s: the pedal goes by its own state: %s", self._plan.room, error)
            return
        if self._clock.now_us() >= self._hold_us and not self._signaller.waiting:
            self._reader.pedal.follow(on)

    def _keep_in_touch(self) -> None:
        try:
            self._control.records(self._plan.room)
        except OrvaultError as error:
            log.debug("%s: the control actor does not answer: %s", self._plan.room, error)

    def _start_pedal(self, wiring: PedalWiring) -> PedalReader:
        reader = PedalReader(
            self._plan.pedal_name, wiring.rules, lambda: wiring.open(self._clock), self._clock, self._foot
        )
        threading.Thread(target=reader.run, name="pedal", daemon=True).start()
        if wiring.rules.mode is PedalMode.MOMENTARY:
            self._reader = reader  # before anybody follows
            repeat("following", self.follow, FOLLOW_S)
        return reader

    def _start_eye(self, plan: GesturePlan) -> GestureEye:
        feed, clock = plan.feed, self._clock
        return GestureEye(
            feed.camera_id,
            lambda: open_source(feed.address(), clock),
            plan.open_watcher,
            clock,
            self._hand,
            plan.pictures_per_s,
        )

    def _foot(self, event: PedalEvent) -> None:
        kind = SignalKind.START if event.on else SignalKind.STOP
        if self._plan.dwell_us is not None and not event.on:
            self._hold_us = event.at_us + self._plan.dwell_us + US_PER_S
        evidence = {"found": True} if event.found else {}
        self._signaller.put(
            Signal(
                new_id(self._clock),
                self._plan.room,
                kind,
                SignalSource.PEDAL,
                self._plan.pedal_name,
                event.at_us,
                evidence=evidence,
            )
        )

    def _hand(self, raised: Raise) -> None:
        assert self._plan.gesture is not None, "only an eye sees hands"
        points = [[round(float(x)), round(float(y)), round(1000 * float(c))] for x, y, c in raised.keypoints]
        self._signaller.put(
            Signal(
                new_id(self._clock),
                self._plan.room,
                _MEANT[raised.hand],
                SignalSource.GESTURE,
                self._plan.gesture.feed.camera_id,
                raised.at_us,
                raised.confidence,
                {
                    "began_us": raised.began_us,
                    "track": raised.track,
                    "hand": raised.hand.value,
                    "keypoints": points,
                },
            )
        )

    def _heard(self, signal: Signal, outcome: SignalOutcome) -> None:
        self._show(sign_of(signal, outcome))
        if self._reader is None or self._signaller.waiting:
            return
        started = signal.kind is SignalKind.START and outcome.accepted
        # A stop that a second press has to confirm: that press must mean stop again.
        unconfirmed = outcome.action is Action.AWAIT_CONFIRMATION and self._plan.dwell_us is None
        self._reader.pedal.follow(started or unconfirmed)

    def _show(self, sign: Sign) -> None:
        if self._feedback is not None:
            self._feedback.show(sign)
