"""Records on their way from a node's disk to the ledger: in order, again and again until it has them.

Holds no truth: what is lost with the process is read from disk at the next start. Which runs have to be read then,
`orvault.recording.unconfirmed` keeps; all of them where that is not known, or where the ledger is another one.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from orvault.container.gap import Gap
from orvault.errors import OrvaultError, is_away
from orvault.recording.records import SegmentRecord
from orvault.recording.unconfirmed import Landmark, RunKey, Unconfirmed

RETRY_S = 1.0  # how long the outbox waits before it offers its records to the index again
BATCH = 64  # records per call while catching up

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Indexed:
    """The index's answer: the newest entry of history after it, and the ids of segments that it refused."""

    landmark: Landmark
    refused: frozenset[str] = frozenset()


class Index(Protocol):
    """Where segment rows are written (actors/index.py)."""

    def index(self, records: Sequence[SegmentRecord]) -> Indexed:
        """Write these rows; the same record twice is one row."""
        ...

    def gap(self, gap: Gap) -> Landmark:
        """Write this gap; the same gap twice is one row."""
        ...

    def knows(self, landmark: Landmark) -> bool:
        """Whether history has this entry."""
        ...


@dataclass(frozen=True)
class OnDisk:
    """How the records of some runs, or of all (None), are read from the disk."""

    records: Callable[[Collection[RunKey] | None], Iterator[SegmentRecord]]
    gaps: Callable[[Collection[RunKey] | None], Iterator[Gap]]


class Outbox:
    """Delivers in a thread of its own, once `start` was called."""

    def __init__(self, index: Index, marks: Unconfirmed) -> None:
        self._index, self._marks = index, marks
        self._records: list[SegmentRecord] = []
        self._gaps: list[Gap] = []
        self._ready = threading.Condition()
        self._open: Counter[RunKey] = Counter()  # records being written or waiting
        self._kept: set[RunKey] = set()  # runs with a record that was refused, or whose writing failed
        self._current: dict[str, RunKey] = {}  # by camera: it may be written at any moment
        self._confirmed: dict[RunKey, int] = {}  # number of history's newest entry then
        self._read_at: int | None = None  # the same, when everything on the disk had been offered
        self._trusted = False  # whether a run without a mark is wholly confirmed
        self._newest: Landmark | None = None
        self._doubtful = False  # whether the index was away since
        self._another = False  # whether it came back without what it had confirmed: from a back-up, perhaps

    def __len__(self) -> int:
        with self._ready:
            return len(self._records) + len(self._gaps)

    def start(self, disk: OnDisk) -> None:
        """Begin delivering: first what was there before, a batch at a time."""
        threading.Thread(target=self._deliver_for_ever, args=(disk,), name="outbox", daemon=True).start()

    @contextmanager
    def writing(self, run: RunKey) -> Iterator[None]:
        """Round the writing of one record of this run, which is offered before the block ends. Errors: STORAGE."""
        with self._ready:
            self._marks.begin(run)
            self._open[run] += 1
            self._current[run.camera_id] = run
        try:
            yield
        except BaseException:
            with self._ready:  # whether it is on the disk is not known
                self._kept.add(run)
            raise
        finally:
            with self._ready:
                self._open[run] -= 1

    def offer(self, records: Iterable[SegmentRecord]) -> None:
        """Take records over for delivery."""
        with self._ready:
            for record in records:
                self._open[_run_of(record)] += 1
                self._records.append(record)
            self._ready.notify()

    def offer_gaps(self, gaps: Iterable[Gap]) -> None:
        """Take gaps over for delivery."""
        with self._ready:
            for gap in gaps:
                self._open[_run_of(gap)] += 1
                self._gaps.append(gap)
            self._ready.notify()

    def deliver_once(self) -> None:
        """One attempt at what waits. Errors: UNAVAILABLE while the index is away; what waits then stays."""
        with self._ready:
            records, gaps = self._records[:BATCH], self._gaps[:BATCH]
        if records:
            self._index_records(records)
            with self._ready:
                del self._records[: len(records)]
        for gap in gaps:
            self._index_gap(gap)
            with self._ready:
                self._gaps.remove(gap)

    def _index_records(self, records: Sequence[SegmentRecord]) -> None:
        try:
            answer = self._index.index(records)
        except OrvaultError as error:
            if is_away(error):
                raise
            if len(records) == 1:
                self._refused(records[0], f"segment {records[0].path}", error.message)
                return
            for record in records:  # one that the ledger cannot take must not hold up the others
                self._index_records([record])
            return
        refused = [record for record in records if record.header.meta.segment_id in answer.refused]
        for record in refused:
            self._keep(_run_of(record))
        self._answered(records, answer.landmark)

    def _index_gap(self, gap: Gap) -> None:
        try:
            landmark = self._index.gap(gap)
        except OrvaultError as error:
            if is_away(error):
                raise
            self._refused(gap, f"gap {gap.from_us} to {gap.to_us} of run {gap.run_id}", error.message)
            return
        self._answered([gap], landmark)

    def _refused(self, one: SegmentRecord | Gap, what: str, why: str) -> None:
        """It stays on disk and is offered again at the next start."""
        log.error("the ledger does not take %s: %s", what, why)
        self._keep(_run_of(one))
        with self._ready:
            self._open[_run_of(one)] -= 1

    def _keep(self, run: RunKey) -> None:
        with self._ready:
            self._kept.add(run)
            self._marks.begin(run)

    def _answered(self, taken: Sequence[SegmentRecord | Gap], landmark: Landmark) -> None:
        with self._ready:
            if self._newest is not None and landmark.seq < self._newest.seq:
                self._another = True  # history never gets shorter
            self._newest = landmark
            for one in taken:
                self._open[_run_of(one)] -= 1
                self._confirmed[_run_of(one)] = landmark.seq
            if not self._another:
                self._settle(landmark)

    def _settle(self, landmark: Landmark) -> None:
        """Take away the marks of runs that this entry of history is younger than: a ledger that has it has them."""
        complete = self._read_at is not None and self._read_at < landmark.seq
        if not (complete or self._trusted):
            return
        done = [
            run
            for run, seq in self._confirmed.items()
            if seq < landmark.seq and not self._open[run] and not self._may_grow(run)
        ]
        if not (complete or done):
            return
        try:
            self._marks.settle(done, landmark)
        except OrvaultError as error:
            log.error("%s", error)
            return
        self._trusted, self._read_at = True, None
        for run in done:
            del self._confirmed[run], self._open[run]

    def _may_grow(self, run: RunKey) -> bool:
        return run in self._kept or self._current.get(run.camera_id) == run

    def _deliver_for_ever(self, disk: OnDisk) -> None:
        while True:
            self._deliver_from(disk)
            while not self._another:
                with self._ready:
                    self._ready.wait_for(lambda: bool(self._records or self._gaps))
                self._deliver_all()

    def _deliver_from(self, disk: OnDisk) -> None:
        runs = self._marked_runs()
        with self._ready:
            self._another, self._trusted, self._read_at, self._newest = False, runs is not None, None, None
            self._confirmed.clear()
        records, gaps = disk.records(runs), disk.gaps(runs)
        while earlier := list(islice(records, BATCH)):
            self.offer(earlier)
            self._deliver_all()
        while holes := list(islice(gaps, BATCH)):
            self.offer_gaps(holes)
            self._deliver_all()
        with self._ready:
            for run in runs or ():
                self._confirmed.setdefault(run, -1)  # nothing of it is left on the disk
            if runs is None:
                self._read_at = -1 if self._newest is None else self._newest.seq

    def _marked_runs(self) -> list[RunKey] | None:
        """The runs whose records have to be offered; None: all."""
        landmark, runs = self._marks.landmark(), self._marks.runs()
        if landmark is None or runs is None or not self._patiently_knows(landmark):
            self._marks.distrust()
            return None
        return runs

    def _patiently_knows(self, landmark: Landmark) -> bool:
        while True:
            try:
                return self._index.knows(landmark)
            except OrvaultError as error:
                if not is_away(error):
                    raise
                self._pause(error)

    def _deliver_all(self) -> None:
        while len(self):
            try:
                if self._doubtful and self._newest is not None:
                    self._another |= not self._index.knows(self._newest)
                self._doubtful = False
                self.deliver_once()
            except OrvaultError as error:
                self._pause(error)

    def _pause(self, error: OrvaultError) -> None:
        log.debug("the index does not answer: %s", error)
        self._doubtful = True
        threading.Event().wait(RETRY_S)


def _run_of(one: SegmentRecord | Gap) -> RunKey:
    about = one if isinstance(one, Gap) else one.header.meta
    return RunKey(about.case_id, about.camera_id, about.run_id)
