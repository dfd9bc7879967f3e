"""Starting and stopping a case's cameras by a person, who hears at once which cameras did not follow.

Signals of devices are `control`'s; how recorders are told, and in which order things are committed, `ordering`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from orvault.custody.access import Right, require
from orvault.custody.account import Account
from orvault.custody.case import MAX_CAMERAS, Case, CaseState, Run, check_step, check_stop_reason
from orvault.custody.control import Action, SignalKind, SignalSource
from orvault.custody.desks.base import SYSTEM, not_found
from orvault.custody.desks.ordering import CameraProblem, OrderDesk, case_in
from orvault.custody.history import Act
from orvault.custody.ids import new_id
from orvault.custody.ports import CameraInfo, StartOrder
from orvault.custody.rows import UnitOfWork
from orvault.custody.signals import KeptSignal, Standing
from orvault.errors import ErrorKind, OrvaultError

# What a camera will not do however often it is told. Anything else passes, and may have reached it already.
_REFUSALS = frozenset({ErrorKind.CONFLICT, ErrorKind.BAD_REQUEST})


@dataclass(frozen=True, slots=True)
class CaseView:
    """A case with all its runs."""

    case: Case
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Switched:
    """A case after its cameras were switched; `problems` names those that did not follow."""

    view: CaseView
    problems: tuple[CameraProblem, ...] = ()


class SwitchDesk(OrderDesk):
    """The switching of recordings."""

    def start_recording(self, by: Account, case_id: str, camera_ids: Sequence[str] | None = None) -> Switched:
        """Start these cameras (all of the case's room when None) under an armed case.

        One camera out of reach does not keep the others from recording: it is named in `problems`, told again until
        it follows (`resume_recordings`), and an alarm of its room meanwhile. Named too, and left out, are one that
        refuses and one of the room that is in use elsewhere. Errors: NOT_ARMED, NOT_FOUND (case, camera), BAD_REQUEST
        (camera of another room), CONFLICT (camera in use).
        """
        require(by, Right.RECORDING_SWITCH)
        self._settle_wanted(by, case_id, camera_ids)
        with self._uow() as uow:
            case = self._case_for(uow, by, Right.RECORDING_SWITCH, case_id)
            check_step(case, CaseState.RECORDING)
            chosen, skipped = self._cameras_to_start(uow, by, case, camera_ids)
            orders = [self._start_free(uow, by, case, camera) for camera in chosen]
            uow.cases.put_state(replace(case, state=CaseState.RECORDING))
            signal_id = self._note_signal(uow, by, case, SignalKind.START)
            uow.commit()
        problems = self._tell_starts(orders)
        refused = [problem for problem in problems if problem.kind in _REFUSALS]
        if refused:
            self._undo_starts({o.camera_id: o.run_id for o in orders}, refused, signal_id)
        return self._switched(case_id, [*problems, *skipped])

    def stop_recording(
        self, by: Account, case_id: str, reason: str, camera_ids: Sequence[str] | None = None
    ) -> Switched:
        """Stop these cameras (all when None) before the case is closed; `reason` is needed and kept.

        Errors: BAD_REQUEST (no reason), NOT_FOUND, CONFLICT (not recording).
        """
        require(by, Right.RECORDING_SWITCH)
        reason = check_stop_reason(reason)
        with self._uow() as uow:
            view = view_of(uow, self._case_for(uow, by, Right.RECORDING_SWITCH, case_id))
            wanted = [
                r for r in view.runs if r.recording and (camera_ids is None or r.camera_id in camera_ids)
            ]
            lacking = set(camera_ids or ()) - {run.camera_id for run in wanted}
            if lacking or not wanted:
                which = ", ".join(sorted(lacking)) or "no camera"
                raise OrvaultError(
                    ErrorKind.CONFLICT,
                    f"Under case {view.case.number}, not recording: {which}.",
                    where="camera_ids",
                )
            self._order_stops(uow, wanted, by.actor, reason)
            if not any(run.recording for run in uow.runs.of_case(case_id)):
                uow.cases.put_state(replace(view.case, state=CaseState.ARMED))
                self._note_signal(uow, by, view.case, SignalKind.STOP)
            uow.commit()
        return self._switched(case_id, self._tell_stops(wanted))

    def _settle_wanted(self, by: Account, case_id: str, camera_ids: Sequence[str] | None) -> None:
        # Only the cameras about to be started: waiting for others out of reach would hold this room up.
        with self._uow(read_only=True) as uow:
            room = self._case_for(uow, by, Right.RECORDING_SWITCH, case_id).room
            here = [camera.camera_id for camera in uow.cameras.all() if camera.room == room]
            wanted = set(here if camera_ids is None else camera_ids)
            pending = [run for run in uow.runs.stopping() if run.camera_id in wanted]
        self._tell_stops(pending)

    def _cameras_to_start(
        self, uow: UnitOfWork, by: Account, case: Case, camera_ids: Sequence[str] | None
    ) -> tuple[list[CameraInfo], list[CameraProblem]]:
        """The cameras, and those of the whole room that are left out because they are in use, with the reason."""
        if camera_ids is None:
            return _room_to_start(uow, case)
        if not 1 <= len(camera_ids) <= MAX_CAMERAS or len(set(camera_ids)) != len(camera_ids):
            message = f"Name 1 to {MAX_CAMERAS} cameras, each once."
            raise OrvaultError(ErrorKind.BAD_REQUEST, message, where="camera_ids")
        known = [(each, self._camera_for(uow, by, Right.CAMERA_VIEW, each)) for each in camera_ids]
        return [_camera_of_room(case, camera, camera_id) for camera_id, camera in known], []

    def _start_free(self, uow: UnitOfWork, by: Account, case: Case, camera: CameraInfo) -> StartOrder:
        busy = uow.runs.open_on(camera.camera_id)
        if busy is not None:
            raise OrvaultError(
                ErrorKind.CONFLICT,
                _in_use(camera, busy, case),
                where="camera_ids",
                advice="Leave it out, or stop it there first.",
            )
        return self._open_run(uow, by.actor, by.account_id, case, camera)

    def _note_signal(self, uow: UnitOfWork, by: Account, case: Case, kind: SignalKind) -> str:
        """Keep what a person did here as a signal, so that a device's signal from before it does not undo it."""
        now = self._clock.now_us()
        start = kind is SignalKind.START
        kept = KeptSignal(
            signal_id=new_id(self._clock),
            room=case.room,
            case_id=case.case_id,
            kind=kind,
            source=SignalSource.PERSON,
            device=by.account_id,
            at_us=now,
            heard_us=now,
            confidence_permille=1000,
            action=Action.START if start else Action.STOP,
            standing=Standing.HEARD if start else Standing.EFFECTIVE,
            why="switched by a person",
        )
        uow.signals.add(kept)
        return kept.signal_id

    def _undo_starts(self, runs: dict[str, str], problems: Iterable[CameraProblem], signal_id: str) -> None:
        # Stopped, not forgotten: of an order that was told twice the first may have been followed.
        undone = []
        with self._uow() as uow:
            for problem in problems:
                run = uow.runs.get(runs[problem.camera_id])
                if run is None or not run.recording:
                    continue
                undone.append(run)
                detail = {"camera": run.camera_id, "run": run.run_id, "reason": problem.message}
                now = self._clock.now_us()
                uow.history.append(now, SYSTEM, Act.RECORDING_START_FAILED, f"case:{run.case_id}", detail)
                self._order_stops(uow, [run], SYSTEM, "the camera could not be started")
            for case_id in {run.case_id for run in undone}:
                case = case_in(uow, case_id)
                if case.state is CaseState.RECORDING and not any(
                    r.recording for r in uow.runs.of_case(case_id)
                ):
                    uow.cases.put_state(replace(case, state=CaseState.ARMED))
                    uow.signals.settle([signal_id], Standing.FAILED)
            uow.commit()
        self._tell_stops(undone)

    def _switched(self, case_id: str, problems: Sequence[CameraProblem]) -> Switched:
        with self._uow(read_only=True) as uow:
            return Switched(view_in(uow, case_id), tuple(problems))


def view_in(uow: UnitOfWork, case_id: str) -> CaseView:
    """The case with its runs, or NOT_FOUND."""
    return view_of(uow, case_in(uow, case_id))


def view_of(uow: UnitOfWork, case: Case) -> CaseView:
    """The case with its runs."""
    return CaseView(case, tuple(uow.runs.of_case(case.case_id)))


def _in_use(camera: CameraInfo, busy: Run, case: Case) -> str:
    word = "records" if busy.recording else "has not confirmed its stop"
    where = "this case" if busy.case_id == case.case_id else "another case"
    return f"The camera {camera.title} {word} under {where}."


def _room_to_start(uow: UnitOfWork, case: Case) -> tuple[list[CameraInfo], list[CameraProblem]]:
    here = [camera for camera in uow.cameras.all() if camera.room == case.room]
    idle: list[CameraInfo] = []
    skipped: list[CameraProblem] = []
    for camera in here:
        busy = uow.runs.open_on(camera.camera_id)
        if busy is None:
            idle.append(camera)
        elif busy.case_id != case.case_id or not busy.recording:  # else it does already what is asked for
            problem = CameraProblem(camera.camera_id, ErrorKind.CONFLICT, _in_use(camera, busy, case))
            skipped.append(problem)
    if not idle:
        message = f"Every camera of {case.room} is in use." if here else f"No camera of {case.room} is known."
        raise OrvaultError(ErrorKind.CONFLICT, message, where="camera_ids")
    return idle, skipped


def _camera_of_room(case: Case, camera: CameraInfo | None, camera_id: str) -> CameraInfo:
    if camera is None or camera.removed:
        raise not_found("camera", camera_id, "camera_ids")
    if camera.room != case.room:
        # The patient agreed to this case being recorded; a camera elsewhere would record somebody else.
        raise OrvaultError(
            ErrorKind.BAD_REQUEST,
            f"The camera {camera.title} stands in {camera.room}; the case is in {case.room}.",
            where="camera_ids",
            advice="Name cameras of the case's own room.",
        )
    return camera
