"""A sheet of picture pairs, before and after masking, for a person to look at.

The left column is unmasked: only for clips that show no real person (the project's synthetic ones).
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from orvault.errors import ErrorKind, OrvaultError
from orvault.video.codec import Image

CELL_WIDTH = 640
_GAP = 8
_PAPER = 245
_TITLES = ("before", "after")
_TITLE_PX = 22


def contact_sheet(rows: Sequence[tuple[Image, Image]]) -> Image:
    """One row for each pair (before, after), each picture (h, w, 3) scaled to 640 pixels in width, under titles.

    BAD_REQUEST without a pair.
    """
    if not rows:
        raise OrvaultError(ErrorKind.BAD_REQUEST, "A contact sheet needs at least one pair of pictures.")
    strips = [_titles(), *(np.hstack([_cell(image) for image in pair]) for pair in rows)]
    sheet = np.vstack([_framed(strip, bottom=_GAP) for strip in strips])
    return np.ascontiguousarray(_framed(sheet, top=_GAP, left=_GAP))


def _cell(image: Image) -> Image:
    height, width = image.shape[:2]
    size = (CELL_WIDTH, max(1, round(height * CELL_WIDTH / width)))
    return _framed(np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8), right=_GAP)


def _titles() -> Image:
    strip = np.full((_TITLE_PX + _GAP, 2 * (CELL_WIDTH + _GAP), 3), _PAPER, np.uint8)
    font = cv2.FontFace("sans")
    for column, title in enumerate(_TITLES):
        origin = (column * (CELL_WIDTH + _GAP), _TITLE_PX)
        cv2.putText(strip, title, origin, (60, 60, 60), font, _TITLE_PX, 600)
    return strip


def _framed(image: Image, *, top: int = 0, bottom: int = 0, left: int = 0, right: int = 0) -> Image:
    return np.pad(image, ((top, bottom), (left, right), (0, 0)), constant_values=_PAPER)
