"""python -m benchmarks.playback: the player's pictures from a sealed package, beside PyAV's from the clear video.

Both decode to blue green red in memory, on all processors, as they come; one after the other in turns, so that both
meet the same machine. That both give the same pictures, to the last bit, is seen first. `--seconds 3600` is the hour
(about 2.5 GB, made in a temporary folder that holds it twice).
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer

from benchmarks import playback_footage as footage
from benchmarks import report
from benchmarks.playback_child import opened
from player.reel import Reel

GOALS = {"decode_ratio": 0.95, "seek_ratio": 1.2, "first_frame_s": 1.5, "mb_growth": 16.0}
ROUNDS = 9
PICTURES = 300  # of a round: ten seconds
COMPARED = 30
SEEKS = 20


@dataclass(frozen=True)
class Cost:
    """What a piece of work took: wall-clock and processor seconds, medians over its repetitions."""

    wall: float
    cpu: float


def _timed(work: Callable[[], object]) -> Cost:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Cost(time.perf_counter() - wall, time.process_time() - cpu)


def _in_turns(
    ours: Callable[[int], object], theirs: Callable[[int], object], turns: int, what: str
) -> list[Cost]:
    """The medians of both: one after the other, so that both meet the same machine."""
    both = [
        (_timed(partial(ours, turn)), _timed(partial(theirs, turn)))
        for turn in report.steps(range(turns), what)
    ]
    return [
        Cost(statistics.median(each.wall for each in side), statistics.median(each.cpu for each in side))
        for side in zip(*both, strict=True)
    ]


def check_same(reel: Reel, clear: InputContainer) -> int:
    """How many pictures were held against PyAV's: all are to be what the window paints, in the same layout.

    Raises:
        RuntimeError: if one differs.
    """
    clear.seek(0)
    for number, frame in enumerate(itertools.islice(clear.decode(video=0), COMPARED)):
        ours, theirs = reel.next(), frame.to_ndarray(format="bgr24")
        if ours is None or not theirs.flags.c_contiguous or not np.array_equal(ours.pixels, theirs):
            raise RuntimeError(f"Picture {number} is not PyAV's: the two are not comparable.")
    return COMPARED


def decode(reel: Reel, clear: InputContainer, seconds: int) -> list[Cost]:
    """Ten seconds of pictures in a row, ours and PyAV's, from the same places.

    A clip begins with a keyframe: a seek to anything else would cost ours, which is exact, more than PyAV's, which
    gives the keyframe before.
    """
    clips = seconds // footage.CLIP_S
    places = [turn * (clips - 1) // ROUNDS * footage.CLIP_S for turn in range(ROUNDS)]

    def ours(turn: int) -> None:
        reel.seek(reel.first_us + places[turn] * 1_000_000)
        for _ in range(PICTURES):
            reel.next()

    def theirs(turn: int) -> None:
        clear.seek(places[turn] * 1_000_000)
        for frame in itertools.islice(clear.decode(video=0), PICTURES + 1):
            frame.to_ndarray(format="bgr24")

    return _in_turns(ours, theirs, ROUNDS, "decoding")


def seek(reel: Reel, clear: InputContainer, seconds: int) -> list[Cost]:
    """To the exact picture at a time, ours and PyAV's, at the same places."""
    order = random.Random(7)  # noqa: S311 - places to jump to, no secret
    places = [order.uniform(0, seconds - 1) for _ in range(SEEKS)]

    def theirs(turn: int) -> None:
        clear.seek(round(places[turn] * 1e6))
        for frame in clear.decode(video=0):
            if frame.time is not None and frame.time + 1 / footage.FPS > places[turn]:
                frame.to_ndarray(format="bgr24")
                return

    def ours(turn: int) -> None:
        reel.seek(reel.first_us + round(places[turn] * 1e6))

    return _in_turns(ours, theirs, SEEKS, "seeking")


def _child(task: str, made: footage.Footage) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.playback_child", task, *made.files]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def first_frame(made: footage.Footage) -> Cost:
    """Seconds from the start of a process to its first picture: the medians of three."""
    found = []
    for _ in range(3):
        begun = time.time()
        told = _child("first", made)
        found.append(Cost(told["at"] - begun, told["cpu_s"]))
    return Cost(statistics.median(each.wall for each in found), statistics.median(each.cpu for each in found))


def main() -> int:
    """Measure, report, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="length of the footage")
    parser.add_argument("--gigabytes", type=float, default=0, help="at least so large")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        with report.stage("making the package"):
            made = footage.make(Path(folder), given.seconds, given.gigabytes)
        first = first_frame(made)
        with (
            opened(*made.files) as session,
            Reel(session, session.cameras()[0]) as reel,
            av.open(str(made.clear)) as clear,
        ):
            clear.streams.video[0].thread_type = "AUTO"
            compared = check_same(reel, clear)
            ours, theirs = decode(reel, clear, made.seconds)
            our_seek, their_seek = seek(reel, clear, made.seconds)
        with report.stage("playing through"):
            memory = _child("whole", made)
        size = made.package.stat().st_size
    fields = {
        "package_gb": round(size / 1e9, 3),
        "seconds": made.seconds,
        "same_pictures": compared,
        "decode_ratio": round(theirs.wall / ours.wall, 3),
        "decode_ratio_cpu": round(theirs.cpu / ours.cpu, 3),
        "pictures_per_s": round(PICTURES / ours.wall, 1),
        "pictures_per_s_pyav": round(PICTURES / theirs.wall, 1),
        "seek_ratio": round(our_seek.wall / their_seek.wall, 3),
        "seek_ratio_cpu": round(our_seek.cpu / their_seek.cpu, 3),
        "seek_ms": round(1000 * our_seek.wall, 1),
        "seek_ms_pyav": round(1000 * their_seek.wall, 1),
        "first_frame_s": round(first.wall, 3),
        "first_frame_cpu_s": round(first.cpu, 3),
        "mb_peak": round(memory["mb_peak"], 1),
        "mb_growth": round(memory["mb_growth"], 1),
    }
    ok = (
        theirs.wall / ours.wall >= GOALS["decode_ratio"]
        and our_seek.wall / their_seek.wall <= GOALS["seek_ratio"]
        and first.wall <= GOALS["first_frame_s"]
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
