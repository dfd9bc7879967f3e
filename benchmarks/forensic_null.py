"""The other half of benchmarks.forensic: clips that no registered recipient was given, and their scores."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from benchmarks import report
from benchmarks.forensic_scenes import moving_texture, scenes
from benchmarks.forensic_work import Work
from orvault.marks.keys import mark_key
from orvault.marks.painter import MarkPainter
from orvault.marks.residue import Residue
from orvault.marks.tracing import Candidate, trace
from orvault.video.codec import Image, Luma

_FRAMES = 4
_FOREIGN_KEY = bytes(range(100, 132))


def measure(
    copies: Sequence[Candidate], site_key: bytes, clips: Sequence[int], work: Work
) -> dict[str, float]:
    """Trace unmarked and foreign clips: how many name anybody, and their scores beside what chance would give."""
    if not clips:
        return {"null_clips": 0, "false_names": 0}
    todo = [clip for clip in clips if work.get("null", clip) is None]
    for clip in report.steps(todo, "Clips without a mark"):
        residue = Residue()
        for luma in _clip(clip):
            residue.add(luma)
        found = trace(residue.plane, site_key, copies)
        named = [naming.copy_id for naming in found.named]
        work.put("null", clip, {"named": named, "strongest": found.strongest, "threshold": found.threshold})
    told = [kept for clip in clips if (kept := work.get("null", clip)) is not None]
    strongest = [each["strongest"] for each in told]
    return {
        "null_clips": len(told),
        "false_names": sum(bool(each["named"]) for each in told),
        "null_highest": round(max(strongest), 2),
        "null_highest_expected": round(_expected_highest(len(copies) * len(told)), 2),
        "null_median_of_highest": round(float(np.median(strongest)), 2),
        "threshold": round(told[-1]["threshold"], 2),
    }


def _expected_highest(scores: int) -> float:
    """Where the highest of so many independent scores of a normal distribution lies, half of the time."""
    low, high = 0.0, 40.0
    for _ in range(60):
        middle = (low + high) / 2
        exceeds = 1 - math.exp(scores * math.log1p(-0.5 * math.erfc(middle / math.sqrt(2))))
        low, high = (middle, high) if exceeds > 0.5 else (low, middle)
    return low


def _clip(number: int) -> Iterator[Luma]:
    """Short clips that differ: scene, part, size, turn, contrast; every third carries another site's mark."""
    rng = np.random.default_rng(number)
    width, height = [(640, 360), (854, 480), (1280, 720), (640, 480)][number % 4]
    painter = None
    if number % 3 == 0:
        painter = MarkPainter(mark_key(_FOREIGN_KEY, f"copy-{number}", "or1-a"), width, height)
    left, top, gain = rng.integers(0, 500), rng.integers(0, 300), rng.uniform(0.5, 1.2)
    for picture in _some(number, rng):
        part = picture[top : top + 700, left : left + 1300]
        gray = cv2.cvtColor(part, cv2.COLOR_BGR2GRAY)
        turned = cv2.rotate(gray, cv2.ROTATE_180) if number % 5 == 0 else gray
        luma = cv2.convertScaleAbs(cv2.resize(turned, (width, height)), None, float(gain)).astype(np.uint8)
        if painter is not None:
            painter.paint(luma, 0)
        yield luma


def _some(number: int, rng: np.random.Generator) -> Iterator[Image]:
    names = list(scenes())
    source = moving_texture(number) if number % 2 else scenes()[names[number % len(names)]]()
    for _ in range(_FRAMES):
        for _ in range(int(rng.integers(1, 4))):
            picture = next(source)
        yield picture
