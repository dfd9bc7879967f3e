"""The line from fragments to durable segments, with a real encryption actor behind it and faults in between."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from actors import recording_line
from actors.recording_line import WAITING
from orvault.clock import US_PER_S
from orvault.errors import ErrorKind
from tests.unit.actors_support import (
    START_US,
    away,
    eventually,
    order,
)
from tests.unit.line_support import DISK_FULL, SHORT_US, Bench, bench, disk_full, kind_of, pieces

__all__ = ["bench"]


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
