"""Holds, extensions and destructions on both databases: from what is due to a receipt, and what the rows refuse."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from orvault.custody.account import Role
from orvault.custody.desks import retention as desk
from orvault.custody.destruction import NODES_PATIENCE_US, NodeFiles, Step
from orvault.custody.retention import DAY_US, Stop
from orvault.errors import ErrorKind, OrvaultError
from tests.fakes import CAMERAS, World


def test_a_case_goes_from_due_to_destroyed(world: World) -> None:
    custody, officer = world.custody, world.officer
    case, held = world.recorded_case(3), world.recorded_case(2, "2026-2")
    drafts = [custody.draft_export(world.manager, world.wish(each)).request_id for each in (case, held)]
    for draft in drafts:
        custody.order_scan(world.manager, draft)
    world.clock.us += 31 * DAY_US
    custody.put_hold(world.manager, held.case_id, "소송", "2026-77")
    plan = custody.retention_plan(officer)
    assert [(item.recorded.number, item.recorded.segments, item.recorded.bytes) for item in plan.due] == [
        ("2026-1", 6, 6 * 2048)
    ]
    assert [each.stop for item in plan.stopped for each in item.verdict.obstacles] == [Stop.HOLD]
    assert custody.notice_due() == 1 and custody.notice_due() == 0
    custody.approve_destruction(officer, plan.digest)
    assert custody.begin_due() == [case.case_id] and custody.begin_due() == []
    taken = custody.take_up(case.case_id)
    custody.key_destroyed(case.case_id, taken.epoch)
    assert [custody.scan(world.manager, draft).state.value for draft in drafts] == ["failed", "waiting"]
    assert custody.destroyed_among([case.case_id, held.case_id]) == {case.case_id}
    custody.packages_removed(case.case_id, taken.epoch)
    custody.files_destroyed(case.case_id, "node-9", 12, 4096)
    assert custody.nodes_outstanding(case.case_id) == ["node-1"]
    assert custody.receipt_due(case.case_id, taken.epoch) is None
    world.clock.us += NODES_PATIENCE_US
    receipt = custody.receipt_due(case.case_id, taken.epoch)
    assert receipt is not None and receipt.outstanding == ("node-1",)
    assert {(run.camera_id, run.segments) for run in receipt.recordings} == {("or1-lamp", 3), ("or1-wall", 3)}
    assert [run.run_id for run in receipt.recordings] == sorted(run.run_id for run in receipt.recordings)
    custody.finish_destruction(case.case_id, taken.epoch, '{"영수증":1}'.encode(), "ab" * 32)
    assert custody.receipt(world.accounts[Role.AUDITOR], case.case_id) == '{"영수증":1}'.encode()
    assert custody.outstanding_files() == [(case.case_id, "node-1")]
    custody.files_destroyed(case.case_id, "node-1", 3, 100)
    assert custody.outstanding_files() == []
    left = custody.retention_plan(officer)
    assert left.due == () and [item.recorded.case_id for item in left.stopped] == [held.case_id]
    with world.ledger.engine.connect() as connection:
        gone = (
            connection.execute(text("SELECT case_id FROM runs WHERE destroyed_us IS NOT NULL"))
            .scalars()
            .all()
        )
    assert set(gone) == {case.case_id}
    assert custody.verify_history().intact


def test_notices_go_on_behind_those_that_wait(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(2):
        world.recorded_case(1, f"2026-{number}")
    world.clock.us += 31 * DAY_US
    monkeypatch.setattr(desk, "MOST_AT_ONCE", 1)
    assert [world.custody.notice_due() for _ in range(3)] == [1, 1, 0]


def test_the_node_that_sealed_is_asked_although_its_camera_moved(world: World) -> None:
    case = world.recorded_case(1)
    world.clock.us += 31 * DAY_US
    world.custody.register_cameras([replace(camera, node_id="node-9") for camera in CAMERAS])
    world.custody.notice_due()
    world.custody.approve_destruction(world.officer, world.custody.retention_plan(world.officer).digest)
    assert world.custody.begin_due() == [case.case_id]
    assert world.custody.nodes_outstanding(case.case_id) == ["node-1", "node-9"]


def test_pages_go_on_behind_the_last_case(world: World) -> None:
    cases = [world.recorded_case(1, f"2026-{n}").case_id for n in range(1, 4)]
    first = world.custody.retention_plan(world.officer, limit=2)
    rest = world.custody.retention_plan(world.officer, after=first.more_after)
    shown = [item.recorded.case_id for item in (*first.stopped, *rest.stopped)]
    assert shown == sorted(cases) and first.more_after == shown[1] and rest.more_after == ""


def test_a_destruction_that_has_begun_cannot_be_withdrawn(world: World) -> None:
    case = world.recorded_case(1)
    world.clock.us += 31 * DAY_US
    world.custody.approve_destruction(world.officer, world.custody.retention_plan(world.officer).digest)
    world.custody.begin_due()
    with world.ledger.uow() as uow:
        uow.destructions.withdraw(case.case_id)
        uow.commit()
    found = world.custody.destruction_of(case.case_id)
    assert found is not None and found.step is Step.BEGUN
    with world.ledger.uow(read_only=True) as uow:
        assert list(uow.destructions.nodes(case.case_id)) == [NodeFiles("node-1")]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE destructions SET step = 'destroyed'",
        "UPDATE destructions SET step = 'key-destroyed'",
        "UPDATE destructions SET step = 'noticed'",
        "UPDATE destructions SET step = 'gone'",
        "UPDATE destructions SET approved_by = NULL",
    ],
)
def test_the_database_refuses_steps_without_what_they_rest_on(world: World, change: str) -> None:
    world.recorded_case(1)
    world.clock.us += 31 * DAY_US
    world.custody.approve_destruction(world.officer, world.custody.retention_plan(world.officer).digest)
    world.custody.begin_due()
    with pytest.raises(DBAPIError), world.ledger.engine.begin() as connection:
        connection.execute(text(change))


def test_a_hold_on_an_unknown_case_is_not_found(world: World) -> None:
    with pytest.raises(OrvaultError) as caught:
        world.custody.put_hold(world.officer, "none", "proceedings", "2026-77")
    assert caught.value.kind is ErrorKind.NOT_FOUND
