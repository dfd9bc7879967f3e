from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orvault.errors import ErrorKind, OrvaultError
from orvault.vision.detector import Detection, Kind
from orvault.vision.mask import (
    WHOLE,
    Box,
    FrameDetections,
    FramePlan,
    MaskMode,
    MaskPolicy,
    MaskStyle,
    apply_mask,
    cell_px,
    plan_regions,
)
from tests.unit.vision_media import noise

W, H = 320, 200
HEAD = MaskPolicy(MaskMode.HEAD, margin=0)


def face(x: float = 100, y: float = 80, size: float = 20, source: str = "yunet") -> Detection:
    return Detection(Kind.FACE, x, y, x + size, y + size, 0.9, source)


def head(x: float = 90, y: float = 70, size: float = 40, source: str = "movenet") -> Detection:
    return Detection(Kind.HEAD, x, y, x + size, y + size, 0.9, source)


def person(x: float = 80, y: float = 60) -> Detection:
    return Detection(Kind.PERSON, x, y, x + 60, y + 130, 0.9, "nanodet")


def plan(frames: list[FrameDetections], policy: MaskPolicy = HEAD) -> list[FramePlan]:
    return plan_regions(frames, policy, W, H, fps=10)


def one(found: list[Detection], mode: MaskMode, margin: float = 0) -> set[Box]:
    return set(plan([found], MaskPolicy(mode, margin=margin))[0].boxes)


def test_modes_cover_what_they_say() -> None:
    everything = [person(), head(), face()]
    assert one(everything, MaskMode.HEAD) == {(90, 70, 130, 110)}  # the face lies inside it
    assert one(everything, MaskMode.BODY) == {(80, 60, 140, 190)}
    assert one(everything, MaskMode.FACE) == {(95, 75, 125, 105)}  # a quarter more on each side
    assert plan([everything], MaskPolicy(MaskMode.PICTURE)) == [WHOLE]
    assert plan([[]], MaskPolicy(MaskMode.PICTURE)) == [WHOLE]


def test_face_mode_does_not_take_a_neighbours_face_for_a_heads_own() -> None:
    lying, bent = head(x=90, y=70, size=60), face(x=133, y=90)  # inside the other's head box, at its edge
    assert one([lying, bent], MaskMode.FACE) >= {(90, 70, 150, 130)}


def test_face_mode_covers_a_head_whose_face_was_missed() -> None:
    assert one([head(), head(x=200), face()], MaskMode.FACE) == {(95, 75, 125, 105), (200, 70, 240, 110)}


def test_a_picture_without_a_trustworthy_result_is_covered_whole() -> None:
    broken = Detection(Kind.HEAD, math.nan, 0, 10, 10, 0.9, "movenet")
    inside_out = Detection(Kind.HEAD, 50, 0, 10, 10, 0.9, "movenet")
    plans = plan([[head()], None, [head()], [broken], [inside_out]])
    assert [p.whole for p in plans] == [False, True, False, True, True]
    assert plan([[]])[0] == FramePlan(whole=False)


def test_the_margin_grows_regions_and_the_picture_clips_them() -> None:
    assert one([head()], MaskMode.HEAD, margin=0.25) == {(80, 60, 140, 120)}
    assert one([head(x=-30, y=180)], MaskMode.HEAD) == {(0, 180, 10, 200)}
    assert one([head(x=-100), head(x=1e9)], MaskMode.HEAD) == set()
    with pytest.raises(OrvaultError) as caught:
        MaskPolicy(MaskMode.HEAD, margin=-0.1)
    assert caught.value.kind is ErrorKind.BAD_REQUEST


number = st.floats(-1e4, 1e4) | st.sampled_from([math.nan, math.inf, -math.inf])
some_detection = st.builds(
    Detection,
    st.sampled_from(Kind),
    number,
    number,
    number,
    number,
    st.just(0.5),
    st.sampled_from(["movenet", "yunet-turned"]),
)


@given(st.lists(st.none() | st.lists(some_detection, max_size=4), max_size=6), st.sampled_from(MaskMode))
def test_every_finding_is_covered_in_its_own_picture_whatever_the_detector_says(
    frames: list[FrameDetections], mode: MaskMode
) -> None:
    plans = plan(frames, MaskPolicy(mode, margin=0))
    assert len(plans) == len(frames)
    for found, made in zip(frames, plans, strict=True):
        assert all(0 <= x1 < x2 <= W and 0 <= y1 < y2 <= H for x1, y1, x2, y2 in made.boxes)
        if made.whole:
            continue
        assert found is not None
        mask = np.zeros((H, W), bool)
        for x1, y1, x2, y2 in made.boxes:
            mask[y1:y2, x1:x2] = True
        for d in found:
            assert d.plausible
            if (
                d.kind is Kind.FACE
                or (d.kind is Kind.HEAD and mode is not MaskMode.FACE)
                or mode is MaskMode.BODY
            ):
                left, top = max(0, math.ceil(d.x1)), max(0, math.ceil(d.y1))
                assert mask[top : max(0, math.floor(d.y2)), left : max(0, math.floor(d.x2))].all()


@pytest.mark.parametrize("style", MaskStyle)
def test_only_the_regions_change_and_they_do(style: MaskStyle) -> None:
    image = noise(W, H)
    painted = image.copy()
    box = (101, 53, 160, 140)
    apply_mask(painted, FramePlan(whole=False, boxes=(box,)), MaskPolicy(MaskMode.HEAD, style))
    x1, y1, x2, y2 = box
    outside = np.ones((H, W), bool)
    outside[y1:y2, x1:x2] = False
    assert (painted[outside] == image[outside]).all()
    assert (painted[~outside] != image[~outside]).any(axis=1).mean() > 0.97


@pytest.mark.parametrize("style", MaskStyle)
def test_a_whole_picture_leaves_nothing_to_read(style: MaskStyle) -> None:
    one_picture, other = noise(W, H, 1), noise(W, H, 2) // 2
    for image in (one_picture, other):
        apply_mask(image, WHOLE, MaskPolicy(MaskMode.PICTURE, style))
    assert (one_picture == other).all()
    assert len(np.unique(one_picture.reshape(-1, 3), axis=0)) == 1


@pytest.mark.parametrize("style", [MaskStyle.MOSAIC, MaskStyle.FROST])
def test_a_mosaic_forgets_everything_but_a_few_means(style: MaskStyle) -> None:
    box = (64, 64, 192, 192)
    cell = cell_px(128, 128)
    assert cell == 32
    image = noise(W, H)
    shuffled = image.copy()
    for y in range(0, H - cell + 1, cell):  # the same pixels in every cell, in another order
        for x in range(0, W, cell):
            block = shuffled[y : y + cell, x : x + cell].reshape(-1, 3)
            shuffled[y : y + cell, x : x + cell] = block[::-1].reshape(cell, cell, 3)
    results = []
    for picture in (image, shuffled):
        apply_mask(picture, FramePlan(whole=False, boxes=(box,)), MaskPolicy(MaskMode.HEAD, style))
        results.append(picture[64:192, 64:192])
    assert (results[0] == results[1]).all()
    if style is MaskStyle.MOSAIC:
        assert len(np.unique(results[0].reshape(-1, 3), axis=0)) <= 16


@given(st.integers(1, 4096), st.integers(1, 4096))
def test_cells_grow_with_the_region(width: int, height: int) -> None:
    cell = cell_px(width, height)
    assert cell >= 16
    assert min(width, height) / cell <= 4
    assert cell == 16 or min(width, height) / cell > 2


@pytest.mark.parametrize("style", MaskStyle)
@given(x=st.integers(-20, W), y=st.integers(-20, H), w=st.integers(1, 400), h=st.integers(1, 300))
def test_any_box_can_be_painted(style: MaskStyle, x: int, y: int, w: int, h: int) -> None:
    image = np.zeros((H, W, 3), np.uint8)
    apply_mask(image, FramePlan(whole=False, boxes=((x, y, x + w, y + h),)), MaskPolicy(MaskMode.HEAD, style))
    inside = image[max(0, y) : max(0, y + h), max(0, x) : max(0, x + w)]
    assert inside.all()


def test_detail_beside_a_mosaic_is_untouched_at_the_edge_of_the_picture() -> None:
    image = noise(W, H)
    painted = image.copy()
    apply_mask(
        painted,
        FramePlan(whole=False, boxes=((300, 190, 320, 200),)),
        MaskPolicy(MaskMode.HEAD, MaskStyle.MOSAIC),
    )
    assert (painted[:190] == image[:190]).all()
    assert (painted[190:, 300:] != image[190:, 300:]).any()
