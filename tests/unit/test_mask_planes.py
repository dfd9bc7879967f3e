"""Masks in the planes of 4:2:0 pictures cover what the same masks cover in BGR pictures, and put nothing outside."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation

from orvault.video.codec import Frame, Image
from orvault.vision.mask import FramePlan, MaskMode, MaskPolicy, MaskStyle, apply_mask
from orvault.vision.mask_planes import apply_mask_planes
from tests.unit.vision_media import noise

W, H = 640, 360
PLANS = {
    "boxes": FramePlan(False, ((101, 51, 231, 187), (500, 1, 640, 99), (-20, 300, 77, 400))),
    "polygon": FramePlan(False, (), (((301, 101), (501, 121), (399, 333)),)),
    "whole": FramePlan(True),
}


def smooth() -> Image:
    picture = cv2.GaussianBlur(noise(W, H), (0, 0), 6)
    return np.asarray(cv2.normalize(picture, None, 0, 255, cv2.NORM_MINMAX), np.uint8)


@pytest.mark.parametrize("style", MaskStyle)
@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_planes_and_pictures_are_covered_alike(style: MaskStyle, plan: FramePlan) -> None:
    policy, clear = MaskPolicy(MaskMode.HEAD, style), smooth()
    wanted = clear.copy()
    apply_mask(wanted, plan, policy)
    planes = Frame(clear.copy(), 0).planes()
    apply_mask_planes(planes, plan, policy)
    found = planes.native.to_ndarray(format="bgr24")
    difference = np.abs(found.astype(int) - wanted).max(axis=2)
    inside = (wanted != clear).any(axis=2)
    assert difference[inside].mean() < 20 and (difference > 40).mean() < 0.005
    edge = cv2.dilate(inside.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    untouched = Frame(clear.copy(), 0).planes().native.to_ndarray(format="bgr24")
    assert (found[~edge] == untouched[~edge]).all()


def test_an_odd_box_is_covered_to_its_last_pixel() -> None:
    planes = Frame(np.full((H, W, 3), 255, np.uint8), 0).planes()
    apply_mask_planes(planes, FramePlan(False, ((101, 51, 231, 187),)), MaskPolicy(MaskMode.HEAD))
    assert planes.y[51:187, 101:231].max() < 60 < planes.y[:50].min()
    assert (planes.y[51:187, 101:231] == planes.y[100, 150]).all()


def test_a_mask_has_the_same_colour_by_either_matrix() -> None:
    values = []
    for bt709 in (False, True):
        planes = Frame(np.full((H, W, 3), 200, np.uint8), 0).planes()
        apply_mask_planes(planes, FramePlan(True), MaskPolicy(MaskMode.HEAD), bt709=bt709)
        values.append([int(plane[0, 0]) for plane in planes])
        assert all((plane == plane[0, 0]).all() for plane in planes)
    assert values[0][0] == pytest.approx(values[1][0], abs=2)


@pytest.mark.parametrize("plan", [PLANS["boxes"], PLANS["polygon"]], ids=["boxes", "polygon"])
@pytest.mark.parametrize(
    "form", ["yuv420p", "yuvj420p", "yuv420p10le", "yuv422p", "yuv422p10le", "yuv444p", "gbrp"]
)
def test_nothing_of_what_is_covered_is_left_beside_the_mask(form: str, plan: FramePlan) -> None:
    """Two pictures that differ only under the mask are the same afterwards, however a camera codes colours."""
    hidden = np.zeros((H, W, 3), np.uint8)
    apply_mask(hidden, plan, MaskPolicy(MaskMode.HEAD))
    rng, base = np.random.default_rng(1), noise(W, H)
    covered = []
    for _ in range(2):
        # Noise in each plane, so that colours differ from pixel to pixel, put into the camera's own planes.
        planes = VideoFrame.from_ndarray(base, format="bgr24").reformat(format="yuv444p").to_ndarray()
        other = rng.integers(0, 256, planes.shape, np.uint8)
        planes = np.where(hidden.any(axis=2), other, planes)
        native = VideoFrame.from_ndarray(planes, format="yuv444p")
        native = native.reformat(format=form, interpolation=Interpolation.POINT)
        picture = Frame(None, 0, native=native).planes()
        apply_mask_planes(picture, plan, MaskPolicy(MaskMode.HEAD))
        covered.append(picture)
    for one, two in zip(*covered, strict=True):
        assert np.array_equal(one, two)
