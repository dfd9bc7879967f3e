"""Holds what lies on the nodes' disks against the ledger and history, and repairs the ledger from the disks.

What a disk alone can prove, `orvault.recording.fsck` checks. Reads the ledger page by page, a run at a time, and
writes to it only through the rules that the index itself works by: the same segment twice is one row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path

from cluster.fsck_compare import (
    Rows,
    against_anchors,
    against_order,
    against_rows,
    file_missing,
    nothing_recorded,
    stretch_fault,
    stretches_agree,
    unknown_gaps,
    where_of_gap,
)
from cluster.fsck_rows import LedgerRows
from orvault.clock import Clock
from orvault.container.enrolment import EnrolledNodes
from orvault.container.gap import Gap, check_gap
from orvault.custody.case import Run
from orvault.custody.rows import UnitsOfWork
from orvault.custody.service import CustodyService
from orvault.errors import OrvaultError
from orvault.recording.destroying import DestroyedCases
from orvault.recording.folders import listed, run_folders
from orvault.recording.fsck import (
    Fault,
    FaultKind,
    NodeCheck,
    RunName,
    RunOnDisk,
    Yardstick,
)
from orvault.recording.records import SegmentRecord
from orvault.recording.store import SegmentStore, segments_in

BATCH = 64  # indexed at once
MAX_NUMBER = 10**12 - 1  # what a segment's file can be named
# Told already, and the stretches follow the rows.
_ROWS_DIFFER = {
    FaultKind.NOT_INDEXED,
    FaultKind.ROW_DIFFERS,
    FaultKind.CUT_OFF,
    FaultKind.CHAIN,
    FaultKind.ANCHOR,
}

# What leaves it open whose footage this is, or whether it is all of one recording.
_DOUBTS = {FaultKind.ALTERED, FaultKind.CHAIN, FaultKind.MISPLACED, FaultKind.UNTRUSTED}

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
    joined: int = 0
    adopted: int = 0
    not_checked: dict[str, int] = field(
        default_factory=dict
    )  # by node: rows whose files nobody could look for

    def to_json(self) -> dict[str, object]:
        """For programs."""
        return {
            "checked": {"gaps": self.gaps, "runs": self.runs, "segments": self.segments},
            "faults": [each.to_json() for each in self.faults],
            "not_checked": self.not_checked,
            "repaired": {
                "gaps": self.gaps_indexed,
                "removed": self.removed,
                "runs": self.adopted,
                "segments": self.indexed,
                "stretches": self.joined,
            },
        }


class SiteCheck:
    """One pass over the disks of some nodes and what the ledger says of them."""

    def __init__(
        self,
        custody: CustodyService,
        uow: UnitsOfWork,
        nodes: EnrolledNodes,
        clock: Clock,
        keys: set[str] | None,
        adopt: bool = False,
    ) -> None:
        self._adopt = adopt
        self._custody, self._uow, self._nodes, self._clock, self._keys = custody, uow, nodes, clock, keys
        self.report = Report()
        self._tell = self.report.faults.append
        self._ledger = LedgerRows(uow, self._tell)

    def check(self, stores: dict[str, Path], case_id: str | None, repair: bool, step: Step) -> Report:
        """Check these nodes' stores (name -> root), or what they hold of one case; `step` hears of each run."""
        seen: set[str] = set()
        for node_id, root in stores.items():
            self._check_destroyed(node_id, root, case_id, repair)
            for folder in run_folders(root, partial(self._unlisted, root)):
                name = RunName(*folder.relative_to(root).parts)
                if case_id in (None, name.case_id) and not self._destroyed([name.case_id]):
                    step("/".join(name))
                    seen.add(name.run_id)
                    self._check_run(node_id, root, folder, repair)
        for run in self._ledger.runs(case_id):
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

    def _unlisted(self, root: Path, path: str, error: OrvaultError) -> None:
        self._tell(Fault(FaultKind.UNREADABLE, str(root / path), error.message, error.advice))

    def _check_run(self, node_id: str, root: Path, folder: Path, repair: bool) -> None:
        name = RunName(*folder.relative_to(root).parts)
        numbers = [int(path.stem) for path in listed(segments_in, folder, root, lambda _path, _error: None)]
        rows = self._ledger.of(name, numbers)
        by = Yardstick(node_id, self._nodes, lambda seen: self._first_seen(seen, rows), self._keys)
        found = NodeCheck(root, by).run(folder, rows.segments)
        self.report.runs += 1
        self.report.segments += len(found.numbers)
        self.report.gaps += len(found.told)
        faults = [*found.faults, *against_rows(root, found, rows), *against_anchors(folder, found, rows)]
        faults += against_order(folder, found, rows)
        if not any(fault.kind in _ROWS_DIFFER for fault in faults):
            faults += self._stretch_faults(folder, name.run_id, rows, repair)
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
        if fault.kind is FaultKind.GAP_NOT_INDEXED:
            now = unknown_gaps(found, self._ledger.of(found.name, sorted(found.numbers)))
            return fault.where not in {where_of_gap(root, found.name, gap.from_us) for gap in now}
        if fault.kind is not FaultKind.NOT_INDEXED:
            return False
        with self._uow(read_only=True) as uow:
            for record in found.segments:
                if str(root / record.path) == fault.where:
                    return uow.segments.digest_of(record.header.meta.segment_id) == record.digest
        return False

    def _stretch_faults(self, folder: Path, run_id: str, rows: Rows, repair: bool) -> list[Fault]:
        """Stretches that are wrong, unless they were mended; a running site may write while they are read."""
        if not rows.whole or stretches_agree(rows.segments, rows.stretches):
            return []
        with self._uow(read_only=not repair) as uow:
            every = {one.header.meta.sequence: one for one in uow.segments.following(run_id, -1, MAX_NUMBER)}
            if stretches_agree(every, uow.segments.stretches_of(run_id)):
                return []
            if not repair:
                return [stretch_fault(folder)]
            uow.segments.join_anew(run_id)
            self.report.joined += 1
            uow.commit()
        return []

    def _repair(self, root: Path, found: RunOnDisk, rows: Rows, faults: list[Fault]) -> list[Fault]:
        """Rows and gaps that the ledger lacks, and leftovers; the faults that remain."""
        if self._adopt and rows.run is None and found.segments:
            self._adopt_run(root, found, rows)
        mended: set[str] = set()
        wanting = {fault.where for fault in faults if fault.kind is FaultKind.NOT_INDEXED}
        missing = iter([r for r in found.segments if str(root / r.path) in wanting])
        refusals: list[Fault] = []
        while batch := list(islice(missing, BATCH)):
            outcome = self._custody.index_segments(batch, self._nodes)
            self.report.indexed += outcome.added
            refused = dict(outcome.refused)
            for record in batch:
                mended.add(where := str(root / record.path))
                if reason := refused.get(record.header.meta.segment_id):
                    what = f"The ledger refuses it: {reason}"
                    refusals.append(Fault(FaultKind.REFUSED, where, what, _REFUSED))
        still = [f for f in faults if f.kind is not FaultKind.NOT_INDEXED or f.where not in mended] + refusals
        return self._repair_gaps(found, rows, self._remove_leftovers(root, found, rows, still))

    def _adopt_run(self, root: Path, found: RunOnDisk, rows: Rows) -> None:
        """Make a run that the ledger lacks, where nothing about its files is in doubt."""
        where = str(root.joinpath(*found.name))
        if doubts := sorted({fault.kind.value for fault in found.faults if fault.kind in _DOUBTS}):
            what = f"Its run is not adopted: {', '.join(doubts)}."
            self._tell(Fault(FaultKind.REFUSED, where, what, _NOT_ADOPTED))
            return
        try:
            self._custody.adopt_run(found.segments, self._nodes)
        except OrvaultError as error:
            what = f"Its run is not adopted: {error.message}"
            self._tell(Fault(FaultKind.REFUSED, where, what, _NOT_ADOPTED))
            return
        self.report.adopted += 1
        with self._uow(read_only=True) as uow:
            rows.run = uow.runs.get(found.name.run_id)

    def _repair_gaps(self, found: RunOnDisk, rows: Rows, faults: list[Fault]) -> list[Fault]:
        if rows.run is None:
            return faults
        still = [fault for fault in faults if fault.kind is not FaultKind.GAP_NOT_INDEXED]
        for gap in unknown_gaps(found, rows):
            try:
                signer = check_gap(gap, self._nodes, self._first_seen(gap, rows))
                self.report.gaps_indexed += self._custody.record_gap(gap, signer)
            except OrvaultError as error:
                where = f"{found.name.run_id}, gap from {gap.from_us}"
                still.append(Fault(FaultKind.REFUSED, where, error.message, _REFUSED))
        return still

    def _remove_leftovers(self, root: Path, found: RunOnDisk, rows: Rows, faults: list[Fault]) -> list[Fault]:
        if rows.run is not None and rows.run.open:
            return faults  # its camera may be writing; it removes them itself when it takes the run up again
        removed = SegmentStore(root).clean(*found.name, on_fault=lambda _path, _error: None)
        self.report.removed += len(removed)
        gone = {str(root / path) for path in removed}
        return [fault for fault in faults if fault.where not in gone]

    def _check_lost_run(self, run: Run, stores: dict[str, Path]) -> None:
        """A run that had no folder when the disks were read: its rows tell which node should have it."""
        name = RunName(run.case_id, run.camera_id, run.run_id)
        rows = self._ledger.of(name, ())
        for row in rows.segments.values():
            node_id = row.header.meta.node_id
            if (root := stores.get(node_id)) is None:
                self.report.not_checked[node_id] = self.report.not_checked.get(node_id, 0) + 1
            elif not _lies(root, row.path):  # what a running site recorded since then is there
                self._tell(file_missing(root, row))
        if not rows.segments:
            self._check_empty_run(run, rows, stores)

    def _check_empty_run(self, run: Run, rows: Rows, stores: dict[str, Path]) -> None:
        """It should lie on its camera's node, if anywhere: the gaps that the ledger knows tell of it all, or not."""
        with self._uow(read_only=True) as uow:
            camera = uow.cameras.get(run.camera_id)
        root = None if camera is None else stores.get(camera.node_id)
        if root is not None:
            folder = root / run.case_id / run.camera_id / run.run_id
            self.report.faults += nothing_recorded(folder, run, rows.gaps)


def _lies(root: Path, path: str) -> bool:
    """Whether this is a file now; behind a link, where no run is looked for, it is not."""
    whole = root.resolve() / path
    return whole.resolve() == whole and whole.is_file()


_DESTROYED = "A running site removes them by itself, and `orvault fsck --repair` once the receipt is signed."
_REFUSED = (
    "It stays on the disk. A run that the ledger does not know is taken in by `orvault fsck --repair --adopt`, "
    "or comes back with a newer back-up of the ledger."
)
_NOT_ADOPTED = "It stays on the disk. Settle that first, or bring a newer back-up of the ledger back."
