"""Links pieces of tracks over the times in which nobody was found: hidden, missed, or seen only now and then.

Pieces at one place belong together however long nothing was seen there: whoever lies is found rarely. Pieces at two
places belong together if somebody could have gone from one to the other in the time between.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from orvault.vision.boxes import Places
from orvault.vision.pieces import Piece
from orvault.vision.tracks import Flags, Ints

_MOST_OPEN = 512  # ends that wait for a beginning; the oldest are given up first (their holds stay)
_SPEED_LOOKBACK_S = 0.7
_LONGER = 3  # times that, where fewer than two heads were found in it
_ROUNDING = 1e-6  # sizes: what comes so near to a limit is reckoned exactly


@dataclass(frozen=True)
class LinkRules:
    """How far and how long a link reaches; sizes are the region's longer side."""

    gap_s: float = 2.5  # between two places
    sizes_per_s: float = 4.0  # a person who walks across the picture
    most_sizes: float = 4.0
    same_place: float = 0.7  # sizes: centres this close are one place
    size_ratio: float = 2.2
    rare_share: float = 0.4  # found in fewer of the looks: somebody who is seen only now and then


@dataclass(frozen=True, slots=True)
class Tip:
    """One end of a piece: picture number, centre, size, speed in pixels per picture (forwards in time)."""

    frame: int
    x: float
    y: float
    size: float
    vx: float
    vy: float


def tip(piece: Piece, fps: float, *, end: bool) -> Tip:
    """The last (or first) finding of a piece, and how it moved there."""
    return piece.once((tip, end), lambda: _tip(piece, fps, end=end))


def _tip(piece: Piece, fps: float, *, end: bool) -> Tip:
    frames = piece.frames
    at = len(frames) - 1 if end else 0
    near = _of_one_kind(piece, at, _SPEED_LOOKBACK_S * fps)
    here, first, last = piece.regions[[at, near[0], near[-1]]].tolist()
    (x, y), (x1, y1), (x2, y2) = map(_centre, (here, first, last))
    frames_between = int(frames[near[-1]] - frames[near[0]]) or 1
    size = max(here[2] - here[0], here[3] - here[1], 1.0)
    return Tip(int(frames[at]), x, y, size, (x2 - x1) / frames_between, (y2 - y1) / frames_between)


def _of_one_kind(piece: Piece, at: int, reach: float) -> Places:
    """Findings near the one at `at` in time that tell a speed: from the top of a body to a head it is none."""
    away = np.abs(piece.frames - piece.frames[at])
    for sure, most in ((True, reach), (True, _LONGER * reach), (False, reach)):
        kind = np.flatnonzero((away <= most) & (piece.sure == sure))
        if len(kind) > 1:
            return kind
    return np.flatnonzero(away <= reach)


def is_lying(piece: Piece, looks: Ints, rules: LinkRules) -> bool:
    """Found mainly in turned pictures, or rarely and at one place: nothing that walks is so."""
    return piece.once(is_lying, lambda: _is_lying(piece, looks, rules))


def _is_lying(piece: Piece, looks: Ints, rules: LinkRules) -> bool:
    if _mostly(piece.lay):
        return True
    if np.count_nonzero(piece.sure) < 2 or not stays(piece, rules.same_place):
        return False
    span = np.searchsorted(looks, piece.last, "right") - np.searchsorted(looks, piece.first)
    return bool(len(piece) < rules.rare_share * span)


def _mostly(flags: Flags) -> bool:
    return bool(np.count_nonzero(flags) * 2 > len(flags))


def stays(piece: Piece, sizes: float) -> bool:
    """Whether all findings lie at one place."""
    boxes = piece.arrays()[1]
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    size = float(np.median((boxes[:, 2:] - boxes[:, :2]).max(axis=1)))
    return bool(np.ptp(centres, axis=0).max() <= 2 * sizes * max(size, 1.0))


def link(pieces: Sequence[Piece], looks: Ints, fps: float, rules: LinkRules) -> list[list[Piece]]:
    """Which pieces are one person's, in the order of time: each is in one result. The cheapest link goes first."""
    pieces = sorted(pieces, key=lambda p: p.first)
    ends = [tip(p, fps, end=True) for p in pieces]
    starts = [tip(p, fps, end=False) for p in pieces]
    bound = [is_lying(p, looks, rules) or _mostly(p.turned) for p in pieces]
    firm = [2 * np.count_nonzero(p.sure) > len(p) for p in pieces]
    costs, befores, afters = array("d"), array("i"), array("i")  # of a day there are millions
    table = np.array([(end.frame, end.x, end.y, end.size) for end in ends], np.float64).reshape(-1, 4)
    for b, start in enumerate(starts):
        oldest = max(0, b - _MOST_OPEN)
        for a in (oldest + _reachable(table[oldest:b], start, fps, rules)).tolist():
            # Tops of bodies seen now and then at one place are chance, or a table's drape; heads are a patient.
            if start.frame - ends[a].frame > rules.gap_s * fps and not (firm[a] and firm[b]):
                continue
            cost = _cost(ends[a], start, fps, rules, bound=bound[a] or bound[b])
            if math.isfinite(cost):
                costs.append(cost)
                befores.append(a)
                afters.append(b)
    order = np.lexsort((afters, befores, costs))
    return _chained(pieces, ((befores[i], afters[i]) for i in order))


def _reachable(ends: npt.NDArray[np.float64], start: Tip, fps: float, rules: LinkRules) -> Places:
    """Which ends (n, 4: frame, centre, size) may cost less than infinity: all that do, and few more."""
    frames, x, y, sizes = ends.T
    small, large = np.minimum(sizes, start.size), np.maximum(sizes, start.size)
    gap_s = (start.frame - frames) / fps
    reach = np.minimum(rules.most_sizes, 0.5 + rules.sizes_per_s * gap_s)
    most = np.where(gap_s <= rules.gap_s, np.maximum(1.5 * reach, rules.same_place), rules.same_place)
    near = np.hypot(start.x - x, start.y - y) <= (most + _ROUNDING) * large
    return np.flatnonzero((gap_s > 0) & (large <= (rules.size_ratio + _ROUNDING) * small) & near)


def _cost(a: Tip, b: Tip, fps: float, rules: LinkRules, *, bound: bool) -> float:
    """Seconds and sizes apart, together; infinite if nobody goes that way. `bound`: one of them does not walk."""
    size = min(a.size, b.size)
    if max(a.size, b.size) > rules.size_ratio * size:
        return math.inf
    gap_s = (b.frame - a.frame) / fps
    apart = math.hypot(b.x - a.x, b.y - a.y) / max(a.size, b.size)
    if apart <= rules.same_place:
        return apart + min(gap_s, 60.0) / 10
    if bound or gap_s > rules.gap_s:
        return math.inf
    # Where both would have been half way, had they kept their speed.
    half = min(b.frame - a.frame, round(fps)) / 2
    foreseen = math.hypot(b.x - b.vx * half - a.x - a.vx * half, b.y - b.vy * half - a.y - a.vy * half)
    reach = min(rules.most_sizes, 0.5 + rules.sizes_per_s * gap_s)
    nearest = min(apart, foreseen / max(a.size, b.size))
    return nearest + gap_s if nearest <= reach and apart <= 1.5 * reach else math.inf


def _chained(pieces: Sequence[Piece], pairs: Iterable[tuple[int, int]]) -> list[list[Piece]]:
    after: dict[int, int] = {}
    taken: set[int] = set()
    for a, b in pairs:
        if a not in after and b not in taken:
            after[a] = b
            taken.add(b)
    result = []
    for first in range(len(pieces)):
        if first in taken:
            continue
        chain = [first]
        while chain[-1] in after:
            chain.append(after[chain[-1]])
        result.append([pieces[i] for i in chain])
    return result


def _centre(box: Sequence[float]) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
