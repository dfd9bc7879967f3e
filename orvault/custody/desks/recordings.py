"""Cameras, and what they recorded: registration and indexing for the actors, lists for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orvault.container.keys import KeySlot
from orvault.custody.access import Right, require
from orvault.custody.account import Account
from orvault.custody.case import CaseState
from orvault.custody.desks.base import SYSTEM, Desk, not_found, page_size
from orvault.custody.desks.switching import view_in
from orvault.custody.history import Act
from orvault.custody.ports import CameraInfo, CameraStatus, UnitOfWork
from orvault.custody.recorded import GapLike, IndexReport, RunSummary, SegmentLike, StoredSegment
from orvault.custody.text import MAX_TIME_US, check_range
from orvault.errors import OrvaultError


@dataclass(frozen=True, slots=True)
class CameraView:
    """A camera with what it does now."""

    info: CameraInfo
    status: CameraStatus


class RecordingDesk(Desk):
    """What was recorded where, as an index over the nodes' disks."""

    def register_cameras(self, cameras: Sequence[CameraInfo]) -> None:
        """Make these cameras known, or bring what is known of them up to date."""
        now = self._clock.now_us()
        with self._uow() as uow:
            for camera in cameras:
                uow.cameras.put(camera, now)
            uow.commit()

    def known_cameras(self) -> Sequence[CameraInfo]:
        """Every camera that was ever registered, for the actors; asks no recorder."""
        with self._uow(read_only=True) as uow:
            return uow.cameras.all()

    def cameras(self, by: Account) -> Sequence[CameraView]:
        """Every camera with its live status; one that does not answer is `unreachable`."""
        require(by, Right.CAMERA_VIEW)
        with self._uow(read_only=True) as uow:
            known = uow.cameras.all()
        detail = "The camera's recorder does not answer."
        try:
            statuses = {status.camera_id: status for status in self._recorders.statuses()}
        except OrvaultError as error:
            statuses, detail = {}, str(error)
        return [
            CameraView(c, statuses.get(c.camera_id) or CameraStatus(c.camera_id, "unreachable", detail))
            for c in known
        ]

    def index_segments(self, segments: Sequence[SegmentLike]) -> IndexReport:
        """Take sealed segments into the ledger; offering one again changes nothing.

        One that fits no known run, or contradicts what is known, is refused by name and the rest is kept: the
        disk is the truth, and an odd segment must not hold up the others.
        """
        added, known, refused = 0, 0, []
        now = self._clock.now_us()
        with self._uow() as uow:
            for segment in segments:
                digest = uow.segments.digest_of(segment.header.meta.segment_id)
                if digest == segment.digest:
                    known += 1
                    continue
                problem = "its content differs from the one indexed" if digest else _misfit(uow, segment)
                if problem:
                    refused.append((segment.header.meta.segment_id, problem))
                    continue
                uow.segments.add(segment, now)
                added += 1
            uow.commit()
        return IndexReport(added, known, tuple(refused))

    def sealed_to(
        self, case_id: str, thumbprint: str, after_id: str = "", limit: int = 100
    ) -> Sequence[StoredSegment]:
        """Segments of a case with a slot for this key (a vault key that is to be replaced), page by page."""
        with self._uow(read_only=True) as uow:
            return uow.segments.sealed_to(case_id, thumbprint, after_id, limit)

    def replace_slots(self, case_id: str, slots: Mapping[str, Sequence[KeySlot]]) -> None:
        """Keep the re-wrapped key slots of segments, by segment id; rows and history entry commit together."""
        with self._uow() as uow:
            known = [each for each, new in slots.items() if uow.segments.put_slots(each, new)]
            if known:
                detail = {"segments": known}
                subject = f"case:{case_id}"
                uow.history.append(self._clock.now_us(), SYSTEM, Act.KEYS_REWRAPPED, subject, detail)
                uow.commit()

    def recording_over(self, case_id: str) -> bool:
        """Whether the case is closed and every camera has confirmed its stop; NOT_FOUND."""
        with self._uow(read_only=True) as uow:
            view = view_in(uow, case_id)
        return view.case.state is CaseState.CLOSED and not any(run.open for run in view.runs)

    def record_gap(self, gap: GapLike) -> bool:
        """Keep a gap of a run; False when it was known. NOT_FOUND for an unknown run, BAD_REQUEST for bad
        times.
        """
        check_range(gap.from_us, gap.to_us)
        with self._uow() as uow:
            run = uow.runs.get(gap.run_id)
            if run is None or (run.case_id, run.camera_id) != (gap.case_id, gap.camera_id):
                raise not_found("run", gap.run_id)
            added = uow.gaps.add(gap, self._clock.now_us())
            uow.commit()
        return added

    def recordings(
        self,
        by: Account,
        case_id: str | None = None,
        camera_id: str | None = None,
        from_us: int | None = None,
        to_us: int | None = None,
        limit: int = 100,
    ) -> Sequence[RunSummary]:
        """Runs that have segments in from-to, the newest first, each summed up over that period."""
        require(by, Right.RECORDING_LIST)
        start = 0 if from_us is None else from_us
        end = MAX_TIME_US if to_us is None else to_us
        check_range(start, end)
        with self._uow(read_only=True) as uow:
            return uow.segments.summaries(case_id, camera_id, start, end, page_size(limit))


def _misfit(uow: UnitOfWork, segment: SegmentLike) -> str:
    meta = segment.header.meta
    run = uow.runs.get(meta.run_id)
    if run is None:
        return "its run is not known"
    if (run.case_id, run.camera_id, run.epoch) != (meta.case_id, meta.camera_id, meta.epoch):
        return "its case, camera or epoch is not that of its run"
    if not 0 <= meta.start_us <= meta.end_us <= MAX_TIME_US:
        return "its times are not in order"
    if uow.segments.digest_at(meta.run_id, meta.sequence) is not None:
        return "another segment has its place in the run"
    return ""
