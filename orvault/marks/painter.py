"""Puts a copy's mark into the luma of pictures, in place.

It does not choose the copy (custody) nor read marks (trace). Source: docs/format/mark-v1.md, section 4.
"""

from __future__ import annotations

import cv2
import numpy as np

from orvault.marks.chips import COLUMNS, ROWS, Grid, pattern
from orvault.marks.keys import MarkKey
from orvault.video.codec import Luma

FLAT_AMPLITUDE = 1.2  # luma levels on an even wall: a blob of a few pixels that nobody sees
GAIN = 0.12  # levels more per level of texture: what is busy hides more
MAX_AMPLITUDE = 3.5
MAX_RMS = 2.2  # over a picture: a PSNR of 41.3 dB, so that rounding never takes it below 40
REFRESH_90K = 90_000  # texture moves slowly under a fixed camera: looked at again after a second
_STEPS = 16  # of the integer plane per luma level
_ZERO = 128


class MarkPainter:
    """Marks the pictures of one camera in one copy; all of one size.

    The pattern stands still: a fixed camera's coder then pays for it once per keyframe and keeps it, and there is no
    difference between two pictures from which it could be computed (docs/adr/0017).
    """

    def __init__(self, key: MarkKey, width: int, height: int) -> None:
        self._size = (width, height)
        self._pattern = pattern(key)
        self._lighter = np.zeros((height, width), np.uint8)
        self._darker = np.zeros((height, width), np.uint8)
        self._looked_90k: int | None = None

    def paint(self, luma: Luma, pts_90k: int) -> None:
        """Mark one picture, in place; `pts_90k` is its time in the video."""
        if self._looked_90k is None or not 0 <= pts_90k - self._looked_90k < REFRESH_90K:
            self._look(luma)
            self._looked_90k = pts_90k
        cv2.add(luma, self._lighter, dst=luma)
        cv2.subtract(luma, self._darker, dst=luma)

    def _look(self, luma: Luma) -> None:
        """Set the strength of each cell by the texture that hides it."""
        offsets = self._pattern * strength(luma)
        power = self._spread(offsets)
        if power > MAX_RMS**2:
            self._spread(offsets * np.float32(MAX_RMS / np.sqrt(power)))

    def _spread(self, offsets: Grid) -> float:
        """Cell offsets, in luma levels, to pixels; returns their mean square."""
        steps = np.clip(_ZERO + _STEPS * offsets, 0, 255).astype(np.uint8)
        pixels = cv2.resize(steps, self._size, interpolation=cv2.INTER_CUBIC)
        cv2.convertScaleAbs(cv2.subtract(pixels, _ZERO), self._lighter, 1 / _STEPS)  # type: ignore[call-overload] # typed for one kind of array
        cv2.convertScaleAbs(cv2.subtract(_ZERO, pixels), self._darker, 1 / _STEPS)  # type: ignore[call-overload] # typed for one kind of array
        squares = sum(cv2.norm(side, cv2.NORM_L2SQR) for side in (self._lighter, self._darker))
        return float(squares) / pixels.size


def strength(luma: Luma) -> Grid:
    """How many luma levels each cell of this picture takes: (ROWS, COLUMNS)."""
    small = cv2.resize(luma, (2 * COLUMNS, 2 * ROWS), interpolation=cv2.INTER_AREA).astype(np.float32)
    detail = small - cv2.GaussianBlur(small, (0, 0), 1.5)
    texture = np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), 3))
    cells = cv2.resize(texture, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA)
    levels: Grid = np.minimum(FLAT_AMPLITUDE + GAIN * cells, MAX_AMPLITUDE).astype(np.float32)
    return levels
