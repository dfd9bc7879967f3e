"""The visible watermark as a request asks for it: its text with fields, its image, where they stand; each bounded.

Pictures and fonts are `orvault.vision`'s; the words for places are the same there (a test holds the two together).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from orvault.custody.text import clean_text
from orvault.errors import ErrorKind, OrvaultError

TEMPLATE_CHARACTERS = 64  # as typed, with the fields' names
DRAWN_CHARACTERS = 160  # as drawn, the time not counted
MAX_IMAGES = 100
TEXT_SIZE_PERMILLE, IMAGE_SIZE_PERMILLE = (15, 200), (20, 600)
RECIPIENT_FIELD, TIME_FIELD = "recipient", "time"
_FIELD = re.compile(r"\{([a-z]*)\}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Position(StrEnum):
    """Where a mark stands in the picture."""

    TOP_LEFT = "top-left"
    TOP = "top"
    TOP_RIGHT = "top-right"
    LEFT = "left"
    CENTRE = "centre"
    RIGHT = "right"
    BOTTOM_LEFT = "bottom-left"
    BOTTOM = "bottom"
    BOTTOM_RIGHT = "bottom-right"


@dataclass(frozen=True, slots=True)
class Layout:
    """How a mark stands there, in thousandths.

    Opacity; size (a text's letter height of the picture's height, an image's width of its width; None: the usual
    one); `at`: the place in the free room from left and top, instead of the position.
    """

    opacity_permille: int = 750
    size_permille: int | None = None
    at_permille: tuple[int, int] | None = None
    tiled: bool = False

    def checked(self, sizes: tuple[int, int], where: str) -> Layout:
        """Itself; BAD_REQUEST, naming the field, for what is out of range."""
        if not 100 <= self.opacity_permille <= 1000:
            raise _bad("The opacity is 10 to 100 %.", f"{where}.opacity")
        if self.size_permille is not None and not sizes[0] <= self.size_permille <= sizes[1]:
            raise _bad(
                f"The size is {sizes[0] / 10:g} to {sizes[1] / 10:g} % of the picture.", f"{where}.size"
            )
        if self.at_permille is not None and not all(0 <= place <= 1000 for place in self.at_permille):
            raise _bad("The place is 0 to 100 % from the left and from the top.", f"{where}.x, {where}.y")
        if self.at_permille is not None and self.tiled:
            raise _bad("What is tiled has no place of its own: leave out x and y.", f"{where}.tiled")
        return self

    def to_json(self) -> dict[str, object]:
        """As the ledger keeps it."""
        at = None if self.at_permille is None else list(self.at_permille)
        return {
            "at_permille": at,
            "opacity_permille": self.opacity_permille,
            "size_permille": self.size_permille,
            "tiled": self.tiled,
        }


USUAL = Layout()


@dataclass(frozen=True, slots=True)
class ImageMark:
    """An image in the picture: the SHA-256 (hex) of one that the ledger keeps, and where it stands."""

    digest: str
    position: Position = Position.TOP_LEFT
    layout: Layout = USUAL

    def checked(self) -> ImageMark:
        """Itself; BAD_REQUEST for what is out of range."""
        if not _DIGEST.fullmatch(self.digest):
            raise _bad("The image's id is 64 hexadecimal digits.", "watermark.image.id")
        self.layout.checked(IMAGE_SIZE_PERMILLE, "watermark.image")
        return self


@dataclass(frozen=True, slots=True)
class WatermarkImage:
    """A stored image without its bytes, which its digest names; times UTC microseconds."""

    digest: str
    name: str
    width: int
    height: int
    added_by: str
    added_us: int


class WatermarkImageRows(Protocol):
    """Images for watermarks; never changed, because requests name them by their digest."""

    def add(self, image: WatermarkImage, png: bytes) -> None:
        """Keep one; `png` as this system wrote it."""
        ...

    def remove(self, digest: str) -> None: ...
    def get(self, digest: str) -> WatermarkImage | None: ...
    def png(self, digest: str) -> bytes | None: ...
    def used_by(self, digest: str) -> Sequence[str]:
        """The ids of requests that may still be rendered with it, the oldest first."""
        ...

    def count(self) -> int: ...
    def all(self) -> list[WatermarkImage]:
        """The newest first, at most MAX_IMAGES."""
        ...


def check_template(text: str) -> str:
    """The text, cleaned; BAD_REQUEST for what cannot be one line in a picture, and for fields that are none."""
    clean = clean_text(text, "watermark.text", longest=TEMPLATE_CHARACTERS, drawn=True)
    names = _FIELD.findall(clean)
    known = ("hospital", "case", RECIPIENT_FIELD, "request", TIME_FIELD)
    unknown = sorted(set(names) - set(known))
    if unknown or set("{}") & set(_FIELD.sub("", clean)):
        what = f"{{{unknown[0]}}} is no field" if unknown else "A brace stands alone"
        advice = f"The fields are {', '.join(f'{{{name}}}' for name in known)}."
        raise _bad(f"{what}.", "watermark.text", advice)
    if names.count(TIME_FIELD) > 1:
        raise _bad("{time} stands in it twice.", "watermark.text", "Name it once.")
    return clean


def fill_template(template: str, values: Mapping[str, str]) -> str:
    """The text with those fields put in that have a value; the others stay. BAD_REQUEST: a value cannot be drawn."""

    def value(found: re.Match[str]) -> str:
        name = found.group(1)
        if name not in values:
            return found.group()
        given = values[name]
        if not given or set("{}") & set(given):
            message = f"The field {{{name}}} has no value that can be drawn."
            raise _bad(message, "watermark.text", "Write what the picture shall say instead.")
        return given

    return _FIELD.sub(value, template)


def check_drawn(drawn: str) -> str:
    """A text with every field but the time put in, as it is drawn. BAD_REQUEST: it is too long."""
    length = len(drawn.replace(f"{{{TIME_FIELD}}}", ""))
    if length > DRAWN_CHARACTERS:
        message = f"Filled in, the text has {length} characters; at most {DRAWN_CHARACTERS} are drawn."
        raise _bad(message, "watermark.text", "Leave a field out, or shorten a name.")
    return clean_text(drawn, "watermark.text", longest=DRAWN_CHARACTERS + 10, drawn=True)


def _bad(message: str, where: str, advice: str = "") -> OrvaultError:
    return OrvaultError(ErrorKind.BAD_REQUEST, message, where=where, advice=advice)
