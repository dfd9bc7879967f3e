"""python -m benchmarks.forensic: is the invisible mark read after what people do to a video, and is it invisible?

Each scene is coded as an export does it, marked for one of 10,000 registered recipients, then treated and traced
from the file, without the original. `read` counts treatments after which the right recipient alone was named; of the
mean of two recipients' copies, one or both of them and nobody else. The goal allows 60 s of video; 10 are used, which
is harder and sooner done (`--seconds 60`). Then 200 short clips that carry no mark, or another site's, are traced
against the same 10,000: nobody may be named; `null_*` tells what their scores look like.
"""

from __future__ import annotations

import argparse
import io
import itertools
import math
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import forensic_null, report
from benchmarks.forensic_attacks import attacks, mean_of
from benchmarks.forensic_scenes import FPS, HEIGHT, WIDTH, Scene, scenes
from orvault.marks.keys import mark_key
from orvault.marks.leak import residue_of
from orvault.marks.painter import MarkPainter
from orvault.marks.tracing import Candidate, Trace, trace
from orvault.video.codec import Luma
from orvault.video.encoding import Mp4Encoder

SITE_KEY = bytes(range(32))
CAMERAS = ("or1-a", "or1-b", "or2-a", "or2-b")
RECIPIENTS = 10_000
PSNR_DB, PAINT_MS = 40.0, 3.0


def registry(cameras: Sequence[str] = CAMERAS) -> list[Candidate]:
    """Ten thousand copies, spread over the cameras."""
    return [Candidate(f"copy-{number}", (cameras[number % len(cameras)],)) for number in range(RECIPIENTS)]


class MeasuredPainter:
    """A painter that is timed, and whose trace in the pictures is measured at every 15th."""

    def __init__(self, copy_id: str, camera_id: str) -> None:
        self._painter = MarkPainter(mark_key(SITE_KEY, copy_id, camera_id), WIDTH, HEIGHT)
        self.seconds, self.count, self.worst_psnr_db = 0.0, 0, math.inf

    def paint(self, luma: Luma, pts_90k: int) -> None:
        """As MarkPainter."""
        before = luma.copy() if self.count % 15 == 0 else None
        began = time.thread_time()
        self._painter.paint(luma, pts_90k)
        self.seconds += time.thread_time() - began
        self.count += 1
        if before is not None:
            self.worst_psnr_db = min(self.worst_psnr_db, float(cv2.PSNR(before, np.ascontiguousarray(luma))))


def marked(scene: Scene, seconds: int, painter: MeasuredPainter) -> bytes:
    """The scene as an export writes it."""
    sink = io.BytesIO()
    encoder = Mp4Encoder(sink, WIDTH, HEIGHT, FPS, mark=painter)
    for number, picture in enumerate(itertools.islice(scene(), seconds * FPS)):
        encoder.write(picture, number * 90_000 // FPS)
    encoder.close()
    return sink.getvalue()


def traced(data: bytes, copies: list[Candidate]) -> Trace:
    """As `orvault trace` does it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "leak.mp4"
        path.write_bytes(data)
        return trace(residue_of(path).plane, SITE_KEY, copies)


def main() -> int:
    """Measure, report, and return the exit code."""
    asked = _arguments()
    copies = registry()
    table = Table("scene", "treatment", "named", "score", "threshold", "bytes", title="Invisible mark")
    missed, psnr, paint_ms, lowest, read = [], math.inf, 0.0, math.inf, 0
    for name in asked.scenes or scenes():
        painters = [MeasuredPainter("copy-4711", CAMERAS[3]), MeasuredPainter("copy-1147", CAMERAS[3])]
        with report.stage(f"{name}: marking"):
            leaks = [marked(scenes()[name], asked.seconds, painter) for painter in painters]
        psnr = min([psnr, *(painter.worst_psnr_db for painter in painters)])
        paint_ms = max([paint_ms, *(1e3 * painter.seconds / painter.count for painter in painters)])
        for treatment, data, owners in _treated(leaks):
            found = traced(data, copies)
            named = {naming.copy_id for naming in found.named}
            good = bool(named) and named <= owners
            read += good
            missed += [] if good else [f"{name}: {treatment}"]
            lowest = min(lowest, found.strongest - found.threshold)
            row = (name, treatment, ", ".join(sorted(named)) or "nobody", f"{found.strongest:.1f}")
            table.add_row(*row, f"{found.threshold:.1f}", f"{len(data):,}")
            report.note(" | ".join((*row, f"{len(data):,} bytes")))
    Console(stderr=True).print(table)
    fields = {
        "seconds": asked.seconds,
        "recipients": RECIPIENTS,
        "read": read,
        "missed": missed,
        "lowest_margin": round(lowest, 1),
        "psnr_db": round(psnr, 2),
        "paint_ms_1080p": round(paint_ms, 3),
    }
    null = forensic_null.measure(registry(CAMERAS[:1]), SITE_KEY, range(asked.null_clips))
    ok = not missed and psnr >= PSNR_DB and paint_ms <= PAINT_MS and null["false_names"] == 0
    goal = f"missed none, false_names 0, psnr_db >= {PSNR_DB}, paint_ms_1080p <= {PAINT_MS}"
    return report.finish(
        "forensic", fields | null, goal, ok, libraries=["av", "numpy", "opencv-python-headless"]
    )


def _treated(leaks: list[bytes]) -> Iterator[tuple[str, bytes, set[str]]]:
    """Each treatment's name, what comes out, and who may be named."""
    for name, attack in attacks().items():
        with report.stage(name):
            data = attack(leaks[0])
        yield name, data, {"copy-4711"}
    with report.stage("mean of two copies"):
        data = mean_of(*leaks)
    yield "mean of two copies", data, {"copy-4711", "copy-1147"}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.forensic")
    parser.add_argument("--seconds", type=int, default=10, help="of each scene")
    parser.add_argument("--scenes", nargs="*", choices=list(scenes()), help="all when left out")
    parser.add_argument("--null-clips", type=int, default=200, help="clips without a mark of this site")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
