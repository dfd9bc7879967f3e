"""What MariaDB reads for lists and searches: as much as they show, whatever the ledger has gathered.

Rows are counted by the server itself while the use case runs: scans, sorts and wrong indexes all show in them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import pytest
from sqlalchemy import text

from orvault.clock import US_PER_S
from orvault.custody.account import Role
from orvault.custody.case import CaseState
from orvault.custody.scope import Scope, ScopeKind
from orvault.custody.search import EventKind, Page, Wanted
from tests.contract.mariadb import MariaDb
from tests.contract.rows_read import rows_read, work_of
from tests.fakes import World, make_world

HOUR_US = 3600 * US_PER_S


@pytest.fixture(scope="module")
def large(mariadb: MariaDb) -> Iterator[World]:
    """So many rows that a plan which reads them all would show: 3000 cases, 6000 stretches, 12000 events."""
    world = make_world(mariadb.fresh("ledger_plans"))
    chance = random.Random(7)
    with world.ledger.engine.begin() as connection:
        who = world.manager.account_id
        ids = [f"{n:036d}" for n in range(3000)]
        rooms = [f"OR {chance.randrange(3) + 1}" for _ in ids]
        write = connection.execute
        write(
            text(
                "INSERT INTO cases (id, number, room, planned_us, recording_request, state, created_us, created_by,"
                " closed_us, closed_by) VALUES (:id, :number, :room, :at, 'F', 'closed', :at, :who, :at, :who)"
            ),
            [
                {"id": i, "number": f"2026-{n:05d}", "room": room, "at": n * HOUR_US, "who": who}
                for n, (i, room) in enumerate(zip(ids, rooms, strict=True))
            ],
        )
        cameras = ["or1-wall", "or1-lamp", "or2-wall"]
        write(
            text(
                "INSERT INTO runs (id, case_id, camera_id, epoch, started_us, started_by, stop_ordered_us,"
                " stop_ordered_by, stop_reason, stopped_us)"
                " VALUES (:id, :id, :camera, :epoch, :at, :who, :at, 'x', 'x', :at)"
            ),
            [
                {"id": i, "camera": cameras[n % 3], "epoch": n + 1, "at": n * HOUR_US, "who": who}
                for n, i in enumerate(ids)
            ],
        )
        write(
            text(
                "INSERT INTO stretches VALUES"
                " (:id, :first, :first + 9, :id, :camera, :room, :at, :at + 20000000, 9, 9)"
            ),
            [
                {
                    "id": i,
                    "first": first,
                    "camera": cameras[n % 3],
                    "room": rooms[n],
                    "at": n * HOUR_US + first,
                }
                for n, i in enumerate(ids)
                for first in (0, 20)
            ],
        )
        write(
            text(
                "INSERT INTO events (at_us, kind, act, room, camera_id, case_id, words, seq)"
                " VALUES (:at, :kind, 'x', :room, :camera, :id, '', :seq)"
            ),
            [
                {
                    "at": n * HOUR_US + m,
                    "kind": ("signal", "switch", "alarm", "switch")[m],
                    "room": rooms[n],
                    "camera": cameras[n % 3],
                    "id": i,
                    "seq": 1_000_000 + n * 4 + m,
                }
                for n, i in enumerate(ids)
                for m in range(4)
            ],
        )
        write(
            text(
                "INSERT INTO requests (id, case_id, from_us, to_us, purpose, basis_kind, document_number,"
                " proceedings_number, masking, style, watermark, watermark_position, terms, valid_from_us,"
                " valid_until_us, state, requested_by, requested_us, stage, done, total, worker_epoch, package_id)"
                " VALUES (:id, :id, 1, 2, 'p', 'court', 'd', '', 'head', 'solid', 'w', 'centre', '{}', 1, 2,"
                " 'expired', :who, 1, '', 0, 0, 0, NULL)"
            ),
            [{"id": i, "who": who} for i in ids],
        )
        write(
            text(
                "INSERT INTO views (id, kind, account_id, session_id, camera_id, wanted, client, issued_us,"
                " expires_us)"
                " VALUES (:id, 'live', :who, :id, 'or1-wall', 'masked', 'x', 1, 2)"
            ),
            [{"id": i, "who": world.officer.account_id} for i in ids],
        )
    with world.ledger.engine.connect() as connection:
        connection.execute(text("ANALYZE TABLE cases, runs, stretches, events, requests, views"))
    yield world
    world.ledger.close()


SOME = (1500 * HOUR_US, 2500 * HOUR_US)
SEARCHES: dict[str, tuple[str, Wanted]] = {
    "newest cases": ("cases", Wanted(limit=50)),
    "cases of a week": ("cases", Wanted(from_us=SOME[0], to_us=SOME[1], limit=50)),
    "cases of rooms": ("cases", Wanted(rooms=("OR 1", "OR 3"), limit=50)),
    "cases by number": ("cases", Wanted("2026-01", limit=50)),
    "newest recordings": ("recordings", Wanted(limit=50)),
    "recordings of a week": ("recordings", Wanted(from_us=SOME[0], to_us=SOME[1], limit=50)),
    "recordings of a room": ("recordings", Wanted(rooms=("OR 2",), limit=50)),
    "recordings of cameras": ("recordings", Wanted(camera_ids=("or1-wall", "or2-wall"), limit=50)),
    "recordings of a case": ("recordings", Wanted("2026-01234", limit=50)),
    "newest events": ("events", Wanted(limit=50)),
    "alarms of a room": ("events", Wanted(kinds=(EventKind.ALARM,), rooms=("OR 2",), limit=50)),
    "events of a camera": ("events", Wanted(camera_ids=("or1-wall",), limit=50)),
    "events of a case": ("events", Wanted("2026-01234", limit=50)),
}


@pytest.mark.parametrize("name", SEARCHES)
@pytest.mark.parametrize("later", [False, True], ids=["first page", "second page"])
def test_no_search_reads_more_than_its_page(large: World, name: str, later: bool) -> None:
    kind, wanted = SEARCHES[name]
    ask: Callable[..., Page[object]] = getattr(large.custody, f"search_{kind}")
    first = ask(large.manager, wanted)
    assert first.items
    if later and not first.next:
        pytest.skip("one page is all")
    wanted = replace(wanted, after=first.next) if later else wanted
    read = rows_read(large.ledger, lambda: ask(large.manager, wanted))
    branches = max(1, len(wanted.rooms), len(wanted.camera_ids)) * (4 if kind == "events" else 1)
    # Each branch reads a page of keys, kept aside twice where there are several; the rows and what they name follow.
    assert read <= 51 * (5 * branches + 8), f"{name}: {read} rows"


LISTS: dict[str, Callable[[World], object]] = {
    "cases": lambda w: w.custody.cases(w.manager, limit=50),
    "cases in a state": lambda w: w.custody.cases(w.manager, CaseState.ARMED),
    "a case's recordings": lambda w: w.custody.recordings(w.manager, f"{1234:036d}"),
    "a camera's recordings": lambda w: w.custody.recordings(w.manager, camera_id="or1-wall", limit=50),
    "recordings of a time": lambda w: w.custody.recordings(w.manager, None, None, *SOME, 50),
    "rooms": lambda w: w.custody.room_states(w.manager),
    "alarms": lambda w: w.custody.watch(),
    "what is to be rendered": lambda w: w.custody.claim_render(),
    "packages to remove": lambda w: w.custody.expire_due(),
    "signing out": lambda w: w.custody.disable_account(None, w.officer.account_id),
}
MOST_ROWS = {"a camera's recordings": 5000, "recordings of a time": 5000}  # they look at 500 stretches


@pytest.mark.parametrize("name", LISTS)
def test_no_list_and_no_watch_reads_what_the_years_have_gathered(large: World, name: str) -> None:
    act = LISTS[name]
    assert rows_read(large.ledger, lambda: act(large)) <= MOST_ROWS.get(name, 500)


@pytest.mark.parametrize("room", ["OR 2", "OR 9"], ids=["one room", "a room where nothing happens"])
def test_who_reaches_one_room_costs_no_more_for_it(large: World, room: str) -> None:
    auditor = replace(
        large.accounts[Role.AUDITOR], scopes=(Scope(ScopeKind.ROOM, room),)
    )  # no camera stands in OR 9 any more
    custody = large.custody
    assert rows_read(large.ledger, lambda: custody.cases(auditor, limit=50)) <= 500
    assert rows_read(large.ledger, lambda: custody.cases(auditor, CaseState.CLOSED, 50)) <= 500
    assert rows_read(large.ledger, lambda: custody.cases(auditor, CaseState.ARMED, 50)) <= 500
    assert rows_read(large.ledger, lambda: custody.recordings(auditor, limit=50)) <= 5000
    assert bool(custody.cases(auditor)) == bool(custody.recordings(auditor)) == (room == "OR 2")


def test_no_list_asks_again_for_each_of_its_rows(large: World) -> None:
    custody, manager = large.custody, large.manager
    lists: dict[str, Callable[..., object]] = {
        "recordings": custody.recordings,
        "cases": custody.cases,
        "plan": custody.retention_plan,
    }
    for name, ask in lists.items():
        few, many = (work_of(large.ledger, partial(ask, manager, limit=limit)) for limit in (2, 100))
        assert few.statements == many.statements, name


def test_what_is_destroyed_costs_the_plan_of_destruction_nothing(large: World) -> None:
    ledger, custody = large.ledger, large.custody
    with ledger.engine.begin() as connection:
        gone = "id <= :last"
        values = {"last": f"{2899:036d}"}
        connection.execute(text(f"UPDATE runs SET destroyed_us = 5 WHERE {gone}"), values)
        connection.execute(
            text(
                "INSERT INTO destructions (case_id, step, due_us, rule, noticed_us, begun_us, key_destroyed_us,"
                " packages_removed_us, destroyed_us, epoch, receipt)"
                f" SELECT id, 'destroyed', 1, 'r', 2, 3, 4, 5, 5, 1, 'R' FROM cases WHERE {gone}"
            ),
            values,
        )
    try:
        plan = custody.retention_plan(large.manager, limit=50)
        assert len(plan.due) + len(plan.stopped) >= 50
        read = rows_read(ledger, lambda: custody.retention_plan(large.manager, limit=50))
        assert read <= 2500  # fewer than cases that are destroyed
    finally:
        with ledger.engine.begin() as connection:
            connection.execute(text("DELETE FROM destructions"))
            connection.execute(text("UPDATE runs SET destroyed_us = NULL"))
