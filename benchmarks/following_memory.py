"""python -m benchmarks.following_memory [--hours N]: what following everybody through hours of footage holds.

Findings of a made-up room (tests/unit/made_up_findings.py: six people, a chance find in every other look, things) go
through the code that an export follows people by, as they come; no picture is decoded and no model runs.

- `findings`: how many there were. `mb`: the most that memory grew by. `bytes_per_finding`: one by the other; tracks,
  and what linking them needs, included. `tracks`: how many came of it.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Iterator

from benchmarks import report
from orvault.vision.detection import FrameDetections
from orvault.vision.following import find_tracks
from orvault.vision.modes import MaskMode
from orvault.vision.planning import trusted
from tests.unit.made_up_findings import HEIGHT, THINGS, WIDTH, room

FPS = 15
MOST_MB = 512  # of the 1.5 GB that an export may take; decoding and encoding need about 250


def main() -> int:
    """Follow, report, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.following_memory")
    parser.add_argument("--hours", type=float, default=6.0)
    hours = parser.parse_args().hours
    findings = 0

    def counted() -> Iterator[FrameDetections]:
        nonlocal findings
        for found in trusted(room(5, round(hours * 3600 * FPS)), FPS):
            findings += len(found) if isinstance(found, list) else 0
            yield found

    before, began = _peak_mb(), time.perf_counter()
    with report.stage(f"following {hours:g} hours"):
        tracks = find_tracks(counted(), MaskMode.HEAD, WIDTH, HEIGHT, fps=FPS, objects=frozenset(THINGS))
    grown = _peak_mb() - before
    fields = {
        "hours": hours,
        "findings": findings,
        "tracks": len(tracks),
        "mb": round(grown),
        "bytes_per_finding": round(grown * 2**20 / max(1, findings)),
        "seconds": round(time.perf_counter() - began),
    }
    return report.finish(
        "following_memory", fields, f"mb <= {MOST_MB}", grown <= MOST_MB, libraries=["numpy"]
    )


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
