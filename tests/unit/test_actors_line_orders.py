"""What the line makes of orders: runs that are resumed, stopped, repeated, outdated or refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from actors import recording_line
from actors.recording_line import WAITING
from orvault.clock import US_PER_S
from orvault.errors import ErrorKind
from orvault.recording.orders import OrderStore
from tests.unit.actors_support import (
    START_US,
    FlakyKeeper,
    eventually,
    order,
)
from tests.unit.line_support import DISK_FULL, SHORT_US, Bench, bench, disk_full, kind_of, pieces

__all__ = ["bench"]


def test_a_restarted_camera_resumes_its_run_with_the_next_number_and_a_gap(bench: Bench) -> None:
    bench.line.start(order())
    bench.put(*pieces(3))
    bench.sealed(3)
    again = bench.restarted()
    again.resume()
    eventually(lambda: again.run_id == "run-1", "the run is taken up")
    assert (again.segments, again.last_us) == (3, START_US + 3 * SHORT_US)
    assert bench.cuts == [True, True]
    bench.put(*pieces(2, first=5))
    again.stop("run-1", "")
    assert [record.header.meta.sequence for record in bench.node.stored()] == [0, 1, 2, 3, 4]
    (gap,) = bench.node.gaps()
    assert (gap.from_us, gap.to_us) == (START_US + 3 * SHORT_US, START_US + 5 * SHORT_US)
    assert "interrupted" in gap.reason


def test_a_late_call_of_a_cameras_old_self_costs_its_new_self_nothing(bench: Bench) -> None:
    bench.line.start(order())
    bench.put(*pieces(1))
    bench.sealed(1)
    old, keeper = bench.line, bench.node.keeper
    keeper.held.clear()
    calls = len(keeper.calls)
    bench.put(*pieces(1, first=1))
    eventually(lambda: keeper.calls[calls:] == ["keep"], "the old self's call is on its way")
    bench.node.keeper = FlakyKeeper(bench.node.actor)
    new = bench.restarted()
    new.resume()
    eventually(lambda: new.run_id == "run-1", "the run is taken up")
    keeper.held.set()
    eventually(lambda: "newer process" in old.trouble, "the old self is refused")
    bench.put(*pieces(2, first=2))
    new.stop("run-1", "")
    assert bench.node.clear() == [b"picture 0", b"picture 2", b"picture 3"]
    (gap,) = bench.node.gaps()
    assert (gap.from_us, gap.to_us) == (START_US + SHORT_US, START_US + 2 * SHORT_US)


def test_a_camera_without_an_order_resumes_nothing(bench: Bench) -> None:
    bench.line.resume()
    bench.put(*pieces(1))
    bench.line.stop("run-1", "")
    assert bench.node.stored() == [] and bench.cuts == []


def test_resuming_is_tried_again_until_the_disk_tells_where_the_run_stands(bench: Bench) -> None:
    bench.line.start(order())
    bench.put(*pieces(1))
    bench.sealed(1)
    bench.node.keeper.tail_fails = [disk_full(), disk_full()]
    again = bench.restarted()
    again.resume()
    eventually(lambda: again.run_id == "run-1", "the run is taken up")
    assert bench.clock.slept_s.count(recording_line.RESUME_S) == 2
    assert again.trouble == "" and again.segments == 1


def test_a_stop_ends_the_attempts_to_resume(bench: Bench) -> None:
    bench.line.start(order())
    again = bench.restarted()
    bench.node.keeper.tail_fails = [disk_full() for _ in range(10_000)]
    again.resume()
    eventually(lambda: DISK_FULL in again.trouble, "resuming fails")
    again.stop("run-1", "")
    bench.node.keeper.tail_fails = []
    assert again.trouble == ""
    assert bench.ordered is None
    again.start(order("run-2", epoch=2))
    assert again.run_id == "run-2"


def test_resuming_needs_no_room_on_the_disk(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.line.start(order())

    def full(_store: OrderStore, _order: object) -> None:
        raise disk_full()

    monkeypatch.setattr(OrderStore, "save", full)
    again = bench.restarted()
    again.resume()
    eventually(lambda: again.run_id == "run-1", "the run is taken up")


def test_a_damaged_order_is_told_and_does_not_keep_the_camera_from_starting(bench: Bench) -> None:
    bench.node.orders.mkdir()
    (bench.node.orders / "or1-ceiling.json").write_text("{")
    bench.line.resume()
    assert "cannot be read" in bench.line.trouble
    bench.line.start(order())
    assert bench.ordered == order() and bench.line.run_id == "run-1" and bench.line.trouble == ""


def test_stopping_a_run_that_is_not_recorded_leaves_the_other_as_it_is(bench: Bench) -> None:
    bench.line.start(order())
    bench.line.stop("run-0", "the camera is away")
    assert bench.line.run_id == "run-1" and bench.ordered == order()
    late = replace(pieces(1)[0], start_us=START_US + 5 * US_PER_S, end_us=START_US + 7 * US_PER_S)
    bench.put(late)
    bench.line.stop("run-1", "")
    assert len(bench.node.stored()) == 1
    (gap,) = bench.node.gaps()
    assert "away" not in gap.reason  # why the other run ended says nothing about this one


def test_a_stop_twice_is_harmless(bench: Bench) -> None:
    bench.line.start(order())
    bench.put(*pieces(1))
    bench.line.stop("run-1", "")
    bench.clock.us += 60 * US_PER_S
    bench.line.stop("run-1", "")
    assert len(bench.node.stored()) == 1 and bench.node.gaps() == []


def test_a_start_that_comes_after_its_own_stop_records_nothing(bench: Bench) -> None:
    bench.line.stop("run-1", "")
    assert kind_of(bench.line.start, order()) is ErrorKind.CONFLICT
    assert bench.line.run_id is None and bench.ordered is None and bench.cuts == []


def test_an_outdated_order_is_refused(bench: Bench) -> None:
    bench.line.start(order("run-2", epoch=5))
    bench.line.stop("run-2", "")
    assert kind_of(bench.line.start, order("run-1", epoch=4)) is ErrorKind.CONFLICT
    assert bench.line.run_id is None and bench.ordered is None


def test_a_second_run_is_refused_while_one_records(bench: Bench) -> None:
    bench.line.start(order())
    assert kind_of(bench.line.start, order("run-2", epoch=2)) is ErrorKind.CONFLICT
    assert bench.ordered == order()  # a restart goes on with the first


def test_the_same_order_again_changes_nothing(bench: Bench) -> None:
    bench.line.start(order())
    bench.put(*pieces(1))
    bench.sealed(1)
    bench.line.start(order())
    assert bench.cuts == [True] and bench.line.segments == 1


def test_an_order_repeated_while_the_encryption_actor_is_away_takes_no_fragments_place(bench: Bench) -> None:
    bench.line.start(order())
    bench.node.keeper.down = True
    for piece in pieces(WAITING):
        bench.put(piece)
        bench.line.start(order())  # answered at once
    bench.node.keeper.down = False
    bench.line.stop("run-1", "")
    assert len(bench.node.stored()) == WAITING and bench.node.gaps() == []
    assert bench.node.keeper.calls.count("tail") == 1


def test_an_order_that_could_not_be_stored_records_nothing_until_it_is_repeated(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_store: OrderStore, _order: object) -> None:
        raise disk_full()

    with monkeypatch.context() as patch:
        patch.setattr(OrderStore, "save", full)
        assert kind_of(bench.line.start, order()) is ErrorKind.STORAGE
    assert bench.cuts == [] and bench.line.run_id is None
    bench.line.start(order())
    assert bench.cuts == [True] and bench.line.run_id == "run-1" and bench.ordered == order()


def test_a_start_that_nobody_answers_says_so_and_its_stop_ends_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording_line, "ANSWER_S", 0.03)
    bench.node.keeper.down = True
    assert kind_of(bench.line.start, order()) is ErrorKind.UNAVAILABLE
    bench.node.keeper.down = False
    bench.line.stop("run-1", "")
    bench.put(*pieces(1))
    bench.line.stop("run-1", "")
    assert bench.node.stored() == [] and bench.ordered is None
