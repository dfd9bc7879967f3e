"""Covers what was planned: the painting of masks, and the one name from which the rest of the program takes masking.

It finds nobody (detector.py), decides nothing (planning.py) and encodes nothing (rendition.py).
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from orvault.video.codec import Image
from orvault.vision.detection import SKIPPED, FrameDetections
from orvault.vision.modes import MAX_MARGIN, FixedRegion, MaskMode, MaskPolicy, MaskStyle
from orvault.vision.planning import WHOLE, Box, FramePlan, Polygon, plan_regions, plan_tracks

__all__ = [
    "MAX_MARGIN",
    "SKIPPED",
    "SOLID_BGR",
    "WHOLE",
    "Box",
    "FixedRegion",
    "FrameDetections",
    "FramePlan",
    "MaskMode",
    "MaskPolicy",
    "MaskStyle",
    "apply_mask",
    "cell_px",
    "plan_regions",
    "plan_tracks",
]

SOLID_BGR = (40, 36, 34)
_CELLS_ACROSS = 4
_LEAST_CELL_PX = 16
_COLOUR_STEP = 16


def apply_mask(bgr: Image, plan: FramePlan, policy: MaskPolicy) -> None:
    """Cover the plan's regions in `bgr` (h, w, 3), in place.

    A whole picture is always filled solid, whatever the style: a mosaic of a whole room still shows who
    stands where.
    """
    if plan.whole:
        bgr[:] = SOLID_BGR
        return
    height, width = bgr.shape[:2]
    for x1, y1, x2, y2 in plan.boxes:
        box = (max(0, x1), max(0, y1), min(width, x2), min(height, y2))
        if box[0] < box[2] and box[1] < box[3]:
            _cover(bgr, box, policy.style)
    for corners in plan.polygons:
        _cover_polygon(bgr, corners, policy.style)


def _cover_polygon(bgr: Image, corners: Polygon, style: MaskStyle) -> None:
    """The rectangle round it is covered, and what lies outside the polygon put back."""
    height, width = bgr.shape[:2]
    points = np.array(corners, np.int32)
    x1, y1 = np.maximum(points.min(axis=0), 0).tolist()
    x2, y2 = np.minimum(points.max(axis=0) + 1, (width, height)).tolist()
    if x1 >= x2 or y1 >= y2:
        return
    inside = np.zeros((y2 - y1, x2 - x1), np.uint8)
    cv2.fillPoly(inside, [points - (x1, y1)], 1)
    before = bgr[y1:y2, x1:x2].copy()
    _cover(bgr, (x1, y1, x2, y2), style)
    np.copyto(bgr[y1:y2, x1:x2], before, where=(inside == 0)[:, :, None])


def _cover(bgr: Image, box: Box, style: MaskStyle) -> None:
    x1, y1, x2, y2 = box
    if style is MaskStyle.SOLID:
        bgr[y1:y2, x1:x2] = SOLID_BGR
        return
    cell = cell_px(x2 - x1, y2 - y1)
    gx, gy = x1 // cell * cell, y1 // cell * cell
    cells = mosaic_cells(bgr, (gx, gy, x2, y2), cell)
    size = (cells.shape[1] * cell, cells.shape[0] * cell)
    if style is MaskStyle.MOSAIC:
        painted = cv2.resize(cells, size, interpolation=cv2.INTER_NEAREST)
    else:
        # Frost is drawn from the mosaic's cells, never from the picture: a blur alone can be computed
        # backwards.
        smooth = cv2.resize(cells, size, interpolation=cv2.INTER_LINEAR)
        painted = cv2.addWeighted(smooth, 0.7, np.full_like(smooth, 235), 0.3, 0)
    bgr[y1:y2, x1:x2] = painted[y1 - gy : y2 - gy, x1 - gx : x2 - gx]


def cell_px(width: int, height: int) -> int:
    """The side of a mosaic's cells in a region of this size: a power of two, 2 to 4 across its short side."""
    return int(max(_LEAST_CELL_PX, 2 ** math.ceil(math.log2(max(1, min(width, height)) / _CELLS_ACROSS))))


def mosaic_cells(bgr: Image, box: Box, cell: int) -> Image:
    """The mosaic's colours, one per cell of a grid that starts at the box's (aligned) top left corner.

    Why one picture of it cannot be undone: the cells grow with the region, so a head is left as at most 4 x 4 colours
    however near the camera it is (fixed cells would show a near face in full). The grid is fixed to the
    picture and its pitch goes in powers of two, so the jitter of a box over many pictures does not sample a
    still face at shifted points, from which a finer picture could be computed. Colours are rounded to 16
    levels against the small differences that remain. A head that moves over the grid is sampled at shifted
    points: from 200 pictures as much was computed as 5 to 8 pixels across show. A body covered so is still
    recognisable as a body, by its size and gait. Where either matters take SOLID.
    """
    x1, y1, x2, y2 = box
    columns, rows = -(-(x2 - x1) // cell), -(-(y2 - y1) // cell)
    height, width = bgr.shape[:2]
    patch = bgr[y1 : min(height, y1 + rows * cell), x1 : min(width, x1 + columns * cell)]
    down, right = rows * cell - patch.shape[0], columns * cell - patch.shape[1]
    if down or right:
        patch = np.asarray(cv2.copyMakeBorder(patch, 0, down, 0, right, cv2.BORDER_REPLICATE), np.uint8)
    means = cv2.resize(patch, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(means // _COLOUR_STEP * _COLOUR_STEP + _COLOUR_STEP // 2, np.uint8)
