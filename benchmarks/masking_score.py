"""What benchmarks.masking counts in a clip: heads covered and not, and how much else is masked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.masking_footage import Person
from orvault.vision.mask import FramePlan

VISIBLE = 0.5
COVERED = 0.9


@dataclass
class Score:
    """What was counted in one clip."""

    heads: int = 0
    covered: int = 0
    patient_heads: int = 0
    patient_covered: int = 0
    whole: int = 0
    over: list[float] = field(default_factory=list)  # one share per picture
    least_share: float = 1.0  # of any one head
    leak_now: dict[int, int] = field(default_factory=dict)
    longest_leak: int = 0
    detection_s: float = 0.0
    seconds: float = 0.0

    def judge(self, persons: Sequence[Person], plan: FramePlan, size: tuple[int, int]) -> None:
        """Compare one picture's plan with its truth; `size` is (width, height)."""
        mask = painted(plan, size)
        self.whole += plan.whole
        outside = np.ones_like(mask)
        for person in persons:
            if person.box is not None:
                x1, y1, x2, y2 = person.box
                outside[y1:y2, x1:x2] = False
            if person.head is not None and person.head_visible > VISIBLE:
                self._head(person, mask)
            else:
                self.leak_now[person.id] = 0
        self.over.append(float(mask[outside].mean()) if outside.any() else 0.0)

    def _head(self, person: Person, mask: npt.NDArray[np.bool_]) -> None:
        assert person.head is not None
        x1, y1, x2, y2 = person.head
        share = float(mask[y1:y2, x1:x2].mean()) if x1 < x2 and y1 < y2 else 1.0
        good = share >= COVERED
        self.least_share = min(self.least_share, share)
        self.heads += 1
        self.covered += good
        self.patient_heads += person.is_patient
        self.patient_covered += person.is_patient and good
        self.leak_now[person.id] = 0 if good else self.leak_now.get(person.id, 0) + 1
        self.longest_leak = max(self.longest_leak, self.leak_now[person.id])

    def fields(self) -> dict[str, float | int | None]:
        """One clip's row in the table."""
        return {
            "head_coverage": share_of(self.covered, self.heads),
            "patient_coverage": share_of(self.patient_covered, self.patient_heads),
            "longest_leak_frames": self.longest_leak,
            "over_mask_share": round(float(np.mean(self.over)), 4) if self.over else None,
            "whole_frames": self.whole,
            "least_covered": round(self.least_share, 3),
            "core_s_per_video_s": round(self.detection_s / self.seconds, 3) if self.seconds else None,
        }


def painted(plan: FramePlan, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """(height, width): which pixels the plan covers."""
    width, height = size
    mask = np.full((height, width), int(plan.whole), np.uint8)
    for x1, y1, x2, y2 in plan.boxes:
        mask[y1:y2, x1:x2] = 1
    for corners in plan.polygons:
        cv2.fillPoly(mask, [np.array(corners, np.int32)], 1)
    return mask.astype(bool)


def share_of(part: int, whole: int) -> float | None:
    """To four places; None of nothing."""
    return round(part / whole, 4) if whole else None
