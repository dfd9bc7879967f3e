"""Body key points of one person in a close square crop, by BlazePose Lite.

Model: Google MediaPipe (BlazePose, arXiv 2006.10204), Apache-2.0. It takes for granted that the crop shows a person;
pose.py finds the people, and the crop is laid round the torso that it tells of.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from orvault.video.codec import Image
from orvault.vision.boxes import Floats
from orvault.vision.session import Session

SIDE = 256  # pixels of the model's square input
_VALUES = 5  # x, y, z in input pixels; visible, present before the sigmoid
# The model's 33 points, of which COCO's 17 are taken, in COCO's order.
_COCO = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
# What left and right become in a mirror.
_SWAPPED = (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15)


@dataclass(frozen=True, slots=True)
class Crop:
    """A square of a picture: centre and half side in pixels; it may reach over the edge."""

    x: float
    y: float
    half: float


class ClosePoseDetector:
    """Key points of the person in a crop."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def keypoints(self, bgr: Image, crop: Crop, *, mirrored: bool = False) -> tuple[Floats, float]:
        """(17, 3): x, y in picture pixels, certainty 0..1, in COCO order; and how surely a person is there, 0..1.

        `mirrored` shows the model a mirror and turns its answer back: another opinion at the same cost.
        """
        left, top = math.floor(crop.x - crop.half), math.floor(crop.y - crop.half)
        side = max(2, round(2 * crop.half))
        scale = SIDE / side
        square = _cut_out(bgr, left, top, side)
        if mirrored:
            square = np.ascontiguousarray(square[:, ::-1])
        batch = cv2.cvtColor(square, cv2.COLOR_BGR2RGB)[None].astype(np.float32) / np.float32(255)
        values, presence = self._session.run(["landmarks", "presence"], batch)
        points = values.reshape(-1, _VALUES)[list(_COCO)]
        if mirrored:
            points = points[list(_SWAPPED)]
            points[:, 0] = SIDE - 1 - points[:, 0]
        found = np.empty((len(_COCO), 3), np.float32)
        found[:, 0] = left + points[:, 0] / scale
        found[:, 1] = top + points[:, 1] / scale
        found[:, 2] = 1 / (1 + np.exp(-points[:, 3]))
        return found, float(presence.item())


def _cut_out(bgr: Image, left: int, top: int, side: int) -> Image:
    """A square scaled to (SIDE, SIDE, 3); what lies outside the picture is black."""
    height, width = bgr.shape[:2]
    x1, y1 = min(max(left, 0), width), min(max(top, 0), height)
    x2, y2 = max(min(left + side, width), x1), max(min(top + side, height), y1)
    inner = cv2.copyMakeBorder(
        bgr[y1:y2, x1:x2], y1 - top, top + side - y2, x1 - left, left + side - x2, cv2.BORDER_CONSTANT
    )
    # Averaged, not sampled: a picked pixel of a large person is mostly the camera's noise.
    how = cv2.INTER_AREA if side > SIDE else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(inner, (SIDE, SIDE), interpolation=how), np.uint8)
