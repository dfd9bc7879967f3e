"""The line from fragments to durable segments, with a real encryption actor behind it and faults in between."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from actors import recording_line
from actors.recording_line import WAITING, RecordingLine
from orvault.clock import US_PER_S
from orvault.errors import ErrorKind, OrvaultError
from orvault.recording.orders import OrderStore
from orvault.video.gop import Fragment
from tests.unit.actors_support import (
    START_US,
    CalmClock,
    FlakyKeeper,
    Node,
    away,
    eventually,
    fragments,
    make_node,
    order,
)

SHORT_US = 2 * US_PER_S
DISK_FULL = "The segment could not be stored: No space left on device."


def disk_full() -> OrvaultError:
    return OrvaultError(ErrorKind.STORAGE, DISK_FULL)


def pieces(count: int, first: int = 0) -> list[Fragment]:
    """So many fragments of two seconds, one after the other without a hole; small, because nobody looks into them."""
    base = fragments()[0]
    return [
        replace(
            base,
            data=bytearray(b"picture %d" % number),
            start_us=START_US + number * SHORT_US,
            end_us=START_US + (number + 1) * SHORT_US,
        )
        for number in range(first, first + count)
    ]


class Bench:
    """A line over a node; `cuts` is what it told its camera."""

    def __init__(self, node: Node, clock: CalmClock) -> None:
        self.node, self.clock = node, clock
        self.cuts: list[bool] = []
        self.line = self.restarted()

    def restarted(self) -> RecordingLine:
        """A new line over the same disk, as in a new process."""
        orders = OrderStore(self.node.orders)
        self.line = RecordingLine(
            "node-1", "or1-ceiling", self.node.keeper, orders, self.clock, self.cuts.append
        )
        return self.line

    def put(self, *several: Fragment) -> None:
        for fragment in several:
            self.clock.us = fragment.end_us
            self.line.put(fragment)

    def sealed(self, count: int) -> None:
        eventually(lambda: self.line.segments == count, f"{count} segments are sealed")

    @property
    def ordered(self) -> object:
        return OrderStore(self.node.orders).load("or1-ceiling")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    clock = CalmClock()
    yield Bench(make_node(tmp_path), clock)
    clock.over = True


def kind_of(act: object, *args: object) -> ErrorKind:
    with pytest.raises(OrvaultError) as caught:
        act(*args)  # type: ignore[operator]
    return caught.value.kind


def test_what_was_put_before_a_stop_is_durable_when_the_stop_returns(bench: Bench) -> None:
    bench.line.start(order())
    assert bench.ordered == order() and bench.cuts == [True]
    bench.put(*pieces(4))
    bench.line.stop("run-1", "")
    assert bench.node.clear() == [piece.data for piece in pieces(4)]
    assert bench.node.gaps() == [] and bench.ordered is None
    assert bench.cuts == [True, False]
    assert (bench.line.run_id, bench.line.segments) == (None, 4)
    assert bench.line.last_us == START_US + 4 * SHORT_US


def test_nothing_is_lost_while_the_encryption_actor_is_away(bench: Bench) -> None:
    bench.line.start(order())
    bench.put(*pieces(2))
    bench.sealed(2)
    bench.node.keeper.down = True
    bench.put(*pieces(5, first=2))
    eventually(lambda: bench.node.keeper.calls[-3:] == ["keep"] * 3, "it is asked again and again")
    eventually(lambda: "wait in memory" in bench.line.trouble, "it says so")
    assert bench.node.keeper.calls.count("keep") > 10, "not at once: a restart costs nothing"
    bench.node.keeper.down = False
    bench.line.stop("run-1", "")
    assert bench.node.clear() == [piece.data for piece in pieces(7)]
    assert bench.node.gaps() == [] and bench.line.trouble == ""
    assert recording_line.RETRY_S in bench.clock.slept_s


def test_a_segment_whose_answer_was_lost_is_found_and_not_sealed_twice(bench: Bench) -> None:
    bench.line.start(order())
    bench.node.keeper.after = [
        away(),
        away(),
    ]  # it died after writing; and the repeated call met it dying again
    bench.put(*pieces(3))
    bench.sealed(3)
    bench.node.restart()
    bench.line.stop("run-1", "")
    assert bench.node.clear() == [piece.data for piece in pieces(3)]
    assert bench.node.keeper.calls.count("keep") == 5
    eventually(lambda: len(set(bench.node.index.paths)) == 3, "the index has them")


def test_a_fragment_is_overwritten_before_anything_is_waited_for_and_sealed_once(bench: Bench) -> None:
    bench.line.start(order())
    bench.node.keeper.down = True
    (piece,) = pieces(1)
    bench.put(piece)
    eventually(lambda: bench.node.keeper.calls.count("keep") > 2, "it is asked again and again")
    assert piece.data == bytes(len(piece.data))
    bench.node.keeper.down, bench.node.keeper.after = False, [away()]
    bench.line.stop("run-1", "")
    assert bench.node.clear() == [b"picture 0"]
    first, second = bench.node.keeper.kept
    assert first == second
    assert b"picture" not in bytes(first.ciphertext)


@pytest.mark.parametrize("why", ["refused", "too many", "nobody records"])
def test_a_fragment_that_is_not_kept_is_overwritten_too(bench: Bench, why: str) -> None:
    several = pieces(WAITING + 2)
    if why != "nobody records":
        bench.line.start(order())
    if why == "refused":
        bench.node.keeper.gap_fails = [disk_full()]
        several = [replace(several[0], start_us=several[0].start_us + US_PER_S), several[1]]
    bench.node.keeper.held.clear()
    bench.put(*several)
    bench.node.keeper.held.set()
    bench.line.stop("run-1", "")
    assert [piece.data for piece in several] == [bytes(len(piece.data)) for piece in several]


def test_a_fragment_that_the_disk_refuses_becomes_a_gap_and_recording_goes_on(bench: Bench) -> None:
    bench.line.start(order())
    bench.put(*pieces(1))
    bench.sealed(1)
    bench.node.keeper.before = [disk_full(), disk_full()]
    bench.put(*pieces(3, first=1))
    bench.sealed(2)
    bench.line.stop("run-1", "")
    assert bench.node.clear() == [b"picture 0", b"picture 3"]
    (gap,) = bench.node.gaps()
    assert (gap.from_us, gap.to_us) == (START_US + SHORT_US, START_US + 3 * SHORT_US)
    assert gap.reason == DISK_FULL


def test_a_lost_fragment_shows_in_the_status_until_one_is_stored_again(bench: Bench) -> None:
    bench.line.start(order())
    bench.node.keeper.before = [disk_full()]
    bench.put(*pieces(1))
    eventually(lambda: DISK_FULL in bench.line.trouble, "the trouble is told")
    bench.put(*pieces(1, first=1))
    eventually(lambda: bench.line.trouble == "", "the trouble is over")


def test_a_gap_before_a_fragment_that_is_lost_too_is_told_once(bench: Bench) -> None:
    bench.line.start(order())
    bench.put(*pieces(1))
    bench.sealed(1)
    bench.node.keeper.before = [disk_full(), disk_full()]
    bench.line.put(pieces(1, first=3)[0], "The camera does not answer.")
    bench.put(*pieces(2, first=4))
    bench.line.stop("run-1", "")
    at = [(gap.from_us - START_US, gap.to_us - START_US, gap.reason) for gap in bench.node.gaps()]
    assert at == [
        (1 * SHORT_US, 3 * SHORT_US, "The camera does not answer."),
        (3 * SHORT_US, 5 * SHORT_US, DISK_FULL),
    ]
    assert bench.node.clear() == [b"picture 0", b"picture 5"]


def test_a_fragment_lost_last_is_a_gap_up_to_the_stop(bench: Bench) -> None:
    bench.line.start(order())
    bench.put(*pieces(1))
    bench.sealed(1)
    bench.node.keeper.before = [disk_full()]
    bench.put(*pieces(1, first=1))
    bench.line.stop("run-1", "")
    (gap,) = bench.node.gaps()
    assert (gap.from_us, gap.to_us, gap.reason) == (START_US + SHORT_US, START_US + 2 * SHORT_US, DISK_FULL)


def test_a_segment_on_disk_that_was_not_confirmed_does_not_block_its_number(bench: Bench) -> None:
    # The last fsync of a write failed: the segment has its name already, and so its number.
    bench.line.start(order())
    bench.node.keeper.after = [disk_full()]
    bench.put(*pieces(3))
    bench.line.stop("run-1", "")
    assert bench.node.clear() == [piece.data for piece in pieces(3)]
    assert bench.node.gaps() == []


def test_overflow_of_the_queue_is_a_gap_with_its_reason(bench: Bench) -> None:
    bench.line.start(order())
    bench.node.keeper.held.clear()
    bench.put(*pieces(1))
    eventually(lambda: "keep" in bench.node.keeper.calls, "the line is busy")
    bench.put(*pieces(WAITING + 2, first=1))  # two too many
    bench.node.keeper.held.set()
    bench.sealed(WAITING + 1)
    bench.put(*pieces(1, first=WAITING + 3))
    bench.line.stop("run-1", "")
    assert len(bench.node.stored()) == WAITING + 2
    (gap,) = bench.node.gaps()
    missing_from = START_US + (WAITING + 1) * SHORT_US
    assert (gap.from_us, gap.to_us) == (missing_from, missing_from + 2 * SHORT_US)
    assert gap.reason == "the sealing of fragments fell behind"


def test_overflow_right_before_a_stop_keeps_its_reason_and_does_not_follow_into_the_next_run(
    bench: Bench,
) -> None:
    bench.line.start(order())
    bench.node.keeper.held.clear()
    bench.put(*pieces(1))
    eventually(lambda: "keep" in bench.node.keeper.calls, "the line is busy")
    bench.put(*pieces(WAITING + 1, first=1))
    threading.Timer(0.02, bench.node.keeper.held.set).start()
    bench.line.stop("run-1", "")
    (gap,) = bench.node.gaps()
    assert gap.reason == "the sealing of fragments fell behind"
    later = bench.clock.now_us()
    bench.line.start(order("run-2", epoch=2, started_us=later))
    fragment = replace(pieces(1)[0], start_us=later + US_PER_S, end_us=later + 3 * US_PER_S)
    bench.put(fragment)
    bench.line.stop("run-2", "")
    (gap,) = bench.node.gaps("run-2")
    assert "next keyframe" in gap.reason


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


def test_a_stop_while_the_camera_is_away_leaves_a_gap_with_the_reason(bench: Bench) -> None:
    bench.line.start(order())
    bench.put(*pieces(1))
    bench.clock.us += 30 * US_PER_S
    bench.line.stop("run-1", "The camera does not answer.")
    (gap,) = bench.node.gaps()
    assert (gap.from_us, gap.to_us) == (START_US + SHORT_US, START_US + SHORT_US + 30 * US_PER_S)
    assert gap.reason == "The camera does not answer."


def test_a_gap_that_could_not_be_stored_at_the_stop_is_stored_by_the_next(bench: Bench) -> None:
    bench.line.start(order())
    bench.clock.us += 30 * US_PER_S
    bench.node.keeper.gap_fails = [disk_full()]
    assert kind_of(bench.line.stop, "run-1", "The camera does not answer.") is ErrorKind.STORAGE
    assert bench.line.run_id is None and bench.cuts == [True, False]  # it does not record meanwhile
    bench.put(*pieces(1))
    bench.line.stop("run-1", "")
    (gap,) = bench.node.gaps()
    assert gap.to_us == START_US + 30 * US_PER_S and bench.node.stored() == []
    assert bench.ordered is None


def test_a_fragment_lost_last_is_no_trouble_after_the_stop(bench: Bench) -> None:
    bench.line.start(order())
    bench.node.keeper.before = [disk_full()]
    bench.put(*pieces(1))
    eventually(lambda: DISK_FULL in bench.line.trouble, "the trouble is told")
    bench.line.stop("run-1", "")
    assert bench.line.trouble == ""


def test_a_wait_for_the_encryption_actor_is_over_with_the_stop_that_waited(bench: Bench) -> None:
    bench.line.start(order())
    bench.node.keeper.down = True
    bench.clock.us += 60 * US_PER_S  # a gap, which the stop makes durable
    stopping = threading.Thread(target=bench.line.stop, args=("run-1", "The camera does not answer."))
    stopping.start()
    eventually(lambda: "wait in memory" in bench.line.trouble, "it says so")
    bench.node.keeper.down = False
    stopping.join()
    assert bench.line.trouble == ""


def test_a_run_that_is_refused_after_a_wait_leaves_no_trouble(bench: Bench) -> None:
    bench.line.start(order(epoch=2))
    bench.line.stop("run-1", "")
    bench.node.keeper.down = True
    refused: list[ErrorKind] = []
    start = threading.Thread(target=lambda: refused.append(kind_of(bench.line.start, order("run-0"))))
    start.start()
    eventually(lambda: "wait in memory" in bench.line.trouble, "it says so")
    bench.node.keeper.down = False
    start.join()
    assert refused == [ErrorKind.CONFLICT] and bench.line.trouble == ""


def test_the_stop_of_another_run_leaves_the_trouble_of_the_one_that_goes_on(bench: Bench) -> None:
    bench.line.start(order())
    bench.node.keeper.before = [disk_full()]
    bench.put(*pieces(1))
    eventually(lambda: DISK_FULL in bench.line.trouble, "the trouble is told")
    bench.line.stop("run-0", "")
    assert DISK_FULL in bench.line.trouble


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


def test_a_stop_among_fragments_from_other_threads_loses_none_that_came_before(bench: Bench) -> None:
    bench.line.start(order())
    several = pieces(12)
    reached = threading.Event()

    def feed() -> None:
        for number, piece in enumerate(several):
            bench.put(piece)
            if number == 6:
                reached.set()

    feeder = threading.Thread(target=feed)
    feeder.start()
    assert reached.wait(5)
    bench.line.stop("run-1", "")
    feeder.join()
    bench.line.stop("run-1", "")
    kept = bench.node.clear()
    assert len(kept) >= 7 and kept == [piece.data for piece in pieces(len(kept))]
