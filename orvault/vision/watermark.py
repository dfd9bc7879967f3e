"""A visible text in the picture that says whose copy it is.

Drawn once and blended into its own box of every picture. The invisible mark that traces a leak is not made
here.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np
import numpy.typing as npt

from orvault.errors import ErrorKind, OrvaultError
from orvault.video.codec import Image
from orvault.vision.boxes import Floats

MAX_CHARACTERS = 120
_FONT = (
    "sans"  # OpenCV's own; where it has no glyph (Korean, Chinese, Japanese), OpenCV takes its built-in "uni"
)
_WEIGHT = 500
_HEIGHT_SHARE = 0.032  # of the picture's height
_LEAST_PX, _USUAL_LEAST_PX = 11, 16  # smaller text does not survive the encoder
_TEXT_BGR, _RIM_BGR = (255, 255, 255), (0, 0, 0)
_REPLACEMENT = "?"  # what OpenCV draws for a character that its fonts lack


class Corner(StrEnum):
    """Where the text stands."""

    TOP_LEFT = "top-left"
    TOP_RIGHT = "top-right"
    BOTTOM_LEFT = "bottom-left"
    BOTTOM_RIGHT = "bottom-right"
    CENTRE = "centre"


@dataclass(frozen=True)
class TextWatermark:
    """One line of any script that OpenCV's fonts draw, its place, and its opacity (0.1 to 1).

    BAD_REQUEST: empty, longer than 120 characters, control characters or line breaks, or an opacity outside
    its range.
    """

    text: str
    position: Corner = Corner.BOTTOM_RIGHT
    opacity: float = 0.75

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise _bad("The text is empty.", "Write what the picture shall say, or ask for no watermark.")
        if len(self.text) > MAX_CHARACTERS:
            raise _bad(f"The text has {len(self.text)} characters.", f"At most {MAX_CHARACTERS} are drawn.")
        if any(unicodedata.category(c)[0] == "C" for c in self.text):
            raise _bad("The text holds a control character or a line break.", "Write it as one plain line.")
        if not 0.1 <= self.opacity <= 1:
            raise _bad(f"An opacity of {self.opacity} is not possible.", "Take 0.1 (faint) to 1 (solid).")


def _bad(message: str, advice: str) -> OrvaultError:
    return OrvaultError(ErrorKind.BAD_REQUEST, message, where="watermark", advice=advice)


def check_watermark(text: str, width: int, height: int) -> None:
    """BAD_REQUEST, with the reason, unless this text can be drawn into pictures of this size (pixels)."""
    WatermarkPainter(TextWatermark(text), width, height)


class WatermarkPainter:
    """Blends one watermark into pictures of one size; `.box` is where: x1, y1, x2, y2, x2 and y2 exclusive.

    White with a black rim, so that it reads on bright and dark alike. The text is 3.2 % of the picture's
    height, and smaller if it would not fit; BAD_REQUEST if it does not fit at 11 pixels, or holds a character
    without a glyph.
    """

    def __init__(self, watermark: TextWatermark, width: int, height: int) -> None:
        text = unicodedata.normalize("NFC", watermark.text.strip())
        font = cv2.FontFace(_FONT)
        _check_glyphs(text, font)
        alpha, ink = _drawn(text, font, width, height)
        rows, columns = alpha.shape
        edge = max(4, round(0.02 * height))
        x, y = _place(watermark.position, (width, height), (columns, rows), edge)
        self.box = (x, y, x + columns, y + rows)
        share = alpha[:, :, None] * watermark.opacity
        colour = np.array(_RIM_BGR) + (np.array(_TEXT_BGR) - _RIM_BGR) * ink[:, :, None]
        self._keep: Floats = (1 - share).astype(np.float32)
        self._add: Floats = (share * colour + 0.5).astype(np.float32)  # 0.5: the cast below cuts off

    def paint(self, bgr: Image) -> None:
        """Blend the text into one picture (h, w, 3), in place; nothing outside `.box` is touched."""
        x1, y1, x2, y2 = self.box
        area = bgr[y1:y2, x1:x2]
        np.copyto(area, area * self._keep + self._add, casting="unsafe")


def _drawn(text: str, font: cv2.FontFace, width: int, height: int) -> tuple[Floats, Floats]:
    """Coverage (text and rim) and ink (text alone), (rows, columns) 0..1, at the largest size that fits."""
    most_w, most_h = 0.94 * width, 0.9 * height
    size = max(_USUAL_LEAST_PX, round(_HEIGHT_SHARE * height))
    while size >= _LEAST_PX:
        ink = _ink(text, font, size)
        if ink.shape[1] <= most_w and ink.shape[0] <= most_h:
            rim = cv2.dilate(ink, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_rim(size) * 2 + 1,) * 2))
            coverage = np.maximum(cv2.GaussianBlur(rim, (3, 3), 0), ink)
            return (coverage / 255).astype(np.float32), (ink / 255).astype(np.float32)
        # Straight to the size that fits, and at least one pixel down, so that the loop ends.
        size = min(size - 1, int(size * most_w / ink.shape[1]))
    raise _bad(
        f"A text of {len(text)} characters does not fit a picture {width} pixels wide.", "Shorten the text."
    )


def _rim(size: int) -> int:
    return max(1, round(size / 12))


def _ink(text: str, font: cv2.FontFace, size: int) -> npt.NDArray[np.uint8]:
    """The text in white on black (rows, columns) uint8, with room for its rim."""
    wide_open = (0, 1 << 20)  # without a range, OpenCV breaks the line at the picture's edge
    flags = cv2.PUT_TEXT_ALIGN_LEFT
    x, y, w, h = cv2.getTextSize((0, 0), text, (0, 0), font, size, _WEIGHT, flags, wide_open)
    room = _rim(size) + 2
    canvas = np.zeros((h + 2 * room, w + 2 * room, 3), np.uint8)
    cv2.putText(canvas, text, (room - x, room - y), (255, 255, 255), font, size, _WEIGHT, flags, wide_open)
    return np.ascontiguousarray(canvas[:, :, 0])


def _check_glyphs(text: str, font: cv2.FontFace) -> None:
    """Refuse what the fonts do not hold: OpenCV would draw a stand-in, and a name would be wrong in court."""
    missing = _ink(_REPLACEMENT, font, 24)
    for character in sorted(set(text) - {" ", "?"}):
        drawn = _ink(character, font, 24)
        if drawn.shape == missing.shape and np.array_equal(drawn, missing):
            raise _bad(f"The character {character!r} cannot be drawn.", "Leave it out or write it otherwise.")


def _place(position: Corner, picture: tuple[int, int], box: tuple[int, int], edge: int) -> tuple[int, int]:
    (width, height), (columns, rows) = picture, box
    if position is Corner.CENTRE:
        return (width - columns) // 2, (height - rows) // 2
    left = position in (Corner.TOP_LEFT, Corner.BOTTOM_LEFT)
    top = position in (Corner.TOP_LEFT, Corner.TOP_RIGHT)
    x = edge if left else width - columns - edge
    y = edge if top else height - rows - edge
    return max(0, min(x, width - columns)), max(0, min(y, height - rows))
