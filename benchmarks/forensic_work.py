"""The marked copies of benchmarks.forensic, what was read of them and measured, kept so that an ended run goes on."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import math
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
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
from orvault.marks.residue import Plane
from orvault.video.codec import Frame, Luma
from orvault.video.encoding import Mp4Encoder

MARKS = Path(__file__).resolve().parents[1] / "orvault" / "marks"
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


@dataclass(frozen=True)
class Read:
    """What a reader saw in a treated copy; the copy's bytes, and the processor seconds until there."""

    plane: Plane = field(repr=False)
    size: int
    core_s: float


class Work:
    """One line of JSON for each result, in the order in which they were had, and the copies that they are of.

    What another version of the mark gave is left where it is, and counts for nothing. Copies and what was read of
    them stay good when only the finding of names changes: nearly all that a row costs is its coder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / _digest("chips", "keys", "painter", "residue", "leak")
        self._folder.mkdir(parents=True, exist_ok=True)
        self._file = self._folder / f"results-{_digest('finding', 'tracing')}.jsonl"
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

    def leaks(self, scene: str, seconds: int, owners: Sequence[str]) -> list[Leak]:
        """The scene's copies of these recipients, made where they are not there yet."""
        paths = [self._folder / f"{scene}-{seconds}-{owner}.mp4" for owner in owners]
        if not all(_figures(path).exists() for path in paths):
            with report.stage(f"{scene}: marking"):
                for path, (data, painter) in zip(paths, _marked(scene, seconds, owners), strict=True):
                    path.write_bytes(data)
                    told = [painter.worst_psnr_db, 1e3 * painter.seconds / painter.count]
                    _figures(path).write_text(json.dumps(told), encoding="utf-8")
        return [Leak(path.read_bytes(), *json.loads(_figures(path).read_text("utf-8"))) for path in paths]

    def read(self, scene: str, seconds: int, treatment: str, how: Callable[[], tuple[Plane, int]]) -> Read:
        """The plane of a treated copy; `how` makes it, and tells the copy's bytes, where it is not there yet."""
        kept = self._folder / f"{scene}-{seconds}-{treatment.replace(' ', '-')}.npz"
        if not kept.exists():
            began = time.process_time()
            plane, size = how()
            part = kept.with_suffix(".part.npz")
            np.savez(part, plane=plane, told=[size, time.process_time() - began])
            part.replace(kept)
        with np.load(kept) as found:
            return Read(found["plane"], int(found["told"][0]), float(found["told"][1]))


def _figures(path: Path) -> Path:
    return path.with_suffix(".json")


def _digest(*modules: str) -> str:
    """Stands for these parts of the program that marks and reads, and for what they are tried with."""
    told = hashlib.sha256()
    parts = [MARKS / f"{module}.py" for module in modules]
    for path in (*parts, *sorted(Path(__file__).parent.glob("forensic_*.py"))):
        told.update(path.read_bytes())
    return told.hexdigest()[:12]


def _name(result: Result) -> tuple[str, int, str]:
    return (result["scene"], result["seconds"], result["treatment"])


def _marked(scene: str, seconds: int, owners: Sequence[str]) -> list[tuple[bytes, MeasuredPainter]]:
    """The scene as an export writes it, in a copy for each owner."""
    painters, sinks = [MeasuredPainter(owner, CAMERAS[3]) for owner in owners], [io.BytesIO() for _ in owners]
    encoders = [
        Mp4Encoder(sink, WIDTH, HEIGHT, FPS, mark=painter)
        for sink, painter in zip(sinks, painters, strict=True)
    ]
    for number, picture in enumerate(itertools.islice(scenes()[scene](), seconds * FPS)):
        pts_90k = number * 90_000 // FPS
        planes = Frame(picture, pts_90k).planes()
        for encoder in encoders:
            encoder.write_planes(planes.copied(), pts_90k)  # each draws its own mark into it
    for encoder in encoders:
        encoder.close()
    return [(sink.getvalue(), painter) for sink, painter in zip(sinks, painters, strict=True)]
