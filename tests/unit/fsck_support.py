"""A recorded site for the tests of `orvault fsck`, and the faults that are planted in it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cluster.fsck import Report, SiteCheck
from orvault.clock import US_PER_S
from orvault.container.gap import Gap, signed_gap
from orvault.container.storedkey import FOLDERS, StoredKey
from orvault.custody.case import Case
from orvault.recording.fsck import FaultKind
from orvault.recording.store import SegmentStore
from tests.unit.actors_support import Site, make_site

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
            bool(changes.get("adopt", False)),
        )
        case_id = changes.get("case_id")
        stores = changes.get("stores", self.stores)
        step = changes.get("step", lambda _run: None)
        return check.check(stores, case_id, repair, step)  # type: ignore[arg-type]

    def gap(self, begin_s: int = 100) -> Gap:
        run = SegmentStore(self.site.node.root).record(self._path(0)).header.meta
        begin = run.start_us + begin_s * US_PER_S
        gap = Gap(run.camera_id, run.case_id, run.run_id, begin, begin + US_PER_S, "away")
        return signed_gap(gap, self.site.node.identity)

    def _path(self, number: int) -> str:
        return self.file(number).relative_to(self.site.node.root).as_posix()


def make_recorded(folder: Path) -> Recorded:
    site = make_site(folder)
    case = site.record(count=COUNT, lasts_s=2.0 * COUNT)
    return Recorded(site, case)


def named(report: Report) -> list[tuple[FaultKind, str]]:
    return [(fault.kind, Path(fault.where).name) for fault in report.faults]


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
