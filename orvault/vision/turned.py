"""Faces that do not stand upright: the picture is turned, enlarged and shown to the face model again.

An upright face model sees next to nothing of a patient who lies on the table. This look costs as much as
several pictures, so it is taken of one picture in many; who lies does not move, and mask.py keeps what it
found for longer.
"""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np

from orvault.video.codec import Image
from orvault.vision.boxes import Floats, overlap
from orvault.vision.detection import Detection, Kind, detections
from orvault.vision.face import FaceDetector

SOURCE = "yunet-turned"
_CLOSER = (
    1.25,
    1.5,
)  # times as large: lying faces are found again in one of these, chance finds mostly in neither
_AROUND_SIZES = 3.0  # what is seen to each side of a face's middle, in sizes of the face, but at least ...
_AROUND_PX = 60.0
_SAME = 0.25  # overlap of two finds of one face


def detect_turned(
    face: FaceDetector, bgr: Image, angles_deg: tuple[int, ...], long_side: int
) -> list[Detection]:
    """FACE boxes in picture pixels, found with the picture turned by each angle and `long_side` pixels long.

    `face` must look at its input's own size (long_side 0). A turned box comes back as the upright square
    round the same centre, large enough for the turned one's longer side.
    """
    found: list[Detection] = []
    for angle in angles_deg:
        turned, back = _turn(bgr, angle, long_side / max(bgr.shape[:2]))
        boxes, scores = face.find(turned)
        found += detections(Kind.FACE, _map_back(boxes, back), scores, SOURCE)
    return found


def confirmed(
    face: FaceDetector, bgr: Image, angle_deg: int, long_side: int, found: list[Detection]
) -> list[Detection]:
    """What `detect_turned` found with this angle; faint what is not found again from closer, in either of two sizes.

    A chance find is held as a face is, and rare looks bring few others to tell it from one. What is faint here counts
    again where a second look finds it at the same place (`Piece.lay`).
    """
    return [
        each if _found_again(face, bgr, angle_deg, long_side, each) else replace(each, faint=True)
        for each in found
    ]


def _found_again(face: FaceDetector, bgr: Image, angle_deg: int, long_side: int, found: Detection) -> bool:
    x, y = (found.x1 + found.x2) / 2, (found.y1 + found.y2) / 2
    around = max(_AROUND_SIZES * (found.x2 - found.x1), _AROUND_PX)
    left, top = max(0, int(x - around)), max(0, int(y - around))
    right, bottom = max(0, int(x + around)), max(0, int(y + around))
    part = np.ascontiguousarray(bgr[top:bottom, left:right])
    if not part.size:
        return True  # its middle lies outside: there is nothing to see again
    box = np.array(found.box, np.float32) - np.array((left, top, left, top), np.float32)
    scale = long_side / max(bgr.shape[:2]) * max(part.shape[:2])
    for closer in _CLOSER:
        again = detect_turned(face, part, (angle_deg,), round(scale * closer))
        if again and overlap(box, np.array([each.box for each in again], np.float32)).max() > _SAME:
            return True
    return False


def _turn(bgr: Image, angle_deg: int, scale: float) -> tuple[Image, Floats]:
    """The turned and scaled picture, whole, and the (2, 3) matrix from its pixels back to those of `bgr`."""
    height, width = bgr.shape[:2]
    matrix = np.asarray(cv2.getRotationMatrix2D((width / 2, height / 2), angle_deg, scale), np.float64)
    cos, sin = abs(math.cos(math.radians(angle_deg))) * scale, abs(math.sin(math.radians(angle_deg))) * scale
    size = (math.ceil(width * cos + height * sin), math.ceil(width * sin + height * cos))
    matrix[:, 2] += (np.array(size) - (width, height)) / 2
    turned = cv2.warpAffine(bgr, matrix, size, flags=cv2.INTER_LINEAR)
    return np.asarray(turned, np.uint8), np.asarray(cv2.invertAffineTransform(matrix), np.float32)


def _map_back(boxes: Floats, back: Floats) -> Floats:
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2 @ back[:, :2].T + back[:, 2]
    half = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True) / 2 * np.hypot(back[0, 0], back[1, 0])
    return np.concatenate([centre - half, centre + half], axis=1).astype(np.float32)
