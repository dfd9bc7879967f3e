"""Mode `body`: people are followed by their heads, and a region reaches as far as the body was seen to."""

from __future__ import annotations

from orvault.vision.detection import Detection, Kind
from orvault.vision.detector import head_of_person
from orvault.vision.modes import MaskMode, MaskPolicy
from tests.unit.test_mask_tracks import Box, H, area, covers, head, looks, plans, square

BODY = MaskPolicy(MaskMode.BODY, margin=0)


def person(
    x: float, y: float = 95, wide: float = 80, high: float = 240, score: float = 0.9
) -> list[Detection]:
    """Somebody's box, and the top of it where one is taken."""
    found = Detection(Kind.PERSON, x, y, x + wide, y + high, score, "nanodet")
    top = head_of_person(found)
    return [found] if top is None else [found, top]


def box_of(x: float, y: float = 95, wide: float = 80, high: float = 240) -> Box:
    return (x, y, x + wide, y + high)


def test_a_body_that_is_found_in_every_other_look_stays_covered_and_nothing_above_it() -> None:
    made = plans(looks(40, lambda i: [head(120 + 3 * i), *(person(100 + 3 * i) if i % 2 == 0 else [])]), BODY)
    for i, plan in enumerate(made):
        assert covers(plan, box_of(100 + 3 * i)), i
        assert area(plan) < 2 * 80 * 240, "the region does not jump between head and body"
        assert min(box[1] for box in plan.boxes) > 70


def test_all_that_mode_head_covers_is_covered_in_mode_body() -> None:
    frames = looks(60, lambda i: [head(200, 60)] if i < 20 else person(80 + 4 * i, high=200))
    for plan, whole in zip(
        plans(frames, MaskPolicy(MaskMode.HEAD, margin=0)), plans(frames, BODY), strict=True
    ):
        assert all(covers(whole, box) for box in plan.boxes)


def test_whoever_is_held_without_a_look_keeps_the_usual_body_and_not_the_largest() -> None:
    def at(i: int) -> list[Detection]:
        if i >= 20:
            return []
        return [head(120), *(person(100, wide=400) if i == 19 else person(100))]

    plan = plans(looks(60, at), BODY)[-1]
    assert covers(plan, box_of(100)) and not covers(plan, box_of(100, wide=400))


def test_somebody_of_whom_only_the_body_is_found_is_covered_whole() -> None:
    for plan in plans(looks(10, lambda _i: person(300)), BODY):
        assert covers(plan, box_of(300))


def test_an_unsure_wide_body_stays_where_it_is_when_a_head_goes_away_over_it() -> None:
    table = box_of(100, 150, 300, 150)

    def at(i: int) -> list[Detection]:
        return [head(120 + 10 * i, 170), *person(100, 150, 300, 150, score=0.4)]

    made = plans(looks(30, at), BODY)
    assert all(covers(plan, table) for plan in made)
    assert covers(made[-1], square(410, 170))
    assert max(box[3] for box in made[-1].boxes) < H - 30, "it did not go with the head"
