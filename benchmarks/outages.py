"""How long a recording is interrupted, and how long what was killed is away, when a process of a site is killed.

    python -m benchmarks.outages

SIGKILL, one after the other, under way over RTSP. A site of two nodes records one camera. A process of every kind is
killed once; what is missing of the pictures then is measured between the segments on disk, and how long it took until
what that process does was seen again over HTTP. Afterwards every segment that was durable must be there unchanged,
every hole be told as a gap, the ledger have each segment once, and `orvault fsck` find nothing. The client node is
started again as its service manager would.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

from benchmarks.report import finish, note
from orvault.clock import US_PER_S, SystemClock
from tests.e2e.killing import Watched
from tests.e2e.kinds import BACK_S, KINDS
from tests.e2e.site import eventually, settled
from tests.e2e.theatre import Theatre, theatre

SETTLE = 3  # segments between two kills
NODE = "client node (raylet)"


def measure(folder: Path) -> dict[str, object]:
    """Kill everything once; seconds by what was killed, and what the check of the site said after."""
    with theatre(folder) as running:
        away: dict[str, float] = {}
        without = {name: _outage(running, name, away) for name in (*KINDS, NODE)}
        return {"outages_s": without, "away_s": away} | _checked(running)


def _outage(running: Theatre, name: str, away: dict[str, float]) -> float:
    """The longest time without a picture around this kill; `away`: seconds until it worked again."""
    watched = running.watched
    watched.goes_on(len(watched.paths()), BACK_S, SETTLE)
    before, killed_us = len(watched.paths()), SystemClock().now_us()
    if name == NODE:
        since = time.monotonic()
        watched.kill_client()
        watched.goes_on(before, BACK_S, 1)
    else:
        kind = KINDS[name]
        with kind.seen(running):
            before, killed_us, since = len(watched.paths()), SystemClock().now_us(), time.monotonic()
            watched.kill(kind.title)
    away[name] = round(time.monotonic() - since, 1)
    return _without_pictures(watched, name, before, killed_us, away[name])


def _without_pictures(watched: Watched, name: str, before: int, killed_us: int, away_s: float) -> float:
    eventually(lambda: watched.headers()[-1].meta.start_us > killed_us + US_PER_S, BACK_S)
    watched.goes_on(before, BACK_S, SETTLE)
    around = [header.meta for header in watched.headers()[before - 1 :]]
    seconds = max(second.start_us - first.end_us for first, second in pairwise(around)) / US_PER_S
    note(f"{name}: {seconds:.1f} s without pictures, works again after {away_s:.1f} s")
    return round(seconds, 2)


def _checked(running: Theatre) -> dict[str, object]:
    asker, watched = running.asker, running.watched
    asker.post(f"/cases/{watched.case_id}/close")
    eventually(lambda: settled(asker, watched.case_id, 1), BACK_S)
    numbers = list(range(len(watched.paths())))
    eventually(lambda: watched.rows() == numbers, BACK_S)
    told = watched.site.run("fsck", "--json")
    return {
        "segments": len(numbers),
        "durable_lost": len(watched.lost()),
        "untold": len(watched.untold(asker)),
        "faults": json.loads(told.stdout)["faults"],
    }


def main() -> int:
    """The program; its exit code."""
    with tempfile.TemporaryDirectory(prefix="orv-outages-") as folder:
        result = measure(Path(folder))
    ok = not result["durable_lost"] and not result["untold"] and not result["faults"]
    goal = "no durable segment lost, every hole told, fsck clean"
    return finish(
        "outages",
        result,
        goal,
        ok,
        libraries=["ray"],
        ran_on={"load": [round(x, 1) for x in os.getloadavg()]},
    )


if __name__ == "__main__":
    sys.exit(main())
