"""What the ledger and history say of a run, against what lies on the disk: pure comparison, one fault for one cause.

Which rows and which files, `cluster/fsck.py` finds; what was told of a file already is not told again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from orvault.container.gap import Gap
from orvault.custody.anchors import Anchor
from orvault.custody.case import Run
from orvault.custody.recorded import StoredGap, StoredSegment
from orvault.recording.fsck import Fault, FaultKind, RunOnDisk
from orvault.recording.records import SegmentRecord


@dataclass
class Rows:
    """What the ledger and history know of one run, and of which of its rows cannot be read."""

    run: Run | None = None
    segments: dict[int, StoredSegment] = field(default_factory=dict)
    gaps: list[StoredGap] = field(default_factory=list)
    anchors: list[Anchor] = field(default_factory=list)


def against_rows(root: Path, found: RunOnDisk, rows: Rows) -> Iterator[Fault]:
    """Files without rows, rows without files, rows that say otherwise; the same for gaps."""
    on_disk = {record.header.meta.sequence: record for record in found.segments}
    for number, known in rows.segments.items():
        if number not in found.numbers:
            yield file_missing(root, known)
    for number, record in on_disk.items():
        where = str(root / record.path)
        if (row := rows.segments.get(number)) is None:
            what = "The ledger has no row of it: it is in no list and no export."
            yield Fault(FaultKind.NOT_INDEXED, where, what, _INDEX)
        elif unlike := _differences(record, row):
            what = f"The ledger's row says otherwise: {', '.join(unlike)}."
            yield Fault(FaultKind.ROW_DIFFERS, where, what, _DIFFERS)
    for gap in unknown_gaps(found, rows):
        where = f"{root.joinpath(*found.name)}/gaps, from {gap.from_us}"
        yield Fault(FaultKind.GAP_NOT_INDEXED, where, "The ledger does not know this gap.", _INDEX)
    for row_of_gap in rows.gaps:
        if (row_of_gap.from_us, row_of_gap.to_us) not in found.told:
            where = f"{root.joinpath(*found.name)}/gaps, from {row_of_gap.from_us}"
            yield Fault(
                FaultKind.GAP_MISSING, where, "The ledger knows a gap that has no record here.", _COPY
            )


def _differences(record: SegmentRecord, row: StoredSegment) -> list[str]:
    facts = {
        "digest": (record.digest, row.digest),
        "header": (record.header, row.header),
        "path": (record.path, row.path),
        "size": (record.bytes, row.bytes),
        "key slots": (record.slots, row.slots),
    }
    return [name for name, (one, other) in facts.items() if one != other]


def against_anchors(folder: Path, found: RunOnDisk, rows: Rows) -> Iterator[Fault]:
    """Heads in history that the run disagrees with, or no longer reaches."""
    digests = {record.header.meta.sequence: record.digest for record in found.segments}
    for anchor in rows.anchors:
        digest = digests.get(anchor.sequence, anchor.digest)  # one that is there and faulty was told already
        if digest != anchor.digest:
            where = str(folder / f"{anchor.sequence:06d}.seg")
            yield Fault(
                FaultKind.ANCHOR, where, "It is not the segment that was anchored in history.", _ANCHOR
            )
    head = max((anchor.sequence for anchor in rows.anchors), default=-1)
    last = max([*found.numbers, *rows.segments], default=-1)
    if head > last:
        what = f"The run was cut off: it ends with number {last}, history has seen number {head}."
        yield Fault(FaultKind.CUT_OFF, str(folder), what, _COPY)


def unknown_gaps(found: RunOnDisk, rows: Rows) -> list[Gap]:
    """Gap records that the ledger has no row of."""
    known = {(gap.from_us, gap.to_us) for gap in rows.gaps}
    return [gap for gap in found.gaps if (gap.from_us, gap.to_us) not in known]


def file_missing(root: Path, row: StoredSegment) -> Fault:
    """The fault of a row whose file is gone."""
    what = "The ledger knows this segment, and it is not on the disk."
    return Fault(FaultKind.FILE_MISSING, str(root / row.path), what, _COPY)


_INDEX = "`orvault fsck --repair` tells the ledger of it; a node that starts offers what was never confirmed."
_DIFFERS = "Keep both, and find out which of them was changed: the segment's signature stands, see history."
_COPY = "Look for it on copies of this disk and bring it back; exports leave out what is not there."
_ANCHOR = "Have an auditor check history; bring the anchored segment back from a copy of the disk."
