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
    """Adds pictures up. People pass and noise averages out; the mark stands still.

    Keyframes are added up for themselves too. Where a whole picture moves, a coder carries the mark along with what
    moves and drops what would put it right; only its keyframes still show the mark where it was painted.
    """

    def __init__(self) -> None:
        self.count = 0
        self._regular: Plane = np.zeros((HEIGHT, WIDTH), np.float32)
        self._keyframes: Plane = np.zeros((HEIGHT, WIDTH), np.float32)

    def add(self, luma: Luma, *, regular: bool = True, keyframe: bool = False) -> None:
        """One picture of the video, of any size; `regular`: one of those at even distances, which `count` counts."""
        detail = _detail(luma)
        if regular:
            self._regular += detail
            self.count += 1
        if keyframe:
            self._keyframes += detail

    @property
    def plane(self) -> Plane:
        """Both sums at one strength, however many pictures each is of; the plane's scale means nothing."""
        return _unit(self._regular) + _unit(self._keyframes)


def _detail(luma: Luma) -> Plane:
    """What of a picture is finer than the scene, everywhere about as strong."""
    larger = luma.shape[1] >= WIDTH and luma.shape[0] >= HEIGHT
    how = cv2.INTER_AREA if larger else cv2.INTER_LINEAR
    small = cv2.resize(luma, (WIDTH, HEIGHT), interpolation=how).astype(np.float32)
    detail = small - cv2.GaussianBlur(small, (0, 0), _SCENE)
    spread = np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), _NEIGHBOURHOOD)) + _FLOOR
    return np.clip(detail / spread, -_CLIP, _CLIP).astype(np.float32)


def _unit(total: Plane) -> Plane:
    """With a root mean square of 1; nothing stays nothing."""
    power = float(np.sqrt(np.mean(np.square(total))))
    return total / np.float32(power) if power > 0 else total
