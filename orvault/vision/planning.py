"""From tracks to what of each picture is covered. What was found where is following.py's, painting is mask.py's."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from orvault.vision.boxes import Floats
from orvault.vision.detection import SKIPPED, FrameDetections
from orvault.vision.following import FollowRules, find_tracks
from orvault.vision.modes import FixedRegion, MaskMode, MaskPolicy
from orvault.vision.parts import Spans
from orvault.vision.tracks import KeyedRegion, MaskTrack, boxes_at

Box = tuple[int, int, int, int]  # x1, y1, x2, y2 in pixels, x2 and y2 exclusive, inside the picture
Polygon = tuple[tuple[int, int], ...]  # corners in pixels
LONGEST_SKIP_S = 1.0  # between two looks; a detector that looks less often tells too little


@dataclass(frozen=True, slots=True)
class FramePlan:
    """What of one picture is covered: all of it, or `boxes` and `polygons`.

    `clear` are the places of those who are left clear on purpose; what else is covered there stays covered.
    """

    whole: bool
    boxes: tuple[Box, ...] = ()
    polygons: tuple[Polygon, ...] = ()
    clear: tuple[Box, ...] = ()


WHOLE = FramePlan(whole=True)


def together(*plans: FramePlan) -> FramePlan:
    """What any of them covers."""
    if any(plan.whole for plan in plans):
        return WHOLE
    boxes = _outermost({box for plan in plans for box in plan.boxes})
    return FramePlan(False, boxes, tuple(dict.fromkeys(p for plan in plans for p in plan.polygons)))


def plan_regions(
    frames: Sequence[FrameDetections],
    policy: MaskPolicy,
    width: int,
    height: int,
    *,
    fps: float = 15.0,
    rules: FollowRules | None = None,
) -> list[FramePlan]:
    """One plan for each picture of a clip, in order; `width` and `height` are the pictures' in pixels.

    Give it all pictures of a clip at once: tracks are completed forwards **and** backwards, over the borders of
    fragments too. A picture without a trustworthy result (None, or a box that is not a number) is covered whole.
    """
    if policy.mode is MaskMode.PICTURE:
        return [WHOLE] * len(frames)
    judged = list(trusted(frames, fps))
    tracks = find_tracks(judged, policy.mode, width, height, fps=fps, objects=policy.objects, rules=rules)
    blind = [index for index, found in enumerate(judged) if found is None]
    return list(plan_tracks(tracks, (0, len(frames)), policy, width, height, blind=blind))


def trusted(frames: Iterable[FrameDetections], fps: float) -> Iterator[FrameDetections]:
    """The findings, and None for every picture that they say too little about.

    Those whose result is broken; those skipped that lie beside a broken one, or too far from the looks beside them
    (before the first look and after the last one half as far). They come one after the other, as they are known.
    """
    longest = LONGEST_SKIP_S * fps
    skipped, before_blind, at_the_start = 0, False, True
    for found in frames:
        if found is SKIPPED:
            skipped += 1
            continue
        good = found is not None and all(d.plausible for d in found)
        believed = good and not before_blind and skipped <= (longest / 2 if at_the_start else longest)
        yield from itertools.repeat(SKIPPED if believed else None, skipped)
        yield found if good else None
        skipped, before_blind, at_the_start = 0, not good, False
    believed = not before_blind and skipped <= longest / 2
    yield from itertools.repeat(SKIPPED if believed else None, skipped)


def plan_tracks(
    tracks: Iterable[MaskTrack],
    span: tuple[int, int],
    policy: MaskPolicy,
    width: int,
    height: int,
    *,
    blind: Iterable[int] = (),
    clear: Mapping[int, Spans] | None = None,
) -> Iterator[FramePlan]:
    """The plans of pictures `span[0]` up to, without, `span[1]`, one after the other.

    `blind` are the pictures without a trustworthy result: they are covered whole. `clear` says by track in which
    pictures it is left clear (parts.chosen). A long clip is planned span by span; the plans fit together.
    """
    first, end = span
    hidden = set(blind)
    polygons = tuple(_corners(region, width, height) for region in policy.fixed)
    whole_picture = policy.mode is MaskMode.PICTURE
    masked: list[list[Box]] = [[] for _ in range(max(0, end - first))]
    left: list[list[Box]] = [[] for _ in masked]
    for track in tracks:
        spans = (clear or {}).get(track.track_id, ())
        for index, box in _spread(track, span, policy.margin, (width, height)):
            is_left = any(begin <= index <= last for begin, last in spans)
            (left if is_left else masked)[index - first].append(box)
    for index in range(first, end):
        if whole_picture or index in hidden:
            yield WHOLE
        else:
            at = index - first
            yield FramePlan(False, _outermost(masked[at]), polygons, tuple(left[at]))


def plan_boxes(boxes: Floats, policy: MaskPolicy, width: int, height: int) -> FramePlan:
    """The plan of one picture in which these boxes (n, 4) are covered, with the policy's margin and fixed regions."""
    if policy.mode is MaskMode.PICTURE:
        return WHOLE
    inside = [box for box in _clip(boxes, policy.margin, width, height) if box is not None]
    polygons = tuple(_corners(region, width, height) for region in policy.fixed)
    return FramePlan(False, _outermost(inside), polygons)


def with_drawn(
    plan: FramePlan, regions: Iterable[KeyedRegion], taken_us: int, width: int, height: int
) -> FramePlan:
    """The plan of a picture taken at `taken_us` (UTC) with the regions that a person drew.

    They get no margin: whoever drew them saw what they cover.
    """
    if plan.whole:
        return plan
    there = [box for region in regions if (box := region.box_at(taken_us)) is not None]
    if not there:
        return plan
    inside = [box for box in _clip(np.array(there, np.float32), 0.0, width, height) if box is not None]
    return replace(plan, boxes=_outermost([*plan.boxes, *inside]))


def _spread(
    track: MaskTrack, span: tuple[int, int], margin: float, size: tuple[int, int]
) -> Iterator[tuple[int, Box]]:
    """The track's boxes in the pictures of `span`, with their numbers."""
    begin, end = max(track.first, span[0]), min(track.last + 1, span[1])
    if begin >= end:
        return
    # Only the keys round the span: a long track is asked for again and again.
    low, high = np.searchsorted(track.frames, begin, "right") - 1, np.searchsorted(track.frames, end - 1) + 1
    boxes = boxes_at(track.frames[low:high], track.boxes[low:high], np.arange(begin, end))
    for index, box in enumerate(_clip(boxes, margin, *size), begin):
        if box is not None:
            yield index, box


def _clip(boxes: Floats, margin: float, width: int, height: int) -> list[Box | None]:
    """With their margin, rounded outwards, clipped to the picture; None for those that lie outside."""
    more = margin * (boxes[:, 2:] - boxes[:, :2])
    limit = np.array([width, height], np.float64)
    low = np.clip(np.floor(boxes[:, :2].astype(np.float64) - more), 0, limit).astype(np.int64)
    high = np.clip(np.ceil(boxes[:, 2:].astype(np.float64) + more), 0, limit).astype(np.int64)
    inside = np.all(low < high, axis=1)
    rows = np.concatenate([low, high], axis=1).tolist()
    return [tuple(row) if good else None for row, good in zip(rows, inside.tolist(), strict=True)]


def _outermost(boxes: Iterable[Box]) -> tuple[Box, ...]:
    """Without those that lie wholly inside another: less to paint, the same pixels covered."""
    kept: list[Box] = []
    for box in sorted(boxes, key=lambda b: (b[0] - b[2]) * (b[3] - b[1])):
        if not any(k[0] <= box[0] and k[1] <= box[1] and k[2] >= box[2] and k[3] >= box[3] for k in kept):
            kept.append(box)
    return tuple(kept)


def _corners(region: FixedRegion, width: int, height: int) -> Polygon:
    """In pixels, rounded to the nearest, of a rectangle all four."""
    points = region.points
    if len(points) == 2:
        (x1, y1), (x2, y2) = points
        points = ((x1, y1), (x2, y1), (x2, y2), (x1, y2))
    return tuple((math.floor(x * width / 100 + 0.5), math.floor(y * height / 100 + 0.5)) for x, y in points)
