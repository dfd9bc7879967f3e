"""Takes in a run that a node recorded and the ledger lacks, because it came back from a back-up.

Signatures and chain, its caller has verified (`orvault fsck`); here is whether the run can be one of this ledger's.
"""

from __future__ import annotations

from collections.abc import Sequence

from orvault.custody.case import Run
from orvault.custody.desks.base import SYSTEM
from orvault.custody.history import Act
from orvault.custody.recorded import SegmentLike
from orvault.custody.rows import UnitOfWork
from orvault.errors import ErrorKind, OrvaultError

_REASON = "taken in from its node's disk: the ledger came back without it"


def adopt(uow: UnitOfWork, segments: Sequence[SegmentLike], now_us: int) -> Run:
    """The run of these segments, which are given by number, with its entry of history; it is over.

    Who armed its case stands for the start. The caller commits. Errors: CONFLICT where something does not fit.
    """
    meta, end_us = segments[0].header.meta, max(segment.header.meta.end_us for segment in segments)
    armed_by, problem = _misfit(uow, segments)
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


def _misfit(uow: UnitOfWork, segments: Sequence[SegmentLike]) -> tuple[str, str]:
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
    if meta.camera_id not in {camera.camera_id for camera in uow.cameras.all()}:
        return "", "the ledger does not know its camera."
    if uow.runs.get(meta.run_id) is not None or uow.runs.at_epoch(meta.camera_id, meta.epoch) is not None:
        return "", f"the camera's run number {meta.epoch} is another one."
    return case.armed_by, ""


def _place(segment: SegmentLike) -> tuple[str, str, str, int, str]:
    meta = segment.header.meta
    return meta.case_id, meta.camera_id, meta.run_id, meta.epoch, meta.node_id
