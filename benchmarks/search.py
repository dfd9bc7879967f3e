"""How long a search takes, and how much longer in a ledger of ten times the years.

    python -m benchmarks.search [--segments 10000000] [--against 1000000] [--rounds 60]

Two ledgers in one private MariaDB, of the same hospital, one of them ten times as old. Each question is put to
both in turn, so that what else the machine does falls on both. The clock runs from the request to the parsed answer:
HTTP over a socket, the token, rights, custody, the ledger, the answer's JSON. Ray Serve's hand-over and TLS, which
the product adds, are not in it. Then segments are indexed in both, as a node offers them.

Needs 12 GB of disk for the time of the run, and some minutes to load.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pymysql

from benchmarks.report import finish, note, stage, steps
from benchmarks.search_questions import OTHERS, QUESTIONS, Question
from benchmarks.search_site import Site, build, index
from tests.contract.mariadb import MariaDb, running_mariadb

GOAL_MS, GOAL_GROWTH = 50.0, 1.3
POOL_MB = 256
BATCHES = 40
WARM_UP, COLD_ROUNDS, OTHER_ROUNDS = 5, 3, 5
OPTIONS = (
    f"--innodb-buffer-pool-size={POOL_MB}M",
    "--innodb-buffer-pool-load-at-startup=OFF",
    "--innodb-log-file-size=512M",
    "--innodb-doublewrite=0",  # for the loading; no search writes
)


def question(sites: Sequence[Site], rounds: int, server: MariaDb) -> None:
    """Cold, then warm, then what is no search; at last the work is counted."""
    for number in steps(range(COLD_ROUNDS), "Asking with an empty pool"):
        _round(sites, QUESTIONS, f"cold {number}", "cold", lambda: empty_pool(server))
    for number in steps(range(-WARM_UP, rounds), "Asking"):
        _round(sites, QUESTIONS, f"{number}", "warm" if number >= 0 else "warming")
    for number in steps(range(OTHER_ROUNDS), "Asking for what is no search"):
        _round(sites, OTHERS, f"{number}", "others")
    for site in sites:
        for name, ask in (QUESTIONS | OTHERS).items():
            site.count(name, ask)


def _round(
    sites: Sequence[Site],
    questions: Mapping[str, Question],
    seed: str,
    phase: str,
    before: Callable[[], None] = lambda: None,
) -> None:
    """Each question of each ledger in turn."""
    for name, ask in questions.items():
        for site in sites:
            before()
            site.ask(name, ask, f"{seed} {name}", phase)


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


def size_gb(server: MariaDb, databases: Sequence[str]) -> float:
    """What the ledgers take on the disk."""
    folder = server.socket.parent / "data"
    return sum(f.stat().st_size for name in databases for f in (folder / name).iterdir()) / 1e9


def p95(values: Sequence[float]) -> float:
    """The 95th percentile."""
    return statistics.quantiles(values, n=20, method="inclusive")[-1]


def figures(small: Site, large: Site) -> dict[str, object]:
    """The measured fields."""
    small_all, large_all = (
        [ms for each in site.ms["warm"].values() for ms in each] for site in (small, large)
    )
    inserts = [statistics.median(site.indexed) for site in (small, large)]
    kinds = {name: _kind(name, small, large) for name in QUESTIONS}
    return {
        "cases": large.cases,
        "questions": len(large_all),
        "p95_ms": round(p95(large_all), 1),
        "median_ms": round(statistics.median(large_all), 1),
        "slowest_kind_p95_ms": max(kind["p95_ms"] for kind in kinds.values()),
        "growth": round(p95(large_all) / p95(small_all), 2),
        "median_growth": round(statistics.median(large_all) / statistics.median(small_all), 2),
        "rows_growth": round(_rows(large) / _rows(small), 2),
        "cold_p95_ms": round(p95([ms for each in large.ms["cold"].values() for ms in each]), 1),
        "insert_ms": round(inserts[1], 1),
        "insert_against_ms": round(inserts[0], 1),
        "load_s": round(small.load_s + large.load_s),
        "kinds": kinds,
        "others": {name: _other(name, small, large) for name in OTHERS},
    }


def _rows(site: Site) -> int:
    return sum(site.work[name].rows for name in QUESTIONS)


def _kind(name: str, small: Site, large: Site) -> dict[str, float]:
    return {
        "p95_ms": round(p95(large.ms["warm"][name]), 1),
        "median_ms": round(statistics.median(large.ms["warm"][name]), 1),
        "against_p95_ms": round(p95(small.ms["warm"][name]), 1),
        "against_median_ms": round(statistics.median(small.ms["warm"][name]), 1),
        "cold_ms": round(max(large.ms["cold"][name]), 1),
        "rows": large.work[name].rows,
        "against_rows": small.work[name].rows,
        "statements": large.work[name].statements,
    }


def _other(name: str, small: Site, large: Site) -> dict[str, float]:
    return {
        "median_ms": round(statistics.median(large.ms["others"][name]), 1),
        "against_median_ms": round(statistics.median(small.ms["others"][name]), 1),
        "rows": large.work[name].rows,
        "against_rows": small.work[name].rows,
        "statements": large.work[name].statements,
    }


def measure(segments: int, against: int, rounds: int) -> dict[str, object]:
    """Load, ask, index."""
    with (
        tempfile.TemporaryDirectory(prefix="orv-search-") as folder,
        running_mariadb(*OPTIONS, on_disk=True) as server,
    ):
        small = build(server, "small", against, Path(folder))
        large = build(server, "large", segments, Path(folder))
        sites = [small, large]
        note(f"loaded in {small.load_s + large.load_s:.0f} s")
        with stage("Letting the server write down what was loaded"):
            time.sleep(10)
        load_before = os.getloadavg()[0]
        with small.served(), large.served():
            question(sites, rounds, server)
        load_after = os.getloadavg()[0]
        taking_in = [index(site, BATCHES) for site in sites]
        for _ in steps(range(BATCHES), "Indexing"):
            for one in taking_in:
                next(one)
        result = figures(small, large)
        result["database_gb"] = round(size_gb(server, ["small", "large"]), 1)
        result["load_average"] = [round(load_before, 1), round(load_after, 1)]
        for site in sites:
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
    return finish("search", result, goal, ok, libraries=["sqlalchemy", "pymysql", "fastapi", "uvicorn"])


if __name__ == "__main__":
    sys.exit(main())
