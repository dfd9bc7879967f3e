"""The invisible mark: what it costs the picture, what it survives, whom it names, and that it names nobody else."""

from __future__ import annotations

import hashlib
import math

import cv2
import numpy as np
import pytest

from orvault.marks.chips import ROWS, Template, code_bits, pattern
from orvault.marks.finding import Window, cells_of, find, score
from orvault.marks.keys import MarkKey, mark_key
from orvault.marks.painter import MarkPainter
from orvault.marks.residue import Residue
from orvault.marks.tracing import FALSE_NAMES, threshold_of, trace
from tests.unit.marks_support import CAMERA, COPIES, SITE_KEY, gray, marked, names, traced


def test_signs_are_those_of_the_format() -> None:
    """docs/format/mark-v1.md, section 8."""
    key = mark_key(SITE_KEY, "copy-1", CAMERA)
    assert key.template.hex() == "5b48ff2c6ef495e948f2ceaea51d6553277a545f9167481f5a13a3797dafbb43"
    assert key.code.hex() == "44972ddd403cac90f9c10d6ec57e96f28cd0b4f4bd8a5dae42ff64f68dbd33a0"
    signs = pattern(key).astype(np.int8)
    assert hashlib.sha256(signs.tobytes()).hexdigest() == (
        "aeb8ac1f41175ac29d72d208c556feafa42ed925a1f93f252a33c93d5387bdc6"
    )
    assert int(Template.of(key.template).code_cells.sum()) == 15_608


def test_a_key_tells_copies_and_cameras_apart_and_is_never_shown() -> None:
    keys = [mark_key(SITE_KEY, copy, camera) for copy in ("a", "b") for camera in ("x", "y")]
    assert len({key.code for key in keys}) == 4
    assert len({key.template for key in keys}) == 2, "the template is the camera's"
    assert keys[0].code.hex() not in repr(keys[0]) and repr(keys[0].code) not in repr(keys[0])
    codes = 2 * code_bits([key.code for key in keys]).astype(np.int32) - 1
    overlap = codes @ codes.T - codes.shape[1] * np.eye(4, dtype=np.int32)
    assert np.abs(overlap).max() < 6 * math.sqrt(codes.shape[1])


@pytest.mark.parametrize("spread", [0.0, 12.0, 60.0], ids=["flat", "usual", "wild"])
def test_the_picture_stays_above_40_db(spread: float) -> None:
    before = gray(2, spread)
    after = marked(before)
    assert 40.0 <= cv2.PSNR(before, after) < 60.0, "changed, and not by much"


def test_marks_are_drawn_in_place_into_planes_whose_rows_lie_apart() -> None:
    memory = np.full((540, 1024), 77, np.uint8)
    plane = memory[:, :960]
    plane[:] = gray()
    MarkPainter(mark_key(SITE_KEY, "copy-7", CAMERA), 960, 540).paint(plane, 0)
    assert np.array_equal(plane, marked(gray())) and (memory[:, 960:] == 77).all()


def test_the_pattern_stands_still_and_its_strength_follows_the_scene() -> None:
    painter = MarkPainter(mark_key(SITE_KEY, "copy-7", CAMERA), 960, 540)
    even, rough = np.full((540, 960), 120, np.uint8), np.clip(gray(3, 25.0), 20, 235)
    offsets = []
    for picture, pts_90k in ((even, 0), (even, 45_000), (rough, 89_000), (rough, 90_000), (even, 91_000)):
        shown = picture.copy()
        painter.paint(shown, pts_90k)
        offsets.append(shown.astype(np.int16) - picture)
    assert np.array_equal(offsets[0], offsets[1]) and np.array_equal(offsets[0], offsets[2]), "for a second"
    assert np.abs(offsets[3]).mean() > 1.2 * np.abs(offsets[0]).mean(), "then the texture is looked at again"
    assert np.mean(np.sign(offsets[3]) * np.sign(offsets[0]) < 0) < 0.02, "no cell turns"


def test_a_copy_is_named_and_nobody_else() -> None:
    found = traced(marked(gray()))
    assert names(found) == {"copy-7"} and found.named[0].camera_id == CAMERA
    assert found.named[0].score > 2 * found.threshold
    assert found.chance(found.named[0]) < FALSE_NAMES


def test_of_two_copies_that_were_mixed_no_third_is_named() -> None:
    both = [marked(gray(), name).astype(np.uint16) for name in ("copy-7", "copy-8")]
    assert names(traced(((both[0] + both[1] + 1) // 2).astype(np.uint8))) == {"copy-7", "copy-8"}


@pytest.mark.parametrize("kind", ["bare", "another site's", "another camera's", "not registered"])
def test_what_nobody_registered_got_names_nobody(kind: str) -> None:
    for seed in range(4):
        picture = {
            "bare": lambda seed: gray(seed),
            "another site's": lambda seed: marked(gray(seed), site_key=bytes(32)),
            "another camera's": lambda seed: marked(gray(seed), camera="or2-wall"),
            "not registered": lambda seed: marked(gray(seed), "copy-999"),
        }[kind](seed)
        found = traced(picture)
        assert not found.named and found.strongest < found.threshold
        assert found.camera_known == (kind == "not registered")


def test_the_threshold_is_the_one_that_was_promised() -> None:
    for tried in (1, 300, 10_000, 1_000_000):
        assert tried * math.exp(-(threshold_of(tried) ** 2) / 2) == pytest.approx(FALSE_NAMES)
    assert threshold_of(0) == threshold_of(1)


def test_scores_of_copies_that_are_not_there_are_those_of_chance() -> None:
    """2,000 codes over one marked picture: the copies of others keep the spread that the threshold assumes."""
    residue = Residue()
    residue.add(marked(gray()))
    template = Template.of(mark_key(SITE_KEY, "copy-7", CAMERA).template)
    cells = np.where(template.code_cells, cells_of(residue.plane, Window()), 0).reshape(-1)
    unit = cells / np.linalg.norm(cells)
    others = [mark_key(SITE_KEY, f"other-{number}", CAMERA) for number in range(2_000)]
    bits = code_bits([key.code for key in others]).astype(np.float32)
    scores = 2 * (bits @ unit.astype(np.float32)) - unit.sum()
    assert abs(scores.mean()) < 0.1 and 0.93 < scores.std() < 1.07
    assert np.abs(scores).max() < threshold_of(300)


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_crop_is_found_where_it_was_cut(mirrored: bool) -> None:
    part = marked(gray())[27:513, 14:878]  # 90 % of each side
    shown = np.ascontiguousarray(part[:, ::-1]) if mirrored else part
    found = traced(shown)
    if mirrored:
        assert not found.named, "a crop that is mirrored too is not looked for"
        return
    assert names(found) == {"copy-7"}
    window = found.named[0].window
    expected = Window(14 / 960, 27 / 540, 864 / 960, 486 / 540)
    for side in ("left", "top", "width", "height"):
        assert getattr(window, side) == pytest.approx(getattr(expected, side), abs=0.004)


def test_a_mirrored_picture_is_read() -> None:
    found = traced(np.ascontiguousarray(marked(gray())[:, ::-1]))
    assert names(found) == {"copy-7"} and found.named[0].window.mirrored


def test_a_wholly_covered_picture_carries_the_mark() -> None:
    assert names(traced(marked(np.full((540, 960), 90, np.uint8)))) == {"copy-7"}
    assert names(traced(marked(np.zeros((540, 960), np.uint8)))) == {"copy-7"}, (
        "black, where it can only be lighter"
    )


def test_nothing_is_found_in_nothing() -> None:
    plane = np.zeros_like(Residue().plane)
    template = Template.of(bytes(32))
    assert score(cells_of(plane, Window()), template.signs) == 0.0
    assert all(fit.score == 0.0 for fit in find(plane, [template])[0]) and find(plane, []) == []
    assert not trace(plane, SITE_KEY, COPIES[:3]).named and trace(plane, SITE_KEY, []).tried == 0


def test_a_weak_mark_is_not_lost_among_the_crops() -> None:
    """The template says nothing any more, and some crop fits it better by chance; the code can still be read."""
    residue = Residue()
    residue.add(marked(gray()))
    weak = residue.plane + np.random.default_rng(2).normal(0, 6.0, residue.plane.shape).astype(np.float32)
    template = Template.of(mark_key(SITE_KEY, "copy-7", CAMERA).template)
    (whole, _, crop) = find(weak, [template])[0]
    assert crop.score > whole.score and crop.window != Window()
    found = trace(weak, SITE_KEY, COPIES)
    assert names(found) == {"copy-7"} and found.named[0].window == Window()
    assert found.compared == 3 * found.tried and found.threshold == threshold_of(3 * len(COPIES))


def test_painting_costs_the_size_of_the_picture_only() -> None:
    painter = MarkPainter(MarkKey(bytes(32), bytes(range(32))), 640, 480)
    assert pattern(MarkKey(bytes(32), bytes(range(32)))).shape[0] == ROWS
    with pytest.raises(cv2.error):
        painter.paint(np.zeros((360, 640), np.uint8), 1)
