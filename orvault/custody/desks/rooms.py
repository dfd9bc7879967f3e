"""Operating rooms as people see them: their state, what is wrong there, and the reasons that stops owe.

Signals change a room's state; they are `control`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from orvault.custody.access import Right, require
from orvault.custody.account import Account
from orvault.custody.case import Case, CaseState, check_stop_reason
from orvault.custody.control import (
    Phase,
    Waiting,
    late_since,
    unconfirmed,
)
from orvault.custody.desks.alarms import (
    Alarm,
    AlarmKind,
    Devices,
    camera_news,
    devices_in,
    lost_cameras,
    lost_triggers,
    rooms_of,
    trigger_news,
)
from orvault.custody.desks.base import SYSTEM, Desk, not_found
from orvault.custody.desks.ordering import case_in, case_subject
from orvault.custody.desks.room_state import Room, room_in, rooms_in
from orvault.custody.history import Act
from orvault.custody.ports import TriggerReport
from orvault.custody.rows import UnitOfWork
from orvault.custody.signals import StopReason
from orvault.errors import ErrorKind, OrvaultError


@dataclass(frozen=True, slots=True)
class DueReason:
    """A reason that is due, with the case that it belongs to."""

    reason: StopReason
    case: Case


@dataclass(frozen=True, slots=True)
class RoomView:
    """A room for a display."""

    room: str
    phase: Phase
    case: Case | None
    recording: tuple[str, ...]  # ids of cameras
    waiting: tuple[Waiting, ...]
    reasons: tuple[DueReason, ...]
    alarms: tuple[Alarm, ...]


class RoomDesk(Desk):
    """Rooms and due reasons."""

    def room_state(self, by: Account, room: str) -> RoomView:
        """The room as it stands now. Errors: NOT_FOUND (neither a camera nor a case is in such a room)."""
        require(by, Right.CASE_VIEW)
        if not self._reaches(by, Right.CASE_VIEW, room):
            raise not_found("room", room)
        with self._uow(read_only=True) as uow:
            here = room_in(uow, room, self._control, self._clock.now_us())
            if here.case is None and room not in rooms_of(uow):
                raise not_found("room", room)
            return self._view(here, devices_in(uow, {room}), _due(uow))

    def room_states(self, by: Account) -> tuple[RoomView, ...]:
        """Every room in reach that has a camera, by name."""
        require(by, Right.CASE_VIEW)
        with self._uow(read_only=True) as uow:
            now_us, due = self._clock.now_us(), _due(uow)
            names = [name for name in rooms_of(uow) if self._reaches(by, Right.CASE_VIEW, name)]
            devices = devices_in(uow, set(names))
            return tuple(
                self._view(here, devices, due) for here in rooms_in(uow, names, self._control, now_us)
            )

    def records(self, room: str) -> bool:
        """Whether a camera of this room records; for devices, who are told nothing else."""
        with self._uow(read_only=True) as uow:
            return room_in(uow, room, self._control, self._clock.now_us()).state.phase is Phase.RECORDING

    def pending_reasons(self, by: Account) -> Sequence[DueReason]:
        """Reasons that stops in reach owe, the oldest first."""
        require(by, Right.CASE_VIEW)
        with self._uow(read_only=True) as uow:
            return [due for due in _due(uow) if self._reaches(by, Right.CASE_VIEW, due.case.room)]

    def give_reason(self, by: Account, reason_id: str, reason: str) -> DueReason:
        """Say why the recording was stopped; also after the close of the case. It stands for good.

        Errors: BAD_REQUEST, NOT_FOUND, CONFLICT (it was given already).
        """
        require(by, Right.RECORDING_SWITCH)
        reason = check_stop_reason(reason)
        with self._uow() as uow:
            due = uow.reasons.get(reason_id)
            case = None if due is None else case_in(uow, due.case_id)
            if due is None or case is None or not self._reaches(by, Right.RECORDING_SWITCH, case.room):
                raise not_found("stop reason", reason_id)
            if due.reason is not None:
                raise OrvaultError(ErrorKind.CONFLICT, "This reason was given already, and stands as it is.")
            now = self._clock.now_us()
            given = replace(due, reason=reason, given_us=now, given_by=by.account_id)
            uow.reasons.put(given)
            for run in (uow.runs.get(run_id) for run_id in due.run_ids):
                assert run is not None, "a foreign key holds the run"
                uow.runs.put(replace(run, stop_reason=reason))
            detail = {"reason_id": reason_id, "signal": due.signal_id, "reason": reason}
            uow.history.append(now, by.actor, Act.STOP_REASON_GIVEN, case_subject(case), detail)
            uow.commit()
        return DueReason(given, case)

    def watch(self, triggers: Sequence[TriggerReport] = ()) -> tuple[Alarm, ...]:
        """Every alarm there is now; call it at intervals, with how the rooms' pedals and gestures do.

        New late starts, each reminder, and cameras and triggers that are lost or back are put into history.
        """
        self._note_devices(triggers)
        with self._uow(read_only=True) as uow:
            now_us = self._clock.now_us()
            armed = rooms_in(uow, [case.room for case in uow.cases.armed()], self._control, now_us)
            known = rooms_of(uow)
            devices = devices_in(uow, {*known, *(here.name for here in armed)})
            alarms = [alarm for here in armed for alarm in self._alarms(here, now_us)]
            lost = [alarm for here in armed for alarm in _lost_cameras(devices, here)]
            cases = {here.name: here.case.case_id for here in armed if here.case is not None}
            unheard = [alarm for name in known for alarm in lost_triggers(devices, name, cases.get(name, ""))]
            due = _due(uow)
            unsaid = [
                alarm for alarm in alarms if alarm.kind is AlarmKind.LATE_START and not _said(uow, alarm)
            ]
            unreminded = [one for one in due if _asked_us(one.reason) + self._control.reminder_us <= now_us]
        if unsaid or unreminded:
            self._write_down(unsaid, unreminded)
        return (*alarms, *lost, *unheard, *self._overdue(due, now_us))

    def _note_devices(self, triggers: Sequence[TriggerReport]) -> None:
        """Put into history which cameras of armed rooms, and which triggers, are lost or back since the last look."""
        # Asked outside every transaction: an actor that does not answer takes its time.
        try:
            states = {status.camera_id: status for status in self._recorders.statuses()}
        except OrvaultError:
            states = {}  # none answers: each counts as lost
        with self._uow(read_only=True) as uow:
            armed = {case.room for case in uow.cases.armed()}
            now_us = self._clock.now_us()
            rooms = {*rooms_of(uow), *(report.room for report in triggers)}
            devices = devices_in(uow, rooms | armed)
            news = [
                *camera_news(devices, states, armed, uow.runs.recording(), now_us),
                *trigger_news(devices, rooms, triggers, now_us),
            ]
        if not news:
            return
        with self._uow() as uow:
            for one in news:
                one.write(uow, now_us)
            uow.commit()

    def _write_down(self, late: Iterable[Alarm], reminders: Iterable[DueReason]) -> None:
        with self._uow() as uow:
            now = self._clock.now_us()
            for alarm in late:
                detail = {"room": alarm.room, "due_us": alarm.since_us}
                uow.history.append(now, SYSTEM, Act.RECORDING_LATE, f"case:{alarm.case_id}", detail)
            for one in reminders:
                due = uow.reasons.get(one.reason.reason_id)
                if due is None or due.reason is not None:
                    continue  # given meanwhile
                count = due.reminders + 1
                uow.reasons.put(replace(due, reminders=count, reminded_us=now))
                reminded = {"reason_id": due.reason_id, "signal": due.signal_id, "count": count}
                uow.history.append(now, SYSTEM, Act.STOP_REASON_REMINDED, case_subject(one.case), reminded)
            uow.commit()

    def _view(self, here: Room, devices: Devices, all_due: Iterable[DueReason]) -> RoomView:
        now_us = self._clock.now_us()
        due = tuple(one for one in all_due if one.case.room == here.name)
        unheard = lost_triggers(devices, here.name, _open_case_id(here))
        return RoomView(
            here.name,
            here.state.phase,
            here.case,
            tuple(run.camera_id for run in here.runs if run.recording),
            tuple(w for w in unconfirmed(here.state, self._control, now_us) if not w.lapsed),
            due,
            (
                *self._alarms(here, now_us),
                *_lost_cameras(devices, here),
                *unheard,
                *self._overdue(due, now_us),
            ),
        )

    def _alarms(self, here: Room, now_us: int) -> list[Alarm]:
        if here.case is None:
            return []
        alarms = []
        late_us = late_since(here.case, here.state, self._control, now_us)
        if late_us is not None:
            text = f"Case {here.case.number} should have begun, and nothing records. Start it, or close the case."
            alarms.append(Alarm(AlarmKind.LATE_START, here.name, here.case.case_id, late_us, text))
        for stop in (w.stop for w in unconfirmed(here.state, self._control, now_us) if w.lapsed):
            text = f"A stop by {stop.source.value} was not confirmed; recording goes on."
            alarms.append(Alarm(AlarmKind.STOP_LAPSED, here.name, here.case.case_id, stop.at_us, text))
        return alarms

    def _overdue(self, due: Iterable[DueReason], now_us: int) -> list[Alarm]:
        return [
            Alarm(
                AlarmKind.REASON_DUE,
                one.case.room,
                one.case.case_id,
                one.reason.since_us,
                f"Say why the recording of case {one.case.number} was stopped.",
            )
            for one in due
            if one.reason.since_us + self._control.reminder_us <= now_us
        ]


def _open_case_id(here: Room) -> str:
    return "" if here.case is None or here.case.state is CaseState.CLOSED else here.case.case_id


def _lost_cameras(devices: Devices, here: Room) -> list[Alarm]:
    """Nobody needs the cameras of a room without an armed case."""
    case_id = _open_case_id(here)
    return lost_cameras(devices, here.name, case_id) if case_id else []


def _due(uow: UnitOfWork) -> list[DueReason]:
    reasons = uow.reasons.due()
    cases = uow.cases.those({reason.case_id for reason in reasons})
    return [DueReason(reason, cases[reason.case_id]) for reason in reasons]


def _asked_us(reason: StopReason) -> int:
    return reason.since_us if reason.reminded_us is None else reason.reminded_us


def _said(uow: UnitOfWork, alarm: Alarm) -> bool:
    subject, act = f"case:{alarm.case_id}", Act.RECORDING_LATE.value
    return bool(uow.history.page(None, 1, subject=subject, actor=None, act=act))
