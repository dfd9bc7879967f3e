"""How long a search takes, and how much longer in a ledger of ten times the years.

    python -m benchmarks.search [--segments 10000000] [--against 1000000] [--rounds 60]

Two ledgers in one private MariaDB, of the same hospital, one of them ten times as old. Each question is put to
both in turn, through custody as the API does, so that what else the machine does falls on both. Then segments are
indexed in both, as a node offers them. Needs 12 GB of disk for the time of the run, and some minutes to load.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pymysql

from benchmarks.report import finish, note, stage, steps
from benchmarks.search_load import ROOMS, cameras_of, cases_for, load
from benchmarks.search_questions import QUESTIONS, Asker
from orvault.clock import US_PER_S, SystemClock
from orvault.custody.account import Role
from orvault.custody.case import CasePlan
from orvault.custody.ports import CameraInfo
from orvault.custody.scope import SITE
from orvault.custody.service import CustodyService
from orvault.ledger.engine import Ledger, open_ledger
from orvault.ledger.migrate import migrate
from tests.contract.mariadb import MariaDb, running_mariadb
from tests.contract.rows_read import rows_read
from tests.fakes import (
    PASSWORD,
    AnyNode,
    FakeCaseKeys,
    FakeRecorders,
    FakeRenderers,
    cheap_passwords,
    make_segment,
)

GOAL_MS, GOAL_GROWTH = 50.0, 1.3
POOL_MB = 256
BATCH, BATCHES = 64, 40  # what a node offers at once while it catches up (actors/outbox.py)
WARM_UP, COLD_ROUNDS = 5, 3
OPTIONS = (
    f"--innodb-buffer-pool-size={POOL_MB}M",
    "--innodb-buffer-pool-load-at-startup=OFF",
    "--innodb-log-file-size=512M",
    "--innodb-doublewrite=0",  # for the loading; no search writes
)


@dataclass
class Site:
    """One ledger and what was measured in it: milliseconds, and rows read, by question."""

    ledger: Ledger
    asker: Asker
    database: str
    load_s: float
    warm: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    cold: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    rows: dict[str, int] = field(default_factory=dict)
    indexed: list[float] = field(default_factory=list)

    def ask(self, name: str, seed: str, into: defaultdict[str, list[float]]) -> None:
        """Put one question and take its time."""
        chance = random.Random(seed)  # noqa: S311 - the same questions in every run
        begun = time.perf_counter()
        QUESTIONS[name](self.asker, chance)
        into[name].append((time.perf_counter() - begun) * 1000)


def build(server: MariaDb, database: str, segments: int, folder: Path) -> Site:
    """A ledger of so many segments."""
    url = server.fresh(database)
    migrate(url)
    ledger = open_ledger(url)
    custody = CustodyService(
        ledger.uow, SystemClock(), FakeRecorders(), FakeCaseKeys(), FakeRenderers(), cheap_passwords()
    )
    custody.register_cameras(
        [CameraInfo(camera, camera, room, "node-1", "h264") for room in ROOMS for camera in cameras_of(room)]
    )
    by = custody.create_account(None, "manager", "Manager", Role.RECORDS_MANAGER, PASSWORD, (SITE,))
    begun = time.perf_counter()
    cases = cases_for(segments)
    load(server, database, cases, by.account_id, folder)
    return Site(ledger, Asker(custody, by, cases), database, time.perf_counter() - begun)


def question(sites: Sequence[Site], rounds: int, server: MariaDb) -> None:
    """Cold, then warm; each question of each ledger in turn."""
    for number in steps(range(COLD_ROUNDS), "Asking with an empty pool"):
        for name in QUESTIONS:
            for site in sites:
                empty_pool(server)
                site.ask(name, f"cold {number} {name}", site.cold)
    unused: defaultdict[str, list[float]] = defaultdict(list)
    for number in steps(range(-WARM_UP, rounds), "Asking"):
        for name in QUESTIONS:
            for site in sites:
                site.ask(name, f"{number} {name}", site.warm if number >= 0 else unused)
    for site in sites:
        for name in QUESTIONS:
            act = _again(site, name, unused)
            site.rows[name] = rows_read(site.ledger, act)


def _again(site: Site, name: str, unused: defaultdict[str, list[float]]) -> Callable[[], None]:
    return lambda: site.ask(name, f"rows {name}", unused)


def empty_pool(server: MariaDb) -> None:
    """Make the server forget what it has read: the smallest pool holds next to nothing."""
    with pymysql.connect(unix_socket=str(server.socket), user="root") as connection:
        cursor = connection.cursor()
        for size in (8 << 20, POOL_MB << 20):
            cursor.execute(f"SET GLOBAL innodb_buffer_pool_size={size}")
            _await_resize(cursor)


def _await_resize(cursor: pymysql.cursors.Cursor) -> None:
    for _ in range(1000):
        cursor.execute("SHOW STATUS LIKE 'Innodb_buffer_pool_resize_status'")
        row = cursor.fetchone()
        if row is None or not row[1] or "ompleted" in row[1] or "did not change" in row[1]:
            return
        time.sleep(0.01)


def index(sites: Sequence[Site], batches: int) -> None:
    """Segments come in, in batches, to both ledgers in turn."""
    offers = [_recording(site) for site in sites]
    for number in steps(range(batches), "Indexing"):
        for site, (run_id, case_id, camera_id) in zip(sites, offers, strict=True):
            start = SystemClock().now_us()
            first = number * BATCH
            segments = [
                make_segment(run_id, case_id, camera_id, n, start + n * 2 * US_PER_S)
                for n in range(first, first + BATCH)
            ]
            begun = time.perf_counter()
            report = site.asker.custody.index_segments(segments, AnyNode())
            site.indexed.append((time.perf_counter() - begun) * 1000)
            assert report.added == BATCH, report


def _recording(site: Site) -> tuple[str, str, str]:
    """A run that records, on a camera and in a room of its own."""
    custody, by = site.asker.custody, site.asker.by
    camera = CameraInfo("now-wall", "Now", "OR NOW", "node-1", "h264")
    custody.register_cameras([camera])
    case = custody.plan_case(by, CasePlan("NOW-1", camera.room, SystemClock().now_us(), "Form 1"))
    custody.arm_case(by, case.case_id)
    (run,) = custody.start_recording(by, case.case_id).view.runs
    return run.run_id, case.case_id, camera.camera_id


def size_gb(server: MariaDb, databases: Sequence[str]) -> float:
    """What the ledgers take on the disk."""
    folder = server.socket.parent / "data"
    return sum(f.stat().st_size for name in databases for f in (folder / name).iterdir()) / 1e9


def p95(values: Sequence[float]) -> float:
    """The 95th percentile."""
    return statistics.quantiles(values, n=20, method="inclusive")[-1]


def figures(small: Site, large: Site) -> dict[str, object]:
    """The measured fields."""
    small_all, large_all = ([ms for each in site.warm.values() for ms in each] for site in (small, large))
    kinds = {
        name: {
            "p95_ms": round(p95(large.warm[name]), 1),
            "against_ms": round(p95(small.warm[name]), 1),
            "cold_ms": round(max(large.cold[name]), 1),
            "rows": large.rows[name],
            "against_rows": small.rows[name],
        }
        for name in QUESTIONS
    }
    inserts = [statistics.median(site.indexed) for site in (small, large)]
    return {
        "cases": large.asker.cases,
        "questions": len(large_all),
        "p95_ms": round(p95(large_all), 1),
        "slowest_kind_p95_ms": max(kind["p95_ms"] for kind in kinds.values()),
        "growth": round(p95(large_all) / p95(small_all), 2),
        "median_growth": round(statistics.median(large_all) / statistics.median(small_all), 2),
        "rows_growth": round(sum(large.rows.values()) / sum(small.rows.values()), 2),
        "cold_p95_ms": round(p95([ms for each in large.cold.values() for ms in each]), 1),
        "insert_ms": round(inserts[1], 1),
        "insert_against_ms": round(inserts[0], 1),
        "load_s": round(small.load_s + large.load_s),
        "kinds": kinds,
    }


def measure(segments: int, against: int, rounds: int) -> dict[str, object]:
    """Load, ask, index."""
    with (
        tempfile.TemporaryDirectory(prefix="orv-search-") as folder,
        running_mariadb(*OPTIONS, on_disk=True) as server,
    ):
        small = build(server, "small", against, Path(folder))
        large = build(server, "large", segments, Path(folder))
        note(f"loaded in {small.load_s + large.load_s:.0f} s")
        with stage("Letting the server write down what was loaded"):
            time.sleep(10)
        question([small, large], rounds, server)
        index([small, large], BATCHES)
        result = figures(small, large)
        result["database_gb"] = round(size_gb(server, ["small", "large"]), 1)
        for site in (small, large):
            site.ledger.close()
    return {"segments": segments, "against": against, **result}


def main() -> int:
    """The program; its exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--segments", type=int, default=10_000_000)
    parser.add_argument("--against", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=60)
    options = parser.parse_args()
    result = measure(options.segments, options.against, options.rounds)
    ok = bool(result["p95_ms"] <= GOAL_MS and result["growth"] <= GOAL_GROWTH)  # type: ignore[operator]
    goal = f"95 of 100 searches within {GOAL_MS:g} ms; at most {GOAL_GROWTH:g} times as long in ten times the years"
    return finish("search", result, goal, ok, libraries=["sqlalchemy", "pymysql"])


if __name__ == "__main__":
    sys.exit(main())
