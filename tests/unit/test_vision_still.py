from __future__ import annotations

from orvault.vision import still
from orvault.vision.detector import Detection, Kind
from orvault.vision.still import StillRegion, still_regions


def head(x: float, y: float = 50, size: float = 40) -> Detection:
    return Detection(Kind.HEAD, x, y, x + size, y + size, 0.5, "movenet")


def places(frames: list[list[Detection]], forget_after: int = 20) -> list[StillRegion]:
    return list(still_regions(frames, least_span=5, least_count=3, forget_after=forget_after))


def test_a_place_needs_its_span_and_its_count() -> None:
    assert places([[head(10)], [], [], [head(11)], [], [head(10)]]) == [
        StillRegion((10, 50, 51, 90), 0, 5, 3)
    ]
    assert places([[head(10)], [head(10)], [head(10)], [head(10)]]) == []
    assert places([[head(10)], [], [], [], [], [], [head(10)]]) == []


def test_neighbours_and_other_sizes_are_other_places() -> None:
    frames = [[head(10), head(60), head(10, size=100)] for _ in range(8)]
    assert sorted(p.box for p in places(frames)) == [(10, 50, 50, 90), (10, 50, 110, 150), (60, 50, 100, 90)]


def test_a_place_does_not_drift_with_who_walks_off_slowly() -> None:
    assert all(p.box[2] - p.box[0] < 70 for p in places([[head(10 + i)] for i in range(100)]))


def test_a_place_not_seen_for_long_has_ended() -> None:
    frames = [[head(10)] if i in (0, 3, 6, 60, 63, 66) else [] for i in range(70)]
    assert [(p.first, p.last) for p in places(frames)] == [(0, 6), (60, 66)]
    assert [(p.first, p.last) for p in places(frames, forget_after=80)] == [(0, 66)]


def test_too_many_places_give_up_those_not_seen_for_longest() -> None:
    crowd = [[head(10)]] + [
        [head(10), *(head(10_000 * (i + 1) + 100 * k) for k in range(200))] for i in range(6)
    ]
    assert len(crowd) * 200 > still._MOST_PLACES
    assert (10, 50, 50, 90) in [p.box for p in places(crowd)]
