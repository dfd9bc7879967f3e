"""The second look, with the real models: it sees a mask that is missing, and nothing where all is masked."""

from __future__ import annotations

import functools
import io
import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from actors import looks_along
from actors.looks_along import LooksAlong
from actors.render_tools import Answer, Looking
from actors.second_looking import LookAnswer, LookOrder, TrialOrder, look_again, picks
from orvault.errors import ErrorKind, OrvaultError
from orvault.video.codec import Frame, decode_fragment
from orvault.video.encoding import Mp4Encoder
from orvault.vision import pose
from orvault.vision.covered import covered_pixels
from orvault.vision.detection import SKIPPED, Detection, Kind
from orvault.vision.detector import SOURCE_PERSON_TOP, DetectorProfile
from orvault.vision.mask import FramePlan, MaskMode, MaskPolicy, MaskStyle
from orvault.vision.mask_planes import apply_mask_planes
from orvault.vision.mask_seen import FINEST
from orvault.vision.second_look import SecondLook, SecondLookRules, Trial
from tests.unit.vision_media import HEIGHT, MODELS, WIDTH, encoded, noise, pictures, truth

POLICY = MaskPolicy(MaskMode.HEAD)
CLIP, FIRST, COUNT = "crossing", 60, 3


@functools.cache
def eyes() -> SecondLook:
    return SecondLook(MODELS, "cpu", rules=SecondLookRules(every_s=0.05), threads=2)


def plan_of(number: int) -> FramePlan:
    """Every person's head with a margin, by the truth."""
    heads = [person["head_box"] for person in truth(CLIP)[FIRST + number] if person["head_box"]]
    boxes = [tuple(round(v) for v in (h[0] - 12, h[1] - 12, h[2] + 12, h[3] + 12)) for h in heads]
    return FramePlan(False, tuple(boxes))  # type: ignore[arg-type]


def output(plans: list[FramePlan], policy: MaskPolicy = POLICY) -> bytes:
    sink = io.BytesIO()
    encoder = Mp4Encoder(sink, WIDTH, HEIGHT, 15, crf=21)
    for number, (image, plan) in enumerate(zip(pictures(CLIP, FIRST, COUNT), plans, strict=True)):
        planes = Frame(image, 0).planes()
        apply_mask_planes(planes, plan, policy)
        encoder.write_planes(planes, number * 6000)
    encoder.close()
    return sink.getvalue()


class Lookers:
    """Detection actors' stand-in; what they are asked is carried out when its answer is waited for."""

    def __init__(self) -> None:
        self.asked: list[LookOrder] = []

    def width(self) -> int:
        return 1

    def models(self) -> str:
        return ""

    def detect(self, fragment: bytes, thorough_s: Sequence[float] = ()) -> Answer:
        raise AssertionError("this is the second look")

    def look_again(self, order: LookOrder) -> Looking:
        self.asked.append(order)
        return Later(order)


class Later:
    def __init__(self, order: LookOrder) -> None:
        self._order = order

    def result(self) -> LookAnswer:
        return look_again(self._order, eyes())


def timed(plans: list[FramePlan]) -> dict[int, FramePlan]:
    return {number * 6000: plan for number, plan in enumerate(plans)}


def test_it_differs_from_the_first_pass_in_every_setting() -> None:
    first, second = DetectorProfile(), SecondLookRules()
    for name in (
        "face_side",
        "face_score",
        "small_face_side",
        "small_face_score",
        "pose_side",
        "pose_score",
        "pose_point",
    ):
        assert getattr(first, name) != getattr(second, name), name


@pytest.mark.parametrize("style", MaskStyle)
def test_where_all_heads_are_masked_nothing_is_left(style: MaskStyle) -> None:
    policy, plans = MaskPolicy(MaskMode.HEAD, style), [plan_of(n) for n in range(COUNT)]
    looked, left = eyes().review(output(plans, policy), timed(plans), policy)
    assert (looked, left) == (COUNT, [])


@pytest.mark.parametrize("style", MaskStyle)
def test_masks_that_were_planned_and_not_painted_are_found_and_the_heads_there(style: MaskStyle) -> None:
    policy, plans = MaskPolicy(MaskMode.HEAD, style), [plan_of(n) for n in range(COUNT)]
    looked, left = eyes().review(output([FramePlan(False)] * COUNT), timed(plans), policy)
    assert looked == COUNT
    missed = {(found.pts_90k, found.box) for found in left if found.source == "clear-mask"}
    assert missed == {(n * 6000, box) for n, plan in enumerate(plans) for box in plan.boxes}
    first = truth(CLIP)[FIRST]
    heads = [person["head_box"] for person in first if person["head_box"]]
    at_once = [found.box for found in left if found.pts_90k == 0 and found.source != "clear-mask"]
    assert any(_touch(box, head) for box in at_once for head in heads), "mirrored back to where the heads are"


def _touch(a: tuple[float, ...], b: list[float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def test_whoever_is_left_clear_on_purpose_is_not_a_miss_and_anybody_else_is() -> None:
    usual = [plan_of(n) for n in range(COUNT)]
    uncovered = [FramePlan(False)] * COUNT
    found = eyes().review(output(uncovered), timed(usual), POLICY)[1]
    missed = {
        n
        for left in found
        if left.source != "clear-mask"
        for n, box in enumerate(usual[left.pts_90k // 6000].boxes)
        if _touch(left.box, box)
    }
    assert len(missed) > 1, "at least two heads are seen there"
    who = min(missed)

    def without(plan: FramePlan, clear: tuple[int, ...]) -> FramePlan:
        masked = [box for n, box in enumerate(plan.boxes) if n not in missed]
        return FramePlan(False, tuple(masked), (), tuple(plan.boxes[n] for n in clear))

    approved = [without(plan, tuple(missed)) for plan in usual]
    assert eyes().review(output(approved), timed(approved), POLICY)[1] == []
    one = [without(plan, (who,)) for plan in usual]
    left = eyes().review(output(one), timed(one), POLICY)[1]
    assert left and not any(_touch(each.box, one[each.pts_90k // 6000].clear[0]) for each in left)


def test_a_clear_place_excuses_one_head_and_nobody_else_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    own, double = (
        Detection(Kind.HEAD, 130, 60, 170, 100, 0.9, "yunet"),
        Detection(Kind.HEAD, 134, 64, 178, 108, 0.9, pose.SOURCE),
    )
    other = Detection(Kind.HEAD, 150, 150, 190, 190, 0.9, "yunet")
    looking = object.__new__(SecondLook)  # without models
    looking.rules = SecondLookRules()
    monkeypatch.setattr(SecondLook, "find", lambda _self, _bgr: [other, double, own])
    plan = FramePlan(False, (), (), ((100, 50, 200, 350),))
    assert looking.left(np.zeros((HEIGHT, WIDTH, 3), np.uint8), plan, POLICY) == [other]


def test_a_picture_that_should_be_covered_whole_and_is_not_is_found() -> None:
    whole = [FramePlan(True)] * COUNT
    assert eyes().review(output(whole), timed(whole), POLICY)[1] == []
    _, left = eyes().review(output([FramePlan(False)] * COUNT), timed(whole), POLICY)
    assert [found.source for found in left] == ["clear-picture"] * COUNT


def test_the_self_test_sees_a_mask_left_out_on_purpose() -> None:
    images = pictures(CLIP, FIRST, COUNT)
    every = tuple((n, plan_of(n), box) for n in range(COUNT) for box in range(len(plan_of(n).boxes)))
    seen = [
        eyes().try_without([(Frame(images[n], 0), plan, box)], POLICY, 21, "superfast")
        for n, plan, box in every
    ]
    assert Trial.SEEN in seen and set(seen) <= {Trial.SEEN, Trial.MISSED}
    trial = TrialOrder(encoded(images), every[: seen.index(Trial.SEEN) + 1], 21, "superfast")
    plans = [plan_of(n) for n in range(COUNT)]
    lookers = Lookers()
    looks = LooksAlong(lookers, POLICY, io.BytesIO(output(plans)), timed(plans))
    looks.end()
    answer = looks.answer()
    assert answer.left == () and answer.pictures == COUNT
    tried = lookers.look_again(LookOrder(b"", {}, POLICY, trial)).result()
    assert tried == LookAnswer(0, (), Trial.SEEN)


@pytest.mark.parametrize("style", [MaskStyle.MOSAIC, MaskStyle.FROST])
def test_the_self_test_holds_in_the_other_styles_by_the_picture_and_not_the_plan(
    style: MaskStyle, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy, images = MaskPolicy(MaskMode.HEAD, style), pictures(CLIP, FIRST, COUNT)
    tried = [(Frame(images[n], 0), plan_of(n), box) for n in range(COUNT) for box in range(2)]
    assert eyes().try_without(tried, policy, 21, "superfast") is Trial.SEEN
    # A look that takes every mask for painted is told by it.
    monkeypatch.setitem(FINEST, style, 1000.0)
    assert eyes().try_without(tried[:2], policy, 21, "superfast") is Trial.MISSED


def test_each_part_is_looked_at_when_it_is_whole_and_with_all_of_them_no_picture_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(looks_along, "PART_BYTES", 1)
    lookers, sink, plans = Lookers(), io.BytesIO(), dict[int, FramePlan]()
    looks = LooksAlong(lookers, POLICY, sink, plans)
    encoder, image = Mp4Encoder(sink, 320, 192, 15), noise(320, 192)
    asked = []
    for number in range(75):  # five seconds: as many fragments
        plans[number * 6000] = FramePlan(True)
        encoder.write(np.roll(image, number, axis=1), number * 6000)
        looks.go_on()
        asked.append(len(lookers.asked))
    encoder.close()
    looks.end()
    assert asked[0] == 0 and 1 <= asked[-1] < len(lookers.asked) == 5
    shown = [[frame.pts_90k for frame in decode_fragment(order.output)] for order in lookers.asked]
    assert list(itertools.chain(*shown)) == list(plans)
    assert all(set(times) <= set(order.plans) for times, order in zip(shown, lookers.asked, strict=True))


def test_an_output_that_is_cut_off_is_not_taken_for_looked_at() -> None:
    looks = LooksAlong(Lookers(), POLICY, io.BytesIO(output([FramePlan(True)] * COUNT)[:-9]), {})
    with pytest.raises(OrvaultError) as caught:
        looks.end()
    assert caught.value.kind is ErrorKind.INTERNAL


def test_a_picture_without_a_plan_is_an_error() -> None:
    with pytest.raises(OrvaultError) as caught:
        eyes().review(output([FramePlan(True)] * COUNT), {0: FramePlan(True)}, POLICY)
    assert caught.value.kind is ErrorKind.INTERNAL


def test_without_anybody_there_is_nothing_to_leave_out() -> None:
    assert eyes().try_without([], POLICY, 21, "superfast") is Trial.NOBODY
    person_top = Detection(Kind.HEAD, 10, 10, 60, 60, 0.9, SOURCE_PERSON_TOP)
    plan = FramePlan(False, ((0, 0, 80, 80),))
    for found in (None, SKIPPED, [], [person_top]):
        assert picks([found], [plan]) == ()
    with pytest.raises(OrvaultError):
        picks([[]], [])


def test_only_a_box_that_alone_covers_a_head_is_left_out() -> None:
    head = Detection(Kind.HEAD, 10, 10, 60, 60, 0.9, "movenet")
    alone, twice = (
        FramePlan(False, ((0, 0, 80, 80), (200, 200, 220, 220))),
        FramePlan(False, ((0, 0, 80, 80), (5, 5, 90, 90))),
    )
    assert picks([[head]], [alone]) == ((0, alone, 0),)
    assert picks([[head]], [twice]) == picks([[head]], [FramePlan(True)]) == ()


@pytest.mark.parametrize("source", [pose.SOURCE, "yunet"])
def test_a_head_beside_a_mask_is_left_whoever_found_it(source: str) -> None:
    covered = np.zeros((HEIGHT, WIDTH), bool)
    covered[100:200, 100:200] = True  # another person's
    beside = Detection(Kind.HEAD, 205, 100, 305, 200, 0.9, source)
    under = Detection(Kind.HEAD, 105, 105, 195, 195, 0.9, source)
    assert not eyes()._is_covered(beside, covered) and eyes()._is_covered(under, covered)


def test_solid_counts_as_covered_only_where_the_picture_shows_it() -> None:
    picture = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    plan = FramePlan(False, ((100, 100, 200, 200),))
    covered, missing = covered_pixels(picture, plan, POLICY)
    assert not covered.any() and missing == list(plan.boxes)


def test_a_mosaic_counts_as_covered_only_where_the_picture_is_as_coarse_as_one_and_can_be_judged() -> None:
    wall, policy = np.full((HEIGHT, WIDTH, 3), 128, np.uint8), MaskPolicy(MaskMode.HEAD, MaskStyle.MOSAIC)
    inside, plan = (100, 100, 200, 200), FramePlan(False, ((100, 100, 200, 200),))
    covered, missing = covered_pixels(wall, plan, policy)
    assert covered.sum() == 100 * 100 and missing == []
    covered, missing = covered_pixels(noise(WIDTH, HEIGHT), plan, policy)
    assert not covered.any() and missing == [inside]
    covered, missing = covered_pixels(wall, plan, policy, [(0, 0, WIDTH, HEIGHT)])
    assert not covered.any() and missing == []
