"""From findings to covered pixels: the regions of each picture, carried through time, and their covering.

It finds nobody (detector.py) and encodes nothing (rendition.py). Where it is in doubt it covers.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np

from orvault.errors import ErrorKind, OrvaultError
from orvault.video.codec import Image
from orvault.vision import turned
from orvault.vision.detection import Detection, Kind

FrameDetections = list[Detection] | None  # None: there is no trustworthy result for this picture
Box = tuple[int, int, int, int]  # x1, y1, x2, y2 in pixels, x2 and y2 exclusive, inside the picture

SOLID_BGR = (40, 36, 34)
MAX_MARGIN = 2.0
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
    margin: float = 0.12

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
    """How long a finding also covers the pictures before and after its own, in seconds each way.

    `moving_s` bridges what a detector misses for a few pictures, and covers people before they are first
    found as they come in. `still_s` is for faces found by a turned look: who lies stays where he is, but is
    seen only now and then.
    """

    moving_s: float = 0.4
    still_s: float = 12.0


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
    starts: dict[int, list[Box]] = defaultdict(list)
    ends: dict[int, list[Box]] = defaultdict(list)
    untrusted: set[int] = set()
    for index, found in enumerate(frames):
        if found is None or not all(d.plausible for d in found):
            untrusted.add(index)
            continue
        for detection in _covered(found, policy.mode):
            box = _to_box(detection, policy.margin, width, height)
            if box is not None:
                reach = _reach(detection, hold, fps)
                starts[index - reach].append(box)
                ends[index + reach + 1].append(box)
    return _sweep(len(frames), starts, ends, untrusted)


def _covered(found: Sequence[Detection], mode: MaskMode) -> Iterable[Detection]:
    """The findings that the mode covers."""
    if mode is MaskMode.BODY:
        return found
    if mode is MaskMode.HEAD:
        return [d for d in found if d.kind is not Kind.PERSON]
    faces = [d for d in found if d.kind is Kind.FACE]
    heads = [d for d in found if d.kind is Kind.HEAD]
    return [*faces, *(h for h in heads if not any(_centre_inside(f, h) for f in faces))]


def _centre_inside(inner: Detection, outer: Detection) -> bool:
    x, y = (inner.x1 + inner.x2) / 2, (inner.y1 + inner.y2) / 2
    return outer.x1 <= x <= outer.x2 and outer.y1 <= y <= outer.y2


def _to_box(found: Detection, margin: float, width: int, height: int) -> Box | None:
    """The finding with its margin, rounded outwards, clipped to the picture; None if it lies outside."""
    wide, high = margin * (found.x2 - found.x1), margin * (found.y2 - found.y1)
    x1, y1 = max(0, math.floor(found.x1 - wide)), max(0, math.floor(found.y1 - high))
    x2, y2 = min(width, math.ceil(found.x2 + wide)), min(height, math.ceil(found.y2 + high))
    return (x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None


def _reach(found: Detection, hold: HoldTimes, fps: float) -> int:
    """For how many pictures each way a finding holds."""
    seconds = hold.still_s if found.source == turned.SOURCE else hold.moving_s
    return max(1, math.ceil(seconds * fps))


def _sweep(
    count: int, starts: dict[int, list[Box]], ends: dict[int, list[Box]], untrusted: set[int]
) -> list[FramePlan]:
    """Walk through time with the boxes that hold at each picture."""
    alive: dict[Box, int] = defaultdict(int)
    plans: list[FramePlan] = []
    first = min(starts, default=0)
    for index in range(min(first, 0), count):
        for box in starts.get(index, ()):
            alive[box] += 1
        for box in ends.get(index, ()):
            alive[box] -= 1
            if not alive[box]:
                del alive[box]
        if index >= 0:
            plans.append(WHOLE if index in untrusted else FramePlan(False, _outermost(alive)))
    return plans


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
