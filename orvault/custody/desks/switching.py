"""Starting and stopping a case's cameras.

Order of a start: 1 the run and its history entry are committed, 2 the recorder is told; if that fails, 3 a
stop is ordered with the failure as its reason. Order of a stop: 1 the order is committed, 2 the recorder is
told, 3 its confirmation is committed. A crash in between leaves a run that `settle_stops` finishes; nothing
records unseen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from orvault.custody.access import Right, require
from orvault.custody.account import Account
from orvault.custody.case import MAX_CAMERAS, Case, CaseState, Run, check_step, check_stop_reason
from orvault.custody.desks.base import SYSTEM, Desk, not_found
from orvault.custody.history import Act
from orvault.custody.ids import new_id
from orvault.custody.ports import CameraInfo, StartOrder, UnitOfWork
from orvault.errors import ErrorKind, OrvaultError


@dataclass(frozen=True, slots=True)
class CaseView:
    """A case with all its runs."""

    case: Case
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class CameraProblem:
    """A camera that did not do what it was told, and the words for it."""

    camera_id: str
    kind: ErrorKind
    message: str


@dataclass(frozen=True, slots=True)
class Switched:
    """A case after its cameras were switched; `problems` names those that did not follow."""

    view: CaseView
    problems: tuple[CameraProblem, ...] = ()


class SwitchDesk(Desk):
    """The switching of recordings."""

    def start_recording(self, by: Account, case_id: str, camera_ids: Sequence[str] | None = None) -> Switched:
        """Start these cameras (all of the case's room when None) under an armed case.

        One camera out of reach does not keep the others from recording: it is named in `problems`. Errors:
        NOT_ARMED, NOT_FOUND (case, camera), BAD_REQUEST (camera of another room), CONFLICT (camera in use).
        """
        require(by, Right.RECORDING_SWITCH)
        self._settle_wanted(case_id, camera_ids)
        with self._uow() as uow:
            case = case_in(uow, case_id)
            check_step(case, CaseState.RECORDING)
            orders = [
                self._open_run(uow, by, case, camera) for camera in _cameras_to_start(uow, case, camera_ids)
            ]
            uow.cases.put_state(replace(case, state=CaseState.RECORDING))
            uow.commit()
        problems = self._tell_starts(orders)
        if problems:
            self._undo_starts({o.camera_id: o.run_id for o in orders}, problems)
        return self._switched(case_id, problems)

    def stop_recording(
        self, by: Account, case_id: str, reason: str, camera_ids: Sequence[str] | None = None
    ) -> Switched:
        """Stop these cameras (all when None) before the case is closed; `reason` is needed and kept.

        Errors: BAD_REQUEST (no reason), NOT_FOUND, CONFLICT (not recording).
        """
        require(by, Right.RECORDING_SWITCH)
        reason = check_stop_reason(reason)
        with self._uow() as uow:
            view = view_in(uow, case_id)
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
            uow.commit()
        return self._switched(case_id, self._tell_stops(wanted))

    def settle_stops(self) -> tuple[CameraProblem, ...]:
        """Tell recorders again whose stop is ordered and not confirmed; call it at start and at intervals."""
        with self._uow(read_only=True) as uow:
            pending = uow.runs.stopping()
        return tuple(self._tell_stops(pending))

    def resume_recordings(self) -> tuple[CameraProblem, ...]:
        """Order every run that should be recording once more, e.g. after the server's start.

        Recorders ignore an order that they follow already; one whose order was lost in a crash begins now.
        """
        with self._uow(read_only=True) as uow:
            orders = [_order_of(run, case_in(uow, run.case_id)) for run in uow.runs.recording()]
        return tuple(self._tell_starts(orders))

    def _settle_wanted(self, case_id: str, camera_ids: Sequence[str] | None) -> None:
        # Only the cameras about to be started: waiting for others out of reach would hold this room up.
        with self._uow(read_only=True) as uow:
            room = case_in(uow, case_id).room
            here = [camera.camera_id for camera in uow.cameras.all() if camera.room == room]
            wanted = set(here if camera_ids is None else camera_ids)
            pending = [run for run in uow.runs.stopping() if run.camera_id in wanted]
        self._tell_stops(pending)

    def _tell_starts(self, orders: Iterable[StartOrder]) -> list[CameraProblem]:
        problems = []
        for order in orders:
            try:
                self._recorders.start(order)
            except OrvaultError as error:
                problems.append(CameraProblem(order.camera_id, error.kind, str(error)))
        return problems

    def _open_run(self, uow: UnitOfWork, by: Account, case: Case, camera: CameraInfo) -> StartOrder:
        busy = uow.runs.open_on(camera.camera_id)
        if busy is not None:
            word = "records" if busy.recording else "has not confirmed its stop"
            where = "this case" if busy.case_id == case.case_id else "another case"
            raise OrvaultError(
                ErrorKind.CONFLICT,
                f"The camera {camera.title} {word} under {where}.",
                where="camera_ids",
                advice="Leave it out, or stop it there first.",
            )
        now = self._clock.now_us()
        epoch = uow.runs.last_epoch(camera.camera_id) + 1
        run = Run(new_id(self._clock), case.case_id, camera.camera_id, epoch, now, by.account_id)
        uow.runs.add(run)
        detail = {"camera": camera.camera_id, "run": run.run_id, "epoch": epoch}
        uow.history.append(now, by.actor, Act.RECORDING_STARTED, case_subject(case), detail)
        return _order_of(run, case)

    def _undo_starts(self, runs: dict[str, str], problems: Iterable[CameraProblem]) -> None:
        # A start that failed may yet have reached the camera (its answer was lost), so it is stopped, not
        # forgotten.
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
            uow.commit()
        self._tell_stops(undone)

    def _order_stops(self, uow: UnitOfWork, runs: Iterable[Run], actor: str, reason: str) -> None:
        now = self._clock.now_us()
        for run in runs:
            uow.runs.put(replace(run, stop_ordered_us=now, stop_ordered_by=actor, stop_reason=reason))
            detail = {"camera": run.camera_id, "run": run.run_id, "reason": reason}
            uow.history.append(now, actor, Act.RECORDING_STOP_ORDERED, f"case:{run.case_id}", detail)

    def _tell_stops(self, runs: Iterable[Run]) -> list[CameraProblem]:
        problems = []
        for run in runs:
            try:
                self._recorders.stop(run.camera_id, run.run_id)
            except OrvaultError as error:
                problems.append(CameraProblem(run.camera_id, error.kind, str(error)))
            else:
                self._confirm_stop(run.run_id)
        return problems

    def _confirm_stop(self, run_id: str) -> None:
        with self._uow() as uow:
            run = uow.runs.get(run_id)
            if run is None or not run.open:
                return  # somebody else had it confirmed meanwhile
            now = self._clock.now_us()
            uow.runs.put(replace(run, stopped_us=now))
            detail = {"camera": run.camera_id, "run": run.run_id}
            uow.history.append(now, SYSTEM, Act.RECORDING_STOPPED, f"case:{run.case_id}", detail)
            uow.commit()

    def _switched(self, case_id: str, problems: Sequence[CameraProblem]) -> Switched:
        with self._uow(read_only=True) as uow:
            return Switched(view_in(uow, case_id), tuple(problems))


def _order_of(run: Run, case: Case) -> StartOrder:
    assert case.case_key is not None, "a case with runs was armed, and has a key since"
    return StartOrder(run.run_id, case.case_id, run.camera_id, case.case_key, run.epoch, run.started_us)


def case_subject(case: Case) -> str:
    """How history names the case."""
    return f"case:{case.case_id}"


def case_in(uow: UnitOfWork, case_id: str) -> Case:
    """The case, or NOT_FOUND."""
    case = uow.cases.get(case_id)
    if case is None:
        raise not_found("case", case_id)
    return case


def view_in(uow: UnitOfWork, case_id: str) -> CaseView:
    """The case with its runs, or NOT_FOUND."""
    return CaseView(case_in(uow, case_id), tuple(uow.runs.of_case(case_id)))


def _cameras_to_start(uow: UnitOfWork, case: Case, camera_ids: Sequence[str] | None) -> list[CameraInfo]:
    if camera_ids is None:
        here = [camera for camera in uow.cameras.all() if camera.room == case.room]
        idle = [camera for camera in here if uow.runs.open_on(camera.camera_id) is None]
        if not idle:
            message = (
                f"Every camera of {case.room} is in use." if here else f"No camera of {case.room} is known."
            )
            raise OrvaultError(ErrorKind.CONFLICT, message, where="camera_ids")
        return idle
    if not 1 <= len(camera_ids) <= MAX_CAMERAS or len(set(camera_ids)) != len(camera_ids):
        message = f"Name 1 to {MAX_CAMERAS} cameras, each once."
        raise OrvaultError(ErrorKind.BAD_REQUEST, message, where="camera_ids")
    return [_camera_of_room(uow, case, camera_id) for camera_id in camera_ids]


def _camera_of_room(uow: UnitOfWork, case: Case, camera_id: str) -> CameraInfo:
    camera = uow.cameras.get(camera_id)
    if camera is None:
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
