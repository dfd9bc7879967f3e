"""Follows people in pictures that go on coming: at each look, what is covered by all that was seen up to then.

The rules are those of stored video (following.py, staying.py), for a clip that ends now: who was still when last seen
stays masked, and a place left in doubt for a while longer. Only memory differs: of what is long past those findings
are kept that still say where somebody is. Pictures are decided when they come, so what a stored clip would learn from
later looks is missing, and brief findings are held longer instead.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from orvault.vision.boxes import Floats, overlap
from orvault.vision.candidates import Candidate, candidates, things_in
from orvault.vision.completing import HoldRules, Scene
from orvault.vision.detection import Detection
from orvault.vision.following import Followed, FollowRules, put_together
from orvault.vision.linking import stays
from orvault.vision.modes import MaskPolicy
from orvault.vision.pieces import Following, Piece
from orvault.vision.planning import FramePlan, plan_boxes
from orvault.vision.tracks import MaskTrack, TrackKind, boxes_at

FPS = 30  # picture numbers count thirtieths of a second, whatever the camera sends
_TICKS = 90_000 // FPS
_KEPT_S = 20.0  # findings of the last seconds are all kept ...
_KEPT_FINDINGS = 40  # ... and of who was found no more, the last ones
_RARE_S = (
    600.0  # who is hardly ever found, and at one place, may be a draped patient: awaited for so long ...
)
_RARE_MOST = 24  # ... at so many places, the last ones
_MOST_PAST = 32  # chains of those who are not found any more; of older ones the place is kept, and held on
_MOST_PLACES = (
    32  # what is more becomes one with what is nearest: a flood of findings covers, and costs no more
)
_SAME_PLACE = 0.5  # overlap of two places that are one
_SETTLED_S = 1.5  # a place left in doubt is remembered once what was near it is known
# A look may be missed, and none that comes later tells: longer than in stored video where what is found is brief.
LIVE_RULES = FollowRules(hold=HoldRules(pad_s=0.6, brief_s=3.0, lying_once_s=30.0))


class Ongoing:
    """What of one camera's pictures is covered, look by look. Sizes in pixels, times in 1/90000 s."""

    def __init__(self, policy: MaskPolicy, width: int, height: int, rules: FollowRules | None = None) -> None:
        self._policy, self._size = policy, (width, height)
        self._rules = rules or LIVE_RULES
        self._people = _Memory(self._rules)
        self._things: dict[str, _Memory] = {}
        self._first_90k: int | None = None
        self._now = 0  # number of the picture looked at last

    def look(self, pts_90k: int, found: Sequence[Detection]) -> FramePlan:
        """Take what was found in a picture later than all before; what is covered from the look before up to it."""
        before = self._now
        if self._first_90k is None:
            self._first_90k = pts_90k
        else:
            self._now = max(before + 1, (pts_90k - self._first_90k) // _TICKS)
        scene = Scene(*self._size, FPS, self._now + 1)
        tracks = [*self._people.look(candidates(found, self._policy.mode), scene)]
        things = things_in(found, self._policy.objects)
        for name in sorted({*things, *self._things}):
            memory = self._things.setdefault(name, _Memory(self._rules))
            tracks += memory.look(things.get(name, ()), scene)
        passed = [_passed(track, before, self._now) for track in tracks if track.last >= before]
        return plan_boxes(np.array(passed, np.float32).reshape(-1, 4), self._policy, *self._size)


class _Memory:
    """The people, or the things of one class."""

    def __init__(self, rules: FollowRules) -> None:
        self._rules = rules
        self._looks: list[int] = []
        self._following = Following(FPS, noting=True)
        self._chains = _Chains()
        self._past: list[Piece] = []  # what is left of pieces that are over
        self._places: list[MaskTrack] = []

    def look(self, found: Sequence[Candidate], scene: Scene) -> Iterable[MaskTrack]:
        """Take what was found in the picture that is `scene`'s last; all that may reach into the last pictures."""
        now = scene.count - 1
        self._looks.append(now)
        self._following.add(now, found)
        pieces = [*self._past, *self._following.pieces.values()]
        followed = put_together(
            pieces,
            np.array(self._looks, np.int32),
            scene,
            self._rules,
            chained=self._chains.chained,
            left_since=now - round(_KEPT_S * FPS),  # the others are remembered
        )
        self._chains.forget()
        self._remember(followed.left, now)
        self._forget(followed, now)
        return itertools.chain(followed.tracks, followed.left, (_held_to(now, p) for p in self._places))

    def _remember(self, left: Sequence[MaskTrack], now: int) -> None:
        """Keep places apart from the findings that told of them, for as long as they are held."""
        doubt = round(self._rules.stays.doubt_s * FPS)
        settled = [place for place in left if place.found_last <= now - _SETTLED_S * FPS]
        for place in _unknown(settled, self._places):
            self._places = _with(self._places, place)
        self._places = [
            place
            for place in self._places
            if place.kind is TrackKind.LYING or place.found_last + doubt >= now
        ]
        self._places = _bounded(self._places, _MOST_PLACES)

    def _forget(self, followed: Followed, now: int) -> None:
        """Drop those who are gone; of the others keep the last findings."""
        cut = now - round(_KEPT_S * FPS)
        self._past, rare, held = [], [], []
        for group, track in zip(followed.chains, followed.tracks, strict=True):
            over = [piece for piece in group if piece.last < cut]
            if over and len(over) < len(group):
                self._past.append(Piece.chained(over))
            elif over and track.last >= now:
                held.append((Piece.chained(over), track))
            elif over and self._is_rare(chain := Piece.chained(over), now):
                rare.append(chain)
        held.sort(key=lambda each: each[0].last)
        for _, track in held[:-_MOST_PAST]:
            self._places = _with(self._places, _for_good(track, now))
        self._past += [chain for chain, _ in held[-_MOST_PAST:]]
        self._past += sorted(rare, key=lambda chain: chain.last)[-_RARE_MOST:]
        going = self._following.pieces
        for number in [number for number, piece in going.items() if piece.last < cut]:
            del going[number]
        for piece in (*self._past, *going.values()):
            piece.cut(cut, _KEPT_FINDINGS)
        oldest = min((piece.first for piece in (*self._past, *going.values())), default=now)
        del self._looks[: bisect_left(self._looks, oldest)]

    def _is_rare(self, chain: Piece, now: int) -> bool:
        """Whether the next finding at its place would tell of somebody who lies there."""
        recent = chain.last >= now - _RARE_S * FPS and len(chain) <= _KEPT_FINDINGS
        return recent and bool(chain.sure.any()) and stays(chain, self._rules.links.same_place)


class _Chains:
    """Chains as they were made at the look before, for as long as their pieces stay as they are."""

    def __init__(self) -> None:
        # By their pieces: those, how often each had changed, and the chain.
        self._known: dict[tuple[int, ...], tuple[Sequence[Piece], list[int], Piece]] = {}
        self._asked = self._known.copy()

    def chained(self, pieces: Sequence[Piece]) -> Piece:
        """As Piece.chained."""
        if len(pieces) == 1:
            return pieces[0]
        name, changes = tuple(map(id, pieces)), [piece.changes for piece in pieces]
        known = self._known.get(name)
        if known is None or known[1] != changes:
            known = (pieces, changes, Piece.chained(pieces))
        self._asked[name] = known
        return known[2]

    def forget(self) -> None:
        """Those that were not asked for since the last time."""
        self._known, self._asked = self._asked, {}


def _passed(track: MaskTrack, first: int, last: int) -> Floats:
    """Round everything that the track covers from one picture to another (4,)."""
    at = np.arange(max(first, track.first), min(last, track.last) + 1)
    boxes = boxes_at(track.frames, track.boxes, at)
    return np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])


def _unknown(told: Sequence[MaskTrack], known: Sequence[MaskTrack]) -> list[MaskTrack]:
    """The places told that no known one covers whole and for as long: most are told again in each look."""
    if not told or not known:
        return list(told)
    new, old = (np.concatenate([place.boxes[:1] for place in places])[:, None] for places in (told, known))
    old = old.swapaxes(0, 1)
    inside = (old[..., :2] <= new[..., :2]).all(axis=2) & (old[..., 2:] >= new[..., 2:]).all(axis=2)
    until = [np.inf if place.kind is TrackKind.LYING else place.found_last for place in known]
    needed = [np.inf if place.kind is TrackKind.LYING else place.found_last for place in told]
    covered = inside & (np.array(until) >= np.array(needed)[:, None])
    return [told[at] for at in np.flatnonzero(~covered.any(axis=1)).tolist()]


def _with(places: Sequence[MaskTrack], new: MaskTrack) -> list[MaskTrack]:
    """The places and one more; what is much the same place becomes one."""
    own = [at for at, known in enumerate(places) if known.kind is new.kind]
    if own:
        alike = overlap(new.boxes[0], np.concatenate([places[at].boxes[:1] for at in own])) >= _SAME_PLACE
        if alike.any():
            at = own[int(alike.argmax())]
            return [*places[:at], _as_one(places[at], new), *places[at + 1 :]]
    return [*places, replace(new, frames=new.frames[:1], boxes=new.boxes[:1])]


def _for_good(track: MaskTrack, now: int) -> MaskTrack:
    """Where the track is now, as a place that is covered from here on."""
    box = boxes_at(track.frames, track.boxes, np.array([now]))
    return replace(track, kind=TrackKind.LYING, frames=np.array([now], np.int32), boxes=box)


def _bounded(places: Sequence[MaskTrack], most: int) -> list[MaskTrack]:
    """At most so many, and nothing uncovered: the two become one that cover least besides."""
    left = list(places)
    while len(left) > most:
        besides = _besides(np.concatenate([place.boxes[:1] for place in left]))
        one, other = sorted(map(int, np.unravel_index(besides.argmin(), besides.shape)))
        left[one] = _as_one(left[one], left.pop(other))
    return left


def _besides(boxes: Floats) -> Floats:
    """How much the rectangle round two boxes covers that neither does, in pixels (n, n); of one alone infinite."""
    low = np.minimum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.maximum(boxes[:, None, 2:], boxes[None, :, 2:])
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    besides: Floats = (high - low).prod(axis=2) - areas[:, None] - areas[None, :]
    np.fill_diagonal(besides, np.inf)
    return besides


def _as_one(known: MaskTrack, new: MaskTrack) -> MaskTrack:
    """Both places, for as long as the one that is held longer."""
    low = np.minimum(known.boxes[:1, :2], new.boxes[:1, :2])
    high = np.maximum(known.boxes[:1, 2:], new.boxes[:1, 2:])
    lying = TrackKind.LYING in {known.kind, new.kind}
    return replace(
        known,
        kind=TrackKind.LYING if lying else known.kind,
        frames=known.frames[:1],
        boxes=np.concatenate([low, high], axis=1),
        found_last=max(known.found_last, new.found_last),
    )


def _held_to(now: int, place: MaskTrack) -> MaskTrack:
    if place.first >= now:
        return place
    frames = np.array([place.first, now], np.int32)
    return replace(place, frames=frames, boxes=np.concatenate([place.boxes, place.boxes]))
