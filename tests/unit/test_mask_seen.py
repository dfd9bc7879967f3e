"""What a plan masks is masked in the encoded picture: seen without the code that paints, and missed where not."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest

from orvault.marks.keys import MarkKey
from orvault.marks.painter import MarkPainter
from orvault.video.codec import Frame, Image, decode_fragment
from orvault.video.encoding import Mp4Encoder
from orvault.vision import mask_planes, mask_seen
from orvault.vision.mask import FramePlan, MaskMode, MaskPolicy, MaskStyle
from orvault.vision.mask_planes import apply_mask_planes
from orvault.vision.mask_seen import FINEST, fineness
from orvault.vision.planning import Box
from orvault.vision.watermark import TextWatermark, WatermarkPainter
from tests.unit.vision_media import HEIGHT, WIDTH, heads, pictures, truth

CLIP, FIRST = "crossing", 60
COARSE = (MaskStyle.MOSAIC, MaskStyle.FROST)
TEXT = TextWatermark("Copy for Kim Minji", tiled=True)


def grown(box: Sequence[int], by: int = 12) -> Box:
    return box[0] - by, box[1] - by, box[2] + by, box[3] + by


def plan_at(number: int) -> FramePlan:
    """Every person's head with a margin, by the truth; and the table, by its corners."""
    table = ((640, 260), (800, 250), (830, 330), (610, 350))
    return FramePlan(False, tuple(grown(box) for _, box in heads(truth(CLIP)[FIRST + number], 0.5)), (table,))


def shown(
    plans: Iterable[FramePlan], style: MaskStyle, *, text: TextWatermark | None = None, crf: int = 21
) -> list[Image]:
    """Pictures of the clip as they leave: masked, marked, encoded and decoded again."""
    sink, policy = io.BytesIO(), MaskPolicy(MaskMode.HEAD, style)
    mark = MarkPainter(MarkKey(b"t" * 32, b"c" * 32), WIDTH, HEIGHT)
    encoder = Mp4Encoder(sink, WIDTH, HEIGHT, 15, crf=crf, preset="superfast", mark=mark)
    painter = WatermarkPainter(text, WIDTH, HEIGHT) if text else None
    plans = list(plans)
    for number, (image, plan) in enumerate(zip(pictures(CLIP, FIRST, len(plans)), plans, strict=True)):
        planes = Frame(image, 0).planes()
        apply_mask_planes(planes, plan, policy)
        if painter is not None:
            painter.paint_planes(planes, None)
        encoder.write_planes(planes, number * 6000)
    encoder.close()
    return [frame.bgr for frame in decode_fragment(sink.getvalue())]


def judged(
    image: Image, plan: FramePlan, style: MaskStyle, marked: Sequence[Box] = (), *, boxes: bool = False
) -> list[bool]:
    """Of those regions (or `boxes` alone) of which anything can be told: whether they are masked."""
    told = fineness(image, plan, style, marked)
    return [fine <= FINEST[style] for fine in told[: len(plan.boxes) if boxes else None] if fine is not None]


@pytest.mark.parametrize("style", MaskStyle)
def test_masks_that_are_there_are_seen_and_one_that_is_not_is_missed_in_its_picture_alone(
    style: MaskStyle,
) -> None:
    plans = [plan_at(number) for number in range(3)]
    # The first head of the second picture is left out, as by a fault of the painting.
    output = shown([plans[0], replace(plans[1], boxes=plans[1].boxes[1:]), plans[2]], style)
    seen = [judged(image, plan, style) for image, plan in zip(output, plans, strict=True)]
    assert all(seen[0]) and all(seen[2]) and seen[1] == [False] + [True] * (len(seen[1]) - 1)
    assert min(len(each) for each in seen) >= 3


@pytest.mark.parametrize("style", MaskStyle)
def test_no_mask_at_all_is_missed_at_every_head(style: MaskStyle) -> None:
    plan = plan_at(0)
    assert not any(judged(shown([FramePlan(False)], style)[0], plan, style, boxes=True))


def _aside(plan: FramePlan) -> FramePlan:
    boxes = tuple((x1 + (x2 - x1) // 3, y1, x2 + (x2 - x1) // 3, y2) for x1, y1, x2, y2 in plan.boxes)
    return replace(plan, boxes=boxes)


def _of_later(_plan: FramePlan) -> FramePlan:
    return plan_at(30)


@pytest.mark.parametrize("fault", [_aside, _of_later])
@pytest.mark.parametrize("style", MaskStyle)
def test_masks_beside_their_places_are_missed(
    style: MaskStyle, fault: Callable[[FramePlan], FramePlan]
) -> None:
    plan = plan_at(0)
    assert not all(judged(shown([fault(plan)], style)[0], plan, style))


@pytest.mark.parametrize("style", COARSE)
def test_cells_too_small_for_what_they_cover_are_missed(
    style: MaskStyle, monkeypatch: pytest.MonkeyPatch
) -> None:
    near = FramePlan(False, (grown(plan_at(0).boxes[0], 60),))
    assert all(judged(shown([near], style)[0], near, style))
    monkeypatch.setattr(mask_planes, "cell_px", lambda _width, _height: 16)
    assert not any(judged(shown([near], style)[0], near, style))


@pytest.mark.parametrize("crf", [21, 35])
@pytest.mark.parametrize("style", COARSE)
def test_overlaps_odd_edges_and_the_pictures_rim_are_no_fault(style: MaskStyle, crf: int) -> None:
    x1, y1, x2, y2 = plan_at(0).boxes[0]
    plan = FramePlan(
        False,
        (
            (x1 - 200, y1 - 80, x2 + 201, y2 + 160),
            (x1 - 3, y1 - 5, x2 + 2, y2 + 7),
            (x1 + 31, y1 + 17, x2 + 93, y2 + 88),
            (0, 500, 77, HEIGHT),
            (WIDTH - 91, 0, WIDTH, 133),
        ),
        (((x1 - 90, y1 + 40), (x1 + 70, y1 - 30), (x1 + 20, y2 + 90)),),
    )
    for image in shown([plan] * 2, style, crf=crf):
        told = judged(image, plan, style)
        assert all(told) and len(told) >= 5  # the second one lies under others but for its rim


@pytest.mark.parametrize("style", MaskStyle)
def test_a_visible_watermark_over_masks_is_no_fault_and_hides_none(style: MaskStyle) -> None:
    plan, marked = plan_at(0), WatermarkPainter(TEXT, WIDTH, HEIGHT).boxes
    masked, clear = (shown([each], style, text=TEXT)[0] for each in (plan, FramePlan(False)))
    told = judged(masked, plan, style, marked)
    assert all(told) and len(told) >= 3
    assert not any(judged(clear, plan, style, marked, boxes=True))


def test_of_what_lies_under_others_or_a_watermark_nothing_is_told() -> None:
    picture = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
    inner, outer = (100, 100, 200, 200), (90, 90, 210, 203)
    plan = FramePlan(False, (inner, outer))
    assert fineness(picture, plan, MaskStyle.MOSAIC) == [None, 0.0]
    assert fineness(picture, plan, MaskStyle.MOSAIC, [(0, 0, WIDTH, HEIGHT)]) == [None, None]
    over = FramePlan(False, (inner,), (((50, 50), (400, 50), (400, 400), (50, 400)),))
    assert fineness(picture, over, MaskStyle.MOSAIC) == [None, 0.0]
    assert fineness(picture, FramePlan(False, ((5, 5, 8, 9),)), MaskStyle.FROST) == [None]


def test_an_even_wall_is_coarse_and_a_wall_of_the_wrong_colour_is_not_solid() -> None:
    wall = cv2.GaussianBlur(np.full((HEIGHT, WIDTH, 3), 150, np.uint8), (5, 5), 2)
    plan = FramePlan(False, ((100, 100, 260, 300),))
    assert judged(wall, plan, MaskStyle.MOSAIC) == judged(wall, plan, MaskStyle.FROST) == [True]
    assert judged(wall, plan, MaskStyle.SOLID) == [False]


def test_it_asks_nothing_of_what_paints() -> None:
    painting = {
        "apply_mask",
        "apply_mask_planes",
        "cell_px",
        "mosaic_cells",
        "SOLID_BGR",
        "mask",
        "mask_planes",
    }
    assert not painting & set(vars(mask_seen))
