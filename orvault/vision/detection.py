"""What a detector says about one picture.

The detectors themselves: detector.py, and one file for each model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Final, Protocol, runtime_checkable

from orvault.video.codec import Image
from orvault.vision.boxes import Floats


class Kind(StrEnum):
    """What lies in a detection's box."""

    PERSON = "person"
    FACE = "face"
    HEAD = "head"
    OBJECT = "object"  # of a class that the site lists; the source is its name


@dataclass(frozen=True, slots=True)
class Detection:
    """One finding: a box in picture pixels (it may reach over the edge), a score 0..1, and its source."""

    kind: Kind
    x1: float
    y1: float
    x2: float
    y2: float
    score: float
    source: str  # one of the SOURCE_ names of detector.py, or a site's own
    faint: bool = False  # less sure than what counts by itself: it only tells where somebody known went

    @property
    def box(self) -> tuple[float, float, float, float]:
        """x1, y1, x2, y2."""
        return (self.x1, self.y1, self.x2, self.y2)

    @property
    def plausible(self) -> bool:
        """All numbers are finite and the box is not inside out: anything else is a broken detector's word."""
        numbers = (*self.box, self.score)
        return all(math.isfinite(n) for n in numbers) and self.x1 <= self.x2 and self.y1 <= self.y2


class Skipped(Enum):
    """For a picture at which nobody looked, between two that were looked at."""

    SKIPPED = "skipped"


SKIPPED: Final = Skipped.SKIPPED
FrameDetections = list[Detection] | Skipped | None  # None: there is no trustworthy result for this picture


def detections(
    kind: Kind, boxes: Floats, scores: Floats, source: str, *, sure: float = 0.0
) -> list[Detection]:
    """One Detection for each row of `boxes` (n, 4) with its score of `scores` (n,); below `sure` they are faint."""
    return [
        Detection(kind, x1, y1, x2, y2, score, source, faint=score < sure)
        for (x1, y1, x2, y2), score in zip(boxes.tolist(), scores.tolist(), strict=True)
    ]


class Detector(Protocol):
    """Finds what has to be covered in one picture; it keeps nothing between pictures."""

    def detect(self, bgr: Image) -> list[Detection]:
        """All findings in one picture (h, w, 3). An empty list means "looked, and nobody is there"."""
        ...


@runtime_checkable
class SteppedDetector(Detector, Protocol):
    """A detector whose looks differ: what is costly, or shows what does not move, takes turns from look to look."""

    def look(self, bgr: Image, number: int) -> list[Detection]:
        """The findings of look `number` (>= 0, counting up, from any start) in one picture (h, w, 3)."""
        ...


@runtime_checkable
class BatchDetector(SteppedDetector, Protocol):
    """A detector that takes several looks together: `batch` at most."""

    @property
    def batch(self) -> int:
        """How many looks are worth waiting for."""
        ...

    def look_each(self, looks: Sequence[tuple[Image, int]]) -> list[list[Detection]]:
        """`look` for each of these pictures and numbers."""
        ...


@runtime_checkable
class ThoroughDetector(Detector, Protocol):
    """A detector that can also look slowly, for what is hard to see and does not move (a lying patient)."""

    def detect_thoroughly(self, bgr: Image) -> list[Detection]:
        """`detect` and all the slow looks."""
        ...
