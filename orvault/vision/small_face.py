"""Small faces by CenterFace: finds what is too small for YuNet, masked faces above all; hardly a false one.

Model: Star-Clouds/CenterFace, MIT; a heat map of face centres at a quarter of the input's size (arXiv
1911.03599).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from orvault.video.codec import Image
from orvault.vision.boxes import Floats, Letterboxed, letterbox, suppress, to_planes
from orvault.vision.detection import Detection, Kind, detections
from orvault.vision.session import Session

SOURCE = "centerface"
_HEAT, _LOG_SIZE, _OFFSET = "537", "538", "539"  # the model's own output names; 540 (landmarks) is not needed
_STRIDE = 4
_MOST_LOG_SIZE = 8.0


class SmallFaceDetector:
    """FACE boxes; `long_side` in model pixels, scores 0..1.

    Below `least_score`, down to `faint_score`, they are faint.
    """

    def __init__(
        self,
        session: Session,
        long_side: int = 640,
        least_score: float = 0.3,
        *,
        faint_score: float | None = None,
    ) -> None:
        self._session = session
        self._long_side = long_side
        self._sure = least_score
        self._least = least_score if faint_score is None else faint_score

    def detect(self, bgr: Image) -> list[Detection]:
        """The faces in one picture, boxes in its pixels."""
        return self.detect_each([bgr])[0]

    def detect_each(self, pictures: Sequence[Image]) -> list[list[Detection]]:
        """`detect` for each of these pictures."""
        boxed = [letterbox(bgr, self._long_side) for bgr in pictures]
        planes = [to_planes(each.image) for each in boxed]
        outs = self._session.run_each([_HEAT, _LOG_SIZE, _OFFSET], planes)
        return [self._read(each, *out) for each, out in zip(boxed, outs, strict=True)]

    def _read(self, boxed: Letterboxed, heat: Floats, log_size: Floats, offset: Floats) -> list[Detection]:
        y, x = np.nonzero(heat[0, 0] > self._least)
        # Sizes and offsets come as (vertical, horizontal); offsets in cells, sizes as logarithms of cells.
        half = np.exp(np.minimum(log_size[0][::-1, y, x].T, _MOST_LOG_SIZE)) * (_STRIDE / 2)
        centre = (np.stack([x, y], axis=1) + offset[0][::-1, y, x].T + 0.5) * _STRIDE
        boxes = (np.concatenate([centre - half, centre + half], axis=1) / boxed.scale).astype(np.float32)
        scores = heat[0, 0, y, x]
        kept = suppress(boxes, scores, 0.3)
        return detections(Kind.FACE, boxes[kept], scores[kept], SOURCE, sure=self._sure)
