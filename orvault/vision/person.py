"""Persons by NanoDet-g, and from the same run objects of those of its 80 COCO classes that a site lists.

Model: RangiLyu/nanodet, Apache-2.0; boxes are distributions over 11 bins per side (generalised focal loss,
arXiv 2006.04388).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from orvault.errors import ErrorKind, OrvaultError
from orvault.video.codec import Image
from orvault.vision.boxes import Floats, Letterboxed, letterbox, suppress
from orvault.vision.coco import CLASSES
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
    """PERSON boxes at a fixed input size; `long_side` in model pixels, scores 0..1.

    Below `least_score`, down to `faint_score`, they are faint.

    `objects` are further classes to find, by their names in `CLASSES`, and `least_object` their least score: OBJECT
    boxes whose source is the class. They cost nothing: the model scores every class in any case.
    """

    def __init__(
        self,
        session: Session,
        long_side: int = 640,
        least_score: float = 0.35,
        *,
        faint_score: float | None = None,
        objects: Iterable[str] = (),
        least_object: float = 0.35,
    ) -> None:
        self._session = session
        self._long_side = long_side
        self._wanted = [(_PERSON, least_score, least_score if faint_score is None else faint_score)]
        for name in sorted(set(objects)):
            if name not in CLASSES[1:]:
                raise OrvaultError(
                    ErrorKind.BAD_SETTINGS,
                    f"The model knows no objects of the class {name!r}.",
                    where="masking objects",
                    advice=f"It knows: {', '.join(CLASSES[1:])}.",
                )
            self._wanted.append((CLASSES.index(name), least_object, least_object))
        self._outputs = [f"{part}_{stride}" for stride in _STRIDES for part in ("cls", "reg")]

    def detect(self, bgr: Image) -> list[Detection]:
        """The persons (and objects) in one picture, boxes in its pixels."""
        return self.detect_each([bgr])[0]

    def detect_each(self, pictures: Sequence[Image]) -> list[list[Detection]]:
        """`detect` for each of these pictures."""
        boxed = [letterbox(bgr, self._long_side) for bgr in pictures]
        outs = self._session.run_each(self._outputs, [_normalised(each.image) for each in boxed])
        return [self._read(each, out) for each, out in zip(boxed, outs, strict=True)]

    def _read(self, boxed: Letterboxed, out: list[Floats]) -> list[Detection]:
        columns = boxed.image.shape[1]
        found: list[Detection] = []
        for number, sure, least in self._wanted:
            parts = [
                _level(out[2 * k][0][:, number], out[2 * k + 1][0], stride, -(-columns // stride), least)
                for k, stride in enumerate(_STRIDES)
            ]
            boxes = (np.concatenate([part[0] for part in parts]) / boxed.scale).astype(np.float32)
            scores = np.concatenate([part[1] for part in parts])
            kept = suppress(boxes, scores, 0.5)
            kind, source = (Kind.PERSON, SOURCE) if number == _PERSON else (Kind.OBJECT, CLASSES[number])
            found += detections(kind, boxes[kept], scores[kept], source, sure=sure)
        return found


def _normalised(image: Image) -> Floats:
    """Plane by plane, which costs a tenth of doing it on pixels and turning those into planes."""
    planes = np.empty((1, 3, *image.shape[:2]), np.float32)
    for plane, values, scale, shift in zip(planes[0], cv2.split(image), _SCALE, _SHIFT, strict=True):
        np.multiply(values, scale, out=plane)
        plane += shift
    return planes


def _level(scores: Floats, reg: Floats, stride: int, columns: int, least: float) -> tuple[Floats, Floats]:
    hit = np.flatnonzero(scores > least)
    # Each side's distance is the mean of a distribution over 0..10 strides from the cell's centre.
    logits = reg[hit].reshape(-1, 4, _BINS.size)
    weights = np.exp(logits - logits.max(axis=2, keepdims=True))
    reach = (weights @ _BINS) / weights.sum(axis=2) * stride
    y, x = np.divmod(hit, columns)
    centre = ((np.stack([x, y], axis=1) + 0.5) * stride).astype(np.float32)
    return np.concatenate([centre - reach[:, :2], centre + reach[:, 2:]], axis=1), scores[hit]
