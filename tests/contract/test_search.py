"""Searches on both databases: what is found, in which order, page by page."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import pytest

from orvault.clock import US_PER_S
from orvault.custody.account import Role
from orvault.custody.case import Case, CasePlan
from orvault.custody.ports import CameraInfo
from orvault.custody.recorded import StoredGap
from orvault.custody.search import EventKind, Page, Wanted, place_text
from orvault.errors import ErrorKind, OrvaultError
from tests.contract.conftest import Worlds
from tests.contract.test_ledger_search import SEGMENT_US, offer, started
from tests.fakes import CAMERAS, World

HOUR_US = 3600 * US_PER_S
ROOMS = ("OR 1", "OR 2", "OR 3")


def plan(world: World, number: str, room: str, planned_us: int) -> Case:
    return world.custody.plan_case(world.manager, CasePlan(number, room, planned_us, "Form 1"))


@dataclass(frozen=True)
class Told:
    """A world and the cases in it, the oldest first; tests only search it."""

    world: World
    cases: list[Case]


@pytest.fixture(scope="module")
def planned(worlds: Worlds) -> Told:
    """30 cases, one an hour, in three rooms by turns, numbered by day."""
    world = worlds()
    world.custody.register_cameras((*CAMERAS, CameraInfo("or3-wall", "OR 3 wall", "OR 3", "node-3")))
    start = world.clock.now_us()
    return Told(
        world,
        [plan(world, f"2026-{n // 10}-{n:03d}", ROOMS[n % 3], start + (n % 10) * HOUR_US) for n in range(30)],
    )


def all_pages(ask: Callable[[Wanted], Page[object]], wanted: Wanted) -> list[object]:
    """Everything, page by page; no page is longer than asked for."""
    found: list[object] = []
    while True:
        page = ask(wanted)
        assert len(page.items) <= wanted.limit
        found += page.items
        if not page.next:
            return found
        wanted = replace(wanted, after=page.next)


def cases_found(world: World, wanted: Wanted) -> list[str]:
    return [case.number for case in all_pages(lambda w: world.custody.search_cases(world.manager, w), wanted)]  # type: ignore[attr-defined]


@pytest.mark.parametrize("limit", [1, 4, 200])
def test_cases_are_found_by_room_and_time_the_newest_first(planned: Told, limit: int) -> None:
    newest = sorted(planned.cases, key=lambda case: (case.planned_us, case.case_id), reverse=True)
    assert cases_found(planned.world, Wanted(limit=limit)) == [case.number for case in newest]
    rooms, start = ROOMS[:2], planned.cases[0].planned_us
    window = (start + 2 * HOUR_US, start + 5 * HOUR_US)
    wanted = Wanted(rooms=rooms, from_us=window[0], to_us=window[1], limit=limit)
    fitting = [c.number for c in newest if c.room in rooms and window[0] <= c.planned_us < window[1]]
    assert len(fitting) == 6 and cases_found(planned.world, wanted) == fitting
    assert cases_found(planned.world, Wanted(rooms=("OR 9",), limit=limit)) == []


@pytest.mark.parametrize("limit", [1, 4, 200])
def test_cases_are_found_by_the_beginning_of_their_number(planned: Told, limit: int) -> None:
    assert cases_found(planned.world, Wanted("2026-1-", limit=limit)) == [
        f"2026-1-{n:03d}" for n in range(10, 20)
    ]
    assert cases_found(planned.world, Wanted("2026-1-013", limit=limit)) == ["2026-1-013"]
    assert cases_found(planned.world, Wanted("026", limit=limit)) == []
    in_room = Wanted("2026-1", rooms=("OR 2",), limit=limit)
    assert cases_found(planned.world, in_room) == ["2026-1-010", "2026-1-013", "2026-1-016", "2026-1-019"]
    later = replace(in_room, from_us=planned.cases[15].planned_us)
    assert cases_found(planned.world, later) == ["2026-1-016", "2026-1-019"]


def test_number_that_fits_where_nothing_else_does_costs_no_more_than_a_page(
    planned: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orvault.ledger.search._LOOKED_AT", 4)
    wanted = Wanted("2026", rooms=("OR 3",), limit=2)
    first = planned.world.custody.search_cases(planned.world.manager, wanted)
    assert [case.number for case in first.items] == ["2026-0-002"] and first.next
    assert cases_found(planned.world, wanted) == [f"2026-{n // 10}-{n:03d}" for n in range(2, 30, 3)]


def test_numbers_are_found_as_they_are_written(world: World) -> None:
    for number in ("a%b", "a_b", "aXb", "A%b", "수술-1", "수술-12"):
        plan(world, number, "OR 1", 1)
    assert cases_found(world, Wanted("a%")) == ["a%b"]
    assert cases_found(world, Wanted("수술-1")) == ["수술-1", "수술-12"]


def recorded(world: World, number: str, room: str, camera: str, missing: Sequence[int] = ()) -> Case:
    """A closed case with ten segments, some of them missing with a gap record."""
    run = started(world, number, room, camera)
    for n in range(10):
        if n not in missing:
            offer(world, run, n)
    for n in missing:
        at = run.started_us + n * SEGMENT_US
        gap = StoredGap(camera, run.case_id, run.run_id, at, at + SEGMENT_US, "cable")
        assert world.custody.record_gap(gap, "node-1")
    world.clock.us += HOUR_US
    return world.custody.close_case(world.manager, run.case_id).view.case


@pytest.fixture(scope="module")
def story(worlds: Worlds) -> Told:
    """Nine recorded cases, an hour each, on three cameras by turns; one with two gaps."""
    cameras, world = (("OR 1", "or1-wall"), ("OR 1", "or1-lamp"), ("OR 2", "or2-wall")), worlds()
    return Told(
        world,
        [recorded(world, f"R-{n}", *cameras[n % 3], missing=(3, 6) if n == 4 else ()) for n in range(9)],
    )


def runs_found(world: World, wanted: Wanted) -> list[tuple[str, int]]:
    """Case numbers and how many segments their stretches have, in the order of the stretches."""
    found = all_pages(lambda w: world.custody.search_recordings(world.manager, w), wanted)
    return [(one.case_number, stretch.segments) for one in found for stretch in one.stretches]  # type: ignore[attr-defined]


@pytest.mark.parametrize("limit", [1, 2, 200])
def test_recordings_are_found_by_room_camera_case_and_time(story: Told, limit: int) -> None:
    whole = [("R-8", 10), ("R-7", 10), ("R-6", 10), ("R-5", 10), ("R-4", 3), ("R-4", 2), ("R-4", 3)]
    whole += [("R-3", 10), ("R-2", 10), ("R-1", 10), ("R-0", 10)]
    assert runs_found(story.world, Wanted(limit=limit)) == whole
    assert [n for n, _ in runs_found(story.world, Wanted(rooms=("OR 2",), limit=limit))] == [
        "R-8",
        "R-5",
        "R-2",
    ]
    both = Wanted(camera_ids=("or2-wall", "or1-wall"), limit=limit)
    assert [n for n, _ in runs_found(story.world, both)] == ["R-8", "R-6", "R-5", "R-3", "R-2", "R-0"]
    assert runs_found(story.world, replace(both, rooms=("OR 1",))) == [("R-6", 10), ("R-3", 10), ("R-0", 10)]
    assert [n for n, _ in runs_found(story.world, Wanted("R-4", limit=limit))] == ["R-4"] * 3
    assert runs_found(story.world, Wanted("R-", rooms=("OR 2",), limit=limit)) == [
        ("R-8", 10),
        ("R-5", 10),
        ("R-2", 10),
    ]
    assert runs_found(story.world, Wanted("nothing", limit=limit)) == []
    at = story.cases[4].armed_us
    assert at is not None
    inside = Wanted(from_us=at + 7 * SEGMENT_US + 1, to_us=at + 7 * SEGMENT_US + 2, limit=limit)
    assert runs_found(story.world, inside) == [("R-4", 3)]
    between = replace(inside, from_us=at + 3 * SEGMENT_US, to_us=at + 4 * SEGMENT_US)
    assert runs_found(story.world, between) == []


def test_recording_tells_its_gaps_and_where_it_was(story: Told) -> None:
    (found,) = story.world.custody.search_recordings(story.world.manager, Wanted("R-4")).items
    assert (found.room, found.camera_id, found.recording) == ("OR 1", "or1-lamp", False)
    assert [gap.reason for gap in found.gaps] == ["cable", "cable"]
    newer, older = found.stretches[0], found.stretches[1]
    assert found.gaps[1].to_us == newer.start_us and found.gaps[1].from_us == older.end_us
    other = story.world.custody.search_recordings(story.world.manager, Wanted("R-5")).items[0]
    assert other.gaps == ()


def test_long_recording_is_found_from_its_middle(world: World) -> None:
    run = started(world)
    offer(world, run, 0, seconds=20 * 3600)
    inside = Wanted(from_us=run.started_us + 19 * HOUR_US, to_us=run.started_us + 19 * HOUR_US + 1)
    assert runs_found(world, inside) == [("2026-1", 1)]


def events_found(world: World, wanted: Wanted) -> list[tuple[str, str | None]]:
    found = all_pages(lambda w: world.custody.search_events(world.manager, w), wanted)
    assert all(a.at_us >= b.at_us for a, b in pairwise(found))  # type: ignore[attr-defined]
    return [(one.act, one.case_number) for one in found]  # type: ignore[attr-defined]


@pytest.mark.parametrize("limit", [1, 7, 200])
def test_events_are_found_by_kind_room_camera_case_and_time(story: Told, limit: int) -> None:
    gaps = Wanted(kinds=(EventKind.GAP,), limit=limit)
    assert events_found(story.world, gaps) == [("gap", "R-4")] * 2
    assert events_found(story.world, replace(gaps, camera_ids=("or1-wall",))) == []
    assert events_found(story.world, replace(gaps, rooms=("OR 1",))) == [("gap", "R-4")] * 2
    of_case = events_found(story.world, Wanted("R-4", limit=limit))
    assert sorted(of_case) == sorted(
        (act, "R-4")
        for act in (
            *("case-armed", "recording-started", "gap", "gap"),
            *("recording-stop-ordered", "case-closed", "recording-stopped"),
        )
    )
    switches = Wanted(kinds=(EventKind.SWITCH,), camera_ids=("or2-wall",), limit=limit)
    assert {case for _, case in events_found(story.world, switches)} == {"R-2", "R-5", "R-8"}
    at = story.cases[4].armed_us
    assert at is not None
    lasting = Wanted(from_us=at + 4 * SEGMENT_US - 1, to_us=at + 4 * SEGMENT_US, limit=limit)
    assert events_found(story.world, lasting) == [("gap", "R-4")]
    assert events_found(story.world, replace(lasting, number="R-4")) == [("gap", "R-4")]
    assert events_found(story.world, replace(lasting, number="R-5")) == []


def test_page_that_begins_nowhere_is_refused(planned: Told) -> None:
    huge, half = {"at": [10**30, "x"]}, {"at": [1, "\ud800"]}
    made = [base64.urlsafe_b64encode(json.dumps(each).encode()).decode() for each in (huge, half)]
    for after in (*made, "x", "e30", place_text(1), place_text("a", 1), place_text(1, 2), "A" * 401, "한"):
        with pytest.raises(OrvaultError) as caught:
            planned.world.custody.search_cases(planned.world.manager, Wanted(after=after))
        assert (caught.value.kind, caught.value.where) == (ErrorKind.BAD_REQUEST, "after")


def test_beginning_of_very_many_numbers_is_refused_for_recordings(world: World) -> None:
    for n in range(51):
        plan(world, f"N-{n:02d}", ROOMS[n % 2], 1)
    for ask in (world.custody.search_recordings, world.custody.search_events):
        with pytest.raises(OrvaultError, match="More than 50 cases"):
            ask(world.manager, Wanted("N-"))
        assert ask(world.manager, Wanted("N-", rooms=("OR 1",))).items == ()
        assert ask(world.manager, Wanted("N-07")).items == ()


def test_each_search_needs_its_right(story: Told) -> None:
    admin, nurse = story.world.accounts[Role.SYSTEM_ADMINISTRATOR], story.world.accounts[Role.CLINICAL_STAFF]
    refused = [
        (admin, story.world.custody.search_cases),
        (admin, story.world.custody.search_recordings),
        (admin, story.world.custody.search_events),
        (nurse, story.world.custody.search_recordings),
    ]
    for account, ask in refused:
        with pytest.raises(OrvaultError) as caught:
            ask(account, Wanted())
        assert caught.value.kind is ErrorKind.FORBIDDEN
    assert (
        story.world.custody.search_cases(nurse, Wanted()).items
        and story.world.custody.search_events(nurse, Wanted()).items
    )


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(from_us=5, to_us=5),
        Wanted(rooms=tuple(f"OR {n}" for n in range(65))),
        Wanted(camera_ids=("",)),
        Wanted("a\x00"),
    ],
)
def test_what_cannot_be_searched_is_refused(world: World, wanted: Wanted) -> None:
    with pytest.raises(OrvaultError) as caught:
        world.custody.search_recordings(world.manager, wanted)
    assert caught.value.kind is ErrorKind.BAD_REQUEST
