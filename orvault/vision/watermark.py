"""The visible watermark: a text, an image, or both, that say in each picture whose copy it is.

Drawn once; a picture costs the blending of its own area. The invisible mark that traces a leak is not made here.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import cv2
import numpy as np

from orvault.errors import ErrorKind, OrvaultError
from orvault.video.codec import Image
from orvault.vision.blending import Layer, Plane, Space, Sprite, blend, even, side_by_side
from orvault.vision.boxes import Floats
from orvault.vision.frame_time import TIME_CHARACTERS, TIME_FIELD, frame_time
from orvault.vision.lettering import check_glyphs, draw

MAX_CHARACTERS = 160  # as drawn, the time not counted
TEXT_SIZES, IMAGE_SIZES = (0.015, 0.2), (0.02, 0.6)
_TEXT_SIZE, _IMAGE_SIZE = 0.032, 0.12
_LEAST_PX, _USUAL_LEAST_PX = 11, 16  # smaller text does not survive the encoder
_MOST_WIDE, _MOST_HIGH = 0.94, 0.9  # of the picture
_EDGE = 0.02  # of the picture's height
_MOST_ACROSS = 16  # marks of a tiling, in each direction


class Anchor(StrEnum):
    """Where a mark stands."""

    TOP_LEFT = "top-left"
    TOP = "top"
    TOP_RIGHT = "top-right"
    LEFT = "left"
    CENTRE = "centre"
    RIGHT = "right"
    BOTTOM_LEFT = "bottom-left"
    BOTTOM = "bottom"
    BOTTOM_RIGHT = "bottom-right"


@dataclass(frozen=True)
class TextWatermark:
    """One line of text; `{time}` in it is each picture's own date and time at `utc_offset_min` from UTC.

    `opacity` 0.1 to 1; `size`: letter height as a share of the picture's height (0.015 to 0.2; None: 0.032 and at
    least 16 pixels), less where the line would not fit; `at`: shares of the free room from left and top, instead of
    the anchor; `tiled`: over the whole picture. BAD_REQUEST: empty, over 160 characters, control characters or line
    breaks, the time twice, or a number outside its range.
    """

    text: str
    position: Anchor = Anchor.BOTTOM_RIGHT
    opacity: float = 0.75
    size: float | None = None
    at: tuple[float, float] | None = None
    tiled: bool = False
    utc_offset_min: int = 0

    def __post_init__(self) -> None:
        plain = self.text.replace(TIME_FIELD, "", 1)
        if not self.text.strip():
            raise _bad("The text is empty.", "Write what the picture shall say, or ask for no text.")
        if len(plain) > MAX_CHARACTERS:
            raise _bad(f"The text has {len(plain)} characters.", f"At most {MAX_CHARACTERS} are drawn.")
        if any(unicodedata.category(c)[0] == "C" for c in self.text):
            raise _bad("The text holds a control character or a line break.", "Write it as one plain line.")
        if TIME_FIELD in plain:
            raise _bad(f"The text holds {TIME_FIELD} twice.", "Name it once.")
        if not -14 * 60 <= self.utc_offset_min <= 14 * 60:
            raise _bad("The time's offset from UTC is not possible.", "Take -840 to 840 minutes.")
        _check_place(self, TEXT_SIZES)


@dataclass(frozen=True)
class ImageWatermark:
    """A picture with alpha, (h, w, 4) uint8 blue green red alpha; `size`: its width as a share of the picture's
    (0.02 to 0.6; None: 0.12). The rest as for a text.
    """

    bgra: Image = field(repr=False)
    position: Anchor = Anchor.TOP_LEFT
    opacity: float = 0.75
    size: float | None = None
    at: tuple[float, float] | None = None
    tiled: bool = False

    def __post_init__(self) -> None:
        _check_place(self, IMAGE_SIZES)


Mark = TextWatermark | ImageWatermark


def _check_place(mark: Mark, sizes: tuple[float, float]) -> None:
    if not 0.1 <= mark.opacity <= 1:
        raise _bad(f"An opacity of {mark.opacity} is not possible.", "Take 0.1 (faint) to 1 (solid).")
    if mark.size is not None and not sizes[0] <= mark.size <= sizes[1]:
        raise _bad("The size is not possible.", f"Take {sizes[0]:.1%} to {sizes[1]:.0%} of the picture.")
    if mark.at is not None and not all(0 <= share <= 1 for share in mark.at):
        raise _bad("The place lies outside the picture.", "Take 0 to 100 % of its width and height.")
    if mark.at is not None and mark.tiled:
        raise _bad("A tiled mark has no place of its own.", "Leave out the place, or the tiling.")


def _bad(message: str, advice: str) -> OrvaultError:
    return OrvaultError(ErrorKind.BAD_REQUEST, message, where="watermark", advice=advice)


class WatermarkPainter:
    """Blends marks, the first lowest, into pictures of one size.

    `.box` holds all `.boxes`: x1, y1, x2, y2, x2 and y2 exclusive. BAD_REQUEST if a text does not fit at 11 pixels,
    or holds a character without a glyph. Text is white with a black rim: it reads on bright and dark alike.
    """

    def __init__(self, marks: Mark | Sequence[Mark], width: int, height: int) -> None:
        several = [marks] if isinstance(marks, TextWatermark | ImageWatermark) else list(marks)
        self._placed = [_Placed(mark, width, height) for mark in several]
        self.boxes = tuple(box for placed in self._placed for box in placed.boxes)
        x1, y1 = np.array(self.boxes)[:, :2].min(axis=0)
        x2, y2 = np.array(self.boxes)[:, 2:].max(axis=0)
        self.box = (int(x1), int(y1), int(x2), int(y2))

    def paint(self, bgr: Image, taken_us: int | None = None) -> None:
        """Into one picture (h, w, 3), in place; nothing outside `.box` is touched.

        `taken_us`: when it was taken, UTC microseconds; a text with the time cannot do without (INTERNAL).
        """
        self._paint([bgr], Space.BGR, taken_us)

    def paint_planes(self, planes: Iterable[Plane], taken_us: int | None, *, bt709: bool = False) -> None:
        """Into the planes y, u, v of one 4:2:0 picture, in place."""
        self._paint(list(planes), Space.YUV709 if bt709 else Space.YUV601, taken_us)

    def _paint(self, planes: Sequence[Plane], space: Space, taken_us: int | None) -> None:
        for placed in self._placed:
            layers = placed.look.layers(space, taken_us)
            for x, y in placed.spots:
                blend(planes, layers, x, y)


class _Look(Protocol):
    """What a mark looks like: `size` columns and rows, and its layers in a picture taken at a time."""

    size: tuple[int, int]

    def layers(self, space: Space, taken_us: int | None) -> list[Layer]: ...


class _Fixed:
    """The same in all pictures."""

    def __init__(self, sprite: Sprite) -> None:
        self.size = (sprite.alpha.shape[1], sprite.alpha.shape[0])
        self._sprite = sprite
        self._layers: dict[Space, list[Layer]] = {}

    def layers(self, space: Space, taken_us: int | None) -> list[Layer]:
        del taken_us
        if space not in self._layers:
            self._layers[space] = self._sprite.layers(space)
        return self._layers[space]


class _Timed:
    """A text with the picture's time in it: the time's characters are drawn once, put together for each picture."""

    def __init__(self, mark: TextWatermark, size_px: int) -> None:
        self._offset_min = mark.utc_offset_min
        before, after = (_normal(part) for part in mark.text.split(TIME_FIELD, 1))
        self._ends = [_Fixed(_text_sprite(part, size_px, mark.opacity)) for part in (before, after) if part]
        self._starts_with_time = not before
        self._characters = {
            character: _Fixed(_text_sprite(character, size_px, mark.opacity, tight=True))
            for character in TIME_CHARACTERS
        }
        example = [self._characters[character].size[0] for character in frame_time(0, self._offset_min)]
        rows = self._characters["0"].size[1]
        self.size = (sum(example) + sum(end.size[0] for end in self._ends), rows)

    def layers(self, space: Space, taken_us: int | None) -> list[Layer]:
        if taken_us is None:
            raise OrvaultError(ErrorKind.INTERNAL, "A watermark with the time got a picture without one.")
        time = [self._characters[character] for character in frame_time(taken_us, self._offset_min)]
        at = 0 if self._starts_with_time else 1
        pieces = [*self._ends[:at], *time, *self._ends[at:]]
        return side_by_side([piece.layers(space, None) for piece in pieces])


class _Placed:
    """A mark's look and the places where it stands, all of them even."""

    def __init__(self, mark: Mark, width: int, height: int) -> None:
        self.look: _Look
        if isinstance(mark, TextWatermark):
            self.look, gap = _text_look(mark, width, height), (0.6, 2.5)
        else:
            self.look, gap = _image_look(mark, width, height), (1.0, 1.0)
        columns, rows = self.look.size
        edge = max(4, round(_EDGE * height))
        if mark.tiled:
            self.spots = _tiles((width, height), (columns, rows), edge, gap)
        else:
            self.spots = [_place(mark, (width, height), (columns, rows), edge)]
        self.boxes = [(x, y, x + columns, y + rows) for x, y in self.spots]


def _normal(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _text_look(mark: TextWatermark, width: int, height: int) -> _Look:
    """At the largest size up to the wanted one that fits."""
    text = _normal(mark.text.strip())
    check_glyphs(text.replace(TIME_FIELD, TIME_CHARACTERS))
    most_w, most_h = _MOST_WIDE * width, _MOST_HIGH * height
    least_wanted = _USUAL_LEAST_PX if mark.size is None else _LEAST_PX
    size = max(least_wanted, round((mark.size or _TEXT_SIZE) * height))
    while size >= _LEAST_PX:
        look = _look_at(mark, text, size)
        columns, rows = look.size
        if columns <= most_w and rows <= most_h:
            return look
        # Straight to the size that fits, and at least one pixel down, so that the loop ends.
        size = min(size - 1, int(size * most_w / columns))
    raise _bad(
        f"A text of {len(text)} characters does not fit a picture {width} pixels wide.", "Shorten the text."
    )


def _look_at(mark: TextWatermark, text: str, size_px: int) -> _Look:
    if TIME_FIELD in text:
        return _Timed(mark, size_px)
    return _Fixed(_text_sprite(text, size_px, mark.opacity))


def _text_sprite(text: str, size_px: int, opacity: float, *, tight: bool = False) -> Sprite:
    letters = draw(text, size_px, tight=tight)
    white = np.repeat(255 * letters.ink[:, :, None], 3, axis=2)
    return even(opacity * letters.coverage, white)


def _image_look(mark: ImageWatermark, width: int, height: int) -> _Look:
    rows, columns = mark.bgra.shape[:2]
    scale = (mark.size or _IMAGE_SIZE) * width / columns
    scale = min(scale, _MOST_HIGH * height / rows)
    size = (max(2, round(columns * scale)), max(2, round(rows * scale)))
    opaque = mark.bgra[:, :, 3].astype(np.float32) / 255
    coloured = mark.bgra[:, :, :3].astype(np.float32) * opaque[:, :, None]
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    # Scaled with its colours weighted by alpha: else what is transparent would bleed into the rim.
    scaled = np.asarray(cv2.resize(np.dstack([coloured, opaque]), size, interpolation=how), np.float32)
    alpha: Floats = np.clip(scaled[:, :, 3], 0, 1)
    bgr: Floats = np.clip(scaled[:, :, :3] / np.maximum(alpha, 1e-3)[:, :, None], 0, 255).astype(np.float32)
    return _Fixed(even(alpha * np.float32(mark.opacity), bgr))


def _place(mark: Mark, picture: tuple[int, int], box: tuple[int, int], edge: int) -> tuple[int, int]:
    """The left top corner: even, and the box wholly inside."""
    if mark.at is not None:
        starts, room = (0, 0), (picture[0] - box[0], picture[1] - box[1])
        shares = mark.at
    else:
        starts = (edge, edge)
        room = (picture[0] - box[0] - 2 * edge, picture[1] - box[1] - 2 * edge)
        shares = _shares(mark.position)
    x, y = (
        max(0, min(round(start + share * free), side - length))
        for start, share, free, side, length in zip(starts, shares, room, picture, box, strict=True)
    )
    return x // 2 * 2, y // 2 * 2


def _shares(anchor: Anchor) -> tuple[float, float]:
    words = anchor.value.split("-")
    across = 0.0 if "left" in words else 1.0 if "right" in words else 0.5
    down = 0.0 if "top" in words else 1.0 if "bottom" in words else 0.5
    return across, down


def _tiles(
    picture: tuple[int, int], box: tuple[int, int], edge: int, gap: tuple[float, float]
) -> list[tuple[int, int]]:
    """Places in staggered rows, each wholly inside; at least one."""
    # However small a mark is, at most some 250 of them are painted into every picture.
    step_x = max(round(box[0] * (1 + gap[0])), picture[0] // _MOST_ACROSS)
    step_y = max(round(box[1] * (1 + gap[1])), picture[1] // _MOST_ACROSS)
    spots = []
    for row, y in enumerate(range(edge, max(edge, picture[1] - box[1]) + 1, step_y)):
        begin = edge + (row % 2) * step_x // 2
        spots += [(x // 2 * 2, y // 2 * 2) for x in range(begin, picture[0] - box[0] + 1, step_x)]
    return spots or [(0, 0)]
