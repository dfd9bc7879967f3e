"""A ledger from before requests to view, with viewing grants in it."""

from __future__ import annotations

from sqlalchemy import text

from orvault.custody.account import Role
from orvault.custody.case import Case
from orvault.custody.steps import RequestState
from orvault.ledger.migrate import downgrade
from tests.fakes import World

BEFORE = "0027"
BASIS = "court 2026-77"
HOUR_US = 3_600_000_000


def go_back(world: World, url: str) -> Case:
    """Grants over one case's recording: one that stands, one that was taken back, and a live one without a case."""
    case = world.recorded_case()
    viewer, by, officer = world.accounts[Role.AUDITOR], world.manager.account_id, world.officer.account_id
    asked = world.clock.now_us()
    stored = f"'{case.case_id}', {asked - 1}, {asked}"
    downgrade(url, BEFORE)
    with world.ledger.engine.begin() as connection:
        for name, kind, what, revoked in (
            ("goes-on", "stored", stored, "NULL"),
            ("taken-back", "stored", stored, "5"),
            ("no-case", "live", "NULL, NULL, NULL", "NULL"),
        ):
            connection.execute(
                text(
                    "INSERT INTO viewing_grants (id, account_id, kind, camera_id, case_id, footage_from_us, "
                    "footage_to_us, showing, basis, from_us, until_us, granted_by, approved_by, revoked_us) VALUES "
                    f"('{name}', '{viewer.account_id}', '{kind}', 'or1-wall', {what}, 'clear', '{BASIS}', "
                    f"{asked}, {asked + HOUR_US}, '{by}', '{officer}', {revoked})"
                )
            )
    return case


def check_carried_over(world: World, case: Case) -> None:
    """The one that stood goes on, once, as it was; nothing else does."""
    viewer, officer = world.accounts[Role.AUDITOR], world.officer.account_id
    (found,) = world.custody.viewing_requests(world.officer)
    assert (found.request_id, found.state, found.decided_by) == ("goes-on", RequestState.APPROVED, officer)
    assert (found.wish.camera_ids, found.wish.basis.document_number) == (("or1-wall",), BASIS)
    assert [approval.account_id for approval in found.approvals] == [officer]
    with world.ledger.uow(read_only=True) as uow:
        (grant,) = uow.viewing_requests.grants(viewer.account_id, "or1-wall")
    assert (grant.case_id, grant.from_us, grant.until_us) == (
        case.case_id,
        found.requested_us,
        found.requested_us + HOUR_US,
    )
