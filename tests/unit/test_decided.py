"""Rows that somebody wrote into the database open nothing: what was decided is held against history."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import text

from orvault.container.keys import Recipient, generate_private_key
from orvault.custody.account import Account, Role
from orvault.custody.case import Case
from orvault.custody.request import ExportRequest, RequestState
from orvault.custody.viewing import Showing
from orvault.errors import ErrorKind, OrvaultError
from orvault.ledger.rows import to_text
from tests.fakes import World


def sql(world: World, statement: str, **values: object) -> None:
    """As somebody who may write every row."""
    with world.ledger.engine.begin() as connection:
        connection.execute(text(statement), values)


def _key(world: World, request: ExportRequest) -> None:
    thief = to_text(Recipient("Court", generate_private_key().public(), None, None).to_json())
    statement = "UPDATE request_recipients SET recipient = :key WHERE request_id = :id"
    sql(world, statement, key=thief, id=request.request_id)


def _column(change: str) -> Callable[[World, ExportRequest], None]:
    def write(world: World, request: ExportRequest) -> None:
        sql(world, f"UPDATE requests SET {change} WHERE id = :id", id=request.request_id)

    return write


CHANGES = {
    "the recipient's key": _key,
    "the masking": _column("masking = 'face'"),
    "the period": _column("to_us = to_us - 2000000"),
    "the validity": _column("valid_until_us = valid_until_us + 1"),
    "the copy's name": _column("package_id = '01900000-0000-7000-8000-000000000000'"),
    "who decided": _column(
        "decided_by = (SELECT id FROM accounts WHERE name = 'auditor')",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_changed_after_its_approval_is_not_made(world: World, change: str) -> None:
    request = world.approved(world.recorded_case())
    CHANGES[change](world, request)
    assert world.custody.claim_render() is None
    failed = world.custody.export(world.manager, request.request_id)
    assert failed.state is RequestState.FAILED and failed.failure
    assert "keys-opened" not in world.acts()


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_changed_while_it_is_rendered_opens_no_key(world: World, change: str) -> None:
    request = world.approved(world.recorded_case())
    ids = [segment.header.meta.segment_id for segment in world.claimed().tracks[0].segments[:2]]
    CHANGES[change](world, request)
    with pytest.raises(OrvaultError) as caught:
        world.custody.log_key_opening(request.request_id, ids)
    assert caught.value.kind is ErrorKind.GRANT_MISSING and "keys-opened" not in world.acts()


@pytest.mark.parametrize("change", ["the recipient's key", "the masking", "the period", "the validity"])
def test_what_was_changed_after_it_was_submitted_is_not_approved(world: World, change: str) -> None:
    request = world.custody.submit_export(world.manager, world.wish(world.recorded_case()))
    CHANGES[change](world, request)
    with pytest.raises(OrvaultError) as caught:
        world.custody.approve_export(world.officer, request.request_id)
    assert caught.value.kind is ErrorKind.ALTERED and "export-approved" not in world.acts()


def test_a_row_that_says_approved_is_no_approval(world: World) -> None:
    request = world.custody.submit_export(world.manager, world.wish(world.recorded_case()))
    sql(
        world,
        "UPDATE requests SET state = 'approved', decided_by = :officer, decided_us = 1, package_id = :package"
        " WHERE id = :id",
        officer=world.officer.account_id,
        package="01900000-0000-7000-8000-000000000000",
        id=request.request_id,
    )
    assert world.custody.claim_render() is None
    assert world.custody.export(world.manager, request.request_id).state is RequestState.FAILED


def test_what_was_revoked_is_not_approved_again_by_a_row(world: World) -> None:
    request = world.approved(world.recorded_case())
    world.custody.revoke_export(world.officer, request.request_id, "the court withdrew its order")
    sql(
        world, "UPDATE requests SET state = 'approved', ended_us = NULL WHERE id = :id", id=request.request_id
    )
    assert world.custody.claim_render() is None
    assert world.custody.export(world.manager, request.request_id).state is RequestState.FAILED


def test_an_untouched_request_is_made_and_one_given_back_too(world: World) -> None:
    request = world.approved(world.recorded_case())
    job = world.claimed()
    world.custody.give_back_render(request.request_id, job.epoch, "a node is away")
    world.clock.us += 60_000_000
    ids = [segment.header.meta.segment_id for segment in world.claimed().tracks[0].segments]
    world.custody.log_key_opening(request.request_id, ids)
    assert world.acts()[-1] == "keys-opened"


# grants to see


VIEWING_CHANGES = {
    "approved by nobody": "state = 'approved', decided_by = :officer, decided_us = :now",
    "of a mosaic's viewer": "viewer_id = :auditor",
    "longer": "until_us = until_us + 1",
    "of another time": "footage_from_us = footage_from_us - 1",
    "ended before": "state = 'approved', ended_us = NULL",
}


def _shown(world: World, viewer: Account, case: Case) -> Showing:
    span = case.armed_us, world.clock.now_us()
    world.custody.lift_mask(world.officer, None, 5, "the test looks")
    opened = world.custody.ask_stored(viewer, "s-1", case.case_id, "or1-wall", span[0] or 0, span[1])
    return opened.decision.showing


@pytest.mark.parametrize("change", VIEWING_CHANGES)
def test_a_grant_is_none_where_only_its_row_says_so(world: World, change: str) -> None:
    case, auditor = world.recorded_case(), world.accounts[Role.AUDITOR]
    if change == "approved by nobody":
        request = world.custody.ask_viewing(world.manager, auditor.name, world.viewing_wish(case))
    else:
        request = world.grant(world.manager if "viewer" in change else auditor, world.viewing_wish(case))
    if change == "ended before":
        world.custody.withdraw_viewing(world.officer, request.request_id, "no longer needed")
    values = {"officer": world.officer.account_id, "auditor": auditor.account_id, "now": world.clock.now_us()}
    used = {name: value for name, value in values.items() if f":{name}" in VIEWING_CHANGES[change]}
    sql(
        world,
        f"UPDATE viewing_requests SET {VIEWING_CHANGES[change]} WHERE id = :id",
        id=request.request_id,
        **used,
    )
    assert _shown(world, auditor, case) is Showing.MASKED


def test_a_grant_that_history_holds_shows_clear_pictures_until_its_row_is_changed(world: World) -> None:
    case, auditor = world.recorded_case(), world.accounts[Role.AUDITOR]
    request = world.grant(auditor, world.viewing_wish(case))
    assert _shown(world, auditor, case) is Showing.CLEAR
    sql(world, "UPDATE viewing_requests SET until_us = until_us + 1 WHERE id = :id", id=request.request_id)
    assert _shown(world, auditor, case) is Showing.MASKED
