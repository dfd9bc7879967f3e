"""Raised hands out of key points in time: a hand held above the head, alone, for long enough, is one signal.

Pure rules without a picture: watcher.py finds the key points. What a signal starts or stops is the business of the
recording control; nothing here knows which hand means what.

Left and right are the person's own, as the key points name them. Heights are compared along the picture's vertical;
lengths are measured against the person's own torso, so that distance and resolution do not matter.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from orvault.clock import US_PER_S
from orvault.errors import ErrorKind, OrvaultError
from orvault.vision.boxes import Floats

_FACE = slice(0, 5)  # nose, eyes, ears in COCO order
_LEFT, _RIGHT = (5, 7, 9), (6, 8, 10)  # shoulder, elbow, wrist
_HIPS = (11, 12)


class Hand(StrEnum):
    """The person's own left or right."""

    LEFT = "left"
    RIGHT = "right"


class Arms(StrEnum):
    """What one look shows of a person's hands; `UNSURE` where it cannot be told."""

    DOWN = "down"
    LEFT = "left"
    RIGHT = "right"
    BOTH = "both"
    UNSURE = "unsure"


_ONE = {Arms.LEFT: Hand.LEFT, Arms.RIGHT: Hand.RIGHT}


@dataclass(frozen=True)
class GestureRules:
    """When a hand counts as raised, and when a raised hand is a signal.

    Certainties are 0..1; a height is in torso lengths of the person (shoulders to hips).
    """

    dwell_s: float = 1.0  # the hand is up for this long before it is a signal
    cool_down_s: float = 3.0  # after a signal of any person, none from anybody for this long
    least_share: float = 0.7  # of the looks since the hand went up that must show it, and it alone
    least_looks: int = 4  # that show it, however slowly looks come
    gap_s: float = 0.5  # a raised hand may be missed, or nobody look, for this long
    rest_s: float = 0.4  # after both hands, or a signal, the hands are down for this long before the next
    least_arm: float = 0.3  # certainty of the raised wrist and elbow
    least_body: float = 0.3  # certainty of shoulders and of the surest face point
    above_head: float = 0.1  # the wrist over the highest point of the face; the crown lies above the eyes

    def __post_init__(self) -> None:
        shares = (self.least_share, self.least_arm, self.least_body)
        times = (self.dwell_s, self.cool_down_s, self.gap_s, self.rest_s)
        if not all(0 <= share <= 1 for share in shares) or min(times) < 0 or self.gap_s == 0:
            raise _bad_rules("Shares are between 0 and 1, times are not negative, and the gap is above 0.")
        if self.least_looks < 1:
            raise _bad_rules("At least one look must show the hand.")


def _bad_rules(message: str) -> OrvaultError:
    return OrvaultError(ErrorKind.BAD_SETTINGS, message, where="gesture rules")


@dataclass(frozen=True, slots=True)
class Raise:
    """One signal, with its evidence: when the hand went up, who (the track), key points of the last look.

    `keypoints` is (17, 3): x, y in pixels, certainty 0..1, in COCO order; `confidence` is the mean certainty of the
    raised arm times the share of looks that showed it.
    """

    hand: Hand
    at_us: int
    began_us: int
    track: int
    confidence: float
    keypoints: Floats = field(repr=False)


def arms_of(keypoints: Floats, rules: GestureRules) -> Arms:
    """What one look's key points (17, 3) show."""
    face, shoulders = keypoints[_FACE], keypoints[[5, 6]]
    if face[:, 2].max() < rules.least_body or shoulders[:, 2].max() < rules.least_body:
        return Arms.UNSURE
    torso = torso_length(keypoints)
    hips_y = float(keypoints[list(_HIPS), 1].mean())
    if hips_y - float(shoulders[:, 1].mean()) < 0.3 * torso:
        return Arms.UNSURE  # lying, or bent so far that "above the head" means nothing
    head_y = float(face[:, 1].min()) - rules.above_head * torso
    left, right = (_is_up(keypoints, arm, head_y, rules.least_arm) for arm in (_LEFT, _RIGHT))
    if left and right:
        return Arms.BOTH
    if not (left or right):
        return Arms.DOWN
    other = (_RIGHT if left else _LEFT)[-1]
    if keypoints[other, 1] < face[:, 1].max():
        return Arms.BOTH  # at the height of the face is not down
    return Arms.LEFT if left else Arms.RIGHT


def torso_length(keypoints: Floats) -> float:
    """Pixels from shoulders to hips, or from shoulder to shoulder where foreshortening makes that the longer."""
    shoulders, hips = keypoints[[5, 6], :2], keypoints[list(_HIPS), :2]
    along = float(np.hypot(*(shoulders.mean(axis=0) - hips.mean(axis=0))))
    return max(along, 1.2 * float(np.hypot(*(shoulders[0] - shoulders[1]))), 1e-3)


def _is_up(keypoints: Floats, arm: tuple[int, int, int], head_y: float, least: float) -> bool:
    shoulder, elbow, wrist = (keypoints[i] for i in arm)
    certain = min(elbow[2], wrist[2]) >= least
    return bool(certain and wrist[1] < head_y and elbow[1] < shoulder[1])


@dataclass(slots=True)
class _Look:
    at_us: int
    arms: Arms
    certainty: float


@dataclass(slots=True)
class _Person:
    """What is remembered of one track: the looks of the present raise, and whether it may still be a signal."""

    last_us: int
    arms: Arms = Arms.UNSURE  # what the last look showed
    looks: deque[_Look] = field(default_factory=deque)
    barred: bool = False  # both hands were up, or the signal is given: the hands must come down first
    down_since_us: int | None = None


class Gestures:
    """The rules over time, for the persons of one operating room."""

    def __init__(self, rules: GestureRules | None = None) -> None:
        self.rules = rules or GestureRules()
        self._people: dict[int, _Person] = {}
        self._quiet_until_us: int | None = None

    def see(self, track: int, keypoints: Floats, at_us: int) -> Raise | None:
        """Take one look at one person; the signal that this look completes, if it does.

        A time before the person's last one means that the clock was set: what was begun is forgotten, and a hand
        that is up then must come down first.
        """
        person = self._people.setdefault(track, _Person(at_us))
        if at_us < person.last_us:
            self._people[track] = person = _Person(at_us, barred=True)
            self._quiet_until_us = None
        elif at_us - person.last_us > self.rules.gap_s * US_PER_S:
            person.looks.clear()
            person.down_since_us = None
        person.last_us = at_us
        person.arms = arms = arms_of(keypoints, self.rules)
        self._rest(person, arms, at_us)
        self._remember(person, _Look(at_us, arms, _certainty(keypoints, arms)))
        return self._signal(track, person, keypoints, at_us)

    def is_raising(self, track: int) -> bool:
        """Whether a raise of this person has begun and is neither a signal yet nor barred."""
        person = self._people.get(track)
        return person is not None and bool(person.looks) and not person.barred

    def is_up(self, track: int) -> bool:
        """Whether the last look at this person showed a hand up."""
        person = self._people.get(track)
        return person is not None and person.arms in (Arms.LEFT, Arms.RIGHT, Arms.BOTH)

    def keep(self, tracks: set[int]) -> None:
        """Forget everybody else."""
        self._people = {track: person for track, person in self._people.items() if track in tracks}

    def _rest(self, person: _Person, arms: Arms, at_us: int) -> None:
        if arms != Arms.DOWN:
            if arms != Arms.UNSURE:
                person.down_since_us = None
            return
        if person.down_since_us is None:
            person.down_since_us = at_us
        if at_us - person.down_since_us >= self.rules.rest_s * US_PER_S:
            person.barred = False

    def _remember(self, person: _Person, look: _Look) -> None:
        """Keep the looks of one raise: from its first look on, until it is missed for longer than the gap."""
        looks = person.looks
        if person.barred:
            looks.clear()
            return
        shown = [past for past in looks if past.arms in _ONE]
        if look.arms in _ONE:
            if shown and shown[-1].arms != look.arms:
                looks.clear()  # the other hand: a new raise
            looks.append(look)
        elif shown and look.at_us - shown[-1].at_us <= self.rules.gap_s * US_PER_S:
            looks.append(look)
        else:
            looks.clear()
        # One look that shows both may be the model's slip; two are both hands.
        both = look.arms == Arms.BOTH
        if both and (not looks or sum(past.arms == Arms.BOTH for past in looks) > 1):
            looks.clear()
            person.barred = True

    def _signal(self, track: int, person: _Person, keypoints: Floats, at_us: int) -> Raise | None:
        rules, looks = self.rules, person.looks
        if person.barred or not looks or looks[-1].arms not in _ONE:
            return None
        if self._quiet_until_us is not None and at_us < self._quiet_until_us:
            return None
        shown = [look for look in looks if look.arms in _ONE]
        share = len(shown) / len(looks)
        held = at_us - looks[0].at_us >= rules.dwell_s * US_PER_S
        if not held or share < rules.least_share or len(shown) < rules.least_looks:
            return None
        confidence = share * sum(look.certainty for look in shown) / len(shown)
        event = Raise(
            _ONE[looks[-1].arms], at_us, looks[0].at_us, track, round(confidence, 3), keypoints.copy()
        )
        looks.clear()
        person.barred = True
        self._quiet_until_us = at_us + round(rules.cool_down_s * US_PER_S)
        return event


def _certainty(keypoints: Floats, arms: Arms) -> float:
    if arms not in _ONE:
        return 0.0
    arm = _LEFT if arms == Arms.LEFT else _RIGHT
    return float(keypoints[list(arm[1:]), 2].mean())
