"""Nodes in a destruction: those that are away, files that come back, orders that are older."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from orvault.container.gap import Gap
from orvault.custody.destruction import NODES_PATIENCE_US, Step
from orvault.errors import ErrorKind
from orvault.recording.destroying import DestroyedCases, Erased
from orvault.recording.store import SegmentStore
from tests.refusals import refusal
from tests.unit.actors_support import START_US
from tests.unit.destruction_support import Dead, files, make_dead
from tests.unit.fsck_support import Recorded, named


@pytest.fixture
def dead(tmp_path: Path) -> Dead:
    return make_dead(tmp_path)


def test_a_node_that_is_away_is_finished_when_it_comes_back(dead: Dead) -> None:
    dead.disks.down = {"node-1"}
    dead.approve()
    dead.actor.now()
    assert dead.step() is Step.PACKAGES_REMOVED and not dead.entries("files-destroyed")
    dead.site.world.clock.us += NODES_PATIENCE_US
    dead.actor.now()
    assert dead.step() is Step.DESTROYED and dead.receipt().outstanding == ("node-1",)
    assert files(dead.site.node.root / dead.case.case_id)
    dead.disks.down = set()
    dead.actor.now()
    assert not (dead.site.node.root / dead.case.case_id).exists()
    (entry,) = dead.entries("files-destroyed")
    assert "leftover" not in json.loads(entry.detail)
    dead.actor.now()
    assert len(dead.entries("files-destroyed")) == 1 and dead.custody.outstanding_files() == []


def test_files_that_come_back_are_removed_and_noted_and_never_indexed_again(
    dead: Dead, tmp_path: Path
) -> None:
    root = dead.site.node.root
    shutil.copytree(root / dead.case.case_id, tmp_path / "kept")
    records = list(SegmentStore(root).scan())
    dead.approve()
    dead.actor.now()
    shutil.copytree(tmp_path / "kept", root / dead.case.case_id)
    dead.site.world.ledger.engine.dispose()
    with dead.site.world.ledger.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM segments")
    report = dead.custody.index_segments(records, dead.site.tools.nodes.load())
    assert report.added == 0 and {reason for _, reason in report.refused} == {
        "the recordings of its case are destroyed"
    }
    dead.actor.now()
    assert not (root / dead.case.case_id).exists()
    assert json.loads(dead.entries("files-destroyed")[-1].detail)["leftover"] is True


def test_fsck_misses_nothing_of_it_and_names_what_came_back(dead: Dead, tmp_path: Path) -> None:
    root = dead.site.node.root
    shutil.copytree(root / dead.case.case_id, tmp_path / "kept")
    dead.approve()
    dead.actor.now()
    recorded = Recorded(dead.site, dead.case)
    assert recorded.check().faults == []
    shutil.copytree(tmp_path / "kept", root / dead.case.case_id)
    assert named(recorded.check()) == [("destroyed", dead.case.case_id)]
    report = recorded.check(repair=True)
    assert report.faults == [] and report.removed and not (root / dead.case.case_id).exists()
    assert recorded.check().faults == [] and len(dead.entries("files-destroyed")) == 2


def test_what_is_destroyed_takes_no_room_in_the_forecast(dead: Dead) -> None:
    with dead.site.world.ledger.uow(read_only=True) as uow:
        assert sum(each.bytes for each in uow.segments.volumes(0))
    dead.approve()
    dead.actor.now()
    with dead.site.world.ledger.uow(read_only=True) as uow:
        assert uow.segments.volumes(0) == []


def test_a_node_keeps_nothing_more_of_a_destroyed_case(dead: Dead) -> None:
    dead.approve()
    dead.actor.now()
    node = dead.site.node.restart()
    stray = Gap("or1-wall", dead.case.case_id, "run-1", START_US, START_US + 1, "away")
    assert refusal(lambda: node.record_gap(stray)).kind is ErrorKind.CONFLICT
    assert node.stored_cases() == []


# the fence


def test_who_was_replaced_is_refused(dead: Dead) -> None:
    dead.approve()
    dead.custody.begin_due()
    case_id = dead.case.case_id
    old = dead.custody.take_up(case_id)
    new = dead.custody.take_up(case_id)
    assert refusal(lambda: dead.custody.key_destroyed(case_id, old.epoch)).kind is ErrorKind.CONFLICT
    dead.custody.key_destroyed(case_id, new.epoch)
    again = refusal(lambda: dead.custody.key_destroyed(case_id, new.epoch))
    assert again.kind is ErrorKind.CONFLICT
    too_soon = refusal(lambda: dead.custody.finish_destruction(case_id, new.epoch, b"{}", "ab" * 32))
    assert too_soon.kind is ErrorKind.CONFLICT


def test_a_node_refuses_an_older_order_and_repeats_a_newer_one(tmp_path: Path) -> None:
    folder = tmp_path / "case-1" / "cam" / "run"
    folder.mkdir(parents=True)
    (folder / "000000.seg").write_bytes(b"12345")
    disk = DestroyedCases(tmp_path)
    assert disk.erase("case-1", 3) == Erased(1, 5) and disk.erase("case-1", 3) == Erased(0, 0)
    reopened = DestroyedCases(tmp_path)
    assert refusal(lambda: reopened.erase("case-1", 2)).kind is ErrorKind.CONFLICT
    assert reopened.erase("case-1", 4) == Erased(0, 0)
    assert refusal(lambda: reopened.erase("../x", 4)).kind is ErrorKind.BAD_REQUEST
    assert reopened.present() == []


def test_a_disk_that_refuses_leaves_a_rest_that_the_next_order_removes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "case-1" / "cam" / "run"
    folder.mkdir(parents=True)
    for name in ("000000.seg", "000000.slots", "000001.seg", "000001.slots"):
        (folder / name).write_bytes(b"1")
    disk, removed = DestroyedCases(tmp_path), []
    remove = disk._disk.remove

    def stubborn(path: Path) -> None:
        if len(removed) == 3:
            raise OSError(5, "Input/output error")
        removed.append(path.suffix)
        remove(path)

    monkeypatch.setattr(disk._disk, "remove", stubborn)
    assert refusal(lambda: disk.erase("case-1", 1)).kind is ErrorKind.STORAGE
    assert removed == [".slots", ".slots", ".seg"]  # what opens a segment goes first
    assert refusal(lambda: disk.check("case-1")).kind is ErrorKind.CONFLICT
    assert DestroyedCases(tmp_path).erase("case-1", 1) == Erased(1, 1) and not (tmp_path / "case-1").exists()
