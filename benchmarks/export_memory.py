"""python -m benchmarks.export_memory [--minutes N]: does an export's memory stay bounded however long the footage is.

The same small segments (320x180, 15 pictures a second) are exported again and again up to an hour, by the code of an
export worker (actors/camera_rendering.py): planned over the whole length, rendered, marked and kept in pieces of a
minute, joined. What was found in a segment is told again for each repetition, as a copy of its own, so that memory
holds what an hour's looks take; the second look is taken for granted, it happens in other processes.

- `peak_mb`: the most memory of the process. `first_piece_mb`, `last_piece_mb`: what it held after these pieces were
  rendered. `growth_mb_per_piece`: the slope over all of them. `found_mb_per_hour`: what findings and tracks added
  before anything was rendered. `six_hours_mb`: the peak, and what the rest of six hours adds of both, in a straight
  line. `python -m benchmarks.following_memory` follows six hours of findings, without pictures.
"""

from __future__ import annotations

import argparse
import io
import resource
import secrets
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np

from actors.camera_rendering import CameraJob, CameraRendering
from actors.render_pieces import read_found, write_found
from actors.render_tools import RenderTools
from actors.render_work import RenderWork
from actors.second_looking import LookAnswer, LookOrder
from benchmarks import masking, report
from benchmarks.export_footage import SMALL_FPS, SMALL_PICTURES, START_US, small_fragments, track_of
from orvault.clock import US_PER_S, SystemClock
from orvault.custody.recorded import SegmentLike
from orvault.marks.keys import mark_key
from orvault.vision.detector import EnsembleDetector
from orvault.vision.looking import detect_fragment
from orvault.vision.mask import FrameDetections
from orvault.vision.second_look import Trial
from orvault.vision.watermark import TextWatermark

WIDTH, HEIGHT = 320, 180
MOST_MB = 1536
HOURS = 6


@dataclass
class Told:
    """Detection that tells again what was found in the same segment, each time as a copy."""

    known: dict[int, bytes]
    answer: bytes = b""
    order: LookOrder | None = field(default=None, repr=False)

    def width(self) -> int:
        """How many segments are under way."""
        return 2

    def models(self) -> str:
        """It has none."""
        return ""

    def detect(self, fragment: bytes, thorough_s: Sequence[float] = ()) -> Told:
        """As a detection actor."""
        return Told(self.known, self.known[zlib.crc32(fragment)])

    def result(self) -> list[FrameDetections]:
        """As a detection actor."""
        return read_found(self.answer)[0]

    def look_again(self, order: LookOrder) -> Looked:
        """As a detection actor; the order is held as long as an actor would be at it."""
        return Looked(order)


@dataclass
class Looked:
    """A second look that is taken for granted."""

    order: LookOrder

    def result(self) -> LookAnswer:
        """Nothing is left."""
        return LookAnswer(0, (), Trial.SEEN)


def main() -> int:
    """Export, report, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.export_memory")
    parser.add_argument("--minutes", type=int, default=60)
    minutes = parser.parse_args().minutes
    # Models, and the pictures that segments are made of, are no part of an export's process.
    with report.stage("looking at the segments"), ProcessPoolExecutor(1, get_context("spawn")) as pool:
        clip, known = pool.submit(_looked_at).result()
    with tempfile.TemporaryDirectory() as folder, report.stage(f"exporting {minutes} minutes"):
        fields = _export(clip, known, minutes, Path(folder))
    ok = fields["six_hours_mb"] <= MOST_MB
    goal = f"six_hours_mb <= {MOST_MB}"
    return report.finish("export_memory", {"minutes": minutes} | fields, goal, ok, libraries=["av", "numpy"])


def _looked_at() -> tuple[list[bytes], dict[int, bytes]]:
    """The segments, and what was found in each."""
    clip = small_fragments("still_patient", WIDTH, HEIGHT)
    detector = EnsembleDetector(masking.MODELS, "cpu")
    return clip, {zlib.crc32(each): write_found([detect_fragment(each, detector)]) for each in clip}


def _export(clip: list[bytes], known: dict[int, bytes], minutes: int, folder: Path) -> dict[str, float]:
    count = minutes * 30
    track = track_of(count, WIDTH, HEIGHT, SMALL_PICTURES)
    held: list[float] = []
    begun: list[float] = []

    def opened(first: int, end: int) -> Iterator[tuple[SegmentLike, bytes]]:
        for number in range(first, end):
            yield track.segments[number], clip[number % len(clip)]

    def step(stage: str, *, advanced: bool = False) -> None:
        if advanced:
            held.append(_held_mb())
        elif stage.startswith("masking") and not begun:
            begun.append(_held_mb())

    job = CameraJob(
        track=track,
        fps=float(SMALL_FPS),
        range_us=(START_US, START_US + 10**6 * US_PER_S),
        policy=masking.POLICY,
        watermark=[TextWatermark("{time}", utc_offset_min=540)],
        watermarks=[[]],
        keys=[secrets.token_bytes(32)] * count,
        mark_keys=[mark_key(secrets.token_bytes(32), "copy", "benchmark")],
    )
    tools = cast(
        RenderTools,
        SimpleNamespace(detection=Told(known), clock=SystemClock(), preset="superfast", crf=21, cores=1),
    )
    before, began = _held_mb(), time.perf_counter()
    rendering = CameraRendering(job, opened, tools, RenderWork(folder, {"benchmark": "memory"}), step)
    rendering.render()
    with (folder / "whole.mp4").open("wb") as sink:
        rendering.write(0, cast(io.RawIOBase, sink))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    per_hour = (begun[0] - before) * 60 / minutes
    growth = float(np.polyfit(range(len(held)), held, 1)[0])
    hours_left = HOURS - minutes / 60
    return {
        "pieces": len(held),
        "seconds": round(time.perf_counter() - began),
        "before_mb": round(before),
        "found_mb_per_hour": round(per_hour),
        "first_piece_mb": round(held[0]),
        "last_piece_mb": round(held[-1]),
        "growth_mb_per_piece": round(growth, 2),
        "peak_mb": round(peak),
        "six_hours_mb": round(peak + hours_left * (per_hour + growth * len(held) * 60 / minutes)),
    }


def _held_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1e6


if __name__ == "__main__":
    sys.exit(main())
