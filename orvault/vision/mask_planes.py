"""Covers what was planned in the planes of a 4:2:0 picture, so that a rendition need not turn its colours twice.

The same masks as `mask.apply_mask` paints on BGR pictures (a test holds the two together); boxes are rounded outwards
to even pixels, because chroma has a sample for two.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from orvault.video.codec import Luma
from orvault.vision.blending import Space, yuv_of
from orvault.vision.mask import SOLID_BGR, cell_px, mosaic_cells
from orvault.vision.modes import MaskPolicy, MaskStyle
from orvault.vision.planning import Box, FramePlan, Polygon

_FROST_BGR = (235, 235, 235)
_FROST = 0.3  # of it, over the mosaic


def apply_mask_planes(
    planes: Iterable[Luma], plan: FramePlan, policy: MaskPolicy, *, bt709: bool = False
) -> None:
    """Cover the plan's regions in y (h, w), u and v (h/2, w/2), in place. A whole picture is always filled solid."""
    painter = _Painter(planes, policy.style, Space.YUV709 if bt709 else Space.YUV601)
    height, width = painter.size
    if plan.whole:
        painter.fill((0, 0, width, height))
        return
    for box in plan.boxes:
        painter.cover(_even(box, width, height))
    for corners in plan.polygons:
        painter.cover_polygon(corners, width, height)


def _even(box: Box, width: int, height: int) -> Box:
    """Outwards to even numbers, and inside the picture (whose sides are even)."""
    x1, y1, x2, y2 = box
    return (
        max(0, x1) // 2 * 2,
        max(0, y1) // 2 * 2,
        min(width, x2 + x2 % 2),
        min(height, y2 + y2 % 2),
    )


class _Painter:
    """Paints one style on one picture's planes; boxes in pixels of luma, even."""

    def __init__(self, planes: Iterable[Luma], style: MaskStyle, space: Space) -> None:
        self._planes = [(plane, 1 if index == 0 else 2) for index, plane in enumerate(planes)]
        self.size = self._planes[0][0].shape
        self._style = style
        self._solid = yuv_of(np.array(SOLID_BGR, np.float32), space).round().tolist()
        self._frost = yuv_of(np.array(_FROST_BGR, np.float32), space).tolist()

    def fill(self, box: Box) -> None:
        for (plane, scale), value in zip(self._planes, self._solid, strict=True):
            x1, y1, x2, y2 = (side // scale for side in box)
            plane[y1:y2, x1:x2] = value

    def cover(self, box: Box) -> None:
        x1, y1, x2, y2 = box
        if x1 >= x2 or y1 >= y2:
            return
        if self._style is MaskStyle.SOLID:
            self.fill(box)
            return
        cell = cell_px(x2 - x1, y2 - y1)
        for (plane, scale), frost in zip(self._planes, self._frost, strict=True):
            self._hide(plane, (x1 // scale, y1 // scale, x2 // scale, y2 // scale), cell // scale, frost)

    def _hide(self, plane: Luma, box: Box, cell: int, frost: float) -> None:
        x1, y1, x2, y2 = box
        gx, gy = x1 // cell * cell, y1 // cell * cell
        cells = mosaic_cells(plane, (gx, gy, x2, y2), cell)
        size = (cells.shape[1] * cell, cells.shape[0] * cell)
        if self._style is MaskStyle.MOSAIC:
            painted = cv2.resize(cells, size, interpolation=cv2.INTER_NEAREST)
        else:
            smooth = cv2.resize(cells, size, interpolation=cv2.INTER_LINEAR)
            painted = cv2.convertScaleAbs(smooth, alpha=1 - _FROST, beta=_FROST * frost)
        plane[y1:y2, x1:x2] = painted[y1 - gy : y2 - gy, x1 - gx : x2 - gx]

    def cover_polygon(self, corners: Polygon, width: int, height: int) -> None:
        """The rectangle round it is covered, and what lies outside the polygon put back."""
        points = np.array(corners, np.int32)
        low, high = points.min(axis=0).tolist(), points.max(axis=0).tolist()
        box = _even((low[0], low[1], high[0] + 1, high[1] + 1), width, height)
        x1, y1, x2, y2 = box
        if x1 >= x2 or y1 >= y2:
            return
        inside = np.zeros((y2 - y1, x2 - x1), np.uint8)
        cv2.fillPoly(inside, [points - (x1, y1)], 1)
        areas = [plane[y1 // scale : y2 // scale, x1 // scale : x2 // scale] for plane, scale in self._planes]
        before = [area.copy() for area in areas]
        self.cover(box)
        # A sample of chroma is covered where any of its four pixels is.
        coarse = inside.reshape(inside.shape[0] // 2, 2, inside.shape[1] // 2, 2).max(axis=(1, 3))
        for area, old, covered in zip(areas, before, (inside, coarse, coarse), strict=True):
            np.copyto(area, old, where=covered == 0)
