from __future__ import annotations

import numpy as np
import pytest

from orvault.vision.boxes import cell_centres, letterbox, overlap, suppress, to_planes
from tests.unit.vision_media import noise


@pytest.mark.parametrize(
    ("size", "side", "canvas"),
    [
        ((1280, 720), 640, (384, 640)),
        ((720, 1280), 640, (640, 384)),
        ((100, 60), 256, (160, 256)),
        ((640, 384), 640, (384, 640)),
    ],
)
def test_letterbox_keeps_shape_and_fills_to_multiples_of_32(
    size: tuple[int, int], side: int, canvas: tuple[int, int]
) -> None:
    width, height = size
    image = np.full((height, width, 3), 200, np.uint8)
    boxed = letterbox(image, side)
    assert boxed.image.shape == (*canvas, 3)
    assert boxed.scale == side / max(size)
    inner_w, inner_h = round(width * boxed.scale), round(height * boxed.scale)
    assert (boxed.image[:inner_h, :inner_w] == 200).all()
    assert not boxed.image[inner_h:].any()
    assert not boxed.image[:, inner_w:].any()


def test_letterbox_puts_a_point_where_its_scale_says() -> None:
    image = np.zeros((720, 1280, 3), np.uint8)
    image[300:340, 900:940] = 255
    boxed = letterbox(image, 640)
    y, x = (c.mean() + 0.5 for c in np.nonzero(boxed.image[:, :, 0] > 127))
    assert (x / boxed.scale, y / boxed.scale) == pytest.approx((920, 320), abs=1)


def test_planes_and_cells_have_the_order_of_the_models() -> None:
    image = noise(64, 32)
    planes = to_planes(image)
    assert planes.shape == (1, 3, 32, 64)
    assert planes.dtype == np.float32
    assert planes[0, 2, 5, 60] == image[5, 60, 2]
    assert cell_centres(2, 3).tolist() == [[0, 0], [1, 0], [2, 0], [0, 1], [1, 1], [2, 1]]


def test_overlap_is_intersection_over_union() -> None:
    boxes = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30], [3, 3, 3, 3]], np.float32)
    assert overlap(boxes[0], boxes) == pytest.approx([1, 1 / 3, 0, 0])


def test_suppression_keeps_the_best_of_each_heap() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60], [0, 1, 10, 11]], np.float32)
    assert suppress(boxes, np.array([0.5, 0.9, 0.3, 0.7], np.float32), 0.5).tolist() == [1, 2]
    assert suppress(np.empty((0, 4), np.float32), np.empty(0, np.float32), 0.5).size == 0
