"""Rows that somebody wrote into the database destroy nothing: a destruction is held against history."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from orvault.custody import decided_destruction
from orvault.custody.case import Case
from orvault.custody.desks.destroying import DestroyingDesk
from orvault.custody.destruction import Step
from orvault.custody.retention import DAY_US, RetentionPolicy
from orvault.custody.site import Rules
from orvault.errors import ErrorKind, OrvaultError
from tests.fakes import World

AUTOMATIC = RetentionPolicy(approve=False)


@pytest.fixture
def case(world: World) -> Case:
    return world.recorded_case()


def sql(world: World, statement: str, **values: object) -> None:
    """As somebody who may write every row."""
    with world.ledger.engine.begin() as connection:
        connection.execute(text(statement), values)


ROWS = {  # what a destruction's row at this step has, written by hand
    "approved": {"approved_us": "1"},
    "begun": {"begun_us": "1"},
    "key-destroyed": {"begun_us": "1", "key_destroyed_us": "1"},
    "destroyed": {
        "begun_us": "1",
        "key_destroyed_us": "1",
        "packages_removed_us": "1",
        "destroyed_us": "1",
        "receipt": "x'7b7d'",
    },
}


def row(world: World, case: Case, step: str) -> None:
    named = {"approved_by": f"'{world.officer.account_id}'"} if step == "approved" else {}
    values = {"case_id": ":case", "step": f"'{step}'", "rule": "'the law'"} | ROWS[step] | named
    values |= dict.fromkeys(("due_us", "noticed_us", "epoch"), "1")
    columns, told = ", ".join(values), ", ".join(values.values())
    sql(world, f"INSERT INTO destructions ({columns}) VALUES ({told})", case=case.case_id)


@pytest.mark.parametrize("step", ["begun", "key-destroyed"])
def test_no_key_and_no_file_goes_by_a_row_alone(world: World, case: Case, step: str) -> None:
    row(world, case, step)
    for act in (world.custody.check_key_destruction, world.custody.take_up):
        with pytest.raises(OrvaultError) as caught:
            act(case.case_id)
        assert caught.value.kind is ErrorKind.ALTERED


def test_nodes_keep_the_files_of_a_case_that_only_its_row_calls_destroyed(world: World, case: Case) -> None:
    row(world, case, "destroyed")
    assert world.custody.destroyed_among([case.case_id]) == set()


def test_an_approval_that_nobody_gave_begins_nothing(world: World, case: Case) -> None:
    world.clock.us += 31 * DAY_US
    row(world, case, "approved")
    assert world.custody.begin_due() == [] and world.custody.destruction_of(case.case_id) is None
    assert world.acts()[-1] == "destruction-withdrawn"


def _approve(world: World) -> None:
    world.custody.approve_destruction(world.officer, world.custody.retention_plan(world.officer).digest)


def test_a_hold_or_an_extension_that_vanished_from_its_table_still_stops_it(world: World, case: Case) -> None:
    world.clock.us += 31 * DAY_US
    world.custody.put_hold(world.manager, case.case_id, "a death", "2026-77")
    until = world.clock.us + 10 * DAY_US
    world.custody.extend_retention(world.manager, case.case_id, until, "asked", "form 3")
    for table in ("legal_holds", "retention_extensions"):
        sql(world, f"DELETE FROM {table}")
    _approve(world)
    assert world.custody.begin_due() == [] and world.custody.destruction_of(case.case_id) is None


@pytest.mark.parametrize("most", [1000, 1])
def test_more_holds_and_extensions_than_are_looked_through_stop_it(
    world: World, case: Case, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(decided_destruction, "_MOST", most)
    world.clock.us += 31 * DAY_US
    world.custody.extend_retention(world.manager, case.case_id, world.clock.us + DAY_US, "asked", "form 3")
    world.clock.us += 2 * DAY_US
    _approve(world)
    assert world.custody.begin_due() == ([case.case_id] if most > 1 else []), "the one that is known is over"


def test_what_goes_by_itself_goes_no_earlier_for_a_row(world: World, case: Case) -> None:
    custody = automatic(world)
    back = f"- {40 * DAY_US}"  # all that the tables know of it, forty days earlier
    for table, columns in (("segments", ("start_us", "end_us")), ("stretches", ("start_us", "end_us"))):
        sql(world, f"UPDATE {table} SET " + ", ".join(f"{each} = {each} {back}" for each in columns))
    for column in ("started_us", "stop_ordered_us", "stopped_us"):
        sql(world, f"UPDATE runs SET {column} = {column} {back}")
    assert custody.notice_due() == 1
    sql(world, "UPDATE destructions SET noticed_us = 1")
    assert custody.begin_due() == [], "the notice is seconds old"
    assert custody.notice_due() == 1
    world.clock.us += 8 * DAY_US
    assert custody.begin_due() == [], "the recording is eight days old"
    assert custody.notice_due() == 1
    world.clock.us += 31 * DAY_US
    assert custody.begin_due() == [case.case_id]
    taken = custody.take_up(case.case_id)
    assert taken.step is Step.BEGUN and custody.key_destroyed(case.case_id, taken.epoch).key_destroyed_us
    assert custody.destroyed_among([case.case_id]) == {case.case_id}


def automatic(world: World) -> DestroyingDesk:
    """Custody of a site that asks for nobody's yes."""
    return DestroyingDesk(
        world.ledger.uow,
        world.clock,
        world.recorders,
        world.case_keys,
        world.renderers,
        rules=Rules(retention=AUTOMATIC),
    )
