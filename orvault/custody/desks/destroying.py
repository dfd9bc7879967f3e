"""The side of the retention actor: noticing what is due, beginning, and taking down each step of a destruction.

Every step commits with its entry of history, and is fenced: who was replaced is refused. What stops a destruction is
asked again in the transaction that begins it; from then on requests and holds are refused: nothing comes in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from orvault.container.receipt import DestroyedRun, Receipt, RemovedFiles, digests_root
from orvault.custody.activation import drop_shares
from orvault.custody.case import Run
from orvault.custody.decided_destruction import check_begun, history_against, key_is_destroyed
from orvault.custody.desks.base import SYSTEM, not_found
from orvault.custody.desks.retention import RetentionDesk, stopped_by, withdraw, withdraw_stopped
from orvault.custody.destruction import (
    NODES_PATIENCE_US,
    Destruction,
    NodeFiles,
    Step,
    check_fence,
    check_step,
    may_begin,
)
from orvault.custody.history import Act, Detail
from orvault.custody.recorded import StoredSegment
from orvault.custody.request import ExportRequest
from orvault.custody.retention import MOST_AT_ONCE
from orvault.custody.rows import UnitOfWork
from orvault.custody.scope import EVERYTHING
from orvault.errors import ErrorKind, OrvaultError

_PAGE = 500
_WAITING = (Step.NOTICED, Step.APPROVED)
_UNDER_WAY = (Step.BEGUN, Step.KEY_DESTROYED, Step.PACKAGES_REMOVED)


class DestroyingDesk(RetentionDesk):
    """How far destructions are."""

    def notice_due(self) -> int:
        """Take down which cases became due, and withdraw what is due no more; how many were noticed."""
        now = self._clock.now_us()
        with self._uow(read_only=True) as uow:
            fresh = self._due(uow, now, unnoticed=True)
            waiting = uow.destructions.at(_WAITING)
            stopped = [each for each in waiting if stopped_by(uow, each.case_id, self._retention, now)]
        if not fresh and not stopped:
            return 0
        with self._uow() as uow:
            for item in fresh:
                case_id, verdict = item.recorded.case_id, item.verdict
                if uow.destructions.get(case_id) is None:
                    uow.destructions.add(
                        Destruction(case_id, Step.NOTICED, verdict.due_us, verdict.rule, now)
                    )
                    detail = {"due_us": verdict.due_us, "rule": verdict.rule}
                    _tell(uow, now, Act.DESTRUCTION_NOTICED, case_id, detail)
            for each in stopped:
                withdraw_stopped(uow, each.case_id, self._retention, now)
            uow.commit()
        return len(fresh)

    def begin_due(self) -> Sequence[str]:
        """Begin what was approved, or what the policy lets go by itself; the cases' ids. No way back from here."""
        now = self._clock.now_us()
        with self._uow(read_only=True) as uow:
            ready = [each for each in uow.destructions.at(_WAITING) if may_begin(each, self._retention, now)]
        begun = []
        for each in ready:
            with self._uow() as uow:
                if self._begin(uow, each.case_id, now):
                    begun.append(each.case_id)
                uow.commit()
        return begun

    def destructions_under_way(self) -> Sequence[Destruction]:
        """Those that have begun and have no receipt yet."""
        with self._uow(read_only=True) as uow:
            return uow.destructions.at(_UNDER_WAY)

    def destruction_of(self, case_id: str) -> Destruction | None:
        """How far a case's destruction is; None if there is none."""
        with self._uow(read_only=True) as uow:
            return uow.destructions.get(case_id)

    def take_up(self, case_id: str) -> Destruction:
        """Become the one who works at it: whoever did before is refused. CONFLICT: none is under way; ALTERED."""
        with self._uow() as uow:
            known = uow.destructions.get(case_id)
            if known is None or known.step not in _UNDER_WAY:
                raise OrvaultError(
                    ErrorKind.CONFLICT, "No destruction of this case is under way.", where=case_id
                )
            check_begun(uow, known)
            taken = replace(known, epoch=known.epoch + 1)
            uow.destructions.put(taken)
            uow.commit()
        return taken

    def check_key_destruction(self, case_id: str) -> None:
        """The key service asks before it drops a key: GRANT_MISSING, or ALTERED by history, unless it has begun."""
        with self._uow(read_only=True) as uow:
            known = uow.destructions.get(case_id)
            if known is None or not known.begun:
                message = "No destruction of this case has begun; its key stays."
                raise OrvaultError(ErrorKind.GRANT_MISSING, message, where=case_id[:64])
            check_begun(uow, replace(known, step=Step.BEGUN))  # again is no error

    def key_destroyed(self, case_id: str, epoch: int) -> Destruction:
        """The case's key is gone, and every older copy of the key store with it. CONFLICT as `check_fence`."""
        with self._uow() as uow:
            known, now = self._held(uow, case_id, epoch, Step.KEY_DESTROYED)
            done = replace(known, step=Step.KEY_DESTROYED, key_destroyed_us=now)
            uow.destructions.put(done)
            uow.destructions.drop_slots(case_id)  # they open for nobody; not even noise is kept
            uow.destructions.drop_scans(case_id)  # where people were in the pictures
            dropped = drop_shares(uow.activations, *(each.request_id for each in _requests(uow, case_id)))
            detail = {"key_thumbprint": _thumbprint(uow, case_id)} | dropped
            _tell(uow, now, Act.CASE_KEY_DESTROYED, case_id, detail)
            uow.commit()
        return done

    def exports_of(self, case_id: str) -> Sequence[ExportRequest]:
        """Every request over the case: what was made for it is to be removed."""
        with self._uow(read_only=True) as uow:
            return _requests(uow, case_id)

    def packages_removed(self, case_id: str, epoch: int) -> Destruction:
        """Nothing that was made of the case lies on the export server any more."""
        with self._uow() as uow:
            known, now = self._held(uow, case_id, epoch, Step.PACKAGES_REMOVED)
            done = replace(known, step=Step.PACKAGES_REMOVED, packages_removed_us=now)
            uow.destructions.put(done)
            uow.commit()
        return done

    def files_destroyed(
        self, case_id: str, node_id: str, files: int, size: int, *, again: bool = False
    ) -> None:
        """A node's disk holds nothing of the case any more; history hears of the first time, and of what came back.

        `again`: it had confirmed that before, and files of the case were found on its disk all the same.
        """
        with self._uow() as uow:
            uow.destructions.add_nodes(case_id, [node_id])
            (node,) = (each for each in uow.destructions.nodes(case_id) if each.node_id == node_id)
            if node.removed_us is not None and not (again and files):
                return
            now = self._clock.now_us()
            first_us = now if node.removed_us is None else node.removed_us
            removed = NodeFiles(node_id, first_us, node.files + files, node.bytes + size)
            uow.destructions.put_node(case_id, removed)
            detail: dict[str, object] = {"node": node_id, "files": files, "bytes": size}
            _tell(uow, now, Act.FILES_DESTROYED, case_id, detail | ({"leftover": True} if again else {}))
            uow.commit()

    def nodes_outstanding(self, case_id: str) -> Sequence[str]:
        """Nodes that have not confirmed that the case is off their disks."""
        with self._uow(read_only=True) as uow:
            return [each.node_id for each in uow.destructions.nodes(case_id) if each.removed_us is None]

    def outstanding_files(self) -> Sequence[tuple[str, str]]:
        """(case, node) of destroyed cases whose node was away when the receipt was signed."""
        with self._uow(read_only=True) as uow:
            return uow.destructions.outstanding()

    def destroyed_among(self, case_ids: Sequence[str]) -> set[str]:
        """Those of these cases whose key is destroyed, as history holds it too: nothing of them belongs on a disk."""
        found: set[str] = set()
        with self._uow(read_only=True) as uow:
            for first in range(0, len(case_ids), _PAGE):
                found.update(uow.destructions.among(case_ids[first : first + _PAGE]))
            return {case_id for case_id in found if key_is_destroyed(uow, case_id)}

    def receipt_due(self, case_id: str, epoch: int) -> Receipt | None:
        """What the receipt has to say now; None while it waits, at most a day, for nodes that are away."""
        now = self._clock.now_us()
        with self._uow(read_only=True) as uow:
            known = check_fence(uow.destructions.get(case_id), epoch)
            nodes = uow.destructions.nodes(case_id)
            assert known.packages_removed_us is not None, "files come after packages"
            patient = now < known.packages_removed_us + NODES_PATIENCE_US
            if patient and any(node.removed_us is None for node in nodes):
                return None
            return _receipt(uow, known, nodes, now)

    def finish_destruction(self, case_id: str, epoch: int, sealed: bytes, digest: str) -> None:
        """The signed receipt and its entry of history commit together. `digest`: the receipt's SHA-256."""
        with self._uow() as uow:
            known, now = self._held(uow, case_id, epoch, Step.DESTROYED)
            nodes = uow.destructions.nodes(case_id)
            uow.destructions.put(replace(known, step=Step.DESTROYED, destroyed_us=now, receipt=sealed))
            away = [node.node_id for node in nodes if node.removed_us is None]
            detail = {"receipt_sha256": digest, "rule": known.rule, "nodes_away": away}
            _tell(uow, now, Act.RECORDINGS_DESTROYED, case_id, detail)
            uow.commit()

    def _begin(self, uow: UnitOfWork, case_id: str, now_us: int) -> bool:
        known = uow.destructions.get(case_id)
        if known is None or not may_begin(known, self._retention, now_us):
            return False
        if withdraw_stopped(uow, case_id, self._retention, now_us):
            return False
        check_step(known, Step.BEGUN)
        if against := history_against(uow, case_id, self._retention, now_us):
            withdraw(uow, case_id, against, now_us)
            return False
        uow.destructions.put(replace(known, step=Step.BEGUN, begun_us=now_us))
        uow.destructions.add_nodes(case_id, sorted(_nodes(uow, case_id)))
        detail = {"due_us": known.due_us, "rule": known.rule, "approved_by": known.approved_by or ""}
        _tell(uow, now_us, Act.DESTRUCTION_BEGUN, case_id, detail)
        return True

    def _held(self, uow: UnitOfWork, case_id: str, epoch: int, to: Step) -> tuple[Destruction, int]:
        known = check_fence(uow.destructions.get(case_id), epoch)
        check_step(known, to)
        return known, self._clock.now_us()


def _tell(uow: UnitOfWork, now_us: int, act: Act, case_id: str, detail: Detail) -> None:
    uow.history.append(now_us, SYSTEM, act, f"case:{case_id}", detail)


def _nodes(uow: UnitOfWork, case_id: str) -> set[str]:
    """Where something of the case may lie: the nodes that sealed it, and its cameras' present ones, which may have
    sealed what was never indexed. A camera may have moved to another node since.
    """
    runs = uow.runs.of_case(case_id)
    ends = [uow.segments.last(run.run_id) for run in runs]
    cameras = {run.camera_id for run in runs}
    now = {camera.node_id for camera in uow.cameras.all() if camera.camera_id in cameras}
    return now | {end.header.meta.node_id for end in ends if end is not None}


def _thumbprint(uow: UnitOfWork, case_id: str) -> str:
    case = uow.cases.get(case_id)
    return "" if case is None or case.case_key is None else case.case_key.thumbprint


def _requests(uow: UnitOfWork, case_id: str) -> list[ExportRequest]:
    found: list[ExportRequest] = []
    while page := uow.requests.page(
        EVERYTHING, None, None, case_id, MOST_AT_ONCE, found[-1].request_id if found else ""
    ):
        found += page
    return found


def _receipt(uow: UnitOfWork, known: Destruction, nodes: Sequence[NodeFiles], now_us: int) -> Receipt:
    case, recorded = uow.cases.get(known.case_id), uow.retention.recorded(known.case_id)
    if case is None or recorded is None:
        raise not_found("case", known.case_id)
    assert known.begun_us is not None and known.key_destroyed_us is not None, "a receipt comes after them"
    assert known.packages_removed_us is not None, "a receipt comes after it"
    packages = [copy.package_id for request in _requests(uow, known.case_id) for copy in request.copies]
    return Receipt(
        case_id=case.case_id,
        case_number=case.number,
        room=case.room,
        recordings=tuple(_destroyed(uow, run) for run in uow.runs.of_case(case.case_id)),
        ended_us=recorded.ended_us,
        due_us=known.due_us,
        rule=known.rule,
        approved_by=known.approved_by or "",
        approved_us=known.approved_us or 0,
        begun_us=known.begun_us,
        key_destroyed_us=known.key_destroyed_us,
        key_thumbprint=_thumbprint(uow, case.case_id),
        packages=tuple(sorted(packages)),
        packages_removed_us=known.packages_removed_us,
        files=tuple(
            RemovedFiles(each.node_id, each.removed_us or 0, each.files, each.bytes) for each in nodes
        ),
        issued_us=now_us,
    )


def _destroyed(uow: UnitOfWork, run: Run) -> DestroyedRun:
    segments: list[StoredSegment] = []
    at = -1
    while page := uow.segments.following(run.run_id, at, at + _PAGE) or uow.segments.following(
        run.run_id, at
    ):
        segments += page
        at = page[-1].header.meta.sequence
    return DestroyedRun(
        run_id=run.run_id,
        camera_id=run.camera_id,
        from_us=min((each.header.meta.start_us for each in segments), default=0),
        to_us=max((each.header.meta.end_us for each in segments), default=0),
        segments=len(segments),
        bytes=sum(each.bytes for each in segments),
        digests_root=digests_root(each.digest for each in segments),
    )
