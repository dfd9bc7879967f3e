"""Letters for the visible watermark: one font of the repository's own, each character drawn as itself or refused.

Where the letters stand and how they are blended is watermark.py's business.
"""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from orvault.errors import ErrorKind, OrvaultError
from orvault.vision.boxes import Floats

FONTS = Path(__file__).with_name("fonts")
FONT_FILE = "NanumBarunGothicBold.ttf"  # why this one: fonts/README.md
_WEIGHT = 500  # of OpenCV's built-in font, which draws what ours lacks
_FLAGS = cv2.PUT_TEXT_ALIGN_LEFT
_WIDE_OPEN = (0, 1 << 20)  # without a range, OpenCV breaks the line at the picture's edge
_REPLACEMENT = "?"  # what OpenCV draws for a character that its fonts lack
_ABOVE, _BELOW = 1.15, 0.4  # of the size: room for accents and tails around the baseline
_CHECKED_AT_PX = 24


@dataclass(frozen=True)
class Letters:
    """A piece of text as shares 0 to 1, both (rows, columns): `ink` the letters, `coverage` letters and rim."""

    ink: Floats
    coverage: Floats


def draw(text: str, size_px: int, *, tight: bool = False) -> Letters:
    """One line; the rows depend on the size alone, so that pieces of a line can stand side by side.

    `tight`: with hardly any room at the sides, for single characters of a word.
    """
    ink = _ink(text, size_px)
    shape = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (rim_px(size_px) * 2 + 1,) * 2)
    coverage = np.maximum(cv2.GaussianBlur(cv2.dilate(ink, shape), (3, 3), 0), ink)
    spare = _room_px(size_px) - (rim_px(size_px) + 1) // 2 if tight else 0
    kept = slice(spare, ink.shape[1] - spare)
    return Letters((ink[:, kept] / 255).astype(np.float32), (coverage[:, kept] / 255).astype(np.float32))


def rim_px(size_px: int) -> int:
    """How far the black rim reaches round letters of this size."""
    return max(1, round(size_px / 12))


def _room_px(size_px: int) -> int:
    return rim_px(size_px) + 2


def check_glyphs(text: str) -> None:
    """BAD_REQUEST for a character without a shape: OpenCV would draw a stand-in, and a name would be wrong."""
    missing = _ink(_REPLACEMENT, _CHECKED_AT_PX)
    for character in sorted(set(text) - {" ", _REPLACEMENT}):
        drawn = _ink(character, _CHECKED_AT_PX)
        if unicodedata.category(character)[0] in "CM" or _alike(drawn, missing):
            raise OrvaultError(
                ErrorKind.BAD_REQUEST,
                f"The character {character!r} (U+{ord(character):04X}) cannot be drawn.",
                where="watermark",
                advice="Leave it out or write it otherwise.",
            )


def _alike(one: npt.NDArray[np.uint8], other: npt.NDArray[np.uint8]) -> bool:
    return one.shape == other.shape and np.array_equal(one, other)


def _ink(text: str, size_px: int) -> npt.NDArray[np.uint8]:
    """The text in white on black (rows, columns), with room for its rim."""
    x, _, width, _ = cv2.getTextSize((0, 0), text, (0, 0), _font(), size_px, _WEIGHT, _FLAGS, _WIDE_OPEN)
    room = _room_px(size_px)
    above, below = round(_ABOVE * size_px), round(_BELOW * size_px)
    canvas = np.zeros((above + below + 2 * room, width + 2 * room, 3), np.uint8)
    origin = (room - x, room + above)
    cv2.putText(canvas, text, origin, (255, 255, 255), _font(), size_px, _WEIGHT, _FLAGS, _WIDE_OPEN)
    return np.ascontiguousarray(canvas[:, :, 0])


@cache
def _font() -> cv2.FontFace:
    path = FONTS / FONT_FILE
    try:
        wanted = (FONTS / "SHA256SUMS").read_text(encoding="ascii").split()[0]
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except (OSError, UnicodeDecodeError, IndexError) as error:
        raise _bad_font("cannot be read") from error
    if found != wanted:
        raise _bad_font("is not the one of SHA256SUMS")
    return cv2.FontFace(str(path))


def _bad_font(why: str) -> OrvaultError:
    return OrvaultError(
        ErrorKind.BAD_MODEL,
        f"The watermark's font {why}.",
        where=FONT_FILE,
        advice="Install this version again from a trusted release.",
    )
