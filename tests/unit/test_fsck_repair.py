"""`orvault fsck --repair` adds what the ledger lacks, once, and takes nothing away that was recorded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orvault.clock import US_PER_S
from orvault.recording.fsck import FaultKind
from orvault.recording.gaps import GapStore
from tests.unit.actors_support import Enrolled, make_site
from tests.unit.fsck_support import COUNT, Recorded, flip, leave_part, make_recorded, named


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    return make_recorded(tmp_path)


def test_a_ledger_without_rows_is_rebuilt_from_the_disk_exactly_once(recorded: Recorded) -> None:
    gap = recorded.gap()
    GapStore(recorded.site.node.root).write(gap)
    recorded.site.world.custody.record_gap(gap, "node-1")
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


@pytest.mark.parametrize(
    "plant",
    [
        "DELETE FROM stretches",
        "UPDATE stretches SET frames = frames + 1",
        "UPDATE stretches SET last_sequence = last_sequence - 1",
        "UPDATE stretches SET start_us = start_us - 1",
    ],
)
def test_stretches_that_are_not_what_the_segments_come_to_are_made_anew(
    recorded: Recorded, plant: str
) -> None:
    def stretches() -> list[tuple[object, ...]]:
        with recorded.site.world.ledger.engine.begin() as connection:
            return [tuple(row) for row in connection.exec_driver_sql("SELECT * FROM stretches ORDER BY 1, 2")]

    before = stretches()
    recorded.sql(plant)
    assert [kind for kind, _ in named(recorded.check())] == [FaultKind.STRETCH]
    report = recorded.check(repair=True)
    assert named(report) == [] and report.joined == 1
    assert stretches() == before and recorded.check(repair=True).joined == 0


def forget_run(recorded: Recorded) -> None:
    """As a ledger that came back from last night's back-up: the case is there, today's run is not."""
    for table in ("segments", "gaps", "moved_runs", "stretches", "runs"):
        recorded.sql(f"DELETE FROM {table}")


def test_a_run_that_the_ledger_lost_is_adopted_from_what_its_node_signed(recorded: Recorded) -> None:
    gap = recorded.gap()
    GapStore(recorded.site.node.root).write(gap)
    recorded.site.world.custody.record_gap(gap, "node-1")
    before = recorded.rows()
    forget_run(recorded)
    assert {kind for kind, _ in named(recorded.check(repair=True))} == {
        FaultKind.REFUSED,
        FaultKind.GAP_NOT_INDEXED,
    }
    report = recorded.check(repair=True, adopt=True)
    assert named(report) == [] and (report.adopted, report.indexed, report.gaps_indexed) == (1, COUNT, 1)
    assert recorded.rows() == before
    world = recorded.site.world
    (run,) = world.custody.case(world.manager, recorded.case.case_id).runs
    assert (
        not run.open
        and run.started_by == recorded.case.armed_by
        and "came back without it" in run.stop_reason
    )
    (entry,) = world.custody.history(world.officer, act="run-adopted")
    assert entry.subject == f"case:{recorded.case.case_id}" and run.run_id in entry.detail
    assert named(recorded.check(repair=True, adopt=True)) == []
    recorded.site.approved(recorded.case)  # it can be asked for again


def in_the_future(recorded: Recorded) -> None:
    recorded.sql("UPDATE cases SET state = 'armed', closed_us = NULL")
    recorded.site.world.clock.us -= 10 * US_PER_S


def epoch_is_taken(recorded: Recorded) -> None:
    world = recorded.site.world
    case = world.armed_case("2026-2")
    world.custody.start_recording(world.manager, case.case_id, ["or1-wall"])


@pytest.mark.parametrize("what", ["armed_us = armed_us + 29000000", "state = 'armed', closed_us = NULL"])
def test_what_began_before_its_start_is_adopted_and_so_is_a_run_of_a_case_that_is_not_closed(
    recorded: Recorded, what: str
) -> None:
    forget_run(recorded)
    recorded.sql(f"UPDATE cases SET {what}")
    assert recorded.check(repair=True, adopt=True).adopted == 1


@pytest.mark.parametrize(("before", "adopted"), [(999, 1), (1000, 0)])
def test_a_number_is_within_a_thousand_of_the_cameras_last(tmp_path: Path, before: int, adopted: int) -> None:
    site = make_site(tmp_path)
    world = site.world
    first = world.armed_case("2026-0")
    world.custody.start_recording(world.manager, first.case_id, ["or1-wall"])
    world.custody.close_case(world.manager, first.case_id)
    recorded = Recorded(site, first)
    recorded.sql(f"UPDATE runs SET epoch = {before}")
    site.record(count=1, lasts_s=2.0)
    forget_run(recorded)
    report = recorded.check(repair=True, adopt=True)
    assert report.adopted == adopted
    assert [fault.what for fault in report.faults if "not adopted" in fault.what] == (
        [] if adopted else ["Its run is not adopted: its number 1001 is too far from the camera's last, 0."]
    )


@pytest.mark.parametrize(
    ("doubt", "why"),
    [
        (lambda r: r.sql("UPDATE cases SET armed_us = armed_us + 31000000"), "before its case was armed"),
        (lambda r: r.sql("UPDATE cases SET closed_us = closed_us - 9000000"), "after its case was closed"),
        (in_the_future, "in the future"),
        (lambda r: r.sql("UPDATE cameras SET node_id = 'node-2'"), "node-2, and node-1 signed it"),
        (lambda r: flip(r.file(1), -5), "altered"),
        (lambda r: flip(r.file(3), 30), "altered"),
        (epoch_is_taken, "run number 1 is another one"),
        (lambda r: r.sql("UPDATE cases SET armed_by = NULL"), "never armed"),
    ],
    ids=["early", "late", "future", "node", "content", "signature", "epoch", "arming"],
)
def test_a_run_in_doubt_is_not_adopted(
    recorded: Recorded, doubt: Callable[[Recorded], object], why: str
) -> None:
    forget_run(recorded)
    doubt(recorded)
    report = recorded.check(repair=True, adopt=True)
    assert report.adopted == 0 and report.indexed == 0
    refused = [fault for fault in report.faults if "not adopted" in fault.what]
    assert len(refused) == 1 and why in refused[0].what and refused[0].kind is FaultKind.REFUSED
    assert not recorded.site.world.custody.history(recorded.site.world.officer, act="run-adopted")


def test_a_run_of_a_node_that_is_not_enrolled_is_not_adopted(recorded: Recorded) -> None:
    forget_run(recorded)
    nobody = Enrolled(recorded.site.tools.nodes.root, ()).load()
    report = recorded.check(repair=True, adopt=True, nodes=nobody)
    assert report.adopted == 0 and FaultKind.UNTRUSTED in {fault.kind for fault in report.faults}
