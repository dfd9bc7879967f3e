"""Hears signals: commits each with its decision, history and what follows of it, then tells the recorders.

What a signal does is decided in `orvault.custody.control`; this only carries it out. Recorders are told outside
the transaction, so that no signal waits for a camera, and the free cameras of a room before the busy ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from orvault.custody.access import Right, require
from orvault.custody.account import Account
from orvault.custody.case import Case, CaseState, Run, check_stop_reason
from orvault.custody.control import (
    Action,
    Decision,
    RoomState,
    Signal,
    SignalKind,
    SignalSource,
    decide,
    ripen,
    unconfirmed,
    wants_recording,
)
from orvault.custody.desks.alarms import rooms_of
from orvault.custody.desks.base import SYSTEM, not_found
from orvault.custody.desks.ordering import CameraProblem, OrderDesk
from orvault.custody.desks.room_state import Room, room_in, rooms_in
from orvault.custody.history import Act
from orvault.custody.ids import new_id
from orvault.custody.ports import CameraInfo, StartOrder
from orvault.custody.rows import UnitOfWork
from orvault.custody.signals import KeptSignal, Standing, StopReason, checked
from orvault.errors import ErrorKind, OrvaultError

_DUE = "reason due: stopped by {}"


@dataclass(frozen=True, slots=True)
class SignalOutcome:
    """What became of a signal; `repeated`: it was heard before, and this is what it did then."""

    signal_id: str
    accepted: bool
    action: Action
    why: str
    repeated: bool = False
    problems: tuple[CameraProblem, ...] = ()


@dataclass(frozen=True, slots=True)
class Cause:
    """Who or what brings an act about; `reason` is empty where it is due later."""

    actor: str
    account_id: str | None = None
    signal_id: str = ""
    reason: str = ""
    source: SignalSource = SignalSource.PERSON


@dataclass(frozen=True, slots=True)
class _Orders:
    """What recorders are to be told: starts, stops, and runs to end before their cameras start anew."""

    case_id: str = ""
    starts: tuple[StartOrder, ...] = ()
    stops: tuple[Run, ...] = ()
    ending: tuple[Run, ...] = ()


class ControlDesk(OrderDesk):
    """Signals of devices and of people."""

    def signal(self, signal: Signal) -> SignalOutcome:
        """Hear a device's signal. One that is refused is an outcome, not an error.

        Errors: BAD_REQUEST (malformed, or a person's: see `signal_by`), CONFLICT (the id is another signal's).
        """
        if signal.source is SignalSource.PERSON:
            raise OrvaultError(ErrorKind.BAD_REQUEST, "A person's signal needs an account.", where="source")
        signal = checked(signal)
        return self._hear(signal, Cause(f"device:{signal.device}", None, signal.signal_id, "", signal.source))

    def signal_by(
        self, by: Account, room: str, kind: SignalKind, reason: str = "", signal_id: str = ""
    ) -> SignalOutcome:
        """Hear a person's signal; a stop needs its reason at once. The same `signal_id` again does nothing.

        Errors: BAD_REQUEST (no reason), NOT_FOUND (no such room), CONFLICT (the id is another signal's).
        """
        require(by, Right.RECORDING_SWITCH)
        reason = check_stop_reason(reason) if kind is SignalKind.STOP else ""
        with self._uow(read_only=True) as uow:
            if room not in rooms_of(uow) or not self._reaches(by, Right.RECORDING_SWITCH, room):
                raise not_found("room", room)
        signal_id = signal_id or new_id(self._clock)
        signal = Signal(signal_id, room, kind, SignalSource.PERSON, by.account_id, self._clock.now_us())
        return self._hear(checked(signal), Cause(by.actor, by.account_id, signal_id, reason))

    def ripen_stops(self) -> tuple[CameraProblem, ...]:
        """Stop where a dwell is over and end waits in vain; call it every second: mostly it is one query."""
        with self._uow(read_only=True) as uow:
            now_us = self._clock.now_us()
            rooms = {signal.room for signal in uow.signals.waiting()}
            ripe = [name for name in sorted(rooms) if self._is_ripe(uow, name, now_us)]
        return tuple(problem for name in ripe for problem in self._ripen(name))

    def retry_starts(self) -> tuple[CameraProblem, ...]:
        """Start rooms whose start no camera could follow, because each had yet to end its last run."""
        with self._uow(read_only=True) as uow:
            now_us = self._clock.now_us()
            rooms = rooms_in(uow, [case.room for case in uow.cases.armed()], self._control, now_us)
            late = [h.name for h in rooms if ripen(h.state, self._control, now_us).action is Action.START]
        return tuple(problem for name in late for problem in self._ripen(name))

    def _hear(self, signal: Signal, cause: Cause) -> SignalOutcome:
        with self._uow() as uow:
            earlier = uow.signals.get(signal.signal_id)
            if earlier is not None:
                return _repeated(earlier, signal)
            now_us = self._clock.now_us()
            here = room_in(uow, signal.room, self._control, now_us)
            decision = decide(here.state, signal, self._control, now_us)
            kept = kept_signal(signal, here.case, decision, now_us)
            uow.signals.add(kept)
            uow.history.append(
                now_us, cause.actor, Act.SIGNAL_HEARD, subject_of(kept), detail_of(signal, kept)
            )
            orders = self._follow(uow, here, decision, cause)
            uow.commit()
        problems = self._tell(orders, cause)
        return SignalOutcome(
            kept.signal_id, decision.accepted, decision.action, decision.why, False, problems
        )

    def _is_ripe(self, uow: UnitOfWork, name: str, now_us: int) -> bool:
        here = room_in(uow, name, self._control, now_us)
        decision = ripen(here.state, self._control, now_us)
        return decision.action is not Action.NONE or bool(self._in_vain(uow, name, decision.state, now_us))

    def _ripen(self, name: str) -> tuple[CameraProblem, ...]:
        with self._uow() as uow:
            now_us = self._clock.now_us()
            here = room_in(uow, name, self._control, now_us)
            decision = ripen(here.state, self._control, now_us)
            cause = _cause_in(uow, here.state, decision)
            orders = self._follow(uow, here, decision, cause)
            for signal in self._in_vain(uow, name, decision.state, now_us):
                uow.signals.settle([signal.signal_id], Standing.LAPSED)
                detail = {"signal": signal.signal_id, "device": signal.device}
                uow.history.append(now_us, SYSTEM, Act.SIGNAL_LAPSED, subject_of(signal), detail)
            uow.commit()
        return self._tell(orders, cause)

    def _in_vain(self, uow: UnitOfWork, name: str, state: RoomState, now_us: int) -> list[KeptSignal]:
        """The room's stops that wait in the ledger and can no longer be confirmed by waiting."""
        patient = {w.stop.signal_id for w in unconfirmed(state, self._control, now_us) if not w.lapsed}
        return [s for s in uow.signals.waiting() if s.room == name and s.signal_id not in patient]

    def _follow(self, uow: UnitOfWork, here: Room, decision: Decision, cause: Cause) -> _Orders:
        """Write what the decision brings about; what recorders are to be told once it is committed."""
        before, after = here.state.stops, decision.state.stops
        were, are = ({stop.signal_id for stop in stops if stop.effective} for stops in (before, after))
        kept = {stop.signal_id for stop in after}
        uow.signals.settle(are - were, Standing.EFFECTIVE)
        uow.signals.settle({stop.signal_id for stop in before} - kept - were, Standing.TAKEN_BACK)
        if here.case is None or decision.action not in {Action.START, Action.STOP}:
            return _Orders()
        carry_out = self._start_room if decision.action is Action.START else self._stop_room
        return carry_out(uow, here, here.case, cause)

    def _start_room(self, uow: UnitOfWork, here: Room, case: Case, cause: Cause) -> _Orders:
        busy = {camera: uow.runs.open_on(camera.camera_id) for camera in _cameras_in(uow, here.name)}
        free = [camera for camera, run in busy.items() if run is None]
        ending = tuple(run for run in busy.values() if run is not None and not run.recording)
        return _Orders(case.case_id, self._open_runs(uow, case, free, cause), ending=ending)

    def _open_runs(
        self, uow: UnitOfWork, case: Case, cameras: Sequence[CameraInfo], cause: Cause
    ) -> tuple[StartOrder, ...]:
        account_id = cause.account_id or case.armed_by  # a device acts for whoever armed the case
        assert account_id is not None, "an armed case was armed by somebody"
        if cameras:
            uow.cases.put_state(replace(case, state=CaseState.RECORDING))
        return tuple(self._open_run(uow, cause.actor, account_id, case, camera) for camera in cameras)

    def _stop_room(self, uow: UnitOfWork, here: Room, case: Case, cause: Cause) -> _Orders:
        runs = tuple(run for run in here.runs if run.recording)
        self._order_stops(uow, runs, cause.actor, cause.reason or _DUE.format(cause.source.value))
        uow.cases.put_state(replace(case, state=CaseState.ARMED))
        if not cause.reason:
            ids, now_us = tuple(run.run_id for run in runs), self._clock.now_us()
            uow.reasons.add(StopReason(new_id(self._clock), case.case_id, cause.signal_id, now_us, ids))
        return _Orders(case.case_id, stops=runs)

    def _tell(self, orders: _Orders, cause: Cause) -> tuple[CameraProblem, ...]:
        problems = [*self._tell_starts(orders.starts), *self._tell_stops(orders.stops)]
        if (
            orders.ending
        ):  # their last fragments are still being written; the room's other cameras record already
            problems += self._tell_stops(orders.ending)
            problems += self._tell_starts(self._start_ended(orders, cause))
        return tuple(problems)

    def _start_ended(self, orders: _Orders, cause: Cause) -> tuple[StartOrder, ...]:
        with self._uow() as uow:
            case = uow.cases.get(orders.case_id)
            assert case is not None, "cases are never removed"
            here = room_in(uow, case.room, self._control, self._clock.now_us())
            if here.case != case or not wants_recording(here.state):
                return ()  # it was stopped or closed meanwhile
            ended = {run.camera_id for run in orders.ending}
            free = [
                camera
                for camera in _cameras_in(uow, case.room)
                if camera.camera_id in ended and uow.runs.open_on(camera.camera_id) is None
            ]
            starts = self._open_runs(uow, case, free, cause)
            uow.commit()
        return starts


def _cameras_in(uow: UnitOfWork, room: str) -> list[CameraInfo]:
    return [camera for camera in uow.cameras.all() if camera.room == room]


def _cause_in(uow: UnitOfWork, before: RoomState, decision: Decision) -> Cause:
    """Whose stop took effect by waiting; a start that was not followed is repeated by the system."""
    waited = {stop.signal_id for stop in before.stops if not stop.effective}
    ripe = [stop for stop in decision.state.stops if stop.effective and stop.signal_id in waited]
    signal = uow.signals.get(max(ripe, key=lambda stop: stop.at_us).signal_id) if ripe else None
    if signal is None:
        return Cause(SYSTEM)
    return Cause(f"device:{signal.device}", None, signal.signal_id, "", signal.source)


def kept_signal(signal: Signal, case: Case | None, decision: Decision, now_us: int) -> KeptSignal:
    """The row of a signal that was decided."""
    standing = Standing.HEARD if decision.accepted else Standing.REFUSED
    return KeptSignal(
        signal_id=signal.signal_id,
        room=signal.room,
        case_id=None if case is None else case.case_id,
        kind=signal.kind,
        source=signal.source,
        device=signal.device,
        at_us=min(signal.at_us, now_us),
        heard_us=now_us,
        confidence_permille=round(signal.confidence * 1000),
        action=decision.action,
        standing=Standing.WAITING if decision.action is Action.AWAIT_CONFIRMATION else standing,
        why=decision.why,
    )


def subject_of(kept: KeptSignal) -> str:
    """What a signal's entry in history is about: its case, or the room that had none."""
    return f"room:{kept.room}" if kept.case_id is None else f"case:{kept.case_id}"


def detail_of(signal: Signal, kept: KeptSignal) -> dict[str, object]:
    """What history keeps of a signal, its evidence included."""
    return {
        "signal": kept.signal_id,
        "room": kept.room,
        "kind": kept.kind.value,
        "source": kept.source.value,
        "device": kept.device,
        "at_us": signal.at_us,
        "confidence_permille": kept.confidence_permille,
        "accepted": kept.standing is not Standing.REFUSED,
        "action": kept.action.value,
        "why": kept.why,
        "evidence": dict(signal.evidence),
    }


def _repeated(earlier: KeptSignal, signal: Signal) -> SignalOutcome:
    if not earlier.repeats(signal):
        raise OrvaultError(
            ErrorKind.CONFLICT,
            "Another signal has this identifier.",
            where="signal_id",
            advice="Make a new identifier, such as a UUID, for each signal.",
        )
    accepted = earlier.standing is not Standing.REFUSED
    return SignalOutcome(earlier.signal_id, accepted, earlier.action, earlier.why, repeated=True)
