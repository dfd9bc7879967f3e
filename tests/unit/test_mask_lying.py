"""Whoever lies is found by a part of the face, now and then: the mask is as large as a head, and stays so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from orvault.vision.detection import SKIPPED, Detection, FrameDetections, Kind
from orvault.vision.modes import MaskMode, MaskPolicy
from orvault.vision.planning import FramePlan, plan_regions

FPS, EVERY, PICTURES = 15.0, 4, 240
WIDTH, HEIGHT = 640, 360


def head(x: float, y: float, side: float, source: str) -> Detection:
    """Round the middle (x, y)."""
    half = side / 2
    return Detection(Kind.HEAD, x - half, y - half, x + half, y + half, 0.8, source)


def planned(seen: Callable[[int], list[Detection]]) -> list[FramePlan]:
    """Plans of a clip whose look number n shows `seen(n)`."""
    frames: list[FrameDetections] = [
        seen(at // EVERY) if at % EVERY == 0 else SKIPPED for at in range(PICTURES)
    ]
    return plan_regions(frames, MaskPolicy(MaskMode.HEAD, margin=0.0), WIDTH, HEIGHT, fps=FPS)


def covers(plan: FramePlan, box: tuple[int, int, int, int]) -> bool:
    return any(b[0] <= box[0] and b[1] <= box[1] and b[2] >= box[2] and b[3] >= box[3] for b in plan.boxes)


def nurse(x: float = 500, y: float = 100) -> Detection:
    return head(x, y, 40, "movenet")


def test_a_face_that_lies_is_covered_as_large_as_the_heads_of_those_who_stand() -> None:
    profile = head(100, 250, 18, "yunet-turned")
    plans = planned(lambda n: [nurse(), *([profile] if n in (20, 36) else [])])
    assert all(covers(plan, (80, 230, 120, 270)) for plan in plans)
    alone = planned(lambda n: [profile] if n in (20, 36) else [])
    assert all(covers(plan, (91, 241, 109, 259)) for plan in alone), "nobody tells how large heads are"


def test_one_close_by_does_not_make_every_find_in_cloth_a_huge_mask() -> None:
    speck = head(100, 250, 10, "yunet-turned")
    plans = planned(lambda n: [head(500, 100, 150, "movenet"), *([speck] if n in (20, 36) else [])])
    assert not covers(plans[100], (80, 230, 120, 270))
    assert covers(plans[100], (88, 238, 112, 262))


def test_a_face_that_lay_there_is_covered_whole_whatever_else_is_found_there() -> None:
    """The top of a body is found in most looks, and holds the upper half of the head that lies there."""
    half = Detection(Kind.HEAD, 75, 225, 125, 252, 0.5, "nanodet-top")
    plans = planned(
        lambda n: [nurse(), *([head(102, 245, 50, "yunet-turned")] if n in (20, 36) else [half][: n % 2])]
    )
    assert all(covers(plan, (77, 225, 125, 270)) for plan in plans)


def doubtful(x: float, y: float, side: float, score: float = 0.6) -> Detection:
    """A head that a turned look found and no closer one."""
    return replace(head(x, y, side, "yunet-turned"), score=score, faint=True)


def test_what_a_turn_finds_once_and_no_closer_look_finds_is_nobody() -> None:
    once = planned(lambda n: [nurse(), *([doubtful(100, 250, 40)] if n == 20 else [])])
    assert not any(covers(plan, (95, 245, 105, 255)) for plan in once)
    twice = planned(lambda n: [nurse(), *([doubtful(100, 250, 40)] if n in (20, 36) else [])])
    assert all(covers(plan, (80, 230, 120, 270)) for plan in twice), "a patient may be seen badly every time"


def test_one_doubtful_find_does_not_make_somebody_who_stood_there_lie() -> None:
    """The top of a body beside it was found too: it is held as such tops are, and not to both ends."""
    top = head(100, 250, 40, "nanodet-top")
    plans = planned(lambda n: [nurse(), *([doubtful(100, 250, 44)] if n == 30 else [top] if n == 29 else [])])
    assert covers(plans[29 * EVERY], (85, 235, 115, 265))
    assert not covers(plans[0], (85, 235, 115, 265))
    assert not covers(plans[-1], (85, 235, 115, 265))


def test_a_large_find_round_a_head_gives_way_to_it_unless_it_is_sure() -> None:
    def around(score: float, *others: Detection) -> bool:
        large = replace(head(500, 110, 120, "yunet-turned"), score=score)
        plans = planned(lambda n: [*others, *([large] if n in (20, 36) else [])])
        return covers(plans[20 * EVERY], (445, 55, 555, 165))

    assert not around(0.6, nurse())
    assert around(0.6), "nothing else is there"
    assert around(0.6, nurse(500, 150)), "that head is beside it"
    assert around(0.6, head(500, 100, 70, "movenet")), "that head is as large"
    assert around(0.75, nurse())
    upright = replace(nurse(), source="yunet-head", score=0.9)
    assert not around(0.75, upright), "an upright look is surer"
    assert around(0.6, replace(nurse(), source="yunet-turned", score=0.5))
    assert not around(0.6, replace(nurse(), source="yunet-turned", score=0.8))
