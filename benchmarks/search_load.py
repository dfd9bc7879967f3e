"""The search benchmark's ledgers: years of a hospital, made by arithmetic and loaded in bulk.

40 rooms with two cameras each record about a hundred cases a day. One case in 40 lasts half an hour; the others are
short, so that the number of segments that the benchmark's name promises fits on a disk. A long recording has four
holes. What is older than 30 days is destroyed; its rows stay. Headers and key slots are a few bytes: no search reads
them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pymysql

from benchmarks.report import steps
from orvault.clock import US_PER_S
from tests.contract.mariadb import MariaDb

ROOMS = tuple(f"OR {n:02d}" for n in range(1, 41))
SEGMENT_US = 2 * US_PER_S
BEGIN_US = 1_700_000_000 * US_PER_S
CASE_EVERY_US = 864 * US_PER_S
KEPT_CASES = 3000  # the last 30 days'; those before them are destroyed
LONG_EVERY, LONG_SEGMENTS, SHORT_SEGMENTS = 40, 1000, 26
_ZEROS = "0" * 64
# History's acts around a case: seconds after its beginning, act, kind of event, whether a camera's own.
_ACTS = (
    (0, "case-armed", "switch", False),
    (1, "signal-heard", "signal", False),
    (1, "recording-started", "switch", True),
    (1, "recording-started", "switch", True),
    (60, "signal-heard", "signal", False),
    (61, "recording-stop-ordered", "switch", True),
    (61, "recording-stop-ordered", "switch", True),
    (62, "recording-stopped", "switch", True),
    (62, "recording-stopped", "switch", True),
    (63, "case-closed", "switch", False),
)
_TABLES: dict[str, str] = {
    "cases": "id, number, room, planned_us, recording_request, state, created_us, created_by, closed_us, closed_by",
    "case_participants": "case_id, position, name",
    "runs": "id, case_id, camera_id, epoch, started_us, started_by, stop_ordered_us, stop_ordered_by, stop_reason,"
    " stopped_us, destroyed_us",
    "segments": "id, case_id, camera_id, run_id, sequence, start_us, end_us, frames, bytes, digest, path, header,"
    " slots, indexed_us",
    "stretches": "run_id, first_sequence, last_sequence, case_id, camera_id, room, start_us, end_us, frames, bytes",
    "gaps": "run_id, case_id, camera_id, room, from_us, to_us, reason, recorded_us",
    "events": "at_us, until_us, kind, act, room, camera_id, case_id, words, seq",
    "history": "seq, at_us, actor, act, subject, detail, leaf_hash",
    "destructions": "case_id, step, due_us, rule, noticed_us, begun_us, key_destroyed_us, packages_removed_us,"
    " destroyed_us, epoch, receipt",
}
_NULL = "\\N"
_Rows = Callable[[Iterable["LoadedCase"], str, int], Iterator[str]]


@dataclass(frozen=True, slots=True)
class LoadedCase:
    """The case number `n` of a ledger; everything about it follows from that, but whether it is kept still."""

    n: int
    destroyed: bool = False

    @property
    def begin_us(self) -> int:
        """Planned, armed and recorded from then on."""
        return BEGIN_US + self.n * CASE_EVERY_US

    @property
    def case_id(self) -> str:
        """In order of time, as the product's are."""
        return _id(self.begin_us, 0)

    @property
    def number(self) -> str:
        """As a hospital might count."""
        return f"2026-{self.n:06d}"

    @property
    def room(self) -> str:
        """By turns."""
        return ROOMS[self.n % len(ROOMS)]

    @property
    def cameras(self) -> tuple[str, str]:
        """Both record."""
        return cameras_of(self.room)

    @property
    def segments(self) -> int:
        """Of each camera."""
        return LONG_SEGMENTS if self.n % LONG_EVERY == 0 else SHORT_SEGMENTS

    @property
    def holes(self) -> tuple[int, ...]:
        """Numbers of segments that are missing."""
        return (200, 400, 600, 800) if self.segments == LONG_SEGMENTS else ()

    def run_id(self, camera: int) -> str:
        """Of its first or second camera."""
        return _id(self.begin_us, 1 + camera)


def cameras_of(room: str) -> tuple[str, str]:
    """The ids of a room's cameras."""
    name = room.lower().replace(" ", "-")
    return f"{name}-wall", f"{name}-lamp"


def cases_for(segments: int) -> int:
    """How many cases have so many segments."""
    each = (LONG_SEGMENTS - 4 + (LONG_EVERY - 1) * SHORT_SEGMENTS) * 2 / LONG_EVERY
    return round(segments / each)


def load(server: MariaDb, database: str, cases: int, account_id: str, folder: Path) -> None:
    """Fill a migrated ledger whose cameras and account are there.

    Each table comes in one statement: then MariaDB sorts its indexes and builds them from the bottom.
    """
    with pymysql.connect(
        unix_socket=str(server.socket), user="root", database=database, local_infile=True, autocommit=True
    ) as connection:
        cursor = connection.cursor()
        cursor.execute("SET SESSION foreign_key_checks=0, unique_checks=0, sql_mode='STRICT_ALL_TABLES'")
        cursor.execute("SELECT size FROM history_head")
        size = int(cursor.fetchone()[0])
        for table in steps(list(_TABLES), f"Loading {cases} cases"):
            loaded = cases - KEPT_CASES if table == "destructions" else cases
            some = (LoadedCase(n, destroyed=n < cases - KEPT_CASES) for n in range(loaded))
            _load_table(cursor, table, _ROWS[table](some, account_id, size), folder)
        cursor.execute("UPDATE history_head SET size = %s", (size + cases * len(_ACTS),))
        cursor.execute(f"ANALYZE TABLE {', '.join(_TABLES)}")


def _load_table(cursor: pymysql.cursors.Cursor, table: str, rows: Iterator[str], folder: Path) -> None:
    """Through a pipe: a file of 10 million segments would take gigabytes."""
    pipe = folder / f"{table}.tsv"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as writer:
        written = writer.submit(_write, pipe, rows)
        cursor.execute(f"LOAD DATA LOCAL INFILE %s INTO TABLE {table} ({_TABLES[table]})", (os.fspath(pipe),))
        written.result()
    pipe.unlink()


def _write(pipe: Path, rows: Iterator[str]) -> None:
    with pipe.open("w", buffering=1 << 20) as file:
        file.writelines(rows)


def _of_cameras(rows: Callable[[LoadedCase, int], Iterable[str]]) -> _Rows:
    return lambda some, _account, _size: (
        row for case in some for camera in (0, 1) for row in rows(case, camera)
    )


def _of_history(rows: Callable[[LoadedCase, int], Iterable[str]]) -> _Rows:
    return lambda some, _account, size: (
        row for case in some for row in rows(case, size + case.n * len(_ACTS))
    )


def _case(case: LoadedCase, account_id: str) -> str:
    at = case.begin_us
    return _line(case.case_id, case.number, case.room, at, "Form 1", "closed", at, account_id, at, account_id)


def _run(case: LoadedCase, camera: int, account_id: str) -> str:
    at = case.begin_us
    end = at + case.segments * SEGMENT_US
    which = (case.run_id(camera), case.case_id, case.cameras[camera], case.n + 1)
    gone = _destroyed_us(case) if case.destroyed else _NULL
    return _line(*which, at, account_id, end, "system", "the case was closed", end, gone)


def _segments(case: LoadedCase, camera: int) -> Iterator[str]:
    run_id, case_id, camera_id = case.run_id(camera), case.case_id, case.cameras[camera]
    begin, holes = case.begin_us, set(case.holes)
    before = f"{case_id}\t{camera_id}\t{run_id}"
    folder = f"{case_id}/{camera_id}/{run_id}"
    for n in range(case.segments):
        if n in holes:
            continue
        start = begin + n * SEGMENT_US
        end = start + SEGMENT_US
        yield (
            f"{run_id}-{n:06d}\t{before}\t{n}\t{start}\t{end}\t30\t500000\t{_ZEROS}\t{folder}/{n:06d}.seg"
            f'\t{{}}\t{{"items":[]}}\t{end}\n'
        )


def _stretches(case: LoadedCase, camera: int) -> Iterator[str]:
    edges = [-1, *case.holes, case.segments]
    for before, after in pairwise(edges):
        first, last = before + 1, after - 1
        count = last - first + 1
        which = (case.run_id(camera), first, last, case.case_id, case.cameras[camera], case.room)
        start = case.begin_us + first * SEGMENT_US
        yield _line(*which, start, start + count * SEGMENT_US, count * 30, count * 500_000)


def _gaps(case: LoadedCase, camera: int) -> Iterator[str]:
    for hole in case.holes:
        start = case.begin_us + hole * SEGMENT_US
        which = (case.run_id(camera), case.case_id, case.cameras[camera], case.room)
        yield _line(*which, start, start + SEGMENT_US, "the camera sent nothing", start + SEGMENT_US)


def _events(case: LoadedCase, seq: int) -> Iterator[str]:
    for place, (after_s, act, kind, on_camera) in enumerate(_ACTS):
        camera = case.cameras[place % 2] if on_camera else _NULL
        at = case.begin_us + after_s * US_PER_S
        yield _line(at, _NULL, kind, act, case.room, camera, case.case_id, "", seq + place)
    for camera_id in case.cameras:
        for hole in case.holes:
            start = case.begin_us + hole * SEGMENT_US
            where = (case.room, camera_id, case.case_id)
            yield _line(start, start + SEGMENT_US, "gap", "gap", *where, "the camera sent nothing", _NULL)


def _history(case: LoadedCase, seq: int) -> Iterator[str]:
    for place, (after_s, act, _kind, _on_camera) in enumerate(_ACTS):
        at = case.begin_us + after_s * US_PER_S
        yield _line(seq + place, at, "system", act, f"case:{case.case_id}", "{}", _ZEROS)


def _destruction(case: LoadedCase) -> str:
    at = _destroyed_us(case)
    return _line(case.case_id, "destroyed", at, "The time is over.", at, at, at, at, at, 1, "{}")


def _destroyed_us(case: LoadedCase) -> int:
    return case.begin_us + KEPT_CASES * CASE_EVERY_US


def _line(*values: object) -> str:
    return "\t".join(map(str, values)) + "\n"


def _id(us: int, which: int) -> str:
    """A UUIDv7 of this time, the same in every run."""
    ms = us // 1000
    return f"{ms >> 16:08x}-{ms & 0xFFFF:04x}-7000-8000-{which:012x}"


_ROWS: dict[str, _Rows] = {
    "cases": lambda some, account, _size: (_case(case, account) for case in some),
    "case_participants": lambda some, _account, _size: (
        _line(case.case_id, n, f"Staff {case.n % 97}-{n}") for case in some for n in range(3)
    ),
    "runs": lambda some, account, _size: (_run(case, camera, account) for case in some for camera in (0, 1)),
    "segments": _of_cameras(_segments),
    "stretches": _of_cameras(_stretches),
    "gaps": _of_cameras(_gaps),
    "events": _of_history(_events),
    "history": _of_history(_history),
    "destructions": lambda some, _account, _size: map(_destruction, some),
}
