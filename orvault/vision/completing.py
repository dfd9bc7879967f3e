"""Completes a linked track: regions for the pictures without findings, between, before and after those with them.

In doubt it goes on covering. A track ends only where the person was seen to leave: out of the picture, or it
walked and was lost for a while. Whoever was still when last seen is still there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from orvault.vision.boxes import Floats, reduced
from orvault.vision.linking import LinkRules, Tip, is_lying, tip
from orvault.vision.pieces import Piece
from orvault.vision.tracks import Ints, MaskTrack, Region, TrackKind

_MOST_SIZES = 2.5  # foreseen at most
_SWIFT_SIZES = 0.6  # between two findings
_DRIFT_SIZES = 1.5  # farther apart nobody stood between both ends of a gap: the region moves straight


@dataclass(frozen=True)
class HoldRules:
    """How long a region goes on covering without findings, in seconds, forwards and backwards alike."""

    pad_s: float = 0.3  # always
    brief_s: float = 0.6  # after something that was hardly ever found: a person at the edge, or nobody
    lost_s: float = 3.0  # a person who walked and is neither seen to leave nor found again
    leave_s: float = 1.5  # somebody who walks out is foreseen for so long at most
    lying_once_s: float = 12.0  # one finding in a turned picture, unless it is ...
    most_usual: float = 2.5  # ... so many times as large as others: such faces are seen in cloth
    moving_looks: int = 3  # findings from which on its speed is believed
    believed_looks: int = 5  # findings from which on somebody counts as there ...
    believed_s: float = 1.0  # ... over at least this time
    still_sizes_per_s: float = 0.35  # slower than this, in sizes a second: stands or lies
    still_s: float = 2.0  # each way: who moved less than ...
    still_sizes: float = 0.5  # ... this in that time stays at a place
    near_s: float = 0.7  # a head found so shortly before and after tells more than the top of a body
    jitter_s: float = 0.4  # the largest size within this time: models' boxes jitter
    most_growth: float = 1.3  # by that at most
    drift_s: float = 0.7  # through longer gaps the whole way between both ends is covered
    lying_least: float = 1.0  # of others' size: of a face in profile a turned look boxes brow and nose
    lying_growth: float = 2.5  # by that at most


@dataclass(frozen=True, slots=True)
class Scene:
    """The clip: picture size in pixels, pictures a second, how many; how large those are who are surely there."""

    width: int
    height: int
    fps: float
    count: int
    usual_px: float = math.inf  # median of the longer sides

    def as_usual(self, boxes: Floats, hold: HoldRules) -> Floats:
        """Heads (n, 4) of those who lie, no side smaller than others' heads are; as they are where nobody is known.

        What a look at the turned picture finds is part of a face, and says little of how large the head is.
        """
        if math.isinf(self.usual_px):
            return boxes
        sides = boxes[:, 2:] - boxes[:, :2]
        longest = sides.max(axis=1, keepdims=True)
        least = np.minimum(hold.lying_least * self.usual_px, hold.lying_growth * longest)
        more = np.maximum(least - sides, 0) / 2
        return np.concatenate([boxes[:, :2] - more, boxes[:, 2:] + more], axis=1).astype(np.float32)


def complete(
    chain: Piece, looks: Ints, scene: Scene, hold: HoldRules, links: LinkRules, *, double: tuple[bool, bool]
) -> MaskTrack:
    """The whole track, with 0 for an id.

    `double`: whether another track shows that start, or end, are not the person's own.
    """
    between = chain.once(_between, lambda: _between(chain, hold, scene.fps))
    lying = is_lying(chain, looks, links)
    first, last = between[chain.first], between[chain.last]
    before = _held(chain, first, scene, hold, lying, double[0], end=False)
    after = _held(chain, last, scene, hold, lying, double[1], end=True)
    keys = {round(f): b for f, b in before} | between | {round(f): b for f, b in after}
    track = _track(chain, keys, scene, lying)
    part_of_a_face = lying and chain.lay.any()
    return replace(track, boxes=scene.as_usual(track.boxes, hold)) if part_of_a_face else track


def _between(chain: Piece, hold: HoldRules, fps: float) -> dict[int, Region]:
    """The regions from the first finding to the last, by picture number."""
    frames, boxes = _bridged(*_findings(chain, hold, fps), hold.drift_s * fps)
    rows = zip(frames.tolist(), boxes.tolist(), strict=True)
    return {frame: (x1, y1, x2, y2) for frame, (x1, y1, x2, y2) in rows}


def _region(box: Floats) -> Region:
    x1, y1, x2, y2 = box.tolist()
    return (x1, y1, x2, y2)


def _track(chain: Piece, keys: dict[int, Region], scene: Scene, lying: bool) -> MaskTrack:
    order = sorted(f for f in keys if 0 <= f < scene.count)
    if not order:
        order = [min(max(0, chain.first), scene.count - 1)]
        keys = {order[0]: _region(chain.arrays()[1][0])}
    kind = TrackKind.LYING if lying else TrackKind.PERSON
    if kind is TrackKind.PERSON and chain.is_face.all():
        kind = TrackKind.FACE
    return MaskTrack(
        track_id=0,
        kind=kind,
        frames=np.array(order, np.int32),
        boxes=np.array([keys[f] for f in order], np.float32),
        found_first=chain.first,
        found_last=chain.last,
        looks=len(chain),
        sources=chain.sources,
    )


def _findings(chain: Piece, hold: HoldRules, fps: float) -> tuple[Ints, Floats]:
    """The regions found, without body tops between heads, and made robust against single bad boxes."""
    frames, boxes = chain.arrays()
    sure = chain.sure
    near = hold.near_s * fps
    heads = frames[sure]
    keep = np.ones(len(frames), bool)
    for i in np.flatnonzero(~sure):
        at = int(np.searchsorted(heads, frames[i]))
        if 0 < at < len(heads) and frames[i] - heads[at - 1] <= near and heads[at] - frames[i] <= near:
            keep[i] = False
    if heads.size:
        steady = _steady(heads, boxes[sure], hold, fps)
        boxes[sure] = _where_still(heads, _agreed(heads, steady, near), hold, fps)
    return frames[keep], boxes[keep]


def _steady(frames: Ints, boxes: Floats, hold: HoldRules, fps: float) -> Floats:
    """Each head as large as the largest of its moment: between looks the model's smallest box would show an ear."""
    sizes = boxes[:, 2:] - boxes[:, :2]
    reach = hold.jitter_s * fps
    firsts = np.searchsorted(frames, frames - reach)
    lasts = np.searchsorted(frames, frames + reach, "right")
    largest = reduced(np.maximum, sizes, firsts, lasts)
    more = (np.minimum(largest, sizes * hold.most_growth) - sizes) / 2
    return np.concatenate([boxes[:, :2] - more, boxes[:, 2:] + more], axis=1)


def _agreed(frames: Ints, boxes: Floats, near: float) -> Floats:
    """Each region together with where its neighbours in time put it: one bad box among good ones uncovers nobody."""
    result = boxes.copy()
    if len(frames) < 3:
        return result
    between = (frames[2:] - frames[:-2] <= 2 * near)[:, None]
    share = ((frames[1:-1] - frames[:-2]) / (frames[2:] - frames[:-2]))[:, None].astype(np.float32)
    foreseen = boxes[:-2] + share * (boxes[2:] - boxes[:-2])
    result[1:-1, :2] = np.where(between, np.minimum(boxes[1:-1, :2], foreseen[:, :2]), boxes[1:-1, :2])
    result[1:-1, 2:] = np.where(between, np.maximum(boxes[1:-1, 2:], foreseen[:, 2:]), boxes[1:-1, 2:])
    return result


def _where_still(frames: Ints, boxes: Floats, hold: HoldRules, fps: float) -> Floats:
    """Of somebody who stays at a place, all that was found there in a while: it costs little and misses less."""
    reach = hold.still_s * fps
    firsts = np.searchsorted(frames, frames - reach)
    lasts = np.searchsorted(frames, frames + reach, "right")
    middles = (boxes[:, :2] + boxes[:, 2:]) / np.float32(2)
    sizes = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    moved = reduced(np.maximum, middles, firsts, lasts) - reduced(np.minimum, middles, firsts, lasts)
    still = moved.max(axis=1) <= hold.still_sizes * sizes
    low, high = reduced(np.minimum, boxes, firsts, lasts), reduced(np.maximum, boxes, firsts, lasts)
    return np.where(still[:, None], np.concatenate([low[:, :2], high[:, 2:]], axis=1), boxes)


def _bridged(frames: Ints, boxes: Floats, drift: float) -> tuple[Ints, Floats]:
    """Where the way between two findings is not known, the region round both is covered.

    Through a long gap nobody knows when the person moved; of a swift one, who was whom, where two passed each
    other.
    """
    steps = np.diff(frames)
    apart = np.abs(np.diff(boxes[:, :2] + boxes[:, 2:], axis=0)).max(axis=1) / 2
    apart /= np.maximum((boxes[:-1, 2:] - boxes[:-1, :2]).max(axis=1), 1.0)
    unknown = (steps > drift) | (apart > _SWIFT_SIZES)
    gaps = np.flatnonzero(unknown & (steps > 1) & (apart <= _DRIFT_SIZES))
    low = np.minimum(boxes[gaps], boxes[gaps + 1])[:, :2]
    high = np.maximum(boxes[gaps], boxes[gaps + 1])[:, 2:]
    round_both = np.concatenate([low, high], axis=1)
    all_frames = np.concatenate([frames, frames[gaps] + 1, frames[gaps + 1] - 1])
    all_boxes = np.concatenate([boxes, round_both, round_both])
    order = np.argsort(all_frames, kind="stable")
    return all_frames[order].astype(np.int32), all_boxes[order]


def _held(
    chain: Piece,
    box: Region,
    scene: Scene,
    hold: HoldRules,
    lying: bool,
    double: bool,
    *,
    end: bool,
) -> list[tuple[float, Region]]:
    """Keys after the last finding (or before the first, `end` False), nearest first; `box` is its region."""
    last = tip(chain, scene.fps, end=end)
    way = 1 if end else -1
    to_the_end = scene.count - 1 - last.frame if end else last.frame
    if to_the_end <= 0:
        return []
    long = (
        chain.sure_ever >= hold.believed_looks and (chain.last - chain.first) / scene.fps >= hold.believed_s
    )
    speed = math.hypot(last.vx, last.vy) * scene.fps / last.size
    out = _frames_until_out(last, box, scene, way)
    if lying and (len(chain) > 1 or last.size <= hold.most_usual * scene.usual_px):
        for_frames = to_the_end if len(chain) > 1 else hold.lying_once_s * scene.fps
        return [(last.frame + way * min(for_frames, to_the_end), box)]
    known = len(chain) >= hold.moving_looks
    if known and out <= hold.leave_s * scene.fps and speed > hold.still_sizes_per_s:
        return _leaving(last, box, way, min(out, hold.leave_s * scene.fps), to_the_end)
    if double or not long:
        seconds = hold.pad_s if double else _brief_s(chain, scene, hold, known, end=end)
        return _moving(
            last, box, way, min(hold.pad_s * scene.fps, to_the_end), min(seconds * scene.fps, to_the_end)
        )
    if speed <= hold.still_sizes_per_s:
        return [(last.frame + way * to_the_end, box)]
    return _moving(
        last, box, way, min(hold.pad_s * scene.fps, to_the_end), min(hold.lost_s * scene.fps, to_the_end)
    )


def _brief_s(chain: Piece, scene: Scene, hold: HoldRules, known: bool, *, end: bool) -> float:
    """How long somebody of whom too little was seen is held; longer, where the footage has no more to see of them."""
    beyond = chain.first if end else scene.count - 1 - chain.last
    return hold.lost_s if known and beyond <= hold.near_s * scene.fps else hold.brief_s


def _leaving(last: Tip, box: Region, way: int, frames: float, most: int) -> list[tuple[float, Region]]:
    """The whole way out, at once: near the camera nobody's speed in the picture stays what it was."""
    ((_, ahead),) = _moving(last, box, way, frames)
    last_frame = min(math.ceil(frames), most)
    return [(last.frame + way * min(1, last_frame), ahead), (last.frame + way * last_frame, ahead)]


def _moving(last: Tip, box: Region, way: int, frames: float, then: float = 0.0) -> list[tuple[float, Region]]:
    """Foreseen for some frames at the speed seen, the place of the last finding included; then standing."""
    frames = max(1, math.ceil(frames))
    # A jump between two findings of one region looks like speed: nobody goes farther than this.
    most = _MOST_SIZES * last.size
    dx = min(max(last.vx * way * frames, -most), most)
    dy = min(max(last.vy * way * frames, -most), most)
    ahead = (box[0] + min(dx, 0), box[1] + min(dy, 0), box[2] + max(dx, 0), box[3] + max(dy, 0))
    keys: list[tuple[float, Region]] = [(last.frame + way * frames, ahead)]
    if then > frames:
        keys.append((last.frame + way * then, ahead))
    return keys


def _frames_until_out(last: Tip, box: Region, scene: Scene, way: int) -> float:
    """How many frames until the whole region is outside the picture, at the speed seen."""
    times = [math.inf]
    for low, high, speed, limit in (
        (box[0], box[2], last.vx * way, scene.width),
        (box[1], box[3], last.vy * way, scene.height),
    ):
        if speed > 0:
            times.append(max(0.0, (limit - low) / speed))
        elif speed < 0:
            times.append(max(0.0, high / -speed))
    return min(times)
