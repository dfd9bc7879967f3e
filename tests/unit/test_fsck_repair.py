"""`orvault fsck --repair` adds what the ledger lacks, once, and takes nothing away that was recorded."""

from __future__ import annotations

from pathlib import Path

import pytest

from orvault.recording.fsck import FaultKind
from orvault.recording.gaps import GapStore
from tests.unit.fsck_support import COUNT, Recorded, flip, leave_part, make_recorded, named


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    return make_recorded(tmp_path)


def test_a_ledger_without_rows_is_rebuilt_from_the_disk_exactly_once(recorded: Recorded) -> None:
    gap = recorded.gap()
    GapStore(recorded.site.node.root).write(gap)
    recorded.site.world.custody.record_gap(gap)
    before = recorded.rows()
    assert len(before) == COUNT + 1
    recorded.sql("DELETE FROM segments")
    recorded.sql("DELETE FROM gaps")
    report = recorded.check(repair=True)
    assert named(report) == [] and (report.indexed, report.gaps_indexed) == (COUNT, 1)
    assert recorded.rows() == before
    again = recorded.check(repair=True)
    assert named(again) == [] and (again.indexed, again.gaps_indexed) == (0, 0)
    assert recorded.rows() == before


def test_repair_removes_leftovers_and_no_segment_and_leaves_what_it_cannot_mend(recorded: Recorded) -> None:
    leave_part(recorded)
    flip(recorded.file(1), -5)
    files = {path for path in recorded.site.node.root.rglob("*.seg")}
    report = recorded.check(repair=True)
    assert report.removed == 1 and named(report) == [(FaultKind.ALTERED, "000001.seg")]
    assert {path for path in recorded.site.node.root.rglob("*.seg")} == files
    assert not list(recorded.site.node.root.rglob("*.part"))


def test_what_the_ledger_refuses_stays_on_the_disk_and_is_named(recorded: Recorded) -> None:
    recorded.sql("DELETE FROM segments")
    recorded.sql("DELETE FROM moved_runs")
    recorded.sql("DELETE FROM stretches")
    recorded.sql("DELETE FROM runs")
    report = recorded.check(repair=True)
    assert [kind for kind, _ in named(report)] == [FaultKind.REFUSED] * COUNT
    assert "its run is not known" in report.faults[0].what and report.indexed == 0
