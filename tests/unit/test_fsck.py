"""`orvault fsck`: one fault planted on a real disk or in a real ledger is one fault named; repair adds, once."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from cluster.fsck import Report, SiteCheck
from orvault.clock import US_PER_S
from orvault.container.gap import Gap, signed_gap
from orvault.container.segment import SegmentSigner, seal_content
from orvault.container.storedkey import FOLDERS, StoredKey
from orvault.custody.case import Case
from orvault.errors import ErrorKind, OrvaultError
from orvault.recording.fsck import FaultKind
from orvault.recording.gaps import GapStore
from orvault.recording.store import SegmentStore
from tests.unit.actors_support import Enrolled, Site, case_key, fragments, make_site
from tests.unit.container_support import hospital

COUNT = 4


@dataclass
class Recorded:
    """A site with one closed case of one camera: four segments, indexed, and anchored in history."""

    site: Site
    case: Case

    @property
    def stores(self) -> dict[str, Path]:
        return {"node-1": self.site.node.root}

    def file(self, number: int, ending: str = ".seg") -> Path:
        return self.site.segment(self.case, number).with_suffix(ending)

    def sql(self, statement: str) -> None:
        with self.site.world.ledger.engine.begin() as connection:
            connection.exec_driver_sql(statement)

    def rows(self) -> list[tuple[object, ...]]:
        """Every row of a segment and of a gap, less when it was written."""
        with self.site.world.ledger.engine.begin() as connection:
            segments = connection.exec_driver_sql(
                "SELECT id, case_id, camera_id, run_id, sequence, start_us, end_us, frames, bytes, digest, path,"
                " header, slots FROM segments ORDER BY id"
            )
            gaps = connection.exec_driver_sql(
                "SELECT run_id, case_id, camera_id, from_us, to_us, reason FROM gaps ORDER BY from_us"
            )
            return [tuple(row) for row in (*segments, *gaps)]

    def check(self, repair: bool = False, **changes: object) -> Report:
        site, world = self.site, self.site.world
        enrolled = changes.get("nodes") or site.tools.nodes.load()
        folders = [site.folder / "keys" / name for name in FOLDERS.values()]
        keys = {
            StoredKey.read(path).public.thumbprint for folder in folders for path in folder.glob("*.json")
        }
        check = SiteCheck(
            world.custody,
            world.ledger.uow,
            enrolled,  # type: ignore[arg-type]
            world.clock,
            changes.get("keys", keys),  # type: ignore[arg-type]
        )
        case_id = changes.get("case_id")
        return check.check(self.stores, case_id, repair, lambda _run: None)  # type: ignore[arg-type]

    def gap(self, begin_s: int = 100) -> Gap:
        run = SegmentStore(self.site.node.root).record(self._path(0)).header.meta
        begin = run.start_us + begin_s * US_PER_S
        gap = Gap(run.camera_id, run.case_id, run.run_id, begin, begin + US_PER_S, "away")
        return signed_gap(gap, self.site.node.identity)

    def _path(self, number: int) -> str:
        return self.file(number).relative_to(self.site.node.root).as_posix()


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    site = make_site(tmp_path)
    case = site.record(count=COUNT)
    return Recorded(site, case)


def named(report: Report) -> list[tuple[FaultKind, str]]:
    return [(fault.kind, Path(fault.where).name) for fault in report.faults]


def test_a_healthy_site_has_no_fault_and_is_left_as_it_was(recorded: Recorded) -> None:
    before = recorded.rows()
    report = recorded.check()
    assert named(report) == []
    assert (report.segments, report.runs) == (COUNT, 1)
    assert recorded.rows() == before
    assert named(recorded.check(repair=True)) == [] and recorded.rows() == before


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def leave_part(recorded: Recorded) -> None:
    part = recorded.file(0).with_name("000009.seg.part")
    part.write_bytes(b"half")
    os.utime(part, (1, 1))


def move_away(recorded: Recorded) -> None:
    """The last segment under a number that is not its own; its own row then has no file."""
    last = recorded.file(3)
    for ending in (".seg", ".slots"):
        last.with_suffix(ending).rename(last.with_name(f"000004{ending}"))


def cut_off(recorded: Recorded) -> None:
    """The last segment and its row are gone; history has seen it."""
    last = recorded.file(3)
    last.with_suffix(".slots").unlink()
    last.unlink()
    recorded.sql("DELETE FROM segments WHERE sequence = 3")


def lose_file(recorded: Recorded) -> None:
    recorded.file(1, ".slots").unlink()
    recorded.file(1).unlink()


def hole_in_the_chain(recorded: Recorded) -> None:
    lose_file(recorded)
    recorded.sql("DELETE FROM segments WHERE sequence = 1")


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
    ("gap record gone", lambda r: r.site.world.custody.record_gap(r.gap()), FaultKind.GAP_MISSING, ""),
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


def test_a_row_that_cannot_be_read_is_named_and_hides_no_other(recorded: Recorded) -> None:
    recorded.sql("UPDATE segments SET header = '{' WHERE sequence = 2")
    report = recorded.check()
    assert [fault.kind for fault in report.faults] == [FaultKind.ROW_UNREADABLE]
    assert "number 2" in report.faults[0].where


def test_segments_of_a_node_that_is_not_enrolled_are_named(recorded: Recorded) -> None:
    nobody = Enrolled(hospital()[0].certificate_der, ()).load()
    kinds = [kind for kind, _ in named(recorded.check(nodes=nobody))]
    assert kinds == [FaultKind.UNTRUSTED] * COUNT


def test_slots_that_name_keys_nobody_has_are_named(recorded: Recorded) -> None:
    kinds = [kind for kind, _ in named(recorded.check(keys={"0" * 64}))]
    assert kinds == [FaultKind.UNKNOWN_KEY] * COUNT
    assert named(recorded.check(keys=None)) == [], "where no key store is at hand nothing is said of keys"


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
    site.world.custody.record_gap(gap)
    assert named(recorded.check()) == []


def test_a_gap_that_no_enrolled_node_signed_is_named_and_not_told_to_the_ledger(recorded: Recorded) -> None:
    forged = signed_gap(recorded.gap(), hospital("Another")[2])
    GapStore(recorded.site.node.root).write(forged)
    for repair in (False, True):
        report = recorded.check(repair=repair)
        assert [fault.kind for fault in report.faults] == [FaultKind.GAP_RECORD], report.faults
    assert report.gaps_indexed == 0 and len(recorded.rows()) == COUNT


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
    recorded.sql("DELETE FROM runs")
    report = recorded.check(repair=True)
    assert [kind for kind, _ in named(report)] == [FaultKind.REFUSED] * COUNT
    assert "its run is not known" in report.faults[0].what and report.indexed == 0


def test_a_changed_anchor_in_history_is_named(recorded: Recorded) -> None:
    with recorded.site.world.ledger.engine.begin() as connection:
        triggers = connection.exec_driver_sql(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'history'"
        )
        names = [row[0] for row in triggers]
        for name in names:
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
    recorded.sql("UPDATE history SET detail = REPLACE(detail, '\"sequence\":3', '\"sequence\":2')")
    assert [kind for kind, _ in named(recorded.check())] == [FaultKind.HISTORY]


def test_a_segment_that_was_made_anew_with_the_nodes_key_shows_against_the_anchor(recorded: Recorded) -> None:
    store, node = SegmentStore(recorded.site.node.root), recorded.site.node
    meta, previous = store.record(recorded._path(3)).header.meta, store.record(recorded._path(2)).digest
    last = recorded.file(3)
    for ending in (".slots", ".seg"):
        last.with_suffix(ending).unlink()
    content = seal_content(meta, b"another operation", case_key().public())
    store.write(SegmentSigner(node.identity).sign(content, previous))
    recorded.sql("DELETE FROM segments WHERE sequence = 3")
    kinds = [kind for kind, _ in named(recorded.check(keys=None))]
    assert kinds == [FaultKind.NOT_INDEXED, FaultKind.ANCHOR]


def test_a_ledger_that_does_not_answer_is_an_error_and_no_fault(
    recorded: Recorded,
) -> None:
    recorded.sql("ALTER TABLE segments RENAME TO elsewhere")
    with pytest.raises(OrvaultError) as caught:
        recorded.check()
    assert caught.value.kind is not ErrorKind.NOT_FOUND
