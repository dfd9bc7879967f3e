"""Checks what lies on one node's disk against itself: segments, signatures, chains, key slots, holes and gap records.

It changes nothing and needs no secret. What the ledger and history say of the same runs, its caller knows and
compares (`cluster/fsck.py`).
Source: docs/format/segment-v1.md, section 7.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from orvault.container.chain import START, check_run
from orvault.container.enrolment import EnrolledNodes
from orvault.container.gap import Gap, check_gap
from orvault.container.segment import check_content, verify_segment
from orvault.errors import ErrorKind, OrvaultError
from orvault.recording.folders import entries, leftovers, listed
from orvault.recording.gaps import GapStore
from orvault.recording.recorder import GAP_US
from orvault.recording.records import SegmentRecord
from orvault.recording.store import MISPLACED, SegmentStore, segments_in

SETTLED_S = 10.0  # what is being written just now is no leftover


class FaultKind(StrEnum):
    """What can be wrong; one word for programs."""

    UNREADABLE = "unreadable"
    DAMAGED = "damaged"
    ALTERED = "altered"
    MISPLACED = "misplaced"
    UNTRUSTED = "untrusted"
    SLOTS = "slots"
    UNKNOWN_KEY = "unknown-key"
    CHAIN = "chain"
    HOLE = "hole"
    GAP_RECORD = "gap-record"
    LEFTOVER = "leftover"
    FOREIGN = "foreign"
    FILE_MISSING = "file-missing"
    NOT_INDEXED = "not-indexed"
    REFUSED = "refused"
    ROW_DIFFERS = "row-differs"
    ROW_UNREADABLE = "row-unreadable"
    GAP_NOT_INDEXED = "gap-not-indexed"
    GAP_MISSING = "gap-missing"
    STRETCH = "stretch"
    ANCHOR = "anchor"
    CUT_OFF = "cut-off"
    HISTORY = "history"
    DESTROYED = "destroyed"


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong: where (a path, or a row of the ledger), what, and what to do about it."""

    kind: FaultKind
    where: str
    what: str
    advice: str

    def to_json(self) -> dict[str, str]:
        """For programs."""
        return {"kind": self.kind.value, "where": self.where, "what": self.what, "advice": self.advice}


@dataclass(frozen=True)
class Yardstick:
    """What a node's disk is held against.

    `seen_us`: when the server first saw a segment or a gap. `keys`: thumbprints of the keys that the
    server holds, None where that is not known.
    """

    node_id: str
    nodes: EnrolledNodes
    seen_us: Callable[[SegmentRecord | Gap], int]
    keys: Collection[str] | None = None


class RunName(NamedTuple):
    """Which run."""

    case_id: str
    camera_id: str
    run_id: str


@dataclass
class RunOnDisk:
    """What was found of one run: the sound segments and gaps, each number and time that a file has, the faults."""

    name: RunName
    segments: list[SegmentRecord] = field(default_factory=list)
    numbers: set[int] = field(default_factory=set)
    gaps: list[Gap] = field(default_factory=list)
    told: set[tuple[int, int]] = field(default_factory=set)
    leftovers: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


class NodeCheck:
    """The check of one node's segment store, a run at a time."""

    def __init__(self, root: Path, yardstick: Yardstick) -> None:
        self._root, self._by = root, yardstick
        self._store = SegmentStore(root)

    def run(self, folder: Path, expected: Collection[int] = ()) -> RunOnDisk:
        """Check the run in this folder; `expected`: numbers whose absence the caller tells of himself."""
        found = RunOnDisk(RunName(*folder.relative_to(self._root).parts))

        def tell(path: str, error: OrvaultError) -> None:
            found.faults.append(
                Fault(FaultKind.UNREADABLE, str(self._root / path), error.message, _LOOK_AT_DISK)
            )

        for path in listed(segments_in, folder, self._root, tell):
            found.numbers.add(int(path.stem))
            self._check_file(path, found)
        self._check_gaps(folder, found)
        for path in listed(_strangers, folder, self._root, tell):
            found.faults.append(
                Fault(FaultKind.FOREIGN, str(path), "It is no file of a recording.", _FOREIGN)
            )
        for path in listed(leftovers, folder, self._root, tell):
            if _age_s(path) > SETTLED_S:
                found.leftovers.append(path.relative_to(self._root).as_posix())
                what = "A crash left it half written; nothing needs it."
                found.faults.append(Fault(FaultKind.LEFTOVER, str(path), what, _REPAIR))
        found.faults += self._chain_faults(folder, found, found.numbers.union(expected))
        found.faults += self._holes(folder, found)
        return found

    def _check_gaps(self, folder: Path, found: RunOnDisk) -> None:
        """After the segments: a gap is durable before what follows it, and a site that runs writes on meanwhile."""

        def tell(path: str, error: OrvaultError) -> None:
            where = str(self._root / path)
            found.faults.append(Fault(FaultKind.GAP_RECORD, where, error.message, _LOOK_AT_DISK))

        for gap in GapStore(self._root).scan(tell, [found.name]):
            if (gap.case_id, gap.camera_id, gap.run_id) == found.name:
                self._check_gap(folder, gap, found)
            else:
                where = f"{folder}/gaps, from {gap.from_us}"
                what = "This gap record tells of another run."
                found.faults.append(Fault(FaultKind.GAP_RECORD, where, what, _LOOK_AT_DISK))

    def _check_gap(self, folder: Path, gap: Gap, found: RunOnDisk) -> None:
        found.told.add((gap.from_us, gap.to_us))
        try:
            signer = check_gap(gap, self._by.nodes, self._by.seen_us(gap))
            if signer != self._by.node_id:
                raise OrvaultError(ErrorKind.UNTRUSTED, f"The node {signer!r} signed it.")
        except OrvaultError as error:
            where = f"{folder}/gaps, from {gap.from_us}"
            found.faults.append(Fault(FaultKind.GAP_RECORD, where, error.message, _ALTERED))
        else:
            found.gaps.append(gap)

    def _check_file(self, path: Path, found: RunOnDisk) -> None:
        relative = path.relative_to(self._root).as_posix()
        try:
            record = self._store.head(relative)
            self._check_signed(relative, record)
        except OrvaultError as error:
            found.faults.append(_fault_of(path, error))
            return
        try:
            slots = self._store.slots(relative)
        except OrvaultError as error:
            where = str(path.with_suffix(".slots"))
            found.faults.append(Fault(FaultKind.SLOTS, where, error.message, _SLOTS))
            return
        found.segments.append(SegmentRecord(record.header, record.digest, record.bytes, relative, slots))
        keys = self._by.keys
        if keys is not None and not any(slot.key_thumbprint in keys for slot in slots):
            what = "No key of this server opens it: its slots name others."
            found.faults.append(Fault(FaultKind.UNKNOWN_KEY, str(path.with_suffix(".slots")), what, _KEYS))

    def _check_signed(self, relative: str, record: SegmentRecord) -> None:
        header, data = record.header, self._store.read(relative)
        if header.meta.node_id != self._by.node_id:
            raise OrvaultError(
                ErrorKind.UNTRUSTED, f"It says that the node {header.meta.node_id!r} recorded it."
            )
        check_content(data)  # before the node: what is damaged is worth knowing whoever sealed it
        verify_segment(data, self._by.nodes.certificate_of(header, self._by.seen_us(record)))

    def _chain_faults(self, folder: Path, found: RunOnDisk, accounted: Collection[int]) -> Iterator[Fault]:
        """Where links do not follow each other; segments that are there and faulty were told already."""
        links = found.segments
        if links and not set(range(links[0].header.meta.sequence)) & set(accounted):
            yield from _link_fault(folder, links[0], partial(check_run, links[:1], before=START))
        for first, second in pairwise(links):
            between = range(first.header.meta.sequence + 1, second.header.meta.sequence)
            if not any(number in accounted for number in between):
                yield from _link_fault(folder, second, partial(check_run, [first, second]))

    def _holes(self, folder: Path, found: RunOnDisk) -> Iterator[Fault]:
        """Time between two neighbours that no gap record tells of."""
        for first, second in pairwise(found.segments):
            if second.header.meta.sequence != first.header.meta.sequence + 1:
                continue
            begin, end = first.header.meta.end_us, second.header.meta.start_us
            silent = (end - begin) - told_us(found.gaps, begin, end)
            if silent > GAP_US:
                where = str(folder / f"{second.header.meta.sequence:06d}.seg")
                what = f"Before it, {silent / 1e6:.1f} s are missing and no gap record tells of them."
                yield Fault(FaultKind.HOLE, where, what, HOLE_ADVICE)


def told_us(gaps: Sequence[Gap], begin_us: int, end_us: int) -> int:
    """How much of begin-end the gap records cover, each moment once."""
    covered, at = 0, begin_us
    for gap in sorted(gaps, key=lambda each: each.from_us):
        start, end = max(at, gap.from_us), min(end_us, gap.to_us)
        if end > start:
            covered, at = covered + end - start, end
    return covered


def _link_fault(folder: Path, link: SegmentRecord, check: Callable[[], object]) -> Iterator[Fault]:
    try:
        check()
    except OrvaultError as error:
        where = str(folder / f"{link.header.meta.sequence:06d}.seg")
        yield Fault(FaultKind.CHAIN, where, error.message, _CHAIN)


def _fault_of(path: Path, error: OrvaultError) -> Fault:
    if error.message == MISPLACED:
        return Fault(FaultKind.MISPLACED, str(path), error.message, _MISPLACED)
    kind, advice = _BY_ERROR.get(error.kind, (FaultKind.UNREADABLE, _LOOK_AT_DISK))
    return Fault(kind, str(path), error.message, advice)


def _strangers(folder: Path) -> list[Path]:
    """What lies in a run's folder and is neither segment, slots, gaps nor a leftover."""
    known = {*segments_in(folder), *leftovers(folder), folder / "gaps"}
    return [path for path in entries(folder) if path not in known and path.with_suffix(".seg") not in known]


def _age_s(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0  # it took its final name meanwhile


_LOOK_AT_DISK = "Look at the disk (its log, SMART); bring the file back from a copy, if there is one."
_FROM_COPY = "Bring the very file back from a copy; nothing can make it anew. Exports leave it out."
_ALTERED = "Keep it as it is, find out who had this disk, and bring the file back from a copy."
_MISPLACED = "Move it back to the place that its header names, with its sidecar."
_UNTRUSTED = (
    "`orvault keys list` shows who is enrolled and revoked. Nothing of it leaves until that is settled."
)
_SLOTS = "Bring the sidecar back from a copy. The ledger has the segment's slots too, if it was indexed."
_KEYS = "If the case's key was destroyed on purpose, this is how it shows; else look for the right key store."
_CHAIN = "Look for what is missing or out of place on this disk and its copies; exports leave this place out."
HOLE_ADVICE = "Find out what happened then, and write it into the case's papers: the recording does not say."
_FOREIGN = "Find out who put it there, and move it away."
_REPAIR = "`orvault fsck --repair` removes it."
_BY_ERROR = {
    ErrorKind.DAMAGED: (FaultKind.DAMAGED, _FROM_COPY),
    ErrorKind.ALTERED: (FaultKind.ALTERED, _ALTERED),
    ErrorKind.UNTRUSTED: (FaultKind.UNTRUSTED, _UNTRUSTED),
}
