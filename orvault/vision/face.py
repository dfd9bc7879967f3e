"""Faces by YuNet (2023mar): fast, good on faces that fill some tens of pixels, bare or masked.

Model: OpenCV Zoo, MIT; anchor-free, score = sqrt(class * objectness), centre and log size relative to the
cell.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from orvault.video.codec import Image
from orvault.vision.boxes import Floats, Letterboxed, cell_centres, letterbox, suppress, to_planes
from orvault.vision.detection import Detection, Kind, detections
from orvault.vision.session import Session

SOURCE = "yunet"
_STRIDES = (8, 16, 32)
_MOST_LOG_SIZE = 8.0  # e^8 cells is larger than any picture: bounds the exponential of a wild output


class FaceDetector:
    """FACE boxes; `long_side` in model pixels (0: the picture's own size), scores 0..1.

    Below `least_score`, down to `faint_score`, they are faint.
    """

    def __init__(
        self,
        session: Session,
        long_side: int = 1280,
        least_score: float = 0.5,
        *,
        faint_score: float | None = None,
    ) -> None:
        self._session = session
        self._long_side = long_side
        self._sure = least_score
        self._least = least_score if faint_score is None else faint_score
        self._outputs = [f"{part}_{stride}" for stride in _STRIDES for part in ("cls", "obj", "bbox")]

    def detect(self, bgr: Image) -> list[Detection]:
        """The faces in one picture, boxes in its pixels."""
        return self.detect_each([bgr])[0]

    def detect_each(self, pictures: Sequence[Image]) -> list[list[Detection]]:
        """`detect` for each of these pictures."""
        return [detections(Kind.FACE, *found, SOURCE, sure=self._sure) for found in self._find_each(pictures)]

    def find(self, bgr: Image) -> tuple[Floats, Floats]:
        """Boxes (n, 4) and scores (n,): the same as `detect`, for callers that go on calculating."""
        return self._find_each([bgr])[0]

    def _find_each(self, pictures: Sequence[Image]) -> list[tuple[Floats, Floats]]:
        boxed = [letterbox(bgr, self._long_side or max(bgr.shape[:2])) for bgr in pictures]
        outs = self._session.run_each(self._outputs, [to_planes(each.image) for each in boxed])
        return [self._read(each, out) for each, out in zip(boxed, outs, strict=True)]

    def _read(self, boxed: Letterboxed, out: list[Floats]) -> tuple[Floats, Floats]:
        rows, columns = boxed.image.shape[:2]
        parts = [
            self._level(
                out[3 * k][0], out[3 * k + 1][0], out[3 * k + 2][0], stride, rows // stride, columns // stride
            )
            for k, stride in enumerate(_STRIDES)
        ]
        boxes = (np.concatenate([part[0] for part in parts]) / boxed.scale).astype(np.float32)
        scores = np.concatenate([part[1] for part in parts])
        kept = suppress(boxes, scores, 0.3)
        return boxes[kept], scores[kept]

    def _level(
        self, cls: Floats, obj: Floats, bbox: Floats, stride: int, rows: int, columns: int
    ) -> tuple[Floats, Floats]:
        scores: Floats = np.sqrt(np.clip(cls[:, 0], 0, 1) * np.clip(obj[:, 0], 0, 1))
        hit = np.flatnonzero(scores > self._least)
        centre = (cell_centres(rows, columns)[hit] + bbox[hit, :2]) * stride
        half = np.exp(np.minimum(bbox[hit, 2:], _MOST_LOG_SIZE)) * (stride / 2)
        return np.concatenate([centre - half, centre + half], axis=1).astype(np.float32), scores[hit]
