"""Holds what lies on the nodes' disks against the ledger and history, and repairs the ledger from the disks.

What a disk alone can prove, `orvault.recording.fsck` checks. Reads the ledger page by page, a run at a time, and
writes to it only through the rules that the index itself works by: the same segment twice is one row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path

from cluster.fsck_compare import Rows, against_anchors, against_rows, file_missing, unknown_gaps
from orvault.clock import Clock
from orvault.container.enrolment import EnrolledNodes
from orvault.container.gap import Gap
from orvault.custody.anchors import anchors_of
from orvault.custody.case import Run
from orvault.custody.recorded import StoredSegment
from orvault.custody.rows import UnitsOfWork
from orvault.custody.scope import EVERYTHING
from orvault.custody.service import CustodyService
from orvault.custody.text import MAX_TIME_US
from orvault.errors import ErrorKind, OrvaultError
from orvault.recording.destroying import DestroyedCases
from orvault.recording.folders import listed, run_folders
from orvault.recording.fsck import (
    Fault,
    FaultKind,
    NodeCheck,
    RunName,
    RunOnDisk,
    Yardstick,
    gaps_by_run,
)
from orvault.recording.records import SegmentRecord
from orvault.recording.store import SegmentStore, segments_in

ROWS = 500  # read at once
BATCH = 64  # indexed at once
CASES = 200

Step = Callable[[str], None]


@dataclass
class Report:
    """What was looked at, what is wrong, and what was put right."""

    segments: int = 0
    gaps: int = 0
    runs: int = 0
    faults: list[Fault] = field(default_factory=list)
    indexed: int = 0
    gaps_indexed: int = 0
    removed: int = 0

    def to_json(self) -> dict[str, object]:
        """For programs."""
        repaired = {"gaps": self.gaps_indexed, "removed": self.removed, "segments": self.indexed}
        looked = {"gaps": self.gaps, "runs": self.runs, "segments": self.segments}
        return {"checked": looked, "faults": [each.to_json() for each in self.faults], "repaired": repaired}


class SiteCheck:
    """One pass over the disks of some nodes and what the ledger says of them."""

    def __init__(
        self,
        custody: CustodyService,
        uow: UnitsOfWork,
        nodes: EnrolledNodes,
        clock: Clock,
        keys: set[str] | None,
    ) -> None:
        self._custody, self._uow, self._nodes, self._clock, self._keys = custody, uow, nodes, clock, keys
        self.report = Report()
        self._tell = self.report.faults.append

    def check(self, stores: dict[str, Path], case_id: str | None, repair: bool, step: Step) -> Report:
        """Check these nodes' stores (name -> root), or what they hold of one case; `step` hears of each run."""
        seen: set[str] = set()
        for node_id, root in stores.items():
            self._check_destroyed(node_id, root, case_id, repair)
            gaps = gaps_by_run(root, self._tell)
            if case_id is not None:
                self._drop_other_cases(root, case_id)
            for folder in run_folders(root, partial(self._unlisted, root)):
                name = RunName(*folder.relative_to(root).parts)
                if case_id in (None, name.case_id) and not self._destroyed([name.case_id]):
                    step("/".join(name))
                    seen.add(name.run_id)
                    self._check_run(node_id, root, folder, gaps.pop(name, []), repair)
        for run in self._runs(case_id):
            if run.run_id not in seen and not self._destroyed([run.case_id]):
                self._check_lost_run(run, stores)
        return self.report

    def _check_destroyed(self, node_id: str, root: Path, case_id: str | None, repair: bool) -> None:
        """Files of a case whose recordings are destroyed: nothing of them belongs on a disk, no row is missing."""
        disk = DestroyedCases(root)
        for gone in sorted(self._destroyed([each for each in disk.present() if case_id in (None, each)])):
            known = self._custody.destruction_of(gone)
            if repair and known is not None and known.destroyed_us is not None:
                again = node_id not in self._custody.nodes_outstanding(gone)
                erased = disk.erase(gone, known.epoch)
                self._custody.files_destroyed(gone, node_id, erased.files, erased.bytes, again=again)
                self.report.removed += erased.files
            else:
                what = "The recordings of this case are destroyed, and files of them lie here; they open for nobody."
                self._tell(Fault(FaultKind.DESTROYED, str(root / gone), what, _DESTROYED))

    def _destroyed(self, case_ids: Sequence[str]) -> set[str]:
        return self._custody.destroyed_among(case_ids)

    def _drop_other_cases(self, root: Path, case_id: str) -> None:
        prefix = f"{root / case_id}/"
        self.report.faults[:] = [
            f for f in self.report.faults if f.kind is not FaultKind.GAP_RECORD or f.where.startswith(prefix)
        ]

    def _unlisted(self, root: Path, path: str, error: OrvaultError) -> None:
        self._tell(Fault(FaultKind.UNREADABLE, str(root / path), error.message, error.advice))

    def _check_run(self, node_id: str, root: Path, folder: Path, gaps: list[Gap], repair: bool) -> None:
        name = RunName(*folder.relative_to(root).parts)
        numbers = [int(path.stem) for path in listed(segments_in, folder, root, lambda _path, _error: None)]
        rows = self._rows_of(name, numbers)
        by = Yardstick(node_id, self._nodes, lambda seen: self._first_seen(seen, rows), self._keys)
        found = NodeCheck(root, by).run(folder, gaps, rows.segments)
        self.report.runs += 1
        self.report.segments += len(found.numbers)
        self.report.gaps += len(found.told)
        faults = [*found.faults, *against_rows(root, found, rows), *against_anchors(folder, found, rows)]
        if repair:
            faults = self._repair(root, found, rows, faults)
        # What a running site indexed while its disk was read is not missing.
        self.report.faults += [fault for fault in faults if not self._passed(fault, found, root)]

    def _first_seen(self, found: SegmentRecord | Gap, rows: Rows) -> int:
        """When the server first saw it: its row, or earlier an anchor that covers it; now, if it has not yet."""
        if isinstance(found, Gap):
            seen = [g.recorded_us for g in rows.gaps if (g.from_us, g.to_us) == (found.from_us, found.to_us)]
            return min(seen, default=self._clock.now_us())
        number = found.header.meta.sequence
        row = rows.segments.get(number)
        if row is None or row.digest != found.digest:
            return self._clock.now_us()
        return min([row.indexed_us, *(a.at_us for a in rows.anchors if a.sequence >= number)])

    def _passed(self, fault: Fault, found: RunOnDisk, root: Path) -> bool:
        if fault.kind is not FaultKind.NOT_INDEXED:
            return False
        with self._uow(read_only=True) as uow:
            for record in found.segments:
                if str(root / record.path) == fault.where:
                    return uow.segments.digest_of(record.header.meta.segment_id) == record.digest
        return False

    def _repair(self, root: Path, found: RunOnDisk, rows: Rows, faults: list[Fault]) -> list[Fault]:
        """Rows and gaps that the ledger lacks, and leftovers; the faults that remain."""
        mended: set[str] = set()
        wanting = {fault.where for fault in faults if fault.kind is FaultKind.NOT_INDEXED}
        missing = iter([r for r in found.segments if str(root / r.path) in wanting])
        refusals: list[Fault] = []
        while batch := list(islice(missing, BATCH)):
            outcome = self._custody.index_segments(batch, self._nodes)
            self.report.indexed += outcome.added
            refused = dict(outcome.refused)
            for record in batch:
                mended.add(str(root / record.path))
                if reason := refused.get(record.header.meta.segment_id):
                    where = str(root / record.path)
                    refusals.append(
                        Fault(FaultKind.REFUSED, where, f"The ledger refuses it: {reason}", _REFUSED)
                    )
        still = [f for f in faults if f.kind is not FaultKind.NOT_INDEXED or f.where not in mended] + refusals
        return self._repair_gaps(found, rows, self._remove_leftovers(root, found, rows, still))

    def _repair_gaps(self, found: RunOnDisk, rows: Rows, faults: list[Fault]) -> list[Fault]:
        if rows.run is None:
            return faults
        for gap in unknown_gaps(found, rows):
            self.report.gaps_indexed += self._custody.record_gap(gap)
        return [fault for fault in faults if fault.kind is not FaultKind.GAP_NOT_INDEXED]

    def _remove_leftovers(self, root: Path, found: RunOnDisk, rows: Rows, faults: list[Fault]) -> list[Fault]:
        if rows.run is not None and rows.run.open:
            return faults  # its camera may be writing; it removes them itself when it takes the run up again
        removed = SegmentStore(root).clean(*found.name, on_fault=lambda _path, _error: None)
        self.report.removed += len(removed)
        gone = {str(root / path) for path in removed}
        return [fault for fault in faults if fault.where not in gone]

    def _rows_of(self, name: RunName, numbers: Sequence[int]) -> Rows:
        rows = Rows()
        with self._uow(read_only=True) as uow:
            rows.run = uow.runs.get(name.run_id)
            known = uow.gaps.of(name.case_id, name.camera_id, 0, MAX_TIME_US)
            rows.gaps = [gap for gap in known if gap.run_id == name.run_id]
            anchors = anchors_of(uow, name.case_id)
        rows.anchors = list(anchors.of(name.run_id))
        if anchors.broken_seq is not None:
            self._broken_history(anchors.broken_seq)
        for row in self._segments(name.run_id, max(numbers, default=-1)):
            rows.segments[row.header.meta.sequence] = row
        return rows

    def _broken_history(self, seq: int) -> None:
        fault = Fault(FaultKind.HISTORY, f"history {seq}", "This entry is not what was written.", _HISTORY)
        if fault not in self.report.faults:
            self._tell(fault)

    def _segments(self, run_id: str, last: int) -> Iterator[StoredSegment]:
        """The rows of a run, by number; what cannot be read is told and passed over."""
        at = -1
        while True:
            try:
                with self._uow(read_only=True) as uow:
                    page = uow.segments.following(run_id, at, at + ROWS) or uow.segments.following(run_id, at)
            except OrvaultError as error:
                if error.kind is not ErrorKind.INTERNAL:
                    raise
                page = self._singly(run_id, at, max(last, at + ROWS))
            if not page:
                return
            yield from page
            at = page[-1].header.meta.sequence

    def _singly(self, run_id: str, after: int, upto: int) -> list[StoredSegment]:
        found: list[StoredSegment] = []
        for number in range(after + 1, upto + 1):
            try:
                with self._uow(read_only=True) as uow:
                    found += uow.segments.following(run_id, number - 1, number)
            except OrvaultError as error:
                if error.kind is not ErrorKind.INTERNAL:
                    raise
                where = f"{error.where} (run {run_id}, number {number})"
                self._tell(Fault(FaultKind.ROW_UNREADABLE, where, error.message, _ROW))
        return found

    def _runs(self, case_id: str | None) -> Iterator[Run]:
        """Every run that the ledger knows."""
        before = ""
        while True:
            with self._uow(read_only=True) as uow:
                if case_id is not None:
                    yield from uow.runs.of_case(case_id)
                    return
                cases = uow.cases.page(EVERYTHING, None, CASES, before)
                runs = [run for case in cases for run in uow.runs.of_case(case.case_id)]
            if not cases:
                return
            yield from runs
            before = cases[-1].case_id

    def _check_lost_run(self, run: Run, stores: dict[str, Path]) -> None:
        """A run without a folder on these disks: its rows tell which node should have it."""
        name = RunName(run.case_id, run.camera_id, run.run_id)
        rows = self._rows_of(name, ())
        for row in rows.segments.values():
            root = stores.get(row.header.meta.node_id)
            if root is not None:
                self._tell(file_missing(root, row))


_DESTROYED = (
    "A running site removes them by itself, as does `orvault fsck --repair` once the receipt is signed."
)
_REFUSED = "It stays on the disk. A run that the ledger does not know needs the ledger's back-up."
_HISTORY = "Have an auditor check history (`orvault history verify`) before anything of this case leaves."
_ROW = "Bring the ledger back from its back-up, then `orvault fsck --repair` adds what is newer."
