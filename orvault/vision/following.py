"""Follows everybody through a whole clip, forwards and backwards: findings in, `MaskTrack`s out.

1. what each look says of where people are (candidates.py); 2. pieces that plainly continue each other (pieces.py);
3. pieces linked over the times in which nobody was found (linking.py); 4. tracks completed between, before and
  after (completing.py). Time grows with the length of the clip; of each finding some bytes are held, and no picture.
"""

from __future__ import annotations

import math
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from orvault.vision.bodies import embodied
from orvault.vision.boxes import Floats
from orvault.vision.candidates import candidates, things_in
from orvault.vision.completing import HoldRules, Scene, complete
from orvault.vision.detection import SKIPPED, FrameDetections
from orvault.vision.linking import LinkRules, link
from orvault.vision.modes import MaskMode
from orvault.vision.pieces import Following, Piece
from orvault.vision.staying import StayRules, left_places
from orvault.vision.tracks import Flags, Ints, MaskTrack, TrackKind

_TWICE_LOOKS = 3  # two tracks side by side for so many looks are two findings of one person


@dataclass(frozen=True)
class FollowRules:
    """All that decides how findings are carried through time."""

    hold: HoldRules = field(default_factory=HoldRules)
    links: LinkRules = field(default_factory=LinkRules)
    stays: StayRules = field(default_factory=StayRules)


def find_tracks(
    frames: Iterable[FrameDetections],
    mode: MaskMode,
    width: int,
    height: int,
    *,
    fps: float = 15.0,
    objects: frozenset[str] = frozenset(),
    rules: FollowRules | None = None,
) -> list[MaskTrack]:
    """The tracks of a clip, in the order of their first pictures, numbered from 1.

    `frames` are the findings of all its pictures in the order of showing (a generator will do): `SKIPPED` where
    nobody looked, None where there is no trustworthy result. `width` and `height` of the pictures in pixels;
    `objects` are the classes to follow besides people.
    """
    rules = rules or FollowRules()
    people, things = Following(fps), defaultdict[str, Following](partial(Following, fps))
    looked = array("i")
    count = 0
    for count, found in enumerate(frames, 1):
        if found is None or found is SKIPPED:
            continue
        looked.append(count - 1)
        people.add(count - 1, candidates(found, mode))
        for name, seen in things_in(found, objects).items():
            things[name].add(count - 1, seen)
    scene, looks = Scene(width, height, fps, count), np.array(looked, np.int32)
    tracks = _tracks(people, looks, scene, rules)
    for name in sorted(things):
        tracks += [replace(t, kind=TrackKind.OBJECT) for t in _tracks(things[name], looks, scene, rules)]
    tracks.sort(key=lambda t: (t.first, t.found_first, t.boxes[0].tolist()))
    return [replace(track, track_id=number) for number, track in enumerate(tracks, 1)]


def _tracks(following: Following, looks: Ints, scene: Scene, rules: FollowRules) -> list[MaskTrack]:
    followed = put_together(list(following.pieces.values()), looks, scene, rules)
    return [*followed.tracks, *followed.left]


@dataclass(frozen=True)
class Followed:
    """Everybody in a clip: `tracks[i]` is of the pieces `chains[i]`; `left` are places somebody may still be at."""

    chains: list[list[Piece]]
    tracks: list[MaskTrack]
    left: list[MaskTrack]


def put_together(
    pieces: Sequence[Piece],
    looks: Ints,
    scene: Scene,
    rules: FollowRules,
    *,
    chained: Callable[[Sequence[Piece]], Piece] = Piece.chained,
    left_since: int = 0,
) -> Followed:
    """Link the pieces and complete what comes of it; `looks` are the numbers of the pictures looked at.

    `left_since`: places that were left before that picture are not told.
    """
    linked = [(group, chained(group)) for group in link(pieces, looks, scene.fps, rules.links)]
    # What is faint alone is nobody, but for faces that two turned looks found.
    linked = [(group, chain) for group, chain in linked if chain.firm or chain.lay.any()]
    chains = [chain for _, chain in linked]
    scene = replace(scene, usual_px=_usual_px(chains, rules))
    tracks = [
        embodied(complete(chain, looks, scene, rules.hold, rules.links, double=double), chain)
        for chain, double in zip(chains, _doubles(chains, rules), strict=True)
    ]
    left = [
        replace(place, boxes=scene.as_usual(place.boxes, rules.hold))
        if place.kind is TrackKind.LYING
        else place
        for place in left_places(chains, tracks, scene, rules.stays, left_since)
    ]
    return Followed([group for group, _ in linked], tracks, left)


def _usual_px(chains: Sequence[Piece], rules: FollowRules) -> float:
    """Of those who are surely there; but who lies is found by a part of the face."""
    sizes = [
        _mean_px(chain)
        for chain in chains
        if np.count_nonzero(chain.sure) >= rules.hold.believed_looks
        and np.count_nonzero(chain.lay) * 2 <= len(chain)
    ]
    return float(np.median(sizes)) if sizes else math.inf


def _mean_px(chain: Piece) -> float:
    def worked_out() -> float:
        boxes = chain.arrays()[1]
        return float((boxes[:, 2:] - boxes[:, :2]).max(axis=1).mean())

    return chain.once(_mean_px, worked_out)


def _doubles(chains: Sequence[Piece], rules: FollowRules) -> list[tuple[bool, bool]]:
    """For each chain whether another one was at its place for some looks as it began, and as it ended."""
    arrays = [chain.once(Piece.arrays, chain.arrays) for chain in chains]
    firsts = np.array([c.first for c in chains], np.int64)
    lasts = np.array([c.last for c in chains], np.int64)
    each_way = (chain.once(_way, partial(_way, arrays[i][1])) for i, chain in enumerate(chains))
    ways = np.array(list(each_way), np.float32).reshape(-1, 2, 2)

    def is_double(i: int, *, end: bool) -> bool:
        """Whether its first or last looks have company by a chain that began before, or goes on."""
        few = slice(-_TWICE_LOOKS, None) if end else slice(None, _TWICE_LOOKS)
        frames, boxes = arrays[i]
        at, mine = frames[few], boxes[few]
        if len(at) < _TWICE_LOOKS:
            return False
        beside = (firsts <= at[0]) & (lasts >= at[-1]) & ((lasts > at[-1]) if end else (firsts < at[0]))
        others = np.flatnonzero(beside)
        others = others[_may_be_together(mine, ways[others], rules.links.same_place)]
        return any(_together(mine, at, arrays[j], rules.links.same_place) for j in others.tolist())

    return [(is_double(i, end=False), is_double(i, end=True)) for i in range(len(chains))]


def _way(boxes: Floats) -> Floats:
    """How far the middles of boxes (n, 4) reach, doubled (2, 2): least and most of x and y."""
    middles = boxes[:, :2] + boxes[:, 2:]
    return np.stack([middles.min(axis=0), middles.max(axis=0)])


def _may_be_together(mine: Floats, ways: Floats, same_place: float) -> Flags:
    """Which of the ways (n, 2, 2) come as near as `_together` asks, at some time or other."""
    middles = (mine[:, :2] + mine[:, 2:])[:, None]
    most = 2 * same_place * np.maximum((mine[:, 2:] - mine[:, :2]).max(axis=1), 1.0)[:, None, None] + 1
    return np.asarray(((ways[:, 0] - most <= middles) & (middles <= ways[:, 1] + most)).all(axis=(0, 2)))


def _together(mine: Floats, at: Ints, other: tuple[Ints, Floats], same_place: float) -> bool:
    theirs = np.stack([np.interp(at, other[0], other[1][:, k]) for k in range(4)], axis=1)
    size = np.maximum((mine[:, 2:] - mine[:, :2]).max(axis=1), 1.0)
    apart = np.abs(mine[:, :2] + mine[:, 2:] - theirs[:, :2] - theirs[:, 2:]).max(axis=1) / 2
    return bool((apart <= same_place * size).all())
