"""What a mask covers and how it looks: the choices that a request and a site make. Covering itself: mask.py."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from orvault.errors import ErrorKind, OrvaultError

MAX_MARGIN = 2.0
_MOST_POINTS = 32


class MaskMode(StrEnum):
    """What is covered."""

    FACE = "face"  # faces; a head in which no face was found is covered whole
    HEAD = "head"
    BODY = "body"
    PICTURE = "picture"


class MaskStyle(StrEnum):
    """How it is covered. Only SOLID leaves nothing at all; `mosaic_cells` says why the others cannot be undone."""

    SOLID = "solid"
    MOSAIC = "mosaic"
    FROST = "frost"


@dataclass(frozen=True, slots=True)
class FixedRegion:
    """A part of a camera's picture that is always covered, in every mode: a whiteboard, a screen, the table.

    `points` are the corners in percent of the picture's width and height, from the top left; two of them are the
    opposite corners of a rectangle.
    """

    name: str
    points: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        if not 2 <= len(self.points) <= _MOST_POINTS or not all(
            0 <= x <= 100 and 0 <= y <= 100 for x, y in self.points
        ):
            raise OrvaultError(
                ErrorKind.BAD_SETTINGS,
                f"A fixed region has 2 to {_MOST_POINTS} corners, each from 0 to 100 percent.",
                where=f"masking region {self.name!r}",
            )


@dataclass(frozen=True)
class MaskPolicy:
    """What to cover, how, and how much more than was found (`margin`: share of a box's size, each side).

    `fixed` regions of this camera are covered in every picture and mode; `objects` are COCO classes that are
    covered wherever they are found ("tv", "laptop", "cell phone": `person.CLASSES`).
    """

    mode: MaskMode
    style: MaskStyle = MaskStyle.SOLID
    margin: float = 0.12
    fixed: tuple[FixedRegion, ...] = ()
    objects: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if not 0 <= self.margin <= MAX_MARGIN:
            raise OrvaultError(
                ErrorKind.BAD_REQUEST,
                f"A mask's margin of {self.margin} is not possible.",
                where="masking",
                advice=f"Take a share of the region's size from 0 to {MAX_MARGIN:g}.",
            )
