"""One drawn picture with a watermark on it, for people who choose one. It shows no camera's picture, ever."""

from __future__ import annotations

import cv2
import numpy as np

from actors.watermarks import marks_of
from orvault.custody.terms import Redaction
from orvault.errors import ErrorKind, OrvaultError
from orvault.video.codec import Image
from orvault.vision.watermark import WatermarkPainter


def preview_png(redaction: Redaction, image: bytes | None, size: tuple[int, int], at_us: int) -> bytes:
    """A PNG of `size` (width, height in pixels) with the watermark as a picture of `at_us` has it.

    Errors: BAD_REQUEST for what does not fit a picture of this size.
    """
    width, height = size
    picture = _background(width, height)
    WatermarkPainter(marks_of(redaction, image), width, height).paint(picture, at_us)
    written, out = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not written:
        raise OrvaultError(ErrorKind.INTERNAL, "A preview could not be written.", where="watermark")
    return out.tobytes()


def _background(width: int, height: int) -> Image:
    """From dark at the left to bright at the right, with a bright and a dark field: does the mark read on all?"""
    levels = np.linspace(30, 215, width, dtype=np.uint8)
    picture = np.repeat(np.tile(levels, (height, 1))[:, :, None], 3, axis=2).copy()
    for share, level in ((0.2, 235), (0.65, 20)):
        left, top = round(share * width), height // 3
        picture[top : top + height // 3, left : left + width // 6] = level
    return picture
