"""What is left of a picture once the scene is taken off: the plane in which a mark is looked for.

Source: docs/format/mark-v1.md, section 5.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from orvault.marks.chips import COLUMNS, ROWS
from orvault.video.codec import Luma

SAMPLES = 3  # per cell and direction, in a picture that was not cropped
WIDTH, HEIGHT = SAMPLES * COLUMNS, SAMPLES * ROWS
Plane = npt.NDArray[np.float32]
"""(HEIGHT, WIDTH) float32: the whole of the picture that was found, whatever its size."""

_SCENE = 3.0  # samples: what is wider than a cell is the scene
_NEIGHBOURHOOD = 8.0  # samples over which the residue is brought to one strength
_FLOOR = 1.0  # luma levels: what is weaker is noise, and not to be blown up
_CLIP = 2.5


class Residue:
    """Adds pictures up. People pass and noise averages out; the mark stands still."""

    def __init__(self) -> None:
        self.count = 0
        self._sum: Plane = np.zeros((HEIGHT, WIDTH), np.float32)

    def add(self, luma: Luma) -> None:
        """One picture of the video, of any size."""
        larger = luma.shape[1] >= WIDTH and luma.shape[0] >= HEIGHT
        how = cv2.INTER_AREA if larger else cv2.INTER_LINEAR
        small = cv2.resize(luma, (WIDTH, HEIGHT), interpolation=how).astype(np.float32)
        detail = small - cv2.GaussianBlur(small, (0, 0), _SCENE)
        spread = np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), _NEIGHBOURHOOD)) + _FLOOR
        self._sum += np.clip(detail / spread, -_CLIP, _CLIP)
        self.count += 1

    @property
    def plane(self) -> Plane:
        """The sum; its scale means nothing."""
        return self._sum
