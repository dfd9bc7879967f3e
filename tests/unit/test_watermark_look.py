"""How watermarks look: letters that are themselves, the time of each picture, images, tiles, YUV like BGR."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from orvault.errors import ErrorKind, OrvaultError
from orvault.video.codec import Image
from orvault.vision import lettering
from orvault.vision.frame_time import TIME_CHARACTERS, frame_time
from orvault.vision.lettering import draw
from orvault.vision.watermark import Anchor, ImageWatermark, Mark, TextWatermark, WatermarkPainter
from tests.unit.vision_media import noise
from tests.unit.watermark_images import logo

W, H = 640, 360
AT_US = 1_800_000_000_123_456


def grey(level: int = 60) -> Image:
    return np.full((H, W, 3), level, np.uint8)


def painted(*marks: Mark, at_us: int | None = AT_US, image: Image | None = None) -> Image:
    image = grey() if image is None else image
    WatermarkPainter(marks, W, H).paint(image, at_us)
    return image


def changed(image: Image, level: int = 60) -> np.ndarray:
    return (image != level).any(axis=2)


def test_each_hangul_syllable_has_a_shape_of_its_own() -> None:
    shapes = {draw(chr(code), 32).ink.tobytes() for code in range(0xAC00, 0xD7A4)}
    assert len(shapes) == 11_172


def test_a_font_that_was_exchanged_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(lettering.FONTS / "SHA256SUMS", tmp_path)
    monkeypatch.setattr(lettering, "FONTS", tmp_path)
    lettering._font.cache_clear()
    try:
        for content in (None, b"another font"):
            if content is not None:
                (tmp_path / lettering.FONT_FILE).write_bytes(content)
            with pytest.raises(OrvaultError) as caught:
                draw("a", 20)
            assert caught.value.kind is ErrorKind.BAD_MODEL
    finally:
        lettering._font.cache_clear()


@pytest.mark.parametrize(
    ("taken_us", "offset", "shown"),
    [
        (0, 0, "1970-01-01 00:00:00.000Z"),
        (1_800_000_000_123_999, 540, "2027-01-15 17:00:00.123+09:00"),
        (1_800_000_000_999_999, -210, "2027-01-15 04:30:00.999-03:30"),
    ],
)
def test_the_time_is_local_and_cut_off(taken_us: int, offset: int, shown: str) -> None:
    assert frame_time(taken_us, offset) == shown
    assert set(shown) <= set(TIME_CHARACTERS)


def test_each_picture_carries_its_own_time_at_the_same_place() -> None:
    painter = WatermarkPainter(TextWatermark("서울 {time} 홍길동", utc_offset_min=540), W, H)
    images = [grey() for _ in range(3)]
    for image, at_us in zip(images, (AT_US, AT_US + 33_000, AT_US), strict=True):
        painter.paint(image, at_us)
    first, later, again = images
    assert (first == again).all() and (first != later).any()
    x1, y1, x2, y2 = painter.box
    moved = (first != later).any(axis=2)
    assert moved[y1:y2, x1:x2].sum() == moved.sum() > 0
    # Of the line only the two last digits of the thousandths changed: neither end of it did.
    columns = np.flatnonzero(moved.any(axis=0))
    assert columns.max() - columns.min() < 0.15 * (x2 - x1)


@pytest.mark.parametrize("size", [11, 16, 23, 35, 71])
def test_all_digits_are_as_wide_as_another(size: int) -> None:
    assert len({draw(digit, size, tight=True).ink.shape for digit in "0123456789"}) == 1


def test_a_text_with_the_time_needs_one() -> None:
    with pytest.raises(OrvaultError) as caught:
        painted(TextWatermark("{time}"), at_us=None)
    assert caught.value.kind is ErrorKind.INTERNAL
    with pytest.raises(OrvaultError, match="twice"):
        TextWatermark("{time} {time}")


def test_an_image_keeps_its_colours_and_its_holes() -> None:
    image = painted(ImageWatermark(logo(), Anchor.CENTRE, 1.0, size=0.3))
    marked = changed(image)
    drawn = (logo()[:, :, 3] > 0).mean() * (0.3 * W) ** 2 / 2  # the logo is twice as wide as high
    assert marked.sum() == pytest.approx(drawn, rel=0.1)
    assert image[H // 2, W // 2] == pytest.approx([40, 40, 220], abs=2)
    assert not marked[:, :200].any() and not marked[:40].any()
    half = painted(ImageWatermark(logo(), Anchor.CENTRE, 0.5, size=0.3))
    assert half[H // 2, W // 2] == pytest.approx([50, 50, 140], abs=3)


@pytest.mark.parametrize("at", [(0.0, 0.0), (1.0, 1.0), (0.25, 0.75)])
def test_a_place_in_percent_lies_wholly_inside(at: tuple[float, float]) -> None:
    x1, y1, x2, y2 = WatermarkPainter(TextWatermark("Kim", at=at), W, H).box
    assert x1 == pytest.approx(at[0] * (W - (x2 - x1)), abs=2) and y1 == pytest.approx(
        at[1] * (H - (y2 - y1)), abs=2
    )
    assert 0 <= x1 and 0 <= y1 and x2 <= W and y2 <= H


def test_size_is_what_was_asked_for() -> None:
    small, large = (WatermarkPainter(TextWatermark("Kim", size=s), W, H).box for s in (0.05, 0.15))
    assert (large[3] - large[1]) == pytest.approx(3 * (small[3] - small[1]), rel=0.15)


@pytest.mark.parametrize("mark", [TextWatermark("홍길동", tiled=True), ImageWatermark(logo(), tiled=True)])
def test_tiles_leave_no_part_of_the_picture_to_cut_out(mark: Mark) -> None:
    marked = changed(painted(mark))
    for rows in np.array_split(marked, 3):
        for part in np.array_split(rows, 3, axis=1):
            assert part.any()
    assert 0.02 < marked.mean() < 0.5


def test_both_are_painted_text_above_image() -> None:
    under = ImageWatermark(logo(), Anchor.CENTRE, 1.0, size=0.5)
    over = TextWatermark("|||", Anchor.CENTRE, 1.0)
    both = painted(under, over)
    assert changed(both).sum() >= changed(painted(under)).sum()
    assert (both != painted(under)).any()


@pytest.mark.parametrize("bt709", [False, True])
def test_planes_get_the_same_watermark_as_a_picture(bt709: bool) -> None:
    """Two ways to paint, one look: 4:2:0 planes turned into BGR, against BGR painted."""
    marks = [
        ImageWatermark(logo(), Anchor.TOP_LEFT, 0.8, size=0.3),
        TextWatermark("서울 {time}", Anchor.BOTTOM, 0.8),
    ]
    painter = WatermarkPainter(marks, W, H)
    smooth = cv2.GaussianBlur(noise(W, H), (0, 0), 9)
    grey_planes = cv2.cvtColor(cv2.cvtColor(smooth, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    yuv = cv2.cvtColor(grey_planes, cv2.COLOR_BGR2YUV_I420)
    before = cv2.cvtColor(yuv, cv2.COLOR_YUV2BGR_I420)
    y, u, v = yuv[:H], yuv[H : H + H // 4].reshape(H // 2, W // 2), yuv[H + H // 4 :].reshape(H // 2, W // 2)
    painter.paint_planes([y, u, v], AT_US, bt709=bt709)
    after = cv2.cvtColor(yuv, cv2.COLOR_YUV2BGR_I420)
    wanted = before.copy()
    painter.paint(wanted, AT_US)
    x1, y1, x2, y2 = painter.box
    text = slice(H * 3 // 4, y2), slice(x1, x2)
    luma = [cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(int) for image in (after, wanted, before)]
    assert np.abs(luma[0][text] - luma[1][text]).mean() < 2 < np.abs(luma[2][text] - luma[1][text]).mean()
    if not bt709:  # OpenCV turns planes back by BT.601
        disc = slice(20, 100), slice(30, 200)
        assert np.abs(after[disc].astype(int) - wanted[disc].astype(int)).mean() < 4
    untouched = np.ones((H, W), bool)
    untouched[y1:y2, x1:x2] = False
    assert (after[untouched] == before[untouched]).all()


@pytest.mark.parametrize(
    "wrong",
    [
        {"opacity": 0.05},
        {"opacity": 1.1},
        {"size": 0.01},
        {"size": 0.9},
        {"at": (0.5, 1.5)},
        {"at": (0.5, 0.5), "tiled": True},
        {"utc_offset_min": 900},
    ],
)
def test_numbers_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(OrvaultError) as caught:
        TextWatermark("Kim", **wrong)  # type: ignore[arg-type]
    assert caught.value.kind is ErrorKind.BAD_REQUEST
