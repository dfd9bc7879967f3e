"""How large a place is that is held on after its track has gone: one wrong look must neither widen nor lose it."""

from __future__ import annotations

import numpy as np
import pytest

from orvault.vision.candidates import candidates
from orvault.vision.completing import Scene
from orvault.vision.detection import Detection, Kind
from orvault.vision.following import FollowRules, put_together
from orvault.vision.modes import MaskMode
from orvault.vision.pieces import Following
from orvault.vision.tracks import MaskTrack

FPS = 10.0
LOOKS = 60
LARGE = Detection(Kind.HEAD, 275, 60, 385, 170, 0.3, "movenet")  # of two people's points, for instance


def head(x: float, y: float = 100) -> Detection:
    return Detection(Kind.HEAD, x, y, x + 40, y + 40, 0.9, "movenet")


def left_behind(large: set[int]) -> list[MaskTrack]:
    """Somebody stands at 290, steps to 320, and walks off, somebody near; `large` looks show a head of 110 pixels."""
    following = Following(FPS)
    for look in range(LOOKS):
        x = 290 if look < 20 else 320 if look < 40 else 320 + 20 * (look - 40)
        found = [LARGE if look in large else head(x), head(350, 130)]
        following.add(look, candidates(found, MaskMode.HEAD))
    scene, looks = Scene(640, 360, FPS, LOOKS), np.arange(LOOKS, dtype=np.int32)
    return put_together(list(following.pieces.values()), looks, scene, FollowRules()).left


def held(places: list[MaskTrack], x: float, picture: int) -> bool:
    """Whether a head at `x` is covered in a picture by the places alone."""
    found = [box for place in places if (box := place.box_at(picture)) is not None]
    return any(b[0] <= x and b[1] <= 100 and b[2] >= x + 40 and b[3] >= 140 for b in found)


def widest(places: list[MaskTrack]) -> float:
    return max(float((place.boxes[:, 2] - place.boxes[:, 0]).max()) for place in places)


@pytest.mark.parametrize("large", [set(), {0}, {0, 1, 2}])
def test_the_place_left_in_doubt_is_held_whatever_the_first_looks_show(large: set[int]) -> None:
    assert held(left_behind(large), 320, 59)


def test_a_large_look_that_no_other_confirms_does_not_make_two_places_one() -> None:
    assert widest(left_behind({0})) == widest(left_behind(set())) == 40
    assert widest(left_behind({0, 1, 2})) >= 110, "looks that agree are believed"


@pytest.mark.parametrize("every", [3, 5, 6])
def test_a_wrong_look_now_and_then_does_not_lose_the_place(every: int) -> None:
    """Somebody stands still, somebody else close by; then the track walks off, and who left is in doubt."""
    following = Following(FPS)
    looks = np.arange(0, 200, 3, dtype=np.int32)
    for number, at in enumerate(looks.tolist()):
        x = 290 if at < 150 else 290 + 6 * (at - 150)
        wrong = Detection(Kind.HEAD, 287, 75, 377, 165, 0.9, "movenet")
        found = [wrong if number % every == 0 and at < 150 else head(x), head(336, 112)]
        following.add(at, candidates(found, MaskMode.HEAD))
    scene = Scene(640, 360, FPS, 200)
    left = put_together(list(following.pieces.values()), looks, scene, FollowRules()).left
    assert all(held(left, 290, picture) for picture in range(160, 200))
