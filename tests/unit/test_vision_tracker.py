"""Who is who from picture to picture, by boxes alone."""

from __future__ import annotations

import numpy as np
import pytest

from orvault.errors import OrvaultError
from orvault.vision.boxes import Floats
from orvault.vision.tracker import Track, Tracker, TrackRules

STEP_US = 200_000


def boxes(*rows: tuple[float, float]) -> Floats:
    """Boxes of 40 x 100 with these top left corners."""
    return np.array([(x, y, x + 40, y + 100) for x, y in rows], np.float32).reshape(-1, 4)


def update(tracker: Tracker, found: Floats, step: int, score: float = 0.9) -> list[Track]:
    return tracker.update(found, np.full(len(found), score, np.float32), step * STEP_US)


def test_two_people_keep_their_ids_while_they_walk_and_the_order_of_boxes_changes() -> None:
    tracker = Tracker()
    for step in range(10):
        rows = [(100 + 20 * step, 50), (600 - 20 * step, 300)]
        tracks = update(tracker, boxes(*(rows if step % 2 else rows[::-1])), step)
        by_id = {t.id: t.box[1] for t in tracks}
        assert len(by_id) == 2
        if step == 0:
            first = by_id
    assert by_id == first


def test_two_who_cross_go_on_in_their_directions() -> None:
    tracker = Tracker()
    for step in range(15):
        tracks = update(tracker, boxes((100 + 20 * step, 50), (380 - 20 * step, 60)), step)
    assert [(t.id, float(t.box[0])) for t in tracks] == [(1, 380.0), (2, 100.0)]


def test_an_unsure_box_continues_a_track_and_begins_none() -> None:
    tracker = Tracker()
    assert update(tracker, boxes((0, 0)), 0, score=0.2) == []
    (begun,) = update(tracker, boxes((0, 0)), 1)
    (continued,) = update(tracker, boxes((5, 0)), 2, score=0.2)
    assert (continued.id, continued.found) == (begun.id, 0)


def test_who_is_hidden_is_foreseen_for_a_while_and_then_forgotten() -> None:
    tracker = Tracker(TrackRules(coast_s=1.0, foresee_s=0.4, speed_share=1.0))
    for step in range(3):
        update(tracker, boxes((100 + 10 * step, 50)), step)
    (hidden,) = update(tracker, boxes(), 4)
    assert hidden.found is None
    assert hidden.box[0] == pytest.approx(140)  # two steps on
    (hidden,) = update(tracker, boxes(), 7)
    assert hidden.box[0] == pytest.approx(140)  # no further: its speed is old
    (back,) = update(tracker, boxes((145, 50)), 7)
    assert back.id == hidden.id
    assert update(tracker, boxes(), 13) == []
    (new,) = update(tracker, boxes((145, 50)), 14)
    assert new.id == hidden.id + 1


def test_far_away_is_somebody_else() -> None:
    tracker = Tracker()
    update(tracker, boxes((0, 0)), 0)
    assert [t.found for t in update(tracker, boxes((500, 0)), 1)] == [None, 0]


def test_found_names_the_row_that_continued_each_track() -> None:
    tracker = Tracker()
    update(tracker, boxes((0, 0), (300, 0)), 0)
    tracks = update(tracker, boxes((302, 0), (900, 0), (2, 0)), 1)
    assert [(t.id, t.found) for t in tracks] == [(1, 2), (2, 0), (3, 1)]


def test_a_backward_pass_with_negated_times_and_a_clock_set_back_keep_the_track() -> None:
    tracker = Tracker()
    for step in range(-10, 0):
        (track,) = update(tracker, boxes((10 * step, 0)), step)
    assert track.id == 1
    (track,) = update(tracker, boxes((-10, 0)), -4)
    assert track.id == 1


def test_a_track_confirmed_by_other_means_does_not_end_and_a_dropped_one_does() -> None:
    tracker = Tracker()
    update(tracker, boxes((0, 0)), 0)
    tracker.confirm(1, boxes((30, 0))[0], 9 * STEP_US)
    (track,) = update(tracker, boxes(), 18)
    assert (track.id, float(track.box[0])) == (1, 30.0)
    tracker.drop(1)
    assert update(tracker, boxes(), 18) == []


@pytest.mark.parametrize("bad", [{"sure_score": 0.0}, {"enlarged_by": -1.0}, {"coast_s": 0.0}])
def test_rules_that_make_no_sense_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(OrvaultError):
        TrackRules(**bad)
