"""What the ledger and history say of a run, against what lies on the disk: pure comparison, one fault for one cause.

Which rows and which files, `cluster/fsck.py` finds; what was told of a file already is not told again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path

from orvault.clock import US_PER_S
from orvault.container.gap import Gap
from orvault.custody.anchors import Anchor
from orvault.custody.case import Run
from orvault.custody.recorded import StoredGap, StoredSegment, Stretch
from orvault.recording.fsck import HOLE_ADVICE, Fault, FaultKind, RunName, RunOnDisk, told_us
from orvault.recording.recorder import GAP_US
from orvault.recording.records import SegmentRecord


@dataclass
class Rows:
    """What the ledger and history know of one run, and of which of its rows cannot be read."""

    run: Run | None = None
    segments: dict[int, StoredSegment] = field(default_factory=dict)
    gaps: list[StoredGap] = field(default_factory=list)
    anchors: list[Anchor] = field(default_factory=list)
    stretches: list[Stretch] = field(default_factory=list)
    whole: bool = True  # whether every row of a segment could be read


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
        where = where_of_gap(root, found.name, gap.from_us)
        yield Fault(FaultKind.GAP_NOT_INDEXED, where, "The ledger does not know this gap.", _INDEX)
    for row_of_gap in rows.gaps:
        if (row_of_gap.from_us, row_of_gap.to_us) not in found.told:
            where = where_of_gap(root, found.name, row_of_gap.from_us)
            yield Fault(
                FaultKind.GAP_MISSING, where, "The ledger knows a gap that has no record here.", _COPY
            )


def where_of_gap(root: Path, name: RunName, from_us: int) -> str:
    """How a gap record is named to people."""
    return f"{root.joinpath(*name)}/gaps, from {from_us}"


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


def against_order(folder: Path, found: RunOnDisk, rows: Rows) -> Iterator[Fault]:
    """Time between a run's start and its first segment, or its last and its stop, that no gap record tells of.

    Between segments `orvault.recording.fsck` looks. A run that is still open has no end yet.
    """
    run, times = rows.run, {one.header.meta.sequence: one.header.meta for one in found.segments}
    if run is not None and not found.numbers and not rows.segments:
        yield from nothing_recorded(folder, run, found.gaps)
    if run is None or not times:
        return
    first, last = times.get(0), times[max(times)]
    if first is not None:
        silent = first.start_us - run.started_us - told_us(found.gaps, run.started_us, first.start_us)
        if silent > GAP_US:
            what = f"Of its beginning, {silent / 1e6:.1f} s are missing and no gap record tells of them."
            yield Fault(FaultKind.HOLE, str(folder), what, HOLE_ADVICE)
    # One that is there and faulty, or known and gone, was told already; so was a run that was cut off.
    if run.open or run.stop_ordered_us is None or last.sequence < max([*found.numbers, *rows.segments]):
        return
    end_us = run.stop_ordered_us
    silent = end_us - last.end_us - told_us(found.gaps, last.end_us, end_us)
    if silent > GAP_US + _CLOCKS_US:
        what = f"Of its end, {silent / 1e6:.1f} s are missing and no gap record tells of them."
        yield Fault(FaultKind.HOLE, str(folder), what, HOLE_ADVICE)


def nothing_recorded(folder: Path, run: Run, gaps: Sequence[Gap]) -> Iterator[Fault]:
    """A run that is over, with neither a segment nor a row of one: gap records must tell of all its time."""
    if run.open or run.stop_ordered_us is None:
        return
    silent = run.stop_ordered_us - run.started_us - told_us(gaps, run.started_us, run.stop_ordered_us)
    if silent > GAP_US + _CLOCKS_US:
        what = f"Nothing of it was recorded, and of {silent / 1e6:.1f} s no gap record tells."
        yield Fault(FaultKind.HOLE, str(folder), what, HOLE_ADVICE)


def stretches_agree(segments: Mapping[int, StoredSegment], stretches: Sequence[Stretch]) -> bool:
    """Whether a run's stretches hold each of its segments once, and are what those come to."""
    numbers = [number for one in stretches for number in range(one.first_sequence, one.last_sequence + 1)]
    if sorted(numbers) != sorted(segments):
        return False
    alone = {number: Stretch.of(segment) for number, segment in segments.items()}
    own = (range(one.first_sequence, one.last_sequence + 1) for one in stretches)
    return [reduce(Stretch.joined, map(alone.__getitem__, each)) for each in own] == list(stretches)


def stretch_fault(folder: Path) -> Fault:
    """The fault of a run whose stretches say otherwise than its segments."""
    what = "The stretches that lists, searches and retention go by are not what its segments come to."
    return Fault(FaultKind.STRETCH, str(folder), what, _STRETCH)


def unknown_gaps(found: RunOnDisk, rows: Rows) -> list[Gap]:
    """Gap records that the ledger has no row of."""
    known = {(gap.from_us, gap.to_us) for gap in rows.gaps}
    return [gap for gap in found.gaps if (gap.from_us, gap.to_us) not in known]


def file_missing(root: Path, row: StoredSegment) -> Fault:
    """The fault of a row whose file is gone."""
    what = "The ledger knows this segment, and it is not on the disk."
    return Fault(FaultKind.FILE_MISSING, str(root / row.path), what, _COPY)


_CLOCKS_US = 5 * US_PER_S  # the stop is timed by the server's clock, the last picture by the node's
_STRETCH = "`orvault fsck --repair` makes them anew."
_INDEX = "`orvault fsck --repair` tells the ledger of it; a node that starts offers what was never confirmed."
_DIFFERS = "Keep both, and find out which of them was changed: the segment's signature stands, see history."
_COPY = "Look for it on copies of this disk and bring it back; exports leave out what is not there."
_ANCHOR = "Have an auditor check history; bring the anchored segment back from a copy of the disk."
