"""Anchors, and what an export makes of them: what is missing, swapped or cut off in a period shows, and no more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orvault.clock import US_PER_S
from orvault.custody import anchors
from orvault.custody.anchors import anchor_heads, anchors_of
from orvault.custody.request import ExportRequest
from orvault.custody.stretches import FirstSeen, Track, check_track, track_of
from orvault.errors import ErrorKind, OrvaultError
from tests.fake_parts import make_segment
from tests.fakes import World

SPAN = (0, 100)  # seconds from the beginning; five segments of 2 s lie in its first ten


def sql(world: World, statement: str) -> None:
    with world.ledger.engine.begin() as connection:
        connection.exec_driver_sql(statement)


def wall(world: World) -> ExportRequest:
    """A request for the wall camera of a case with five segments, closed and so anchored."""
    return world.approved(world.recorded_case(5))


def track(world: World, request: ExportRequest, span: tuple[float, float]) -> tuple[Track, int, int]:
    start = request.wish.from_us
    from_us, to_us = start + round(span[0] * US_PER_S), start + round(span[1] * US_PER_S)
    asked = replace(request, wish=replace(request.wish, from_us=from_us, to_us=to_us))
    with world.ledger.uow(read_only=True) as uow:
        found = track_of(uow, asked, "or1-wall", anchors_of(uow, request.wish.case_id))
    return found, from_us, to_us


def check(world: World, request: ExportRequest, span: tuple[float, float] = SPAN) -> FirstSeen:
    return check_track(*track(world, request, span))


def refusal(world: World, request: ExportRequest, span: tuple[float, float] = SPAN) -> OrvaultError:
    with pytest.raises(OrvaultError) as caught:
        check(world, request, span)
    return caught.value


LOST: list[tuple[str, tuple[float, float], str]] = [
    ("9", SPAN, ""),
    ("4", SPAN, "cut off: segment 4 is missing after 2027-01-15 08:00:08Z"),
    ("3, 4", SPAN, "cut off: segments 3 to 4 are missing after 2027-01-15 08:00:06Z"),
    ("0, 1, 2, 3, 4", SPAN, "cut off: segments 0 to 4 are missing"),
    ("4", (0, 8), ""),  # what was asked for is all there
    ("4", (0, 8.1), "segment 4 is missing"),
    ("4", (9, 100), "segment 4 is missing"),
    ("4", (10, 100), ""),  # it had ended by then, the anchor says
    ("0", SPAN, "segment 0 is missing"),
    ("0, 1", (4, 100), ""),
    ("0, 1", (3.9, 100), "segments 0 to 1 are missing"),
    ("2", SPAN, "segment 2 is missing"),
    ("2", (0, 4), ""),
    ("2", (0, 5), "segment 2 is missing"),
    ("2", (6, 100), ""),
    ("2", (5, 100), "segment 2 is missing"),
    ("2", (4.5, 5.5), "segment 2 is missing"),  # nothing at all is left in the period
]


@pytest.mark.parametrize(("lost", "span", "words"), LOST)
def test_what_is_missing_in_the_period_shows_and_what_is_missing_elsewhere_keeps_nobody(
    world: World, lost: str, span: tuple[float, float], words: str
) -> None:
    request = wall(world)
    sql(world, f"DELETE FROM segments WHERE camera_id = 'or1-wall' AND sequence IN ({lost})")
    if not words:
        check(world, request, span)
        return
    error = refusal(world, request, span)
    assert error.kind is ErrorKind.DAMAGED and words in error.message
    assert error.where.startswith("camera OR 1 wall, run ") and "recorder's disk" in error.advice


def test_a_run_that_the_ledger_forgot_altogether_shows(world: World) -> None:
    request = wall(world)
    for table in ("segments", "stretches", "runs"):
        column = "camera_id"
        sql(world, f"DELETE FROM {table} WHERE {column} = 'or1-wall'")
    assert "segments 0 to 4 are missing" in refusal(world, request).message


def test_a_run_of_another_time_does_not_matter(world: World) -> None:
    case = world.armed_case()
    request = None
    for n in range(2):
        run = world.custody.start_recording(world.manager, case.case_id, ["or1-wall"]).view.runs[n]
        at = world.clock.us
        world.index(
            [
                make_segment(run.run_id, case.case_id, "or1-wall", i, at + i * 2 * US_PER_S, epoch=run.epoch)
                for i in (0, 1)
            ]
        )
        world.clock.us += 120 * US_PER_S
        world.custody.stop_recording(world.manager, case.case_id, "pause")
        request = request or world.custody.submit_export(
            world.manager, world.wish(world.custody.case(world.manager, case.case_id).case)
        )
    assert request is not None
    sql(world, f"DELETE FROM segments WHERE run_id = '{run.run_id}' AND sequence = 0")
    check(world, request, (0, 50))
    # Up to a minute before its start a run may have begun: what is missing may have lain there.
    for to_s in (70, 160):
        assert "segment 0 is missing" in refusal(world, request, (0, to_s)).message


@pytest.mark.parametrize(
    ("sequence", "span", "words"),
    [
        (4, SPAN, "not the one that was anchored"),
        (1, SPAN, "does not follow"),
        (1, (0, 4), "does not follow"),  # the next one, outside of the period, knows better
        (0, (2, 4), "does not follow"),
    ],
)
def test_another_segment_in_the_place_of_one_shows(
    world: World, sequence: int, span: tuple[float, float], words: str
) -> None:
    request = wall(world)
    sql(
        world,
        f"UPDATE segments SET digest = '{'9' * 64}' WHERE camera_id = 'or1-wall' AND sequence = {sequence}",
    )
    error = refusal(world, request, span)
    assert error.kind is ErrorKind.ALTERED and words in error.message


def test_an_anchor_that_was_altered_is_no_anchor(world: World) -> None:
    request = wall(world)
    sql(world, "DROP TRIGGER history_no_update")
    sql(
        world,
        "UPDATE history SET detail = replace(detail, '\"sequence\":4', '\"sequence\":3')"
        " WHERE act = 'heads-anchored'",
    )
    error = refusal(world, request)
    assert error.kind is ErrorKind.ALTERED and "of history" in error.message


def test_what_came_after_the_last_anchor_needs_none(world: World) -> None:
    case = world.armed_case()
    (run,) = world.custody.start_recording(world.manager, case.case_id, ["or1-wall"]).view.runs
    at = world.clock.us
    made = [make_segment(run.run_id, case.case_id, "or1-wall", n, at + n * 2 * US_PER_S) for n in range(4)]
    world.index(made[:2])
    assert world.custody.anchor_moved_runs() == 1
    anchored_us = world.clock.us
    world.clock.us += 60 * US_PER_S
    world.index(made[2:])
    request = world.custody.submit_export(world.manager, world.wish(case))
    seen = check(world, request)
    found, *_ = track(world, request, SPAN)
    assert [seen(segment) for segment in found.segments] == [anchored_us] * 2 + [world.clock.us] * 2


def test_rows_made_anew_were_still_seen_when_history_says(world: World) -> None:
    request = wall(world)
    anchored_us = world.clock.us
    sql(world, "UPDATE segments SET indexed_us = indexed_us + 1000000000")
    seen = check(world, request)
    found, *_ = track(world, request, SPAN)
    assert {seen(segment) for segment in found.segments} == {anchored_us}


def test_only_runs_that_moved_are_anchored_and_each_once(world: World) -> None:
    case = world.armed_case()
    runs = world.custody.start_recording(world.manager, case.case_id).view.runs
    at = world.clock.us
    lamp, wall_run = sorted(runs, key=lambda run: run.camera_id)

    def offer(run: object, *numbers: int) -> None:
        ids = (run.run_id, case.case_id, run.camera_id)  # type: ignore[attr-defined]
        world.index([make_segment(*ids, n, at + n * 2 * US_PER_S) for n in numbers])

    assert world.custody.anchor_moved_runs() == 0
    offer(lamp, 0, 1)
    offer(wall_run, 0, 5)
    assert (world.custody.anchor_moved_runs(), world.custody.anchor_moved_runs()) == (2, 0)
    offer(wall_run, 3, 1)  # late ones: the anchored head names them through the chain
    assert world.custody.anchor_moved_runs() == 0
    offer(wall_run, 6)
    assert world.custody.anchor_moved_runs() == 1
    with world.ledger.uow(read_only=True) as uow:
        found = [(each.camera_id, each.sequence) for each in anchors_of(uow, case.case_id).known]
    assert found == [("or1-lamp", 1), ("or1-wall", 5), ("or1-wall", 6)]


def test_the_last_head_is_anchored_with_the_stop(world: World) -> None:
    case = world.recorded_case(3)
    acts = world.acts()
    assert acts.count("heads-anchored") == 2 and acts[acts.index("heads-anchored") - 1] == "recording-stopped"
    assert world.custody.anchor_moved_runs() == 0
    with world.ledger.uow(read_only=True) as uow:
        assert {each.sequence for each in anchors_of(uow, case.case_id).known} == {2}


def test_an_entry_is_bounded_and_entries_come_back_whole(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anchors, "HEADS_PER_ENTRY", 1)
    monkeypatch.setattr(anchors, "_PAGE", 1)
    case = world.armed_case()
    at = world.clock.us
    for run in world.custody.start_recording(world.manager, case.case_id).view.runs:
        world.index([make_segment(run.run_id, case.case_id, run.camera_id, 0, at)])
    assert world.custody.anchor_moved_runs() == 2
    assert world.acts().count("heads-anchored") == 2
    with world.ledger.uow(read_only=True) as uow:
        assert len(anchors_of(uow, case.case_id).known) == 2


def test_an_anchor_that_was_not_committed_never_was(world: World) -> None:
    case = world.armed_case()
    (run,) = world.custody.start_recording(world.manager, case.case_id, ["or1-wall"]).view.runs
    world.index([make_segment(run.run_id, case.case_id, "or1-wall", 0, world.clock.us)])
    before = world.custody.check_ledger()
    with world.ledger.uow() as uow:
        assert anchor_heads(uow, 1, [run.run_id]) == 1
    assert world.custody.check_ledger() == before
    assert world.custody.anchor_moved_runs() == 1
