"""Gives tracks their bodies, in mode `body`: a region goes with the head, and reaches as far as the body did.

Models take a gowned person and the draped table beside it for one body now and then: of a region that is held for
long without a look at it, the usual body counts, not the largest.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from orvault.vision.boxes import Floats
from orvault.vision.pieces import Piece
from orvault.vision.tracks import Ints, MaskTrack, boxes_at

_USUAL = 5  # bodies: the usual one is the median of so many


def embodied(track: MaskTrack, chain: Piece) -> MaskTrack:
    """The track of these findings with its regions enlarged to the body; unchanged where no body was found.

    Between two looks at the body it reaches as far as either says; before the first and after the last as far as
    the usual one of those nearest in time.
    """
    frames, heads = chain.once(Piece.arrays, chain.arrays)
    seen, more = chain.once(reach_of, lambda: reach_of(heads, chain.bodies))
    if not seen.size:
        return track
    looked = frames[seen]
    bodies = heads[seen] + more
    inside = (looked >= track.first) & (looked <= track.last)
    at_frames: Ints = np.union1d(track.frames, looked[inside]).astype(np.int32)
    boxes = boxes_at(track.frames, track.boxes, at_frames) + _reach(at_frames, looked, more)
    at = np.searchsorted(at_frames, looked[inside])
    boxes[at] = _round(boxes[at], bodies[inside])
    return replace(track, frames=at_frames, boxes=boxes)


def reach_of(heads: Floats, bodies: Floats) -> tuple[Ints, Floats]:
    """Which of the heads (n, 4) have a body, and how much farther than the head each body reaches (k, 4).

    Of `bodies` (n, 4) those that are no numbers are none.
    """
    seen = np.flatnonzero(~np.isnan(bodies[:, 0])).astype(np.int32)
    more = bodies[seen] - heads[seen]
    return seen, np.concatenate([np.minimum(more[:, :2], 0), np.maximum(more[:, 2:], 0)], axis=1)


def usual(more: Floats) -> Floats:
    """The usual reach (4,) of several (k, 4), k > 0."""
    return np.median(more, axis=0).astype(np.float32)


def _reach(frames: Ints, looked: Ints, more: Floats) -> Floats:
    """How much farther than the head the body reaches at each of the frames (n, 4)."""
    after = np.searchsorted(looked, frames).clip(0, len(looked) - 1)
    before = (np.searchsorted(looked, frames, "right") - 1).clip(0)
    reach = _round(more[before], more[after])
    reach[frames < looked[0]] = usual(more[:_USUAL])
    reach[frames > looked[-1]] = usual(more[-_USUAL:])
    return reach


def _round(one: Floats, other: Floats) -> Floats:
    low, high = np.minimum(one[:, :2], other[:, :2]), np.maximum(one[:, 2:], other[:, 2:])
    return np.concatenate([low, high], axis=1).astype(np.float32)
