from __future__ import annotations

import cv2
import numpy as np
import pytest

from orvault.errors import ErrorKind, OrvaultError
from orvault.video.codec import Image
from orvault.vision.watermark import Anchor, TextWatermark, WatermarkPainter
from tests.unit.vision_media import noise

W, H = 640, 360


def painted(
    text: str, image: Image, position: Anchor = Anchor.BOTTOM_RIGHT, opacity: float = 1.0
) -> WatermarkPainter:
    height, width = image.shape[:2]
    painter = WatermarkPainter(TextWatermark(text, position, opacity), width, height)
    painter.paint(image)
    return painter


def plain(level: int) -> Image:
    return np.full((H, W, 3), level, np.uint8)


@pytest.mark.parametrize("position", Anchor)
def test_it_stands_where_it_was_asked_for_and_touches_nothing_else(position: Anchor) -> None:
    image, before = noise(W, H), noise(W, H)
    x1, y1, x2, y2 = painted("Request 123", image, position).box
    assert 0 <= x1 < x2 <= W
    assert 0 <= y1 < y2 <= H
    changed = (image != before).any(axis=2)
    assert changed[y1:y2, x1:x2].mean() > 0.2
    changed[y1:y2, x1:x2] = False
    assert not changed.any()
    words = position.split("-")
    column, row = (x1 + x2) / 2 / W, (y1 + y2) / 2 / H
    for share, low, high in ((column, "left", "right"), (row, "top", "bottom")):
        if low in words:
            assert share < 0.45
        elif high in words:
            assert share > 0.55
        else:
            assert share == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_it_reads_on_dark_and_bright(level: int) -> None:
    image = plain(level)
    x1, y1, x2, y2 = painted("Kim 2026", image, opacity=0.75).box
    area = image[y1:y2, x1:x2].astype(int)
    assert area.max() - area.min() > 150


def test_korean_is_drawn_letter_by_letter() -> None:
    images = {}
    for text in ("홍길동", "홍길순", "???"):
        images[text] = plain(60)
        painted(text, images[text])
    assert (images["홍길동"] != images["홍길순"]).any()
    assert (images["홍길동"] != images["???"]).any()


def test_composed_and_decomposed_korean_look_the_same() -> None:
    composed, decomposed = plain(60), plain(60)
    painted("각", composed)
    painted("\u1100\u1161\u11a8", decomposed)
    assert (composed == decomposed).all()


def test_opacity_mixes() -> None:
    faint, solid = plain(60), plain(60)
    painted("Kim", faint, opacity=0.3)
    painted("Kim", solid, opacity=1.0)
    assert 60 < faint.max() < 140 < solid.max() == 255


def test_painting_twice_the_same_way_gives_the_same_pixels() -> None:
    painter = WatermarkPainter(TextWatermark("Kim"), W, H)
    first, second = noise(W, H), noise(W, H)
    painter.paint(first)
    painter.paint(second)
    assert (first == second).all()


def test_the_text_grows_with_the_picture_and_shrinks_to_fit() -> None:
    heights = {}
    for width, height, text in [(640, 360, "Kim"), (1920, 1080, "Kim"), (640, 360, "x" * 70)]:
        box = WatermarkPainter(TextWatermark(text), width, height).box
        heights[width, len(text)] = box[3] - box[1]
        assert box[2] - box[0] <= 0.95 * width
    assert heights[1920, 3] > 1.8 * heights[640, 3]
    assert heights[640, 70] < heights[640, 3]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("x" * 121, "characters"),
        ("two\nlines", "line break"),
        ("bell\x07", "control"),
        ("right\u202eleft", "control"),
        ("zero\u200dwidth", "control"),
        ("face \U0001f600", "cannot be drawn"),
        ("W" * 120, "does not fit"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_a_reason(text: str, word: str) -> None:
    with pytest.raises(OrvaultError, match=word) as caught:
        WatermarkPainter(TextWatermark(text), W, H)
    assert caught.value.kind is ErrorKind.BAD_REQUEST
    with pytest.raises(OrvaultError):
        TextWatermark("Kim", opacity=0.01)


def test_a_question_mark_is_a_character_like_others() -> None:
    images = {text: plain(60) for text in ("Who?", "Who")}
    boxes = {text: painted(text, image).box for text, image in images.items()}
    assert boxes["Who?"][0] < boxes["Who"][0]  # longer, and bound to the right
    assert (images["Who?"] != images["Who"]).any()


def test_it_is_found_in_the_picture_by_its_shape() -> None:
    image = cv2.GaussianBlur(noise(W, H), (0, 0), 3)
    clean = image.copy()
    x1, y1, x2, y2 = painted("서울병원 2026", image, Anchor.TOP_LEFT, 0.75).box
    wanted = plain(0)
    painted("서울병원 2026", wanted, Anchor.TOP_LEFT)
    template = wanted[y1:y2, x1:x2, 0].ravel().astype(float)
    for picture, shows in ((image, True), (clean, False)):
        patch = picture[y1:y2, x1:x2].mean(axis=2).ravel()
        assert bool(np.corrcoef(template, patch)[0, 1] > 0.5) is shows
