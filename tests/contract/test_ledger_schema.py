"""The schema on both databases: migrations there and back, comments, constraints, text that stays what it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import CheckConstraint, inspect, text, update
from sqlalchemy.exc import DBAPIError

from orvault.custody.account import Role
from orvault.custody.case import CasePlan
from orvault.custody.ports import CameraInfo
from orvault.custody.recorded import StoredGap
from orvault.custody.scope import SITE, Scope, ScopeKind
from orvault.errors import ErrorKind, OrvaultError
from orvault.ledger import tables, tables_exports
from orvault.ledger.engine import open_engine, open_ledger
from orvault.ledger.migrate import downgrade, migrate
from tests.contract.old_grants import check_carried_over, go_back
from tests.fakes import World


def _tables(url: str) -> set[str]:
    engine = open_engine(url)
    try:
        return set(inspect(engine).get_table_names()) - {"alembic_version"}
    finally:
        engine.dispose()


def test_migrations_go_up_and_down_and_up_again(url: str) -> None:
    migrate(url)
    migrate(url)  # nothing to do is no error
    assert _tables(url) == set(tables.metadata.tables)
    downgrade(url, "0001")
    assert "history" not in _tables(url) and "segments" in _tables(url)
    downgrade(url, "base")
    assert _tables(url) == set()
    migrate(url)
    open_ledger(url).close()


def test_what_was_recorded_before_there_were_anchors_gets_its_first_one(world: World, url: str) -> None:
    world.recorded_case(2)
    assert world.custody.anchor_moved_runs() == 0
    downgrade(url, "0002")
    assert "moved_runs" not in _tables(url)
    migrate(url)
    assert (world.custody.anchor_moved_runs(), world.custody.anchor_moved_runs()) == (2, 0)


def test_accounts_from_before_scopes_reach_the_whole_site_and_narrower_ones_do_not_after_a_step_back(
    world: World, url: str
) -> None:
    narrow = world.account(Role.AUDITOR, "narrow", (Scope(ScopeKind.ROOM, "OR 1", 5),))
    downgrade(url, "0019")
    migrate(url)
    after = {account.account_id: account for account in world.custody.all_accounts()}
    assert all(account.scopes == (SITE,) for account in after.values())
    assert after[narrow.account_id].disabled and not after[world.manager.account_id].disabled


def test_gaps_from_before_they_had_a_room_have_that_of_their_case(world: World, url: str) -> None:
    case = world.armed_case()
    (run, *_) = world.custody.start_recording(world.manager, case.case_id).view.runs
    at = run.started_us
    assert world.custody.record_gap(
        StoredGap(run.camera_id, case.case_id, run.run_id, at, at + 1, "cable"), "node-1"
    )
    downgrade(url, "0022")
    migrate(url)
    with world.ledger.engine.connect() as connection:
        assert connection.execute(text("SELECT room FROM gaps")).scalars().all() == [case.room]


def test_grants_from_before_requests_to_view_go_on_where_they_named_a_case(world: World, url: str) -> None:
    case = go_back(world, url)
    migrate(url)
    check_carried_over(world, case)


def test_migrated_schema_is_the_declared_one(url: str) -> None:
    migrate(url)
    engine = open_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, tables.metadata) == []
        assert _checks(connection) == _declared_checks()
    engine.dispose()


def _declared_checks() -> set[tuple[str, str]]:
    return {
        (table.name, str(constraint.name))
        for table in tables.metadata.tables.values()
        for constraint in table.constraints
        if isinstance(constraint, CheckConstraint)
    }


def _checks(connection: object) -> set[tuple[str, str]]:
    found = inspect(connection)
    return {
        (table, str(check["name"]))
        for table in tables.metadata.tables
        for check in found.get_check_constraints(table)
    }


def test_ledger_without_schema_is_refused_with_what_to_do(url: str) -> None:
    with pytest.raises(OrvaultError) as caught:
        open_ledger(url)
    assert caught.value.kind is ErrorKind.BAD_SETTINGS
    assert "Run `orvault " in caught.value.advice


def test_every_column_is_explained_in_mariadb_itself(world: World) -> None:
    if world.ledger.engine.dialect.name == "sqlite":
        lacking = [str(c) for t in tables.metadata.tables.values() for c in t.columns if not c.comment]
        assert lacking == []
        return
    found = inspect(world.ledger.engine)
    for name, table in tables.metadata.tables.items():
        assert found.get_table_comment(name)["text"] == table.comment
        for column in found.get_columns(name):
            assert column["comment"] == table.c[column["name"]].comment


def test_request_cannot_be_decided_by_its_requester_even_in_sql(world: World) -> None:
    request = world.custody.submit_export(world.manager, world.wish(world.recorded_case()))
    requests = tables_exports.requests
    with pytest.raises(DBAPIError, match="four_eyes"), world.ledger.engine.connect() as connection:
        connection.execute(
            update(requests)
            .where(requests.c.id == request.request_id)
            .values(state="approved", decided_by=request.requested_by, package_id="x")
        )


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("UPDATE cases SET state = 'running', closed_us = NULL", "ck_cases_state"),
        ("UPDATE cases SET state = 'closed', closed_us = NULL", "ck_cases_closed_when"),
        ("UPDATE cases SET case_key = NULL, state = 'armed', closed_us = NULL", "ck_cases_armed_has_key"),
        ("UPDATE segments SET end_us = start_us - 1", "ck_segments_period"),
        ("UPDATE runs SET stopped_us = NULL", "ck_runs_open"),
        ("UPDATE accounts SET role = 'king'", "ck_accounts_role"),
        ("UPDATE history_head SET id = 2", "ck_history_head_one_row"),
    ],
)
def test_constraints_stand_in_the_schema(world: World, statement: str, constraint: str) -> None:
    world.recorded_case(1)
    with pytest.raises(DBAPIError, match=constraint), world.ledger.engine.connect() as connection:
        connection.execute(text(statement))


def test_foreign_keys_hold(world: World) -> None:
    world.recorded_case(1)
    with pytest.raises(DBAPIError), world.ledger.engine.connect() as connection:
        connection.execute(text("DELETE FROM cases"))
        connection.commit()


def test_text_stays_what_it_was(world: World) -> None:
    plan = CasePlan("수술-2026-가", "OR 1", 1, "동의서 제1호 🏥 Ærø", ("김민수", "Zoë"))
    made = world.custody.plan_case(world.manager, plan)
    found = world.custody.case(world.manager, made.case_id).case
    assert (found.number, found.recording_request, found.participants) == (
        plan.number,
        plan.recording_request,
        plan.participants,
    )


def test_identifiers_differ_by_case_and_blanks_on_both_databases(world: World) -> None:
    names = ["cam", "CAM", "cam ", "càm"]
    world.custody.register_cameras([CameraInfo(name, name, "OR 9", "n") for name in names])
    with world.ledger.uow(read_only=True) as uow:
        assert [uow.cameras.get(name) and uow.cameras.get(name).camera_id for name in names] == names  # type: ignore[union-attr]
        assert uow.cameras.get("Cam") is None


def test_a_ledger_that_was_never_made_is_refused_and_not_made_by_the_way(tmp_path: Path) -> None:
    with pytest.raises(OrvaultError) as caught:
        open_ledger(f"sqlite:///{tmp_path}/ledger.sqlite")
    assert caught.value.kind is ErrorKind.BAD_SETTINGS and "orvault init" in caught.value.advice
    assert not list(tmp_path.iterdir())
