"""What of a picture of the output is masked: planned, and seen to be there (mask_seen.py measures that)."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from orvault.video.codec import Image
from orvault.vision.mask import SOLID_BGR, Box, FramePlan, MaskPolicy, MaskStyle
from orvault.vision.mask_seen import FINEST, fineness
from orvault.vision.planning import Polygon

_NEAR = 40  # levels of a channel: what the encoder and an invisible mark change of a solid colour


def covered_pixels(
    bgr: Image, plan: FramePlan, policy: MaskPolicy, marked: Sequence[Box] = ()
) -> tuple[npt.NDArray[np.bool_], list[Box]]:
    """(h, w): which pixels are masked in a picture of the output; and the masks that the plan has and it has not.

    Where a plan has a region and the picture is no finer there than the style lets it be; where the style has one
    colour, the pixels that show it. So a mask that was planned and not painted covers nothing, nor does a mosaic of
    which nothing can be judged, because a visible watermark lies on it.
    """
    height, width = bgr.shape[:2]
    if plan.whole:
        return _in_one_colour(bgr), []
    covered, missing = np.zeros((height, width), bool), list[Box]()
    regions: list[tuple[Box, Polygon]] = [
        *((box, ()) for box in plan.boxes),
        *((_round_it(corners), corners) for corners in plan.polygons),
    ]
    solid = policy.style is MaskStyle.SOLID
    judged = fineness(bgr, plan, policy.style, marked)
    for (box, corners), fine in zip(regions, judged, strict=True):
        if fine is not None and fine > FINEST[policy.style]:
            missing.append(box)
        elif fine is None and not solid:
            continue
        elif corners:
            _fill_polygon(covered, corners)
        else:
            _fill_box(covered, box)
    if solid:
        covered &= _in_one_colour(bgr)
    return covered, missing


def _in_one_colour(bgr: Image) -> npt.NDArray[np.bool_]:
    low, high = (np.clip(np.array(SOLID_BGR) + by, 0, 255) for by in (-_NEAR, _NEAR))
    return np.asarray(cv2.inRange(bgr, low, high), np.uint8) > 0


def _round_it(corners: Polygon) -> Box:
    xs, ys = zip(*corners, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def pixels_of(boxes: Sequence[Box], shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """(h, w): those inside any of the boxes."""
    mask = np.zeros(shape, bool)
    for box in boxes:
        _fill_box(mask, box)
    return mask


def _fill_box(mask: npt.NDArray[np.bool_], box: Box) -> None:
    x1, y1, x2, y2 = box
    mask[max(0, y1) : y2, max(0, x1) : x2] = True


def _fill_polygon(mask: npt.NDArray[np.bool_], corners: Sequence[tuple[int, int]]) -> None:
    filled = np.zeros(mask.shape, np.uint8)
    cv2.fillPoly(filled, [np.array(corners, np.int32)], 1)
    mask |= filled > 0
