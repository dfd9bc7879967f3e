"""Small pictures with an alpha channel, prepared once and blended into many pictures: BGR, or the planes of 4:2:0.

Prepared means that one picture costs two passes of OpenCV over the small picture's own area, in bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np
import numpy.typing as npt

from orvault.vision.boxes import Floats

Plane = npt.NDArray[np.uint8]  # (rows, columns), or (rows, columns, 3) where it is a BGR picture


class Space(StrEnum):
    """What is painted on."""

    BGR = "bgr"
    YUV601 = "yuv601"  # planes y, u, v; u and v half as wide and high; limited range
    YUV709 = "yuv709"


_LUMA = {
    Space.YUV601: (0.299, 0.114),
    Space.YUV709: (0.2126, 0.0722),
}  # shares of red and blue (BT.601, BT.709)
Layer = tuple[Plane, Plane]  # what is kept of the picture (0..255 for 0..1), and what is added


@dataclass(frozen=True)
class Sprite:
    """`alpha` (h, w) 0 to 1 and `bgr` (h, w, 3) 0 to 255; both sides even, so that chroma falls on whole samples."""

    alpha: Floats
    bgr: Floats

    def layers(self, space: Space) -> list[Layer]:
        """One layer for each plane of a picture in this space."""
        if space is Space.BGR:
            return [_layer(np.repeat(self.alpha[:, :, None], 3, axis=2), self.bgr)]
        y, u, v = np.moveaxis(yuv_of(self.bgr, space), 2, 0)
        return [_layer(self.alpha, y), *(_layer(self.alpha, plane, halved=True) for plane in (u, v))]


def even(alpha: Floats, bgr: Floats) -> Sprite:
    """The sprite, filled up with nothing at the right and below where a side is odd."""
    down, right = alpha.shape[0] % 2, alpha.shape[1] % 2
    return Sprite(
        np.pad(alpha, ((0, down), (0, right))).astype(np.float32),
        np.pad(bgr, ((0, down), (0, right), (0, 0))).astype(np.float32),
    )


def side_by_side(pieces: Sequence[Sequence[Layer]]) -> list[Layer]:
    """Layers of one picture out of those of pieces that stand from left to right."""
    planes = range(len(pieces[0]))
    return [
        (np.hstack([piece[at][0] for piece in pieces]), np.hstack([piece[at][1] for piece in pieces]))
        for at in planes
    ]


def blend(planes: Sequence[Plane], layers: Sequence[Layer], x: int, y: int) -> None:
    """Blend into a picture at x, y (even; pixels of the first plane), in place."""
    for plane, (keep, add) in zip(planes, layers, strict=True):
        halves = 2 if plane.shape[:2] != planes[0].shape[:2] else 1
        top, left = y // halves, x // halves
        area = plane[top : top + keep.shape[0], left : left + keep.shape[1]]
        cv2.multiply(area, keep, area, 1 / 255)
        cv2.add(area, add, area)


def _layer(alpha: Floats, colour: Floats, *, halved: bool = False) -> Layer:
    add = alpha * colour
    if halved:
        size = (alpha.shape[1] // 2, alpha.shape[0] // 2)
        alpha, add = (_halved(plane, size) for plane in (alpha, add))
    # Rounded so that what is fully kept stays byte for byte, and white on white does not overflow.
    return (np.rint(255 * (1 - alpha)).astype(np.uint8), np.rint(add).astype(np.uint8))


def _halved(plane: Floats, size: tuple[int, int]) -> Floats:
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.float32)


def yuv_of(bgr: Floats, space: Space) -> Floats:
    """(..., 3) blue green red 0 to 255 -> (..., 3) y, u, v in limited range (ITU-R BT.601 and BT.709)."""
    red, blue = _LUMA[space]
    luma = np.array([blue, 1 - red - blue, red])
    of_blue, of_red = (np.array(unit) - luma for unit in ((1, 0, 0), (0, 0, 1)))
    rows = np.stack([219 * luma, 112 * of_blue / (1 - blue), 112 * of_red / (1 - red)]) / 255
    return np.asarray(bgr @ rows.T + np.array([16, 128, 128]), np.float32)
