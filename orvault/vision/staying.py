"""Places that somebody may still be at, although the track that was there has gone on.

Where a person passes another, a track may leave with the wrong one of them: the patient's region would walk away
with a nurse. So a place at which somebody stayed is held on when its track left it while another was near; and one
where a face lay, in any case: whole, with all that was found there. It is released when it is known to be empty: the
track left it with nobody near, or the time is over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from orvault.vision.bodies import reach_of, usual
from orvault.vision.boxes import Floats
from orvault.vision.completing import Scene
from orvault.vision.pieces import Piece
from orvault.vision.tracks import Flags, Ints, MaskTrack, Region, TrackKind, boxes_at

_SOME = 16  # boxes compared at once, at first: who walks is elsewhere soon


@dataclass(frozen=True)
class StayRules:
    """Times in seconds, distances in sizes (the longer side of the region)."""

    same_sizes: float = 0.35  # centres this close are one place
    most_growth: float = 1.3  # of a head, against those found next there: more is no measure of the place
    least_looks: int = 5
    least_s: float = 1.5
    near_sizes: float = 1.2  # another person this near makes it doubtful who left
    near_s: float = 1.0  # before and after
    doubt_s: float = 60.0  # a place left in doubt is held so long; one where a face lay, to the end


@dataclass(frozen=True, slots=True)
class _Stay:
    first: int
    last: int
    box: Region
    looks: int
    turned: bool
    before: bool  # the track was elsewhere before, or ...
    after: bool  # ... is so after, ...
    gone: int  # ... found there first in this picture; without such a one the last picture


def left_places(
    chains: Sequence[Piece], tracks: Sequence[MaskTrack], scene: Scene, rules: StayRules, since: int = 0
) -> Iterator[MaskTrack]:
    """Tracks (id 0) of the places that are held on; `tracks` are those of the `chains`, in the same order.

    Places that were left before picture `since` are known to whoever asks, and are not told again.
    """
    crowd = _Crowd(tracks)
    reach = round(rules.near_s * scene.fps)
    for own, chain in enumerate(chains):
        for stay in _stays(chain, scene.fps, rules):
            if stay.gone < since:
                continue
            for at, way in ((stay.first, -1), (stay.last, 1)):
                left = stay.after if way > 0 else stay.before
                lies = stay.turned and (left or (stay.looks > 1 and not _is_covered(stay, tracks[own])))
                if lies or (left and crowd.is_near(own, stay, at, reach, rules)):
                    yield _place(chain, stay, way, scene, rules)


class _Crowd:
    """Everybody's tracks, and roughly when and where each of them is: most of them need no closer look."""

    def __init__(self, tracks: Sequence[MaskTrack]) -> None:
        self._tracks = tracks
        self._firsts = np.array([track.first for track in tracks], np.int64)
        self._lasts = np.array([track.last for track in tracks], np.int64)
        middles = [_middles(track.boxes) for track in tracks]
        self._low = np.array([middle.min(axis=0) for middle in middles], np.float32).reshape(-1, 2)
        self._high = np.array([middle.max(axis=0) for middle in middles], np.float32).reshape(-1, 2)

    def is_near(self, own: int, stay: _Stay, at: int, reach: int, rules: StayRules) -> bool:
        """Whether another track than `own` comes near the stay within `reach` pictures of picture `at`."""
        x1, y1, x2, y2 = stay.box
        middle, most = np.array([x1 + x2, y1 + y2]) / 2, rules.near_sizes * max(x2 - x1, y2 - y1) + 1
        there = (self._firsts <= at + reach) & (self._lasts >= at - reach)
        there &= ((self._low <= middle + most) & (self._high >= middle - most)).all(axis=1)
        others = [self._tracks[i] for i in np.flatnonzero(there).tolist() if i != own]
        return any(_near(track, stay, at, reach, rules) for track in others)


def _middles(boxes: Floats) -> Floats:
    return (boxes[:, :2] + boxes[:, 2:]) / np.float32(2)


def _stays(chain: Piece, fps: float, rules: StayRules) -> Sequence[_Stay]:
    """The stretches of a track in which it did not leave the place where it was found first."""
    return chain.once(_stays, lambda: list(_each_stay(chain, fps, rules)))


def _each_stay(chain: Piece, fps: float, rules: StayRules) -> Iterator[_Stay]:
    frames, boxes = chain.arrays()
    lay, begin = chain.lay, 0
    while begin < len(frames):
        i, there = _stay_from(boxes, begin, rules)
        long = i - begin >= rules.least_looks and frames[i - 1] - frames[begin] >= rules.least_s * fps
        turned = bool(lay[begin:i].any())
        if turned or (long and chain.sure[begin:i].any()):
            yield _Stay(
                int(frames[begin]),
                int(frames[i - 1]),
                _round_all(boxes[begin:i][there], chain.bodies[begin:i][there]),
                i - begin,
                turned,
                before=begin > 0,
                after=i < len(frames),
                gone=int(frames[min(i, len(frames) - 1)]),
            )
        begin = i


def _stay_from(boxes: Floats, begin: int, rules: StayRules) -> tuple[int, Flags]:
    """The first of the boxes (n, 4) behind `begin` that is not at its place, n without one; which before it are.

    One look that sees somebody elsewhere, between others that do not, is a look that was wrong: who stays, stays.
    """
    one, at, some = boxes[begin], begin + 1, _SOME
    most = rules.same_sizes * max(_confirmed_size(boxes[begin : begin + rules.least_looks], rules), 1.0)
    end = len(boxes)
    while at < end:
        away = _apart(one, boxes[at : at + some + 1]) > most  # the last is there for the one before it
        behind = at + len(away) == len(boxes)
        gone = np.flatnonzero(away & np.append(away[1:], behind))
        if gone.size:
            end = at + int(gone[0])
        if gone.size or behind:
            break
        at, some = at + some, 2 * some
    return end, _apart(one, boxes[begin:end]) <= most


def _apart(one: Floats, others: Floats) -> Floats:
    """How far the middles (n, 4) lie from the one's (4,), along the axis in which it is more."""
    return cast(Floats, np.abs(one[:2] + one[2:] - others[:, :2] - others[:, 2:]).max(axis=1) / 2)


def _confirmed_size(boxes: Floats, rules: StayRules) -> float:
    """The first box's longer side, but not much more than that of the largest of the others.

    Of two people close together a model makes one with a huge head now and then. By its size all that is near would
    be one place, and be held as such.
    """
    first, *others = (boxes[:, 2:] - boxes[:, :2]).max(axis=1).tolist()
    return float(min(first, rules.most_growth * max(others))) if others else float(first)


def _round_all(heads: Floats, bodies: Floats) -> Region:
    more = reach_of(heads, bodies)[1]
    grown = usual(more) if len(more) else np.zeros(4, np.float32)
    x1, y1 = (heads[:, :2].min(axis=0) + grown[:2]).tolist()
    x2, y2 = (heads[:, 2:].max(axis=0) + grown[2:]).tolist()
    return (x1, y1, x2, y2)


def _near(track: MaskTrack, stay: _Stay, at: int, reach: int, rules: StayRules) -> bool:
    begin, end = max(track.first, at - reach), min(track.last, at + reach)
    if begin > end:
        return False
    boxes = boxes_at(track.frames, track.boxes, np.arange(begin, end + 1))
    x1, y1, x2, y2 = stay.box
    apart = np.abs(_middles(boxes) - ((x1 + x2) / 2, (y1 + y2) / 2)).max(axis=1)
    return bool(apart.min() <= rules.near_sizes * max(x2 - x1, y2 - y1))


def _is_covered(stay: _Stay, track: MaskTrack) -> bool:
    """Whether the track covers in every picture what was found of who lay there."""
    low, high = track.boxes[:, :2].max(axis=0), track.boxes[:, 2:].min(axis=0)
    x1, y1, x2, y2 = stay.box
    return bool(low[0] <= x1 and low[1] <= y1 and high[0] >= x2 and high[1] >= y2)


def _place(chain: Piece, stay: _Stay, way: int, scene: Scene, rules: StayRules) -> MaskTrack:
    reach = scene.count if stay.turned else round(rules.doubt_s * scene.fps)
    first = stay.first if way > 0 else max(0, stay.first - reach)
    last = stay.last if way < 0 else min(scene.count - 1, stay.last + reach)
    frames: Ints = np.array([first, last] if last > first else [first], np.int32)
    return MaskTrack(
        track_id=0,
        kind=TrackKind.LYING if stay.turned else TrackKind.PERSON,
        frames=frames,
        boxes=np.array([stay.box] * len(frames), np.float32),
        found_first=stay.first,
        found_last=stay.last,
        looks=stay.looks,
        sources=chain.sources,
    )
