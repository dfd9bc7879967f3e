"""Reads what the ledger and history know of runs, for `orvault fsck`: page by page, and past what cannot be read.

It compares nothing (`fsck_compare`) and writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from cluster.fsck_compare import Rows
from orvault.custody.anchors import anchors_of
from orvault.custody.case import Run
from orvault.custody.recorded import StoredSegment
from orvault.custody.rows import UnitsOfWork
from orvault.custody.scope import EVERYTHING
from orvault.custody.text import MAX_TIME_US
from orvault.errors import ErrorKind, OrvaultError
from orvault.recording.fsck import Fault, FaultKind, RunName

ROWS = 500  # read at once
CASES = 200


class LedgerRows:
    """The ledger, a run at a time; `tell` hears of what cannot be read."""

    def __init__(self, uow: UnitsOfWork, tell: Callable[[Fault], None]) -> None:
        self._uow, self._tell = uow, tell
        self._broken: set[int] = set()  # entries of history that were told already
        self._unread = 0

    def of(self, name: RunName, numbers: Sequence[int]) -> Rows:
        """What is known of a run; `numbers`: of its files, which show what rows there may be."""
        rows = Rows()
        with self._uow(read_only=True) as uow:
            rows.run = uow.runs.get(name.run_id)
            known = uow.gaps.of(name.case_id, name.camera_id, 0, MAX_TIME_US)
            rows.gaps = [gap for gap in known if gap.run_id == name.run_id]
            rows.stretches = list(uow.segments.stretches_of(name.run_id))
            anchors = anchors_of(uow, name.case_id)
        rows.anchors = list(anchors.of(name.run_id))
        if anchors.broken_seq is not None:
            self._broken_history(anchors.broken_seq)
        before = self._unread
        for row in self._segments(name.run_id, max(numbers, default=-1)):
            rows.segments[row.header.meta.sequence] = row
        rows.whole = self._unread == before
        return rows

    def runs(self, case_id: str | None) -> Iterator[Run]:
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

    def _broken_history(self, seq: int) -> None:
        if seq not in self._broken:
            self._broken.add(seq)
            what = "This entry is not what was written."
            self._tell(Fault(FaultKind.HISTORY, f"history {seq}", what, _HISTORY))

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
                self._unread += 1
                where = f"{error.where} (run {run_id}, number {number})"
                self._tell(Fault(FaultKind.ROW_UNREADABLE, where, error.message, _ROW))
        return found


_HISTORY = "Have an auditor check history (`orvault history verify`) before anything of this case leaves."
_ROW = "Bring the ledger back from its back-up, then `orvault fsck --repair` adds what is newer."
