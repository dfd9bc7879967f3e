"""Persons by NanoDet-g (80 COCO classes, of which only "person" is read here).

Model: RangiLyu/nanodet, Apache-2.0; boxes are distributions over 11 bins per side (generalised focal loss,
arXiv 2006.04388).
"""

from __future__ import annotations

import numpy as np

from orvault.video.codec import Image
from orvault.vision.boxes import Floats, cell_centres, letterbox, suppress
from orvault.vision.detection import Detection, Kind, detections
from orvault.vision.session import Session

SOURCE = "nanodet"
_STRIDES = (8, 16, 32)
_PERSON = 0
_BINS = np.arange(11, dtype=np.float32)
# The training set's mean and spread per channel (blue, green, red), as one multiplication and one addition.
_SCALE = (1 / np.array([57.375, 57.12, 58.395])).astype(np.float32)
_SHIFT = (-np.array([103.53, 116.28, 123.675]) / np.array([57.375, 57.12, 58.395])).astype(np.float32)


class PersonDetector:
    """PERSON boxes at a fixed input size; `long_side` in model pixels, `least_score` 0..1."""

    def __init__(self, session: Session, long_side: int = 640, least_score: float = 0.35) -> None:
        self._session = session
        self._long_side = long_side
        self._least = least_score
        self._outputs = [f"{part}_{stride}" for stride in _STRIDES for part in ("cls", "reg")]

    def detect(self, bgr: Image) -> list[Detection]:
        """The persons in one picture, boxes in its pixels."""
        boxed = letterbox(bgr, self._long_side)
        batch = np.ascontiguousarray(
            (boxed.image * _SCALE + _SHIFT).transpose(2, 0, 1)[None], dtype=np.float32
        )
        out = self._session.run(self._outputs, batch)
        rows, columns = boxed.image.shape[:2]
        parts = [
            self._level(out[2 * k][0], out[2 * k + 1][0], stride, -(-rows // stride), -(-columns // stride))
            for k, stride in enumerate(_STRIDES)
        ]
        boxes = (np.concatenate([part[0] for part in parts]) / boxed.scale).astype(np.float32)
        scores = np.concatenate([part[1] for part in parts])
        kept = suppress(boxes, scores, 0.5)
        return detections(Kind.PERSON, boxes[kept], scores[kept], SOURCE)

    def _level(self, cls: Floats, reg: Floats, stride: int, rows: int, columns: int) -> tuple[Floats, Floats]:
        scores = cls[:, _PERSON]
        hit = np.flatnonzero(scores > self._least)
        # Each side's distance is the mean of a distribution over 0..10 strides from the cell's centre.
        logits = reg[hit].reshape(-1, 4, _BINS.size)
        weights = np.exp(logits - logits.max(axis=2, keepdims=True))
        reach = (weights @ _BINS) / weights.sum(axis=2) * stride
        centre = (cell_centres(rows, columns)[hit] + 0.5) * stride
        return np.concatenate([centre - reach[:, :2], centre + reach[:, 2:]], axis=1), scores[hit]
