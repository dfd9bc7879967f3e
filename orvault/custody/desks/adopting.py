"""Takes in a run that a node recorded and the ledger lacks, because it came back from a back-up.

Signatures and chain, its caller has verified (`orvault fsck`); here is whether the run can be one of this ledger's.
"""

from __future__ import annotations

from collections.abc import Sequence

from orvault.clock import US_PER_S
from orvault.container.segment import SegmentMeta
from orvault.custody.case import Case, Run
from orvault.custody.desks.base import SYSTEM
from orvault.custody.history import Act
from orvault.custody.recorded import SegmentLike
from orvault.custody.rows import UnitOfWork
from orvault.errors import ErrorKind, OrvaultError

_REASON = "taken in from its node's disk: the ledger came back without it"
_LOST_RUNS = 1000  # of a camera, since the back-up; a larger number would use up those of its next runs
_BEFORE_US = 30 * US_PER_S  # the longest that a recording may begin before its start (`control.pre_event_s`)


def adopt(uow: UnitOfWork, segments: Sequence[SegmentLike], now_us: int) -> Run:
    """The run of these segments, which are given by number, with its entry of history; it is over.

    Who armed its case stands for the start. The caller commits. Errors: CONFLICT where something does not fit.
    """
    meta, end_us = segments[0].header.meta, max(segment.header.meta.end_us for segment in segments)
    armed_by, problem = _misfit(uow, segments, now_us)
    if problem:
        raise OrvaultError(ErrorKind.CONFLICT, problem, where=f"run {meta.run_id}")
    run = Run(
        run_id=meta.run_id,
        case_id=meta.case_id,
        camera_id=meta.camera_id,
        epoch=meta.epoch,
        started_us=meta.start_us,
        started_by=armed_by,
        stop_ordered_us=end_us,
        stop_ordered_by=SYSTEM,
        stop_reason=_REASON,
        stopped_us=end_us,
    )
    detail = {
        "camera": run.camera_id,
        "run": run.run_id,
        "epoch": run.epoch,
        "node": meta.node_id,
        "segments": len(segments),
        "from_us": run.started_us,
        "to_us": end_us,
        "head": segments[-1].digest,
    }
    uow.runs.add(run)
    uow.history.append(now_us, SYSTEM, Act.RUN_ADOPTED, f"case:{run.case_id}", detail)
    return run


def _misfit(uow: UnitOfWork, segments: Sequence[SegmentLike], now_us: int) -> tuple[str, str]:
    """Who armed the run's case, and why the run cannot be one of this ledger's, "" if it can."""
    meta = segments[0].header.meta
    if len({_place(segment) for segment in segments}) > 1:
        return "", "its segments name several runs."
    case, destruction = uow.cases.get(meta.case_id), uow.destructions.get(meta.case_id)
    if case is None:
        return "", "the ledger does not know its case."
    if case.armed_by is None:
        return "", "its case was never armed, as far as the ledger knows."
    if destruction is not None and destruction.begun:
        return "", "the recordings of its case are destroyed."
    problem = _not_when_armed(case, meta.start_us, now_us) or _not_its_node(uow, meta)
    if problem:
        return "", problem
    if uow.runs.get(meta.run_id) is not None or uow.runs.at_epoch(meta.camera_id, meta.epoch) is not None:
        return "", f"the camera's run number {meta.epoch} is another one."
    if meta.epoch > (last := uow.runs.last_epoch(meta.camera_id)) + _LOST_RUNS:
        return "", f"its number {meta.epoch} is too far from the camera's last, {last}."
    return case.armed_by, ""


def _not_when_armed(case: Case, start_us: int, now_us: int) -> str:
    """Why a run of this case cannot have begun then, "" if it can: nobody may have recorded outside an arming."""
    if case.armed_us is None or start_us < case.armed_us - _BEFORE_US:
        return "it begins before its case was armed."
    if case.closed_us is not None and start_us > case.closed_us:
        return "it begins after its case was closed."
    return "it begins in the future." if start_us > now_us else ""


def _not_its_node(uow: UnitOfWork, meta: SegmentMeta) -> str:
    """Why this node cannot have recorded this camera, "" if it can."""
    camera = next((each for each in uow.cameras.all() if each.camera_id == meta.camera_id), None)
    if camera is None:
        return "the ledger does not know its camera."
    if camera.node_id != meta.node_id:
        return f"its camera belongs to the node {camera.node_id}, and {meta.node_id} signed it."
    return ""


def _place(segment: SegmentLike) -> tuple[str, str, str, int, str]:
    meta = segment.header.meta
    return meta.case_id, meta.camera_id, meta.run_id, meta.epoch, meta.node_id
