"""What counts as a raised hand, on key points made up for the purpose."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from orvault.errors import OrvaultError
from orvault.vision.boxes import Floats
from orvault.vision.gesture import Arms, GestureRules, Gestures, Hand, Raise, arms_of

STEP_US = 200_000
RULES = GestureRules()
# Where a wrist and its elbow are, above (negative) or below the shoulders' height; the face is at -60 to -50.
UP, FOREHEAD, CHIN, HANGING = (-130.0, -60.0), (-58.0, -20.0), (-50.0, 20.0), (120.0, 60.0)


def person(
    left: tuple[float, float] = HANGING, right: tuple[float, float] = HANGING, *, away: bool = False
) -> Floats:
    """Somebody upright at (300, 200), shoulders 80 apart, torso 120 long. Who faces the camera has the left hand at
    the picture's right; who faces away, at its left."""
    side = -1.0 if away else 1.0
    points = np.full((17, 3), 0.9, np.float32)
    points[0:5, 0] = 300
    points[0:5, 1] = (150, 140, 140, 145, 145)
    for index, (x, y) in {
        5: (40, 0),
        7: (50, left[1]),
        9: (55, left[0]),
        11: (30, 120),
        13: (30, 200),
        15: (30, 280),
    }.items():
        points[index, :2] = 300 + side * x, 200 + y
    for index, (x, y) in {
        6: (40, 0),
        8: (50, right[1]),
        10: (55, right[0]),
        12: (30, 120),
        14: (30, 200),
        16: (30, 280),
    }.items():
        points[index, :2] = 300 - side * x, 200 + y
    return points


def unsure(points: Floats, *which: int) -> Floats:
    points[list(which), 2] = 0.05
    return points


R, L, B, D = person(right=UP), person(left=UP), person(UP, UP), person()
HIDDEN = unsure(person(right=UP), 8, 10)


def watch(
    looks: Iterable[Floats], gestures: Gestures | None = None, *, first: int = 0, track: int = 1
) -> list[Raise]:
    gestures = gestures or Gestures()
    events = (gestures.see(track, look, (first + i) * STEP_US) for i, look in enumerate(looks))
    return [event for event in events if event is not None]


@pytest.mark.parametrize(
    ("keypoints", "arms"),
    [
        (person(), Arms.DOWN),
        (person(right=UP), Arms.RIGHT),
        (person(left=UP), Arms.LEFT),
        (person(right=UP, away=True), Arms.RIGHT),
        (person(left=UP, away=True), Arms.LEFT),
        (person(UP, UP), Arms.BOTH),
        (person(left=UP, right=FOREHEAD), Arms.BOTH),
        (person(right=FOREHEAD), Arms.DOWN),
        (person(right=CHIN), Arms.DOWN),
        (person(right=(-130.0, 10.0)), Arms.DOWN),  # the elbow hangs: the wrist is misplaced
        (unsure(person(right=UP), 10), Arms.DOWN),
        (unsure(person(right=UP), 0, 1, 2, 3, 4), Arms.UNSURE),
    ],
)
def test_one_look(keypoints: Floats, arms: Arms) -> None:
    assert arms_of(keypoints, RULES) == arms


def test_who_lies_raises_no_hand() -> None:
    lying = person(right=UP)
    lying[:, :2] = lying[:, [1, 0]]
    assert arms_of(lying, RULES) == Arms.UNSURE


def test_distance_and_resolution_do_not_matter() -> None:
    for scale in (0.1, 1.0, 8.0):
        keypoints = person(right=UP) * np.array([scale, scale, 1], np.float32)
        assert arms_of(keypoints, RULES) == Arms.RIGHT


def test_a_hand_held_for_the_dwell_is_one_signal_with_its_evidence() -> None:
    (event,) = watch([D, D, *[R] * 20])
    assert (event.hand, event.track) == (Hand.RIGHT, 1)
    assert (event.began_us, event.at_us) == (2 * STEP_US, 7 * STEP_US)
    assert np.array_equal(event.keypoints, R)
    assert event.confidence == pytest.approx(0.9, abs=0.01)


def test_a_hand_shorter_than_the_dwell_is_none() -> None:
    assert watch([D, *[R] * 5, *[D] * 10]) == []
    assert watch([R, R, D, D, D, R, R, D, D, D] * 5) == []


def test_a_missed_look_or_two_do_not_break_a_raise_but_a_poor_share_does() -> None:
    assert len(watch([R, R, D, R, R, HIDDEN, R, R, R])) == 1
    assert watch([R, D, D, R, D, D, R, D, D, R, D, D, R]) == []


def test_both_hands_are_none_even_when_one_goes_up_first_and_comes_down_last() -> None:
    assert watch([D, L, L, *[B] * 10, R, R, R, R, R, R, R, D]) == []


def test_a_single_look_that_shows_both_may_be_a_slip() -> None:
    assert len(watch([R, R, R, B, R, R, R])) == 1
    assert watch([R, R, B, R, B, R, R, R, R, R, R]) == []


def test_after_both_the_hands_come_down_before_one_counts() -> None:
    assert len(watch([B, B, D, D, D, *[L] * 6])) == 1


def test_the_other_hand_begins_a_raise_of_its_own() -> None:
    assert watch([R, R, R, R, L, L, L, L, D, D, D]) == []


def test_a_signal_is_not_repeated_while_the_hand_stays_up_nor_within_the_cool_down() -> None:
    assert len(watch([R] * 60)) == 1
    gestures = Gestures()
    assert len(watch([R] * 6, gestures)) == 1
    assert watch([D] * 3 + [L] * 6, gestures, first=6) == []  # 3 s are not over
    (late,) = watch([L] * 20, gestures, first=15)  # held on: it counts when they are
    assert (late.hand, late.at_us) == (Hand.LEFT, 20 * STEP_US)


def test_the_cool_down_is_the_rooms_and_not_the_persons() -> None:
    gestures = Gestures()
    assert len(watch([R] * 6, gestures)) == 1
    assert watch([L] * 10, gestures, first=6, track=2) == []


def test_two_people_do_not_add_up() -> None:
    gestures = Gestures()
    events = [gestures.see(i % 2, R if (i // 2) % 3 == i % 2 else D, i * STEP_US // 2) for i in range(60)]
    assert not any(events)


def test_rare_looks_are_no_evidence() -> None:
    gestures = Gestures()
    assert not any(gestures.see(1, R, i * 1_000_000) for i in range(20))


def test_an_occluded_person_begins_anew() -> None:
    gestures = Gestures()
    assert watch([R] * 4, gestures) == []
    assert watch([R] * 4, gestures, first=10) == []


def test_a_clock_set_back_forgets_and_asks_for_hands_down() -> None:
    gestures = Gestures()
    assert watch([R] * 4, gestures, first=100) == []
    assert watch([R] * 20, gestures, first=0) == []
    assert len(watch([D] * 3 + [R] * 6, gestures, first=20)) == 1


def test_a_clock_set_back_does_not_stretch_the_cool_down() -> None:
    gestures = Gestures()
    assert len(watch([R] * 6, gestures, first=1000)) == 1
    assert len(watch([D] * 4 + [R] * 6, gestures, first=0)) == 1


def test_who_has_left_is_forgotten() -> None:
    gestures = Gestures()
    watch([R] * 4, gestures)
    assert gestures.is_raising(1) and gestures.is_up(1)
    gestures.keep({2})
    assert not gestures.is_raising(1) and not gestures.is_up(1)


@pytest.mark.parametrize("bad", [{"dwell_s": -1.0}, {"gap_s": 0.0}, {"least_share": 1.1}])
def test_rules_that_make_no_sense_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(OrvaultError):
        GestureRules(**bad)
