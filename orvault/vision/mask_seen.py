"""Whether what a plan masks is masked in a picture of the output, judged by the picture and not by what painted it.

A mask of any style leaves nothing finer than its cells, and how large these are follows from the region's size
(docs/OPERATIONS.md, "What is masked"; nothing of mask.py is asked). So the luma of each cell is fitted by what its
style lets be there: the one colour (solid), any one colour (mosaic), a plane that bends along its edges (frost, drawn
between the middles of cells). What the fit leaves over is `fineness`: what the encoder and an invisible mark change
where a mask is, and a person's features where none is. It does not look for people: an even wall is coarse, masked or
not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from orvault.video.codec import Image
from orvault.vision.boxes import Floats
from orvault.vision.modes import MaskStyle
from orvault.vision.planning import Box, FramePlan, Polygon

# Levels of luma: with more a region was not masked so. Both populations of each style: docs/perf/2026-11-masking.md.
FINEST = {MaskStyle.SOLID: 11.0, MaskStyle.MOSAIC: 6.0, MaskStyle.FROST: 4.5}
SOLID_LUMA = 36.0  # of the one colour, as the other styles' cells are told here once more
# A cell's side is a power of two, so that no more than MOST_ACROSS fill a region's short side.
LEAST_CELL_PX, MOST_ACROSS = 16, 4
_SIDE = 8  # samples along a cell's side: of a larger one not every pixel is looked at
_LEAST_SAMPLES = 32  # fewer are the rim of a region that lies under others
_LEAST_SHARE = 0.1  # of what a region shows: a visible watermark may lie on the rest

_ACROSS = (np.arange(_SIDE, dtype=np.float32) - (_SIDE - 1) / 2) / _SIDE
# One, x, y and x * y at each of a cell's samples; and each of them times each, for the sums of least squares.
_SHAPES = np.stack(
    [
        np.ones(_SIDE**2),
        np.tile(_ACROSS, _SIDE),
        np.repeat(_ACROSS, _SIDE),
        np.outer(_ACROSS, _ACROSS).ravel(),
    ],
    axis=1,
).astype(np.float32)
_PRODUCTS = (_SHAPES[:, :, None] * _SHAPES[:, None, :]).reshape(-1, 16)
_A_LITTLE = np.eye(4, dtype=np.float32) * np.float32(1e-3)  # so that a cell of a few samples has an answer


@dataclass(frozen=True, slots=True)
class _Region:
    """One that is painted: the rectangle of its cells (pixels, sides even), and its corners if it is no rectangle."""

    box: Box
    corners: Polygon = ()


def fineness(bgr: Image, plan: FramePlan, style: MaskStyle, marked: Sequence[Box] = ()) -> list[float | None]:
    """For each of the plan's boxes, then of its polygons, what is finer there than a mask: levels of luma (RMS).

    None where too little can be seen of it: others lie over it, or `marked`, the places of a visible watermark.
    """
    height, width = bgr.shape[:2]
    regions = [_Region(_even(box, width, height)) for box in plan.boxes]
    regions += [_Region(_round(corners, width, height), corners) for corners in plan.polygons]
    return [_of_region(bgr, regions, number, style, marked) for number in range(len(regions))]


def _even(box: Box, width: int, height: int) -> Box:
    """Outwards to even numbers, for the sake of chroma, and inside the picture."""
    x1, y1, x2, y2 = box
    return max(0, x1) // 2 * 2, max(0, y1) // 2 * 2, min(width, x2 + x2 % 2), min(height, y2 + y2 % 2)


def _round(corners: Polygon, width: int, height: int) -> Box:
    xs, ys = zip(*corners, strict=True)
    return _even((min(xs), min(ys), max(xs) + 1, max(ys) + 1), width, height)


def _of_region(
    bgr: Image, regions: Sequence[_Region], number: int, style: MaskStyle, marked: Sequence[Box]
) -> float | None:
    x1, y1, x2, y2 = box = regions[number].box
    if x1 >= x2 or y1 >= y2:
        return None
    shown = _shown(regions, number)
    own = np.count_nonzero(shown)
    for mark in marked:
        _leave_out(shown, _Region(mark), box)
    if np.count_nonzero(shown) < _LEAST_SHARE * own:
        return None
    cell = _cell_px(box)
    # Frost is even between the middles of cells, a mosaic from edge to edge.
    shift = cell // 2 if style is MaskStyle.FROST else 0
    ys, xs = _places(y1, y2, cell, shift), _places(x1, x2, cell, shift)
    inside = ((y1 <= ys) & (ys < y2))[:, None] & ((x1 <= xs) & (xs < x2))
    ys, xs = np.clip(ys, y1, y2 - 1), np.clip(xs, x1, x2 - 1)
    weights = shown[np.ix_(ys - y1, xs - x1)] & inside
    luma = cv2.cvtColor(bgr[np.ix_(ys, xs)], cv2.COLOR_BGR2GRAY)
    return _rest(_by_cell(np.asarray(luma)), _by_cell(weights), style)


def _cell_px(box: Box) -> int:
    cell = LEAST_CELL_PX
    while cell * MOST_ACROSS < min(box[2] - box[0], box[3] - box[1]):
        cell *= 2
    return cell


def _shown(regions: Sequence[_Region], number: int) -> npt.NDArray[np.uint8]:
    """(h, w) of a region's rectangle: 1 where it is what is seen, 0 outside it and where a later one lies over it."""
    x1, y1, x2, y2 = box = regions[number].box
    if regions[number].corners:
        shown = np.zeros((y2 - y1, x2 - x1), np.uint8)
        cv2.fillPoly(shown, [np.array(regions[number].corners, np.int32) - (x1, y1)], 1)
    else:
        shown = np.ones((y2 - y1, x2 - x1), np.uint8)
    for over in regions[number + 1 :]:
        _leave_out(shown, over, box)
    return shown


def _leave_out(shown: npt.NDArray[np.uint8], over: _Region, box: Box) -> None:
    (x1, y1, x2, y2), (left, top, right, bottom) = over.box, box
    if x1 >= right or x2 <= left or y1 >= bottom or y2 <= top:
        return
    if over.corners:
        cv2.fillPoly(shown, [np.array(over.corners, np.int32) - (left, top)], 0)
    else:
        shown[max(0, y1 - top) : y2 - top, max(0, x1 - left) : x2 - left] = 0


def _places(begin: int, end: int, cell: int, shift: int) -> npt.NDArray[np.int64]:
    """Where the samples of all cells that reach into begin to end lie, along one side; the grid is the picture's."""
    first = (begin - shift) // cell * cell + shift
    step = cell // _SIDE
    return np.arange(first + step // 2, first + -(-(end - first) // cell) * cell, step, dtype=np.int64)


def _by_cell(values: npt.NDArray[np.uint8]) -> Floats:
    """(cells, samples of each), of whole cells side by side."""
    rows, columns = values.shape[0] // _SIDE, values.shape[1] // _SIDE
    cells = values.reshape(rows, _SIDE, columns, _SIDE).swapaxes(1, 2)
    return cells.reshape(rows * columns, _SIDE * _SIDE).astype(np.float32)


def _rest(luma: Floats, weights: Floats, style: MaskStyle) -> float | None:
    """What the style does not explain, as root of the mean square."""
    total = float(weights.sum())
    if total < _LEAST_SAMPLES:
        return None
    rest = weights * (luma - _explained(luma, weights, style))
    return float(np.sqrt(np.square(rest).sum() / total))


def _explained(luma: Floats, weights: Floats, style: MaskStyle) -> Floats | float:
    if style is MaskStyle.SOLID:
        return SOLID_LUMA
    if style is MaskStyle.MOSAIC:
        means: Floats = (weights * luma).sum(axis=1) / np.maximum(weights.sum(axis=1), 1)
        return means[:, None]
    # The least squares of the four parameters of what bends along both sides alone.
    normal = (weights @ _PRODUCTS).reshape(-1, 4, 4) + _A_LITTLE
    fitted = np.linalg.solve(normal, ((weights * luma) @ _SHAPES)[:, :, None])[:, :, 0]
    return np.asarray(fitted @ _SHAPES.T, np.float32)
