"""From findings to tracks to plans: what is covered before, between and after findings, and what is not."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import pytest

from orvault.errors import ErrorKind, OrvaultError
from orvault.vision.detection import SKIPPED, Detection, FrameDetections, Kind
from orvault.vision.following import find_tracks
from orvault.vision.mask import SOLID_BGR, apply_mask
from orvault.vision.modes import FixedRegion, MaskMode, MaskPolicy, MaskStyle
from orvault.vision.planning import WHOLE, FramePlan, plan_regions, plan_tracks, trusted, with_drawn
from orvault.vision.tracks import KeyedRegion, MaskTrack, TrackKind
from tests.unit.vision_media import noise

W, H, FPS = 640, 360, 10
HEAD = MaskPolicy(MaskMode.HEAD, margin=0)
SIZE = 40.0
Box = tuple[float, float, float, float]


def head(x: float, y: float = 100, size: float = SIZE, source: str = "movenet", **more: bool) -> Detection:
    return Detection(Kind.HEAD, x, y, x + size, y + size, 0.9, source, **more)


def looks(count: int, at: Callable[[int], Sequence[Detection]], every: int = 1) -> list[FrameDetections]:
    """Findings of every n-th picture; the others are skipped, but the last."""
    return [list(at(i)) if i % every == 0 or i == count - 1 else SKIPPED for i in range(count)]


def plans(frames: Sequence[FrameDetections], policy: MaskPolicy = HEAD) -> list[FramePlan]:
    return plan_regions(frames, policy, W, H, fps=FPS)


def covers(plan: FramePlan, box: Box) -> bool:
    mask = np.full((H, W), plan.whole)
    for x1, y1, x2, y2 in plan.boxes:
        mask[y1:y2, x1:x2] = True
    x1, y1, x2, y2 = (round(v) for v in box)
    return bool(mask[max(0, y1) : y2, max(0, x1) : x2].all())


def square(x: float, y: float = 100, size: float = SIZE) -> Box:
    return (x, y, x + size, y + size)


def area(plan: FramePlan) -> int:
    mask = np.zeros((H, W), bool)
    for x1, y1, x2, y2 in plan.boxes:
        mask[y1:y2, x1:x2] = True
    return int(mask.sum())


# --- between, before, after ---


def test_a_mask_moves_with_the_person_between_looks() -> None:
    made = plans(looks(41, lambda i: [head(100 + 4 * i)], every=4))
    assert all(covers(plan, square(100 + 4 * i)) for i, plan in enumerate(made))
    # held boxes of looks 0.4 s apart would cover 2.6 times the head
    assert max(area(plan) for plan in made) < 2 * SIZE**2


def test_a_gap_is_bridged_and_nobody_flickers() -> None:
    made = plans(looks(60, lambda i: [] if 20 <= i < 35 else [head(100 + i)]))
    assert all(covers(plan, square(100 + i)) for i, plan in enumerate(made))


def test_whoever_stood_still_when_last_seen_is_covered_from_the_first_picture_to_the_last() -> None:
    made = plans(looks(300, lambda i: [head(100 + i % 2)] if 140 <= i < 160 else []))
    assert all(covers(plan, square(100)) for plan in made)


def test_a_face_that_lies_is_covered_for_good_if_it_was_found_twice_and_for_a_while_if_once() -> None:
    def seen(*times: int) -> list[int]:
        found = looks(600, lambda i: [head(200, source="yunet-turned")] if i in times else [])
        return [i for i, plan in enumerate(plans(found)) if covers(plan, square(200))]

    assert seen(250, 300) == list(range(600))
    assert seen(300) == list(range(180, 421))  # 12 s each way


def test_whoever_walks_out_is_covered_until_the_end_and_no_longer() -> None:
    frames = looks(
        60, lambda i: [head(500 + 8 * i)] if i < 14 else []
    )  # lost when three quarters are still visible
    made = plans(frames)
    assert all(covers(plan, square(500 + 8 * i)) for i, plan in enumerate(made) if 500 + 8 * i < W)
    assert not made[45].boxes


def test_whoever_walks_in_is_covered_before_being_found() -> None:
    frames = looks(60, lambda i: [head(-40 + 8 * i)] if i >= 5 else [])
    made = plans(frames)
    assert all(covers(made[i], square(-40 + 8 * i)) for i in range(1, 60) if -40 + 8 * i < W - SIZE)


def test_a_walker_who_is_lost_is_held_where_it_was_for_some_seconds() -> None:
    made = plans(looks(200, lambda i: [head(100 + 6 * i, 40 + 2 * i)] if i < 30 else []))
    last = square(100 + 6 * 29, 40 + 2 * 29)
    assert all(covers(made[i], last) for i in range(29, 58))
    assert not made[100].boxes


def test_one_bad_box_among_good_ones_uncovers_nobody() -> None:
    made = plans(looks(40, lambda i: [head(118 if i == 20 else 100)]))
    assert all(covers(plan, square(100)) for plan in made)


# --- who is whom ---


def test_people_who_meet_leave_nobody_uncovered() -> None:
    def at(i: int) -> list[Detection]:
        left, right = 100 + 8 * i, 500 - 8 * i
        return [head(left)] if abs(left - right) < 30 else [head(left), head(right)]

    made = plans(looks(50, at, every=2))
    for i, plan in enumerate(made):
        assert covers(plan, square(100 + 8 * i)), i
        assert covers(plan, square(500 - 8 * i)), i


def test_a_nurse_who_passes_does_not_take_the_patients_mask_along() -> None:
    """The patient is found until the nurse comes, and never again; the nurse is found from where both were one."""

    def at(i: int) -> list[Detection]:
        nurse = 60 + 8 * i
        found = [head(nurse, 96)] if nurse < 240 or nurse > 290 else []
        return [*found, *([head(300)] if i < 28 else [])]

    made = plans(looks(80, at, every=2))
    assert all(covers(plan, square(300)) for plan in made)


# --- which findings count ---


def person_top(x: float, y: float, wide: float, high: float, **more: bool) -> Detection:
    return Detection(Kind.HEAD, x, y, x + wide, y + high, 0.6, "nanodet-top", **more)


def test_the_top_of_a_person_gives_way_to_the_head_in_it() -> None:
    top = person_top(80, 90, 100, 70)
    (alone,), (both,) = plans([[top]]), plans([[top, head(110)]])
    assert alone.boxes == ((80, 90, 180, 160),)
    assert both.boxes == ((110, 100, 150, 140),)


def test_one_head_excuses_one_person() -> None:
    tops = [person_top(80, 90, 100, 70), person_top(100, 95, 100, 70)]
    (plan,) = plans([[*tops, head(110)]])
    assert plan.boxes == ((100, 95, 200, 165),)


def test_between_two_heads_the_top_of_the_person_is_not_needed() -> None:
    made = plans(looks(30, lambda i: [person_top(80, 90, 100, 70)] if i % 3 else [head(110)]))
    assert max(area(plan) for plan in made[3:-3]) < 2 * SIZE**2
    assert all(covers(plan, square(110)) for plan in made)


def test_of_whom_little_is_seen_because_the_footage_ends_more_is_held() -> None:
    """Who comes out from behind another in the last looks of a short request lay there before."""
    at_the_end = plans(looks(120, lambda i: [head(300)] if i >= 108 else [], every=4))
    assert covers(at_the_end[80], square(300)) and not covers(at_the_end[60], square(300))
    at_the_start = plans(looks(120, lambda i: [head(300)] if i < 12 else [], every=4))
    assert covers(at_the_start[36], square(300)) and not covers(at_the_start[60], square(300))
    between = plans(looks(120, lambda i: [head(300)] if 60 <= i < 72 else [], every=4))
    assert not covers(between[45], square(300)) and not covers(between[85], square(300))


def test_from_the_top_of_a_body_to_a_head_is_no_way_that_somebody_walks() -> None:
    """Who stands is found by a part of the body first; a mask that foresaw the jump would cover much of the room."""
    made = plans(
        looks(80, lambda i: [head(160)] if i > 30 else [person_top(50, 100, 80, 60)] if i == 27 else [])
    )
    assert all(covers(plan, square(160)) for plan in made[31:])
    assert all(covers(plan, (50, 100, 130, 160)) for plan in made[:28])
    assert not any(covers(plan, (10, 110, 40, 150)) for plan in made)


def test_a_faint_finding_goes_on_with_a_person_and_begins_none() -> None:
    assert not any(plan.boxes for plan in plans(looks(30, lambda i: [head(100, faint=True)])))
    made = plans(looks(30, lambda i: [head(100 + 5 * i, faint=i > 8)]))
    assert all(covers(plan, square(100 + 5 * i)) for i, plan in enumerate(made))


def test_faint_findings_before_the_first_sure_one_are_that_persons_too() -> None:
    made = plans(looks(40, lambda i: [head(20 + 5 * i, faint=i < 30)]))
    assert all(covers(plan, square(20 + 5 * i)) for i, plan in enumerate(made))


def test_a_huge_face_in_a_turned_picture_is_not_held_where_heads_are_small() -> None:
    def at(i: int) -> list[Detection]:
        return [head(20), *([head(300, 100, 200, source="yunet-turned")] if i == 50 else [])]

    made = plans(looks(100, at))
    assert covers(made[50], square(300, 100, 200))
    assert not covers(made[70], square(300, 100, 200))


def test_objects_are_followed_only_if_the_policy_lists_them() -> None:
    screen = Detection(Kind.OBJECT, 400, 50, 500, 120, 0.6, "tv")
    cup = Detection(Kind.OBJECT, 10, 10, 40, 40, 0.6, "cup")
    frames = looks(40, lambda i: [screen, cup] if i % 8 == 0 else [])
    listed = MaskPolicy(MaskMode.FACE, margin=0, objects=frozenset({"tv"}))
    made = plans(frames, listed)
    assert all(covers(plan, screen.box) and not covers(plan, cup.box) for plan in made)
    assert not any(plan.boxes for plan in plans(frames))
    (track,) = find_tracks(frames, MaskMode.HEAD, W, H, fps=FPS, objects=frozenset({"tv"}))
    assert (track.kind, track.sources) == (TrackKind.OBJECT, frozenset({"tv"}))


# --- tracks for people who choose ---


def test_tracks_are_numbered_by_time_and_say_what_they_follow() -> None:
    def at(i: int) -> list[Detection]:
        lying = [head(300, 200, source="yunet-turned")] if i in (10, 30) else []
        return [*lying, *([head(3 * i)] if i >= 40 else [])]

    frames = looks(100, at)
    tracks = find_tracks(iter(frames), MaskMode.HEAD, W, H, fps=FPS)
    assert [(t.track_id, t.kind) for t in tracks] == [(1, TrackKind.LYING), (2, TrackKind.PERSON)]
    assert (tracks[0].first, tracks[0].found_first, tracks[0].found_last, tracks[0].last) == (0, 10, 30, 99)
    assert tracks[1].looks == 60
    assert tracks[0].box_at(45) == pytest.approx(square(300, 200))
    assert tracks[1].box_at(5) is None
    again = find_tracks(frames, MaskMode.HEAD, W, H, fps=FPS)
    assert [t.boxes.tolist() for t in again] == [t.boxes.tolist() for t in tracks]


def test_drawn_regions_are_covered_between_their_key_times_and_beside_a_whole_plan_nothing_changes() -> None:
    drawn = [KeyedRegion("screen", ((10_000_000, (0, 0, 20, 20)), (20_000_000, (100, 0, 120, 20))))]

    nothing = FramePlan(False)

    def at(s: float, plan: FramePlan = nothing) -> FramePlan:
        return with_drawn(plan, drawn, round(s * 1e6), W, H)

    assert covers(at(15), (50, 0, 70, 20)) and not covers(at(15), (0, 0, 20, 20))
    # times are read off pictures: one beside the first or last key is inside
    assert covers(at(9.95), (0, 0, 20, 20)) and covers(at(20.05), (100, 0, 120, 20))
    assert at(9.8).boxes == at(20.2).boxes == ()
    assert at(15, WHOLE) == WHOLE
    always = [KeyedRegion("board", ((10_000_000, (600, 300, 700, 400)),))]
    assert with_drawn(nothing, always, 0, W, H).boxes == ((600, 300, W, H),)


def test_spans_of_a_long_clip_fit_together() -> None:
    frames = looks(90, lambda i: [head(100 + 4 * i)], every=4)
    tracks = find_tracks(frames, MaskMode.HEAD, W, H, fps=FPS)
    spans = [(0, 31), (31, 32), (32, 90)]
    pieces = [plan for span in spans for plan in plan_tracks(tracks, span, HEAD, W, H)]
    assert pieces == list(plan_tracks(tracks, (0, 90), HEAD, W, H))


@pytest.mark.parametrize("keys", [[], [3, 3], [5, 2]])
def test_keys_out_of_order_are_refused(keys: list[int]) -> None:
    with pytest.raises(OrvaultError):
        KeyedRegion("drawn", tuple((key, (0.0, 0.0, 1.0, 1.0)) for key in keys))
    with pytest.raises(OrvaultError):
        boxes = np.zeros((len(keys), 4), np.float32)
        MaskTrack(1, TrackKind.PERSON, np.array(keys, np.int32), boxes, 0, 0, 1, frozenset())


# --- fixed regions, and results that are not trusted ---


def test_fixed_regions_are_covered_in_every_picture_and_mode() -> None:
    board = FixedRegion("whiteboard", ((50, 0), (100, 0), (100, 50)))  # a triangle
    table = FixedRegion("table", ((10, 50), (20, 60)))
    for mode in (MaskMode.FACE, MaskMode.BODY):
        for plan in plans([[], [head(0)], []], MaskPolicy(mode, fixed=(board, table))):
            assert plan.polygons == (
                ((320, 0), (640, 0), (640, 180)),
                ((64, 180), (128, 180), (128, 216), (64, 216)),
            )


@pytest.mark.parametrize("points", [((0, 0),), ((0, 0), (101, 5)), ((-1, 0), (5, 5)), ((0, 0),) * 40])
def test_a_region_outside_the_picture_is_refused(points: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(OrvaultError) as caught:
        FixedRegion("board", points)
    assert caught.value.kind is ErrorKind.BAD_SETTINGS


@pytest.mark.parametrize(
    "points",
    [
        ((20, 20), (80, 20), (20, 80), (80, 80)),  # typed row by row: half of the table would stay clear
        ((50, 0), (80, 90), (0, 35), (100, 35), (20, 90)),  # a star: its middle would
        ((0, 0), (50, 0), (50, 50), (20, 0), (0, 50)),  # it touches itself
        ((10, 10), (20, 20), (30, 30)),
        ((10, 10), (10, 90)),
    ],
)
def test_a_region_that_would_leave_its_own_inside_clear_is_refused(
    points: tuple[tuple[float, float], ...],
) -> None:
    with pytest.raises(OrvaultError) as caught:
        FixedRegion("table", points)
    assert caught.value.kind is ErrorKind.BAD_SETTINGS and "cross" in caught.value.message


@pytest.mark.parametrize(
    "points",
    [
        ((20, 20), (80, 20), (80, 80), (20, 80)),
        ((20, 80), (80, 80), (80, 20), (20, 20)),
        ((0, 0), (100, 0), (100, 100), (50, 40), (0, 100)),
        ((80, 80), (20, 20)),
    ],
)
def test_a_region_is_covered_all_over_whichever_way_round_its_corners_are_named(
    points: tuple[tuple[float, float], ...],
) -> None:
    policy = MaskPolicy(MaskMode.HEAD, fixed=(FixedRegion("table", points),))
    (plan,) = plan_tracks([], (0, 1), policy, W, H)
    picture = noise(W, H)
    apply_mask(picture, plan, policy)
    assert (picture[H // 4 : 3 * H // 8, W // 4 : 3 * W // 4] == SOLID_BGR).all()


def test_skipped_pictures_are_believed_only_between_trusted_looks_that_are_near() -> None:
    def blind(*frames: FrameDetections) -> list[int]:
        return [i for i, found in enumerate(trusted(frames, FPS)) if found is None]

    look: FrameDetections = []
    assert blind(look, *[SKIPPED] * 9, look) == []
    assert blind(look, *[SKIPPED] * 11, look) == list(range(1, 12))
    assert blind(look, SKIPPED, None, SKIPPED, look, SKIPPED, look) == [1, 2, 3]
    assert blind(*[SKIPPED] * 5, look, *[SKIPPED] * 5) == []
    assert blind(*[SKIPPED] * 7, look) == list(range(7))
    assert blind(*[SKIPPED] * 30) == list(range(30))


@pytest.mark.parametrize("style", MaskStyle)
def test_a_polygon_is_painted_and_nothing_round_it(style: MaskStyle) -> None:
    image = noise(W, H)
    painted = image.copy()
    policy = MaskPolicy(MaskMode.HEAD, style, fixed=(FixedRegion("board", ((50, 0), (100, 0), (100, 50))),))
    (plan,) = plans([[]], policy)
    apply_mask(painted, plan, policy)
    inside = np.zeros((H, W), np.uint8)
    cv2.fillPoly(inside, [np.array(plan.polygons[0], np.int32)], 1)
    assert (painted[inside == 0] == image[inside == 0]).all()
    assert (painted[inside == 1] != image[inside == 1]).any(axis=1).mean() > 0.97
