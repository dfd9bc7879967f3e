"""From findings to covered pixels: the regions of each picture, carried through time, and their covering.

It finds nobody (detector.py) and encodes nothing (rendition.py). Where it is in doubt it covers.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import cv2
import numpy as np

from orvault.errors import ErrorKind, OrvaultError
from orvault.video.codec import Image
from orvault.vision import person, turned
from orvault.vision.detection import Detection, Kind
from orvault.vision.detector import SOURCE_PERSON_TOP
from orvault.vision.still import StillRegion, still_regions

FrameDetections = list[Detection] | None  # None: there is no trustworthy result for this picture
Box = tuple[int, int, int, int]  # x1, y1, x2, y2 in pixels, x2 and y2 exclusive, inside the picture

SOLID_BGR = (40, 36, 34)
MAX_MARGIN = 2.0
_FACE_GROWTH = 0.25
_VAGUE = (person.SOURCE, SOURCE_PERSON_TOP)
_CELLS_ACROSS = 4
_LEAST_CELL_PX = 16
_COLOUR_STEP = 16


class MaskMode(StrEnum):
    """What is covered."""

    FACE = "face"  # faces; a head in which no face was found is covered whole
    HEAD = "head"
    BODY = "body"
    PICTURE = "picture"


class MaskStyle(StrEnum):
    """How it is covered. Only SOLID leaves nothing at all; `_cells` says why the others cannot be undone."""

    SOLID = "solid"
    MOSAIC = "mosaic"
    FROST = "frost"


@dataclass(frozen=True)
class MaskPolicy:
    """What to cover, how, and how much more than was found (`margin`: share of a box's size, each side)."""

    mode: MaskMode
    style: MaskStyle = MaskStyle.SOLID
    margin: float = 0.1

    def __post_init__(self) -> None:
        if not 0 <= self.margin <= MAX_MARGIN:
            raise OrvaultError(
                ErrorKind.BAD_REQUEST,
                f"A mask's margin of {self.margin} is not possible.",
                where="masking",
                advice=f"Take a share of the region's size from 0 to {MAX_MARGIN:g}.",
            )


@dataclass(frozen=True)
class HoldTimes:
    """How long findings also cover the pictures before and after their own, in seconds each way.

    `moving_s`: any finding; it bridges what a detector misses for a few pictures, and covers people before
    they are first found as they come in. `still_s`: faces found by a turned look, and heads found
    `still_count` times over at least `still_span_s` at one place: who lies or stands still is seen only now
    and then, but has not left.
    """

    moving_s: float = 0.3
    still_s: float = 12.0
    still_span_s: float = 2.0
    still_count: int = 4


@dataclass(frozen=True, slots=True)
class FramePlan:
    """What of one picture is covered: all of it, or `boxes`."""

    whole: bool
    boxes: tuple[Box, ...] = ()


WHOLE = FramePlan(whole=True)


def plan_regions(
    frames: Sequence[FrameDetections],
    policy: MaskPolicy,
    width: int,
    height: int,
    *,
    fps: float = 15.0,
    hold: HoldTimes | None = None,
) -> list[FramePlan]:
    """One plan for each picture of a clip, in order; `width` and `height` are the pictures' in pixels.

    Give it all pictures of a clip at once: findings are carried forwards **and** backwards, over the borders
    of fragments too. A picture without a trustworthy result (None, or a box that is not a number) is covered
    whole.
    """
    if policy.mode is MaskMode.PICTURE:
        return [WHOLE] * len(frames)
    hold = hold or HoldTimes()
    covered = [_trusted(found, policy.mode) for found in frames]
    spans = _Spans(policy.margin, width, height)
    for index, found in enumerate(covered):
        for detection in found or ():
            reach = hold.still_s if detection.source == turned.SOURCE else hold.moving_s
            spans.add(detection.box, index, index, _pictures(reach, fps))
    for place in _still(covered, hold, fps):
        spans.add(place.box, place.first, place.last, _pictures(hold.still_s, fps))
    return [
        FramePlan(whole=False, boxes=boxes) if found is not None else WHOLE
        for found, boxes in zip(covered, spans.boxes(len(frames)), strict=True)
    ]


def _pictures(seconds: float, fps: float) -> int:
    return max(1, math.ceil(seconds * fps))


def _still(covered: Sequence[list[Detection] | None], hold: HoldTimes, fps: float) -> Iterator[StillRegion]:
    # The top of a person box says too little about where the head is: it would hold whole strips of the
    # table.
    heads = [[d for d in found or () if d.source not in _VAGUE] for found in covered]
    return still_regions(
        heads,
        least_span=_pictures(hold.still_span_s, fps),
        least_count=hold.still_count,
        forget_after=_pictures(hold.still_s, fps),
    )


def _trusted(found: FrameDetections, mode: MaskMode) -> list[Detection] | None:
    """What the mode covers of one picture's findings; None if they cannot be trusted."""
    if found is None or not all(d.plausible for d in found):
        return None
    if mode is MaskMode.FACE:
        return _faces(found)
    return [d for d in found if mode is MaskMode.BODY or d.kind is not Kind.PERSON]


def _faces(found: Sequence[Detection]) -> list[Detection]:
    """The faces, and whole those heads in which none was found: a missed face is inside one of them."""
    faces = [_whole_face(d) for d in found if d.kind is Kind.FACE]
    heads = [d for d in found if d.kind is Kind.HEAD]
    return [*faces, *(h for h in heads if not any(_centre_inside(f, h) for f in faces))]


def _whole_face(found: Detection) -> Detection:
    # Face models box eyes to mouth; who knows a face knows it by forehead, ears and chin too.
    wide, high = _FACE_GROWTH * (found.x2 - found.x1), _FACE_GROWTH * (found.y2 - found.y1)
    return replace(found, x1=found.x1 - wide, y1=found.y1 - high, x2=found.x2 + wide, y2=found.y2 + high)


def _centre_inside(inner: Detection, outer: Detection) -> bool:
    x, y = (inner.x1 + inner.x2) / 2, (inner.y1 + inner.y2) / 2
    return outer.x1 <= x <= outer.x2 and outer.y1 <= y <= outer.y2


class _Spans:
    """Boxes with the pictures that they hold for."""

    def __init__(self, margin: float, width: int, height: int) -> None:
        self._margin, self._width, self._height = margin, width, height
        self._starts: dict[int, list[Box]] = defaultdict(list)
        self._ends: dict[int, list[Box]] = defaultdict(list)

    def add(self, box: tuple[float, float, float, float], first: int, last: int, reach: int) -> None:
        """A box found from picture `first` to `last`, to hold `reach` pictures more on either side."""
        whole = self._clip(box)
        if whole is not None:
            self._starts[max(0, first - reach)].append(whole)
            self._ends[last + reach + 1].append(whole)

    def _clip(self, box: tuple[float, float, float, float]) -> Box | None:
        """With its margin, rounded outwards, clipped to the picture; None if it lies outside."""
        x1, y1, x2, y2 = box
        wide, high = self._margin * (x2 - x1), self._margin * (y2 - y1)
        left, top = max(0, math.floor(x1 - wide)), max(0, math.floor(y1 - high))
        right, bottom = min(self._width, math.ceil(x2 + wide)), min(self._height, math.ceil(y2 + high))
        return (left, top, right, bottom) if left < right and top < bottom else None

    def boxes(self, count: int) -> Iterator[tuple[Box, ...]]:
        """The boxes that hold at each of the pictures 0 to `count` - 1."""
        alive: dict[Box, int] = defaultdict(int)
        for index in range(count):
            for box in self._starts.get(index, ()):
                alive[box] += 1
            for box in self._ends.get(index, ()):
                alive[box] -= 1
                if not alive[box]:
                    del alive[box]
            yield _outermost(alive)


def _outermost(boxes: Iterable[Box]) -> tuple[Box, ...]:
    """Without those that lie wholly inside another: less to paint, the same pixels covered."""
    kept: list[Box] = []
    for box in sorted(boxes, key=lambda b: (b[0] - b[2]) * (b[3] - b[1])):
        if not any(k[0] <= box[0] and k[1] <= box[1] and k[2] >= box[2] and k[3] >= box[3] for k in kept):
            kept.append(box)
    return tuple(kept)


def apply_mask(bgr: Image, plan: FramePlan, policy: MaskPolicy) -> None:
    """Cover the plan's regions in `bgr` (h, w, 3), in place.

    A whole picture is always filled solid, whatever the style: a mosaic of a whole room still shows who
    stands where.
    """
    if plan.whole:
        bgr[:] = SOLID_BGR
        return
    height, width = bgr.shape[:2]
    for x1, y1, x2, y2 in plan.boxes:
        box = (max(0, x1), max(0, y1), min(width, x2), min(height, y2))
        if box[0] < box[2] and box[1] < box[3]:
            _cover(bgr, box, policy.style)


def _cover(bgr: Image, box: Box, style: MaskStyle) -> None:
    x1, y1, x2, y2 = box
    if style is MaskStyle.SOLID:
        bgr[y1:y2, x1:x2] = SOLID_BGR
        return
    cell = cell_px(x2 - x1, y2 - y1)
    gx, gy = x1 // cell * cell, y1 // cell * cell
    cells = _cells(bgr, (gx, gy, x2, y2), cell)
    size = (cells.shape[1] * cell, cells.shape[0] * cell)
    if style is MaskStyle.MOSAIC:
        painted = cv2.resize(cells, size, interpolation=cv2.INTER_NEAREST)
    else:
        # Frost is drawn from the mosaic's cells, never from the picture: a blur alone can be computed
        # backwards.
        smooth = cv2.resize(cells, size, interpolation=cv2.INTER_LINEAR)
        painted = cv2.addWeighted(smooth, 0.7, np.full_like(smooth, 235), 0.3, 0)
    bgr[y1:y2, x1:x2] = painted[y1 - gy : y2 - gy, x1 - gx : x2 - gx]


def cell_px(width: int, height: int) -> int:
    """The side of a mosaic's cells in a region of this size: a power of two, 2 to 4 across its short side."""
    return int(max(_LEAST_CELL_PX, 2 ** math.ceil(math.log2(max(1, min(width, height)) / _CELLS_ACROSS))))


def _cells(bgr: Image, box: Box, cell: int) -> Image:
    """The mosaic's colours, one per cell of a grid that starts at the box's (aligned) top left corner.

    Why it cannot be undone: the cells grow with the region, so a head is left as at most 4 x 4 colours
    however near the camera it is (fixed cells would show a near face in full). The grid is fixed to the
    picture and its pitch goes in powers of two, so the jitter of a box over many pictures does not sample a
    still face at shifted points, from which a finer picture could be computed. Colours are rounded to 16
    levels against the small differences that remain. A body covered so is still recognisable as a body, by
    its size and gait: where that matters take SOLID or BODY.
    """
    x1, y1, x2, y2 = box
    columns, rows = -(-(x2 - x1) // cell), -(-(y2 - y1) // cell)
    height, width = bgr.shape[:2]
    patch = bgr[y1 : min(height, y1 + rows * cell), x1 : min(width, x1 + columns * cell)]
    down, right = rows * cell - patch.shape[0], columns * cell - patch.shape[1]
    if down or right:
        patch = np.asarray(cv2.copyMakeBorder(patch, 0, down, 0, right, cv2.BORDER_REPLICATE), np.uint8)
    means = cv2.resize(patch, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(means // _COLOUR_STEP * _COLOUR_STEP + _COLOUR_STEP // 2, np.uint8)
