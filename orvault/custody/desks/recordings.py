"""Cameras, and what they recorded: registration and indexing for the actors, lists for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from orvault.container.canonical import is_identifier
from orvault.container.gap import Gap
from orvault.container.keys import KeySlot
from orvault.custody.access import Right, require
from orvault.custody.account import Account
from orvault.custody.anchors import anchor_heads
from orvault.custody.case import CaseState, Run
from orvault.custody.desks.adopting import adopt
from orvault.custody.desks.base import SYSTEM, Desk, not_found, page_size
from orvault.custody.desks.switching import view_in
from orvault.custody.history import Act
from orvault.custody.ports import CameraInfo, CameraStatus
from orvault.custody.recorded import IndexReport, RunSummary, RunsWanted, Sealers, SegmentLike, StoredSegment
from orvault.custody.rows import UnitOfWork
from orvault.custody.text import MAX_TIME_US, check_range
from orvault.errors import ErrorKind, OrvaultError
from orvault.text import printable

RUNS_AT_ONCE = 100
_SHOWN = 128  # characters of an id that nobody vouches for


@dataclass(frozen=True, slots=True)
class CameraView:
    """A camera with what it does now."""

    info: CameraInfo
    status: CameraStatus


class RecordingDesk(Desk):
    """What was recorded where, as an index over the nodes' disks."""

    def register_cameras(self, cameras: Sequence[CameraInfo]) -> None:
        """Make all cameras of the settings known, or bring what is known of them up to date.

        Those that are not among them lose their room: nothing of theirs is started, armed or missed any more.
        """
        now = self._clock.now_us()
        named = {camera.camera_id for camera in cameras}
        with self._uow() as uow:
            gone = [each for each in uow.cameras.all() if each.camera_id not in named and not each.removed]
            for each in gone:
                uow.cameras.remove(each.camera_id)
                detail = {"room": each.room, "title": each.title, "node": each.node_id}
                uow.history.append(now, SYSTEM, Act.CAMERA_REMOVED, f"camera:{each.camera_id}", detail)
            for camera in cameras:
                uow.cameras.put(camera, now)
            uow.commit()

    def known_cameras(self) -> Sequence[CameraInfo]:
        """Every camera that was ever registered, for the actors; asks no recorder."""
        with self._uow(read_only=True) as uow:
            return uow.cameras.all()

    def cameras(self, by: Account) -> Sequence[CameraView]:
        """Every camera in reach with its live status: `unreachable` if it does not answer, `removed` if the settings
        name it no more.
        """
        require(by, Right.CAMERA_VIEW)
        with self._uow(read_only=True) as uow:
            known = [
                c for c in uow.cameras.all() if self._reaches(by, Right.CAMERA_VIEW, c.room, c.camera_id)
            ]
        detail = "The camera's recorder does not answer."
        try:
            statuses = {status.camera_id: status for status in self._recorders.statuses()}
        except OrvaultError as error:
            statuses, detail = {}, error.outside_words
        return [CameraView(c, _status(c, statuses.get(c.camera_id), detail)) for c in known]

    def index_segments(self, segments: Sequence[SegmentLike], sealers: Sealers) -> IndexReport:
        """Take sealed segments into the ledger; offering one again changes nothing.

        One that fits no known run, contradicts what is known, or is offered under the certificate of a node that is
        unknown or revoked, or whose camera it is not (which history is told), is refused by name and the rest is
        kept: the disk is the truth, and an odd segment must not hold up the others.
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
                problem = problem or _distrust(uow, segment, sealers, now)
                if problem:
                    refused.append((segment.header.meta.segment_id, problem))
                    continue
                _add(uow, segment, now)
                added += 1
            uow.commit()
        return IndexReport(added, known, tuple(refused))

    def adopt_run(self, segments: Sequence[SegmentLike], sealers: Sealers) -> Run:
        """Make the run of these segments, which the ledger lacks because it came back from a back-up; it is over.

        The caller has verified their signatures and chain. Their case must be known and have been armed: who armed it
        stands for the start. Errors: CONFLICT, in words, where something does not fit; UNTRUSTED (the node).
        """
        now = self._clock.now_us()
        for segment in segments:
            sealers.check_first_seen(segment.header, now)
        with self._uow() as uow:
            run = adopt(uow, segments, now)
            uow.commit()
        return run

    def anchor_moved_runs(self) -> int:
        """Write the head of every run that moved since its last anchor into history; how many that were.

        Costs what moved, not what was ever recorded. Each round of 100 runs commits with its entries.
        """
        anchored = 0
        while self._any_moved():
            with self._uow() as uow:
                anchored += anchor_heads(uow, self._clock.now_us(), uow.moved_runs.some(RUNS_AT_ONCE))
                uow.commit()
        return anchored

    def _any_moved(self) -> bool:
        with self._uow(read_only=True) as uow:
            return bool(uow.moved_runs.some(1))

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

    def record_gap(self, gap: Gap, node_id: str) -> bool:
        """Keep a gap of a run, which `node_id` signed, as the caller has verified; False when it was known.

        Errors: NOT_FOUND (unknown run), BAD_REQUEST (bad times), UNTRUSTED (its camera is another node's).
        """
        check_range(gap.from_us, gap.to_us)
        with self._uow() as uow:
            run = uow.runs.get(gap.run_id)
            if run is None or (run.case_id, run.camera_id) != (gap.case_id, gap.camera_id):
                raise not_found("run", gap.run_id)
            if problem := _not_its_node(uow, gap.camera_id, gap.run_id, node_id):
                raise OrvaultError(ErrorKind.UNTRUSTED, f"Its gap record is not believed: {problem}")
            added = uow.gaps.add(gap, self._clock.now_us())
            uow.commit()
        return added

    def note_refused_gap(self, gap: Gap, reason: str) -> None:
        """Tell history of a gap record that is not taken in, once a run: its node repeats its offers.

        A hole without a gap record, and a forged excuse for a removed segment, look alike in the ledger.
        """
        run_id = gap.run_id if is_identifier(gap.run_id) else "unreadable"
        subject, act = f"run:{run_id}", Act.GAPS_REFUSED
        with self._uow() as uow:
            if uow.history.page(None, 1, subject=subject, actor=None, act=act.value):
                return
            detail = {
                "case": printable(gap.case_id[:_SHOWN]),
                "camera": printable(gap.camera_id[:_SHOWN]),
                "from_us": gap.from_us,
                "to_us": gap.to_us,
                "reason": printable(reason),
            }
            uow.history.append(self._clock.now_us(), SYSTEM, act, subject, detail)
            uow.commit()

    def recordings(
        self,
        by: Account,
        case_id: str | None = None,
        camera_id: str | None = None,
        from_us: int | None = None,
        to_us: int | None = None,
        limit: int = 100,
    ) -> Sequence[RunSummary]:
        """Runs in reach that have segments in from-to, the newest first, each summed up over that period."""
        require(by, Right.RECORDING_LIST)
        start = 0 if from_us is None else from_us
        end = MAX_TIME_US if to_us is None else to_us
        check_range(start, end)
        with self._uow(read_only=True) as uow:
            wanted = RunsWanted(case_id, camera_id, start, end, page_size(limit))
            found = uow.segments.summaries(self._reach(by), wanted)
            destroyed = uow.destructions.among({run.case_id for run in found})
        return [replace(run, destroyed_us=destroyed.get(run.case_id)) for run in found]


def _status(camera: CameraInfo, told: CameraStatus | None, detail: str) -> CameraStatus:
    if camera.removed:
        return CameraStatus(camera.camera_id, "removed", "The settings name it no more.")
    return told or CameraStatus(camera.camera_id, "unreachable", detail)


def _add(uow: UnitOfWork, segment: SegmentLike, now_us: int) -> None:
    meta = segment.header.meta
    uow.segments.add(segment, now_us)
    if not uow.segments.following(meta.run_id, meta.sequence):  # else an anchor of a later one covers it
        uow.moved_runs.note(meta.run_id)


def _distrust(uow: UnitOfWork, segment: SegmentLike, sealers: Sealers, now_us: int) -> str:
    """Why the segment's node is not believed, "" if it is. A node repeats its offers: history is told once a run."""
    meta = segment.header.meta
    reason, advice = _not_its_node(uow, meta.camera_id, meta.run_id, meta.node_id), ""
    try:
        sealers.check_first_seen(segment.header, now_us)
    except OrvaultError as error:
        reason, advice = error.message, error.advice
    if not reason:
        return ""
    subject, act = f"run:{meta.run_id}", Act.SEGMENTS_REFUSED
    if not uow.history.page(None, 1, subject=subject, actor=None, act=act.value):
        detail = {
            "case": meta.case_id,
            "node": meta.node_id,
            "certificate": segment.header.node_certificate,
            "sequence": meta.sequence,
            "reason": reason,
        }
        uow.history.append(now_us, SYSTEM, act, subject, detail)
    return f"{reason} {advice}".strip()


def _misfit(uow: UnitOfWork, segment: SegmentLike) -> str:
    meta = segment.header.meta
    run = uow.runs.get(meta.run_id)
    if run is None:
        return "its run is not known"
    if (run.case_id, run.camera_id, run.epoch) != (meta.case_id, meta.camera_id, meta.epoch):
        return "its case, camera or epoch is not that of its run"
    if not 0 <= meta.start_us <= meta.end_us <= MAX_TIME_US:
        return "its times are not in order"
    if (destruction := uow.destructions.get(meta.case_id)) is not None and destruction.begun:
        return "the recordings of its case are destroyed"
    if uow.segments.digest_at(meta.run_id, meta.sequence) is not None:
        return "another segment has its place in the run"
    return ""


def _not_its_node(uow: UnitOfWork, camera_id: str, run_id: str, node_id: str) -> str:
    """Why this node cannot speak for the camera, "" if it can: one node's key must not speak for another's room.

    A camera may have moved since: what its earlier node delivers late of a run that it began is still its own.
    """
    camera = uow.cameras.get(camera_id)
    if camera is not None and camera.node_id == node_id:
        return ""
    last = uow.segments.last(run_id)
    if last is not None and last.header.meta.node_id == node_id:
        return ""
    return f"node {node_id!r} says that it recorded it, and its camera is not one of that node's."
