"""python -m benchmarks.playback: the player's pictures from a sealed package, beside PyAV's from the clear video.

Both decode to blue green red in memory, on all processors, as they come; one after the other in turns, so that both
meet the same machine. `--seconds 3600` is the hour (about 2.5 GB, made in a temporary folder that holds it twice).
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av

from benchmarks import playback_footage as footage
from benchmarks import report
from benchmarks.playback_child import opened
from player.reel import Reel

GOALS = {"decode_ratio": 0.95, "seek_ratio": 1.2, "first_frame_s": 1.5, "mb_growth": 16.0}
ROUNDS = 5
PICTURES = 300  # of a round: ten seconds
SEEKS = 20


def _rate(work: Callable[[], int]) -> float:
    started = time.perf_counter()
    return work() / (time.perf_counter() - started)


def decode(made: footage.Footage, rounds: int) -> tuple[float, float]:
    """Pictures a second, ours and PyAV's: medians over rounds in turns, each from another place."""

    def ours() -> int:
        with opened(*made.files) as session, Reel(session, session.cameras()[0]) as reel:
            return sum(reel.next() is not None for _ in range(PICTURES))

    def theirs() -> int:
        with av.open(str(made.clear)) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            for count, frame in enumerate(container.decode(stream), 1):
                frame.to_ndarray(format="bgr24")
                if count == PICTURES:
                    break
            return count

    rates = [(_rate(ours), _rate(theirs)) for _ in report.steps(range(rounds), "decoding")]
    return statistics.median(pair[0] for pair in rates), statistics.median(pair[1] for pair in rates)


def seek(made: footage.Footage, count: int) -> tuple[float, float]:
    """Milliseconds to the exact picture at a time, ours and PyAV's: medians over the same places."""
    order = random.Random(7)  # noqa: S311 - places to jump to, no secret
    places = [order.uniform(0, made.seconds - 1) for _ in range(count)]
    times: list[tuple[float, float]] = []
    with (
        opened(*made.files) as session,
        Reel(session, session.cameras()[0]) as reel,
        av.open(str(made.clear)) as container,
    ):
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for at_s in report.steps(places, "seeking"):
            begun = time.perf_counter()
            reel.seek(reel.first_us + round(at_s * 1e6))
            between = time.perf_counter()
            container.seek(round(at_s * 1e6), backward=True)
            for frame in container.decode(stream):
                if frame.time is not None and frame.time + 1 / footage.FPS > at_s:
                    frame.to_ndarray(format="bgr24")
                    break
            times.append((between - begun, time.perf_counter() - between))
    return tuple(1000 * statistics.median(each) for each in zip(*times, strict=True))  # type: ignore[return-value]


def _child(task: str, made: footage.Footage) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.playback_child", task, *made.files]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def first_frame(made: footage.Footage) -> float:
    """Seconds from the start of a process to its first picture: the median of three."""
    times = []
    for _ in range(3):
        begun = time.time()
        times.append(_child("first", made)["at"] - begun)
    return statistics.median(times)


def main() -> int:
    """Measure, report, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="length of the footage")
    parser.add_argument("--gigabytes", type=float, default=0, help="at least so large")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        with report.stage("making the package"):
            made = footage.make(Path(folder), given.seconds, given.gigabytes)
        first_s = first_frame(made)
        ours, theirs = decode(made, ROUNDS)
        ours_ms, theirs_ms = seek(made, SEEKS)
        with report.stage("playing through"):
            memory = _child("whole", made)
        size = made.package.stat().st_size
    fields = {
        "package_gb": round(size / 1e9, 3),
        "seconds": made.seconds,
        "decode_ratio": round(ours / theirs, 3),
        "pictures_per_s": round(ours, 1),
        "pictures_per_s_pyav": round(theirs, 1),
        "seek_ratio": round(ours_ms / theirs_ms, 3),
        "seek_ms": round(ours_ms, 1),
        "seek_ms_pyav": round(theirs_ms, 1),
        "first_frame_s": round(first_s, 3),
        "mb_peak": round(memory["mb_peak"], 1),
        "mb_growth": round(memory["mb_growth"], 1),
    }
    ok = (
        ours / theirs >= GOALS["decode_ratio"]
        and ours_ms / theirs_ms <= GOALS["seek_ratio"]
        and first_s <= GOALS["first_frame_s"]
        and memory["mb_growth"] <= GOALS["mb_growth"]
    )
    goal = ", ".join(
        f"{name} {'>=' if name == 'decode_ratio' else '<='} {value}" for name, value in GOALS.items()
    )
    return report.finish(
        "playback", fields, goal, ok, libraries=["opencv-python-headless", "av", "cryptography"]
    )


if __name__ == "__main__":
    sys.exit(main())
