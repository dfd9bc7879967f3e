"""The workers' side of scans: claiming them, telling progress, and ending them, fenced by epoch as renderings are.

A scan holds a render grant: keys are opened for it, in history first, and nobody sees a picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from orvault.custody.anchors import anchors_of
from orvault.custody.desks.base import Desk, not_found
from orvault.custody.desks.downloads import subject_of
from orvault.custody.history import Act
from orvault.custody.leases import actor_of, check_epoch, claimed, is_left, put_off, told
from orvault.custody.request import MAX_ATTEMPTS, ExportRequest
from orvault.custody.rows import UnitOfWork
from orvault.custody.scan import CameraScan, Scan, ScanState
from orvault.custody.steps import RequestState
from orvault.custody.stretches import Track, track_of
from orvault.errors import ErrorKind, OrvaultError


@dataclass(frozen=True, slots=True)
class ScanJob:
    """A scan with everything that it needs; `epoch` goes into every call about it."""

    scan: Scan
    request: ExportRequest
    tracks: tuple[Track, ...]
    epoch: int


class ScanningDesk(Desk):
    """What scan workers call."""

    def claim_scan(self, worker: str = "export") -> ScanJob | None:
        """Take the oldest scan that waits, or one whose worker is gone; None when there is nothing to do.

        As `claim_render`: after 3 workers ended over a scan, it fails. So does one whose draft was changed or
        submitted meanwhile.
        """
        now = self._clock.now_us()
        with self._uow(read_only=True) as uow:  # asked every few seconds: it must not hold up who writes
            if not uow.scans.waiting(now):
                return None
        with self._uow() as uow:
            for scan in uow.scans.waiting(now):
                if scan.state is not ScanState.WAITING and not is_left(scan, worker, now):
                    continue
                request = _request(uow, scan)
                reason = _outdated(scan, request)
                if not reason and scan.attempts >= MAX_ATTEMPTS:
                    reason = f"{MAX_ATTEMPTS} workers ended while they scanned this."
                if reason:
                    _end_failed(uow, scan, reason, now)
                    continue
                job = _claim(uow, scan, request, worker, now)
                uow.commit()
                return job
            uow.commit()
        return None

    def scan_progress(self, scan_id: str, epoch: int, stage: str, done: int, total: int) -> None:
        """Say how far a scan is; also the sign of life. CONFLICT when it is somebody else's by now, or moot."""
        with self._uow() as uow:
            scan = _held(uow, scan_id, epoch)
            if reason := _outdated(scan, _request(uow, scan)):
                _end_failed(uow, scan, reason, self._clock.now_us())
                uow.commit()
                raise OrvaultError(ErrorKind.CONFLICT, reason, advice="Drop the work.")
            uow.scans.put_state(told(scan, stage, done, total, self._clock.now_us()))
            uow.commit()

    def finish_scan(self, scan_id: str, epoch: int, cameras: Sequence[CameraScan]) -> None:
        """What was found, camera by camera. Errors: CONFLICT as for progress, BAD_REQUEST for what no scan finds."""
        checked = tuple(camera.checked() for camera in cameras)
        with self._uow() as uow:
            scan = _held(uow, scan_id, epoch)
            if {each.camera_id for each in checked} - set(scan.scope.camera_ids):
                raise OrvaultError(ErrorKind.BAD_REQUEST, "A camera was not to be scanned.", where=scan_id)
            now = self._clock.now_us()
            done = replace(scan, state=ScanState.DONE, cameras=checked, ended_us=now)
            uow.scans.put_state(replace(done, progress=replace(scan.progress, stage=done.state.value)))
            detail = {
                "scan": scan_id, "epoch": epoch,
                "tracks": {each.camera_id: len(each.tracks) for each in checked},
                "digests": {each.camera_id: each.digest for each in checked},
            }  # fmt: skip
            uow.history.append(now, actor_of(scan), Act.SCAN_FINISHED, f"export:{scan.request_id}", detail)
            uow.commit()

    def fail_scan(self, scan_id: str, epoch: int, reason: str) -> None:
        """End a scan that cannot be done; `reason` is shown to its owner. CONFLICT as for progress."""
        with self._uow() as uow:
            _end_failed(uow, _held(uow, scan_id, epoch), reason, self._clock.now_us())
            uow.commit()

    def give_back_scan(self, scan_id: str, epoch: int) -> None:
        """Put a scan off: what it needs is away. It is no attempt; the next one is later, as for a rendering."""
        with self._uow() as uow:
            scan = _held(uow, scan_id, epoch)
            uow.scans.put_state(replace(put_off(scan, self._clock.now_us()), state=ScanState.WAITING))
            uow.commit()


def _claim(uow: UnitOfWork, scan: Scan, request: ExportRequest, worker: str, now: int) -> ScanJob:
    mine = replace(claimed(scan, worker, now), state=ScanState.SCANNING)
    uow.scans.put_state(mine)
    detail = {"scan": scan.scan_id, "epoch": mine.worker_epoch, "worker": worker}
    uow.history.append(now, actor_of(mine), Act.SCAN_STARTED, subject_of(request), detail)
    anchors = anchors_of(uow, request.wish.case_id)
    tracks = tuple(track_of(uow, request, camera_id, anchors) for camera_id in scan.scope.camera_ids)
    return ScanJob(mine, request, tracks, mine.worker_epoch)


def _request(uow: UnitOfWork, scan: Scan) -> ExportRequest:
    request = uow.requests.get(scan.request_id)
    assert request is not None, "a foreign key holds it"
    return request


def _outdated(scan: Scan, request: ExportRequest) -> str:
    """Why nobody waits for this scan any more; "" if somebody does."""
    if request.state is not RequestState.DRAFT:
        return f"The request is {request.state.value}."
    return "" if scan.fits(request.wish) else "The draft was changed meanwhile and asks for something else."


def _held(uow: UnitOfWork, scan_id: str, epoch: int) -> Scan:
    scan = uow.scans.get(scan_id)
    if scan is None:
        raise not_found("scan", scan_id)
    check_epoch(scan, epoch, "scan", at_work=scan.state is ScanState.SCANNING)
    return scan


def _end_failed(uow: UnitOfWork, scan: Scan, reason: str, now: int) -> None:
    uow.scans.put_state(replace(scan, state=ScanState.FAILED, failure=reason[:500], ended_us=now))
    detail = {"scan": scan.scan_id, "reason": reason[:500], "epoch": scan.worker_epoch}
    uow.history.append(now, actor_of(scan), Act.SCAN_FAILED, f"export:{scan.request_id}", detail)
