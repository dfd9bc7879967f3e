"""`orvault fsck`: one fault planted on a real disk or in a real ledger is one fault named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orvault.clock import US_PER_S
from orvault.container.gap import Gap, signed_gap
from orvault.errors import ErrorKind, OrvaultError
from orvault.recording.fsck import FaultKind, NodeCheck, RunOnDisk
from orvault.recording.gaps import GapStore
from orvault.recording.store import SegmentStore
from tests.unit.actors_support import fragments
from tests.unit.fsck_support import (
    COUNT,
    Recorded,
    cut_off,
    flip,
    hole_in_the_chain,
    leave_part,
    lose_file,
    make_recorded,
    move_away,
    named,
)


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    return make_recorded(tmp_path)


def test_a_healthy_site_has_no_fault_and_is_left_as_it_was(recorded: Recorded) -> None:
    before = recorded.rows()
    report = recorded.check()
    assert named(report) == []
    assert (report.segments, report.runs) == (COUNT, 1)
    assert recorded.rows() == before
    assert named(recorded.check(repair=True)) == [] and recorded.rows() == before


FAULTS: list[tuple[str, Callable[[Recorded], object], FaultKind, str]] = [
    ("ciphertext", lambda r: flip(r.file(1), -5), FaultKind.ALTERED, "000001.seg"),
    ("signature", lambda r: flip(r.file(1), 30), FaultKind.ALTERED, "000001.seg"),
    ("cut short", lambda r: r.file(1).write_bytes(r.file(1).read_bytes()[:-9]), FaultKind.DAMAGED, "000001.seg"),
    ("emptied", lambda r: r.file(3).write_bytes(b""), FaultKind.DAMAGED, "000003.seg"),
    ("symlink", lambda r: link(r.file(2)), FaultKind.UNREADABLE, "000002.seg"),
    ("sidecar gone", lambda r: r.file(2, ".slots").unlink(), FaultKind.SLOTS, "000002.slots"),
    ("sidecar noise", lambda r: r.file(2, ".slots").write_bytes(b"x"), FaultKind.SLOTS, "000002.slots"),
    ("file gone", lose_file, FaultKind.FILE_MISSING, "000001.seg"),
    ("row gone", lambda r: r.sql("DELETE FROM segments WHERE sequence = 1"), FaultKind.NOT_INDEXED, "000001.seg"),
    ("cut off", cut_off, FaultKind.CUT_OFF, ""),
    ("hole in the chain", hole_in_the_chain, FaultKind.CHAIN, "000002.seg"),
    ("leftover", leave_part, FaultKind.LEFTOVER, "000009.seg.part"),
    ("stranger", lambda r: r.file(0).with_name("notes.txt").write_text("x"), FaultKind.FOREIGN, "notes.txt"),
    ("row", lambda r: r.sql("UPDATE segments SET bytes = 1 WHERE sequence = 2"), FaultKind.ROW_DIFFERS, "000002.seg"),
    ("gap not indexed", lambda r: GapStore(r.site.node.root).write(r.gap()), FaultKind.GAP_NOT_INDEXED, ""),
    ("stretch", lambda r: r.sql("UPDATE stretches SET end_us = end_us + 1"), FaultKind.STRETCH, ""),
    ("stretch gone", lambda r: r.sql("DELETE FROM stretches"), FaultKind.STRETCH, ""),
    ("begun late", lambda r: r.sql("UPDATE runs SET started_us = started_us - 3000000"), FaultKind.HOLE, ""),
    ("ended", lambda r: r.sql("UPDATE runs SET stop_ordered_us = stop_ordered_us + 9000000"), FaultKind.HOLE, ""),
    ("gap record gone", lambda r: r.site.world.custody.record_gap(r.gap(), "node-1"), FaultKind.GAP_MISSING, ""),
]  # fmt: skip


def link(path: Path) -> None:
    path.rename(path.parent.parent / "elsewhere")
    path.symlink_to(path.parent.parent / "elsewhere")


@pytest.mark.parametrize(("plant", "kind", "name"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS])
def test_one_fault_planted_is_one_fault_named(
    recorded: Recorded, plant: Callable[[Recorded], object], kind: FaultKind, name: str
) -> None:
    plant(recorded)
    report = recorded.check()
    assert [fault.kind for fault in report.faults] == [kind], report.faults
    (fault,) = report.faults
    assert fault.where.endswith(name) and fault.what and fault.advice
    assert json.loads(json.dumps(report.to_json()))["faults"][0]["kind"] == kind.value
    assert named(recorded.check(case_id="another-case")) == []
    assert len(recorded.check(case_id=recorded.case.case_id).faults) == 1


def test_a_segment_in_anothers_place_is_named_and_so_is_its_own_empty_one(recorded: Recorded) -> None:
    move_away(recorded)
    assert sorted(named(recorded.check())) == [
        (FaultKind.FILE_MISSING, "000003.seg"),
        (FaultKind.MISPLACED, "000004.seg"),
    ]


def test_a_whole_run_that_is_gone_is_named_segment_by_segment(recorded: Recorded) -> None:
    shutil.rmtree(recorded.site.node.root / recorded.case.case_id)
    assert [kind for kind, _ in named(recorded.check())] == [FaultKind.FILE_MISSING] * COUNT


def test_a_run_behind_a_link_is_not_there(recorded: Recorded) -> None:
    link(recorded.site.node.root / recorded.case.case_id)
    assert [kind for kind, _ in named(recorded.check())] == [FaultKind.FILE_MISSING] * COUNT


def test_a_run_that_began_while_the_disks_were_read_is_not_missing(recorded: Recorded) -> None:
    later = []
    report = recorded.check(step=lambda _run: later.append(recorded.site.record("2026-2", count=2)))
    assert len(later) == 1 and named(report) == []


def test_a_gap_that_came_while_the_disks_were_read_is_neither_missing_nor_unknown(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, gap = GapStore(recorded.site.node.root), recorded.gap()

    def told(gap: Gap) -> None:
        store.write(gap)
        recorded.site.world.custody.record_gap(gap, "node-1")

    assert named(recorded.check(step=lambda _run: told(gap))) == []

    later, look = recorded.gap(begin_s=200), NodeCheck.run
    store.write(later)

    def indexed_behind_it(self: NodeCheck, *about: Any) -> RunOnDisk:
        found = look(self, *about)
        recorded.site.world.custody.record_gap(later, "node-1")
        return found

    monkeypatch.setattr(NodeCheck, "run", indexed_behind_it)
    assert named(recorded.check()) == []


def test_a_gap_record_of_another_run_is_named(recorded: Recorded) -> None:
    gap = replace(recorded.gap(), run_id="run-of-another", envelope=b"")
    path = GapStore(recorded.site.node.root).write(signed_gap(gap, recorded.site.node.identity))
    folder = recorded.file(0).parent / "gaps"
    folder.mkdir()
    stray = recorded.site.node.root / path
    stray.rename(folder / stray.name)
    shutil.rmtree(stray.parents[1])
    assert named(recorded.check()) == [(FaultKind.GAP_RECORD, f"gaps, from {gap.from_us}")]


@pytest.mark.parametrize("folder", [False, True], ids=["no-folder", "an-empty-folder"])
def test_a_run_of_which_nothing_is_there_is_a_hole_unless_a_gap_tells_of_it(
    recorded: Recorded, folder: bool
) -> None:
    site = recorded.site
    case = site.record("2026-2", count=0, lasts_s=60.0)
    (run,) = site.world.custody.case(site.world.manager, case.case_id).runs
    where = site.node.root / case.case_id / run.camera_id / run.run_id
    if folder:
        where.mkdir(parents=True)
    (fault,) = recorded.check().faults
    assert (fault.kind, fault.where) == (FaultKind.HOLE, str(where))
    assert "Nothing of it was recorded, and of 60.0 s" in fault.what

    gap = Gap(run.camera_id, case.case_id, run.run_id, run.started_us, run.started_us + 58 * US_PER_S, "away")
    signed = signed_gap(gap, site.node.identity)
    GapStore(site.node.root).write(signed)
    site.world.custody.record_gap(signed, "node-1")
    assert named(recorded.check()) == []


def test_a_row_that_cannot_be_read_is_named_and_hides_no_other(recorded: Recorded) -> None:
    recorded.sql("UPDATE segments SET header = '{' WHERE sequence = 2")
    report = recorded.check()
    assert [fault.kind for fault in report.faults] == [FaultKind.ROW_UNREADABLE]
    assert "number 2" in report.faults[0].where


def test_a_hole_that_no_gap_record_tells_of_is_named_until_one_does(recorded: Recorded) -> None:
    site = recorded.site
    case = site.world.armed_case("2026-2")
    order_of = site.world.custody.start_recording(site.world.manager, case.case_id, ["or1-wall"])
    assert order_of.view.runs
    told = site.world.recorders.orders["or1-wall"]
    first, second, *_ = fragments("or1-ceiling")
    late = replace(second, start_us=second.start_us + 9 * US_PER_S, end_us=second.end_us + 9 * US_PER_S)
    site._seal(told, [first, late])
    (fault,) = recorded.check().faults
    assert fault.kind is FaultKind.HOLE and "9.0 s are missing" in fault.what
    end = SegmentStore(site.node.root).tail(case.case_id, "or1-wall", told.run_id).end_us
    gap = Gap("or1-wall", case.case_id, told.run_id, end - 60 * US_PER_S, end, "away")
    gap = signed_gap(gap, site.node.identity)
    GapStore(site.node.root).write(gap)
    site.world.custody.record_gap(gap, "node-1")
    assert named(recorded.check()) == []


def test_time_missing_at_either_end_of_a_run_is_named_until_a_gap_record_tells_of_it(
    recorded: Recorded,
) -> None:
    recorded.sql(
        "UPDATE runs SET started_us = started_us - 30000000, stop_ordered_us = stop_ordered_us + 40000000"
    )
    begin, end = recorded.check().faults
    assert "Of its beginning, 30.0 s are missing" in begin.what and "Of its end, 40.0 s" in end.what
    meta = recorded.gap().from_us - 100 * US_PER_S
    run = recorded.gap()
    for from_us, to_us in ((meta - 30 * US_PER_S, meta), (meta + 8 * US_PER_S, meta + 48 * US_PER_S)):
        gap = signed_gap(
            Gap(run.camera_id, run.case_id, run.run_id, from_us, to_us, "away"), recorded.site.node.identity
        )
        GapStore(recorded.site.node.root).write(gap)
        recorded.site.world.custody.record_gap(gap, "node-1")
    assert named(recorded.check()) == []


def test_a_run_that_still_records_has_no_end_to_miss(recorded: Recorded) -> None:
    recorded.sql(
        "UPDATE runs SET stop_ordered_us = NULL, stop_reason = NULL, stop_ordered_by = NULL, stopped_us = NULL,"
        " open_camera_id = camera_id"
    )
    recorded.site.world.clock.us += 3600 * US_PER_S
    assert named(recorded.check()) == []


def test_rows_of_a_node_whose_disk_is_not_here_are_counted_and_not_passed_over(recorded: Recorded) -> None:
    report = recorded.check(stores={})
    assert report.faults == [] and report.not_checked == {"node-1": COUNT}
    assert report.to_json()["not_checked"] == {"node-1": COUNT}
    assert recorded.check().not_checked == {}


def test_a_ledger_that_does_not_answer_is_an_error_and_no_fault(
    recorded: Recorded,
) -> None:
    recorded.sql("ALTER TABLE segments RENAME TO elsewhere")
    with pytest.raises(OrvaultError) as caught:
        recorded.check()
    assert caught.value.kind is not ErrorKind.NOT_FOUND
