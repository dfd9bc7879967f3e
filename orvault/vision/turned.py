"""Faces that do not stand upright: the picture is turned, enlarged and shown to the face model again.

An upright face model sees next to nothing of a patient who lies on the table. This look costs as much as
several pictures, so it is taken of one picture in many; who lies does not move, and mask.py keeps what it
found for longer.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from orvault.video.codec import Image
from orvault.vision.boxes import Floats
from orvault.vision.detection import Detection, Kind, detections
from orvault.vision.face import FaceDetector

SOURCE = "yunet-turned"


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
