"""What recorders are told: runs opened and ended in the ledger first, then the orders, side by side.

Order of a start: 1 the run and its history entry are committed, 2 the recorder is told. Order of a stop: 1 the
order is committed, 2 the recorder is told, 3 its confirmation is committed. After a crash in between,
`resume_recordings` and `settle_stops` tell it again; `stop_strays` ends what the ledger knows nothing of any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

from orvault.custody.anchors import anchor_heads
from orvault.custody.case import Case, Run
from orvault.custody.desks.base import SYSTEM, Desk, not_found
from orvault.custody.history import Act
from orvault.custody.ids import new_id
from orvault.custody.ports import ArmOrder, CameraInfo, CameraStatus, StartOrder
from orvault.custody.rows import UnitOfWork
from orvault.errors import ErrorKind, OrvaultError

_AT_ONCE = 16  # recorders told side by side: one that does not answer must not hold up the others
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CameraProblem:
    """A camera that did not do what it was told, and the words for it."""

    camera_id: str
    kind: ErrorKind
    message: str


class OrderDesk(Desk):
    """Orders to recorders, outside every transaction."""

    def settle_stops(self) -> tuple[CameraProblem, ...]:
        """Tell recorders again whose stop is ordered and not confirmed; call it at start and at intervals.

        A camera that left the settings has no recorder that could confirm: its run is over.
        """
        with self._uow(read_only=True) as uow:
            removed = {camera.camera_id for camera in uow.cameras.all() if camera.removed}
            pending = uow.runs.stopping()
        for run in pending:
            if run.camera_id in removed:
                self._confirm_stop(run.run_id)
        return tuple(self._tell_stops([run for run in pending if run.camera_id not in removed]))

    def resume_recordings(self) -> tuple[CameraProblem, ...]:
        """Order every run that should be recording once more, e.g. after the server's start.

        Recorders ignore an order that they follow already; one whose order was lost in a crash begins now.
        """
        with self._uow(read_only=True) as uow:
            removed = {camera.camera_id for camera in uow.cameras.all() if camera.removed}
            runs = [run for run in uow.runs.recording() if run.camera_id not in removed]
            orders = [order_of(run, case_in(uow, run.case_id)) for run in runs]
        return tuple(self._tell_starts(orders))

    def stop_strays(self) -> tuple[CameraProblem, ...]:
        """Stop cameras that record a run which the ledger has closed, or does not know; history names each once.

        A camera follows the order on its node's disk. A stop that was confirmed before a late start arrived, or a
        ledger restored from a back-up, leaves an order there that nobody else would take back.
        """
        # Cameras first: a run is committed before its camera hears of it, so what is not in the ledger now never was.
        told = [status for status in self._recorders.statuses() if status.run_id is not None]
        with self._uow(read_only=True) as uow:
            strays = [(status, reason) for status in told if (reason := _stray(uow, status))]
        for status, reason in strays:
            self._note_stray(status, reason)
        return tuple(_side_by_side(self._tell_stray, [status for status, _ in strays]))

    def _note_stray(self, status: CameraStatus, reason: str) -> None:
        subject, act = f"run:{status.run_id}", Act.RECORDING_STRAY
        with self._uow() as uow:
            # A camera that cannot be told is found again in every round; history needs it once.
            if not uow.history.page(None, 1, subject=subject, actor=None, act=act.value):
                detail = {"camera": status.camera_id, "run": status.run_id, "reason": reason}
                uow.history.append(self._clock.now_us(), SYSTEM, act, subject, detail)
                uow.commit()

    def _tell_stray(self, status: CameraStatus) -> CameraProblem | None:
        run_id = status.run_id
        assert run_id is not None, "a stray is a run that a camera names"
        return _problem(status.camera_id, lambda: self._recorders.stop(status.camera_id, run_id))

    def keep_armed(self) -> tuple[CameraProblem, ...]:
        """Tell the cameras of every armed case that it is; call it at intervals, because an arming lapses."""
        with self._uow(read_only=True) as uow:
            orders = [order for case in uow.cases.armed() for order in arm_orders(uow, case)]
        problems = self._tell_armed(orders)
        with self._uow(read_only=True) as uow:
            armed = {case.case_id for case in uow.cases.armed()}
        # Closed meanwhile: its cameras may have been told that before they were told this.
        problems += self._tell_disarmed([order for order in orders if order.case_id not in armed])
        return tuple(problems)

    def _tell_armed(self, orders: Sequence[ArmOrder]) -> list[CameraProblem]:
        def tell(order: ArmOrder) -> CameraProblem | None:
            return _problem(order.camera_id, lambda: self._recorders.arm(order))

        return _side_by_side(tell, orders)

    def _tell_disarmed(self, orders: Sequence[ArmOrder]) -> list[CameraProblem]:
        def tell(order: ArmOrder) -> CameraProblem | None:
            return _problem(order.camera_id, lambda: self._recorders.disarm(order.camera_id, order.case_id))

        return _side_by_side(tell, orders)

    def _open_run(
        self, uow: UnitOfWork, actor: str, account_id: str, case: Case, camera: CameraInfo
    ) -> StartOrder:
        now = self._clock.now_us()
        epoch = uow.runs.last_epoch(camera.camera_id) + 1
        run = Run(new_id(self._clock), case.case_id, camera.camera_id, epoch, now, account_id)
        uow.runs.add(run)
        detail = {"camera": camera.camera_id, "run": run.run_id, "epoch": epoch}
        uow.history.append(now, actor, Act.RECORDING_STARTED, case_subject(case), detail)
        return order_of(run, case)

    def _order_stops(self, uow: UnitOfWork, runs: Iterable[Run], actor: str, reason: str) -> None:
        now = self._clock.now_us()
        for run in runs:
            uow.runs.put(replace(run, stop_ordered_us=now, stop_ordered_by=actor, stop_reason=reason))
            detail = {"camera": run.camera_id, "run": run.run_id, "reason": reason}
            uow.history.append(now, actor, Act.RECORDING_STOP_ORDERED, f"case:{run.case_id}", detail)

    def _tell_starts(self, orders: Sequence[StartOrder]) -> list[CameraProblem]:
        def tell(order: StartOrder) -> CameraProblem | None:
            return _problem(order.camera_id, lambda: self._recorders.start(order))

        problems = _side_by_side(tell, orders)
        self._take_back_overtaken(orders)
        return problems

    def _tell_stops(self, runs: Sequence[Run]) -> list[CameraProblem]:
        def tell(run: Run) -> CameraProblem | None:
            problem = _problem(run.camera_id, lambda: self._recorders.stop(run.camera_id, run.run_id))
            if problem is None:
                self._confirm_stop(run.run_id)
            return problem

        return _side_by_side(tell, runs)

    def _take_back_overtaken(self, orders: Sequence[StartOrder]) -> None:
        """Stop runs again that were ordered to stop while their start was on its way.

        Another process may have told the stop first: the recorder then ignored it, and follows the start now.
        """
        if not orders:
            return
        with self._uow(read_only=True) as uow:
            runs = [uow.runs.get(order.run_id) for order in orders]
        self._tell_stops([run for run in runs if run is not None and not run.recording])

    def _confirm_stop(self, run_id: str) -> None:
        with self._uow() as uow:
            run = uow.runs.get(run_id)
            if run is None or not run.open:
                return  # somebody else had it confirmed meanwhile
            now = self._clock.now_us()
            uow.runs.put(replace(run, stopped_us=now))
            detail = {"camera": run.camera_id, "run": run.run_id}
            uow.history.append(now, SYSTEM, Act.RECORDING_STOPPED, f"case:{run.case_id}", detail)
            anchor_heads(uow, now, [run_id])
            uow.commit()


def _stray(uow: UnitOfWork, status: CameraStatus) -> str:
    """Why this camera's run should not be recorded, "" if it may; an unconfirmed stop is `settle_stops`' matter."""
    run = uow.runs.get(status.run_id or "")
    if run is None:
        return "the ledger knows no such run"
    if run.camera_id != status.camera_id:
        return "the run is another camera's"
    return "" if run.open else "the run is over"


def _problem(camera_id: str, tell: Callable[[], None]) -> CameraProblem | None:
    try:
        tell()
    except OrvaultError as error:
        return CameraProblem(camera_id, error.kind, error.outside_words)
    return None


def _side_by_side(tell: Callable[[T], CameraProblem | None], told: Sequence[T]) -> list[CameraProblem]:
    if not told:
        return []
    with ThreadPoolExecutor(min(len(told), _AT_ONCE), "orders") as pool:
        return [problem for problem in pool.map(tell, told) if problem is not None]


def order_of(run: Run, case: Case) -> StartOrder:
    """What the run's recorder is told."""
    assert case.case_key is not None, "a case with runs was armed, and has a key since"
    return StartOrder(run.run_id, case.case_id, run.camera_id, case.case_key, run.epoch, run.started_us)


def arm_orders(uow: UnitOfWork, case: Case) -> list[ArmOrder]:
    """What the cameras of the case's room are told while it is armed."""
    assert case.armed_us is not None, "an armed case was armed at some time"
    here = [camera for camera in uow.cameras.all() if camera.room == case.room]
    return [ArmOrder(case.case_id, camera.camera_id, case.armed_us) for camera in here]


def case_subject(case: Case) -> str:
    """How history names the case."""
    return f"case:{case.case_id}"


def case_in(uow: UnitOfWork, case_id: str) -> Case:
    """The case, or NOT_FOUND."""
    case = uow.cases.get(case_id)
    if case is None:
        raise not_found("case", case_id)
    return case
