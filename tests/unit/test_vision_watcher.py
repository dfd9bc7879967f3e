"""The watcher with its real models over short clips."""

from __future__ import annotations

import pytest

from orvault.clock import US_PER_S
from orvault.errors import OrvaultError
from orvault.vision.gesture import Hand, Raise
from orvault.vision.watcher import GestureWatcher, WatchProfile
from tests.unit.vision_media import FPS, MODELS, noise, pictures

STEP = 3  # five pictures a second


def signals(clip: str, first: int, count: int, *, mirrored: bool = False) -> list[Raise]:
    watcher = GestureWatcher(MODELS)
    found: list[Raise] = []
    for index, bgr in enumerate(pictures(clip, first, count, STEP)):
        shown = bgr[:, ::-1].copy() if mirrored else bgr
        found += watcher.look(shown, (first + index * STEP) * US_PER_S // FPS)
    return found


@pytest.mark.parametrize(
    ("clip", "first", "hand"),
    [
        ("raise_right", 36, Hand.RIGHT),
        ("raise_right_back", 30, Hand.RIGHT),
        ("raise_left_side", 30, Hand.LEFT),
    ],
)
def test_a_raised_hand_is_found_once_and_in_time(clip: str, first: int, hand: Hand) -> None:
    (event,) = signals(clip, first, 18)
    assert event.hand == hand
    assert 1.0 <= (event.at_us - event.began_us) / US_PER_S <= 1.5
    assert event.keypoints.shape == (17, 3)


def test_a_mirror_swaps_the_hands() -> None:
    (event,) = signals("raise_right", 36, 18, mirrored=True)
    assert event.hand == Hand.LEFT


@pytest.mark.parametrize(("clip", "first", "count"), [("both_up", 42, 18), ("lamp_adjust", 72, 14)])
def test_other_movements_are_no_signal(clip: str, first: int, count: int) -> None:
    assert signals(clip, first, count) == []


def test_pictures_of_nobody_and_of_another_size_are_no_trouble() -> None:
    watcher = GestureWatcher(MODELS)
    for index, (width, height) in enumerate([(640, 360), (64, 48), (1280, 720)]):
        assert watcher.look(noise(width, height), index * US_PER_S) == []


def test_a_profile_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(OrvaultError):
        WatchProfile(close_looks=0)
