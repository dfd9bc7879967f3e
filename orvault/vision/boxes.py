"""Rectangles in pictures: letterboxing for a model, overlap, non-maximum suppression.

Boxes are float32 arrays (n, 4): x1, y1, x2, y2 in pixels, x2 and y2 exclusive.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from orvault.video.codec import Image

Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.intp]  # row numbers
STRIDE = 32  # every model here halves its input five times


@dataclass(frozen=True, slots=True)
class Letterboxed:
    """A picture scaled into a model's input: `image` (h, w, 3), both multiples of 32; the rest is black."""

    image: Image
    scale: float  # model pixels per picture pixel


def letterbox(bgr: Image, long_side: int) -> Letterboxed:
    """Scale `bgr` so that its longer side is `long_side` pixels and fill up to multiples of 32 with black.

    The picture keeps its shape (a stretched face scores worse) and lies at the top left, so that a box goes
    back to picture pixels by one division.
    """
    height, width = bgr.shape[:2]
    scale = long_side / max(height, width)
    inner_w, inner_h = max(1, round(width * scale)), max(1, round(height * scale))
    canvas = np.zeros((_up(inner_h), _up(inner_w), 3), np.uint8)
    if (inner_w, inner_h) == (width, height):
        canvas[:height, :width] = bgr
    else:
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        canvas[:inner_h, :inner_w] = cv2.resize(bgr, (inner_w, inner_h), interpolation=how)
    return Letterboxed(canvas, scale)


def _up(size: int) -> int:
    return -(-size // STRIDE) * STRIDE


def to_planes(image: Image) -> Floats:
    """(h, w, 3) uint8 -> (1, 3, h, w) float32, values as they are: the input of the face models.

    Plane by plane, which costs a fraction of turning pixels into planes.
    """
    planes = np.empty((1, 3, *image.shape[:2]), np.float32)
    for plane, values in zip(planes[0], cv2.split(image), strict=True):
        plane[:] = values
    return planes


def cell_centres(rows: int, columns: int) -> Floats:
    """(rows*columns, 2): x, y index of each cell of a model's output grid, row by row."""
    y, x = np.divmod(np.arange(rows * columns), columns)
    return np.stack([x, y], axis=1).astype(np.float32)


def overlap(box: Floats, boxes: Floats) -> Floats:
    """Intersection over union of one box (4,) with each of `boxes` (n, 4) -> (n,)."""
    width = np.minimum(box[2], boxes[:, 2]) - np.maximum(box[0], boxes[:, 0])
    height = np.minimum(box[3], boxes[:, 3]) - np.maximum(box[1], boxes[:, 1])
    shared = np.clip(width, 0, None) * np.clip(height, 0, None)
    area = (box[2] - box[0]) * (box[3] - box[1])
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return cast(Floats, shared / np.maximum(area + areas - shared, 1e-6))


def reduced(how: np.ufunc, rows: Floats, firsts: Places, ends: Places) -> Floats:
    """np.maximum or np.minimum of rows firsts[i] up to, without, ends[i] > firsts[i], column by column (n, k)."""
    pairs = np.stack([firsts, ends], axis=1).ravel()
    return cast(Floats, how.reduceat(np.concatenate([rows, rows[-1:]]), pairs, axis=0)[::2])


def suppress(boxes: Floats, scores: Floats, most_overlap: float) -> npt.NDArray[np.intp]:
    """Greedy non-maximum suppression: the indices kept, best score first."""
    order = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while order.size:
        best, order = order[0], order[1:]
        kept.append(int(best))
        order = order[overlap(boxes[best], boxes[order]) <= most_overlap]
    return np.array(kept, dtype=np.intp)
