"""What following leaves out because it cannot matter, against all of it worked out: shortcuts change no mask."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from orvault.vision.boxes import Floats, reduced
from orvault.vision.following import _may_be_together, _together, _way
from orvault.vision.linking import LinkRules, Tip, _cost, _reachable
from orvault.vision.staying import StayRules, _stay_from
from orvault.vision.tracks import Ints

FPS = 15.0
RULES = LinkRules()

pixels = st.integers(-40, 400).map(lambda quarter: quarter / 4)
tips = st.builds(
    Tip, st.integers(0, 90), pixels, pixels, st.integers(1, 60).map(float), st.just(0.0), st.just(0.0)
)


@given(st.lists(tips, max_size=20), tips, st.booleans())
def test_whatever_may_be_linked_is_compared(ends: list[Tip], start: Tip, bound: bool) -> None:
    table = np.array([(end.frame, end.x, end.y, end.size) for end in ends], np.float64).reshape(-1, 4)
    compared = set(_reachable(table, start, FPS, RULES).tolist())
    linked = {
        at
        for at, end in enumerate(ends)
        if end.frame < start.frame and math.isfinite(_cost(end, start, FPS, RULES, bound=bound))
    }
    assert linked <= compared
    assert all(ends[at].frame < start.frame for at in compared)


def test_few_of_those_who_are_far_away_are_compared() -> None:
    table = np.array([(10, 100.0 * n, 50.0, 20.0) for n in range(50)], np.float64)
    assert len(_reachable(table, Tip(14, 100.0, 50.0, 20.0, 0.0, 0.0), FPS, RULES)) == 1


def _boxes(corners: list[tuple[float, float]], size: float) -> Floats:
    return np.array([(x, y, x + size, y + size) for x, y in corners], np.float32)


ways = st.lists(st.tuples(pixels, pixels), min_size=4, max_size=12)


@given(ways, ways, st.integers(4, 80))
def test_whoever_was_beside_somebody_is_looked_at_closely(
    mine: list[tuple[float, float]], theirs: list[tuple[float, float]], size: int
) -> None:
    own, other = _boxes(mine, size)[:3], _boxes(theirs, size)
    frames: Ints = np.arange(0, 2 * len(other), 2, dtype=np.int32)
    at: Ints = np.array([1, 2, 3], np.int32)
    if _together(own, at, (frames, other), RULES.same_place):
        assert _may_be_together(own, _way(other)[None], RULES.same_place).all()


@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.integers(0, 30)).map(lambda p: (p[0] / 2, p[1] / 2)),
        min_size=1,
        max_size=60,
    ),
    st.data(),
)
def test_a_stay_ends_where_two_boxes_in_a_row_lie_elsewhere(
    corners: list[tuple[float, float]], data: st.DataObject
) -> None:
    boxes = _boxes(corners, 20)
    begin = data.draw(st.integers(0, len(boxes) - 1))
    away = [
        bool(np.abs(boxes[at, :2] - boxes[begin, :2]).max() > StayRules().same_sizes * 20)
        for at in range(begin, len(boxes))
    ]
    gone = [at for at in range(1, len(away)) if all(away[at : at + 2])]  # a single one elsewhere ends nothing
    end, there = _stay_from(boxes, begin, StayRules())
    assert end == begin + min(gone, default=len(away))
    assert there.tolist() == [not each for each in away[: end - begin]]


@given(st.lists(st.tuples(pixels, pixels), min_size=1, max_size=30), st.data())
def test_windows_are_reduced_as_one_by_one(corners: list[tuple[float, float]], data: st.DataObject) -> None:
    rows = _boxes(corners, 10)
    windows = data.draw(
        st.lists(
            st.tuples(st.integers(0, len(rows) - 1), st.integers(1, len(rows))).filter(lambda w: w[0] < w[1]),
            min_size=1,
            max_size=30,
        )
    )
    firsts, ends = np.array(windows, np.intp).T
    for how in (np.maximum, np.minimum):
        one_by_one = np.stack([how.reduce(rows[first:end]) for first, end in windows])
        np.testing.assert_array_equal(reduced(how, rows, firsts, ends), one_by_one)
