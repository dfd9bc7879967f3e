"""The marked copies of benchmarks.forensic, and what was measured on them, kept so that an ended run goes on."""

from __future__ import annotations

import io
import itertools
import json
import math
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks import report
from benchmarks.forensic_scenes import FPS, HEIGHT, WIDTH, scenes
from orvault.marks.keys import mark_key
from orvault.marks.painter import MarkPainter
from orvault.video.codec import Luma
from orvault.video.encoding import Mp4Encoder

SITE_KEY = bytes(range(32))
CAMERAS = ("or1-a", "or1-b", "or2-a", "or2-b")
Result = dict[str, Any]


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


@dataclass(frozen=True)
class Leak:
    """One recipient's copy as an export writes it; the worst picture's PSNR, and what painting one took."""

    data: bytes = field(repr=False)
    psnr_db: float
    paint_ms: float


class Work:
    """One line of JSON for each result, in the order in which they were had."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "results.jsonl"
        lines = self._file.read_text(encoding="utf-8").splitlines() if self._file.exists() else []
        self._kept: list[Result] = [json.loads(line) for line in lines]

    @classmethod
    @contextmanager
    def opened(cls, folder: Path | None) -> Iterator[Work]:
        """In this folder; without one, in one that is gone afterwards."""
        with tempfile.TemporaryDirectory() as passing:
            chosen = folder or Path(passing)
            chosen.mkdir(parents=True, exist_ok=True)
            yield cls(chosen)

    def results(self) -> list[Result]:
        """All of scenes."""
        return [each for each in self._kept if each["treatment"]]

    def get(self, scene: str, size: int, treatment: str = "") -> Result | None:
        """What was kept of this scene at this length (clips, of the null test)."""
        return next((each for each in self._kept if _name(each) == (scene, size, treatment)), None)

    def put(self, scene: str, size: int, result: Result, treatment: str = "") -> None:
        """Keep a result."""
        line = {"scene": scene, "seconds": size, "treatment": treatment} | result
        self._kept.append(line)
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def leak(self, scene: str, seconds: int, owner: str) -> Leak:
        """The scene's copy of this recipient, made where it is not there yet."""
        path = self._folder / f"{scene}-{seconds}-{owner}.mp4"
        figures = path.with_suffix(".json")
        if not figures.exists():
            with report.stage(f"{scene}: marking for {owner}"):
                data, painter = _marked(scene, seconds, owner)
            path.write_bytes(data)
            worst, each_ms = painter.worst_psnr_db, 1e3 * painter.seconds / painter.count
            figures.write_text(json.dumps([worst, each_ms]), encoding="utf-8")
        psnr_db, paint_ms = json.loads(figures.read_text(encoding="utf-8"))
        return Leak(path.read_bytes(), psnr_db, paint_ms)


def _name(result: Result) -> tuple[str, int, str]:
    return (result["scene"], result["seconds"], result["treatment"])


def _marked(scene: str, seconds: int, owner: str) -> tuple[bytes, MeasuredPainter]:
    """The scene as an export writes it."""
    painter, sink = MeasuredPainter(owner, CAMERAS[3]), io.BytesIO()
    encoder = Mp4Encoder(sink, WIDTH, HEIGHT, FPS, mark=painter)
    for number, picture in enumerate(itertools.islice(scenes()[scene](), seconds * FPS)):
        encoder.write(picture, number * 90_000 // FPS)
    encoder.close()
    return sink.getvalue(), painter
