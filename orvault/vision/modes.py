"""What a mask covers and how it looks: the choices that a request and a site make. Covering itself: mask.py."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from orvault.errors import ErrorKind, OrvaultError

MAX_MARGIN = 2.0
_MOST_POINTS = 32
Point = tuple[float, float]


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
        if not _has_inside(self.points):
            raise OrvaultError(
                ErrorKind.BAD_SETTINGS,
                "The edges of a fixed region cross or touch, or it has no inside: a part would stay clear.",
                where=f"masking region {self.name!r}",
                advice="Name the corners one after the other, round the region.",
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


def _has_inside(points: Sequence[Point]) -> bool:
    """Whether the corners go round an area once; two are those of a rectangle."""
    if len(points) == 2:
        (x1, y1), (x2, y2) = points
        return x1 != x2 and y1 != y2
    edges = list(zip(points, (*points[1:], points[0]), strict=True))
    apart = [
        (one, other)
        for (i, one), (k, other) in itertools.combinations(enumerate(edges), 2)
        if 1 < k - i < len(edges) - 1  # neighbours share a corner
    ]
    doubled = sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in edges)
    return doubled != 0 and not any(_meet(*one, *other) for one, other in apart)


def _meet(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Whether the straight lines from a to b and from c to d have a point in common."""
    beyond = any(
        max(a[axis], b[axis]) < min(c[axis], d[axis]) or max(c[axis], d[axis]) < min(a[axis], b[axis])
        for axis in (0, 1)
    )
    return not beyond and _side(a, b, c) * _side(a, b, d) <= 0 and _side(c, d, a) * _side(c, d, b) <= 0


def _side(a: Point, b: Point, c: Point) -> float:
    """On which side of the line from a to b the point c lies, by its sign."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
