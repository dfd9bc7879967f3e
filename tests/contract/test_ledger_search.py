"""What is searched instead of segments and history, on both databases: it says what those say, however it came in."""

from __future__ import annotations

import random

import pytest
from sqlalchemy import select, text

from orvault.clock import US_PER_S
from orvault.custody.case import Run
from orvault.custody.control import SignalKind
from orvault.custody.recorded import LONGEST_STRETCH_US, StoredGap, Stretch
from orvault.ledger.migrate import downgrade, migrate
from orvault.ledger.stretches import stretch_of
from orvault.ledger.tables_search import events, stretches
from tests.fake_parts import make_segment
from tests.fakes import World

SEGMENT_US = 2 * US_PER_S


def started(world: World, number: str = "2026-1", room: str = "OR 1", camera: str = "or1-wall") -> Run:
    """A run that records, under a case of its own."""
    case = world.armed_case(number, room)
    return world.custody.start_recording(world.manager, case.case_id, [camera]).view.runs[0]


def offer(world: World, run: Run, number: int, at_us: int | None = None, seconds: float = 2.0) -> None:
    """One segment of the run is indexed."""
    start = run.started_us + number * SEGMENT_US if at_us is None else at_us
    segment = make_segment(
        run.run_id, run.case_id, run.camera_id, number, start, seconds=seconds, epoch=run.epoch
    )
    assert world.index([segment]).added == 1


def kept(world: World) -> list[Stretch]:
    """Every stretch, in order."""
    with world.ledger.engine.connect() as connection:
        query = select(stretches).order_by(stretches.c.run_id, stretches.c.first_sequence)
        return [stretch_of(row) for row in connection.execute(query).mappings()]


def numbers(world: World) -> list[tuple[int, int]]:
    return [(one.first_sequence, one.last_sequence) for one in kept(world)]


@pytest.mark.parametrize("seed", range(3))
def test_segments_become_the_same_stretches_in_whatever_order_they_come(world: World, seed: int) -> None:
    run = started(world)
    order = [n for n in range(24) if n not in {7, 8, 15}]
    random.Random(seed).shuffle(order)
    for number in order:
        offer(world, run, number)
    assert numbers(world) == [(0, 6), (9, 14), (16, 23)]
    first = kept(world)[0]
    assert (first.start_us, first.end_us) == (run.started_us, run.started_us + 7 * SEGMENT_US)
    assert (first.frames, first.bytes, first.segments) == (7 * 30, 7 * 2048, 7)
    for number in (8, 7, 15):
        offer(world, run, number)
    assert numbers(world) == [(0, 23)]


def test_row_that_was_lost_and_is_written_again_is_counted_once(world: World) -> None:
    run = started(world)
    for number in range(5):
        offer(world, run, number)
    before = kept(world)
    for number in (0, 2, 4):
        with world.ledger.engine.begin() as connection:
            gone = {"id": f"{run.run_id}-{number:06d}"}
            assert connection.execute(text("DELETE FROM segments WHERE id = :id"), gone).rowcount == 1
        offer(world, run, number)
    assert kept(world) == before


def test_hole_of_a_second_ends_a_stretch_and_a_shorter_one_does_not(world: World) -> None:
    run = started(world)
    offer(world, run, 0)
    offer(world, run, 1, run.started_us + SEGMENT_US + US_PER_S - 1)
    offer(world, run, 2, run.started_us + 2 * SEGMENT_US + 2 * US_PER_S)
    assert numbers(world) == [(0, 1), (2, 2)]


def test_no_stretch_is_longer_than_a_day(world: World) -> None:
    run, hour = started(world), 3600
    for number in range(50):
        offer(world, run, number, run.started_us + number * hour * US_PER_S, seconds=hour)
    assert numbers(world) == [(0, 23), (24, 47), (48, 49)]
    assert max(one.end_us - one.start_us for one in kept(world)) == LONGEST_STRETCH_US


def test_what_was_recorded_before_there_were_stretches_is_joined_likewise(world: World, url: str) -> None:
    for case, camera in enumerate(("or1-wall", "or1-lamp")):
        run = started(world, f"2026-{case}", camera=camera)
        for number in (0, 1, 2, 5, 6, 9):
            offer(world, run, number)
        offer(world, run, 10, run.started_us + 100 * SEGMENT_US)
        world.custody.close_case(world.manager, run.case_id)
    before = kept(world)
    assert len(before) == 8
    world.ledger.engine.dispose()
    downgrade(url, "0020")
    migrate(url)
    assert kept(world) == before


def told(world: World) -> list[tuple[object, ...]]:
    """Every event: kind, act, room, camera, case, words, beginning and end."""
    e = events.c
    query = select(e.kind, e.act, e.room, e.camera_id, e.case_id, e.words, e.at_us, e.until_us)
    with world.ledger.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(query.order_by(e.at_us, e.kind, e.seq))]


def eventful(world: World) -> Run:
    """A run with a signal, switches, a gap and an alarm."""
    run = started(world)
    offer(world, run, 0)
    gap = StoredGap("or1-wall", run.case_id, run.run_id, run.started_us + 5, run.started_us + 9, "cable")
    assert world.custody.record_gap(gap, "node-1")
    world.clock.us += 10 * US_PER_S
    world.recorders.states["or1-wall"] = "frozen"
    world.custody.watch()
    world.custody.set_mask(world.manager, None, "a fire")
    world.custody.signal_by(world.manager, "OR 2", SignalKind.START)
    world.clock.us += US_PER_S
    world.custody.close_case(world.manager, run.case_id)
    return run


def test_events_name_room_camera_and_case_and_say_why(world: World) -> None:
    run = eventful(world)
    found = told(world)
    case = ("OR 1", None, run.case_id)
    here = ("OR 1", "or1-wall", run.case_id)
    assert ("gap", "gap", *here, "cable", run.started_us + 5, run.started_us + 9) in found
    assert ("switch", "case-armed", *case, "", run.started_us, None) in found
    assert ("switch", "recording-started", *here, "", run.started_us, None) in found
    at = run.started_us + 10 * US_PER_S
    assert ("alarm", "camera-lost", "OR 1", "or1-wall", None, "frozen", at, None) in found
    assert ("switch", "mask-set", "", None, None, "a fire", at, None) in found
    (refused,) = [row for row in found if row[2] == "OR 2"]
    assert refused[:5] == ("signal", "signal-heard", "OR 2", None, None)
    assert str(refused[5]).startswith("start by person: ")


def test_events_from_before_there_were_any_read_the_same(world: World, url: str) -> None:
    eventful(world)
    before = told(world)
    assert {row[0] for row in before} == {"signal", "switch", "alarm", "gap"}
    world.ledger.engine.dispose()
    downgrade(url, "0020")
    migrate(url)
    assert told(world) == before


def test_what_was_taken_back_left_no_event(world: World) -> None:
    world.armed_case()
    before = told(world)
    assert world.custody.rehearse()
    assert told(world) == before


def test_every_event_stands_in_history(world: World) -> None:
    eventful(world)
    with world.ledger.engine.connect() as connection:
        odd = connection.execute(
            text(
                "SELECT COUNT(*) FROM events LEFT JOIN history ON history.seq = events.seq"
                " WHERE events.kind <> 'gap' AND (history.act IS NULL OR history.act <> events.act)"
            )
        ).scalar_one()
    assert odd == 0
