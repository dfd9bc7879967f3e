"""Staff who join an operation later: named by adding alone, and asked for their consent like the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from orvault.custody.account import Role
from orvault.custody.case import MAX_PARTICIPANTS
from orvault.errors import ErrorKind
from tests.fakes import World, consents_of
from tests.refusals import raises
from tests.unit.api_support import is_problem, make_api

WHY = "Called in when the bleeding began."


def test_who_joined_later_must_consent_also_to_a_request_that_waits(world: World) -> None:
    case = world.recorded_case()
    wish = world.wish(case, basis=consents_of("Lee", "Park"))
    request = world.custody.submit_export(world.manager, wish)
    amended = world.custody.amend_participants(world.manager, case.case_id, [" Jung "], WHY)
    assert amended.participants == ("Lee", "Park", "Jung")
    assert world.custody.case(world.manager, case.case_id).case == amended
    with raises(ErrorKind.BASIS_MISSING) as caught:
        world.custody.approve_export(world.officer, request.request_id)
    assert "Jung" in caught.value.message
    full = world.wish(case, basis=consents_of("Lee", "Park", "Jung"))
    request = world.custody.submit_export(world.manager, full)
    world.custody.approve_export(world.officer, request.request_id)
    (entry,) = world.custody.history(world.officer, act="case-amended")
    assert "Jung" in entry.detail and WHY in entry.detail and case.case_id in entry.subject


@pytest.mark.parametrize(
    ("added", "reason"),
    [
        ([], WHY),
        (["Jung"], " "),
        (["lee"], WHY),
        (["Jung", "JUNG"], WHY),
        ([" "], WHY),
        ([f"P{n}" for n in range(MAX_PARTICIPANTS - 1)], WHY),
    ],
)
def test_what_cannot_be_added_changes_nothing(world: World, added: list[str], reason: str) -> None:
    case = world.recorded_case()
    with raises(ErrorKind.BAD_REQUEST):
        world.custody.amend_participants(world.manager, case.case_id, added, reason)
    assert world.custody.case(world.manager, case.case_id).case.participants == ("Lee", "Park")
    assert "case-amended" not in world.acts()


def test_only_who_plans_cases_adds(world: World) -> None:
    case = world.recorded_case()
    for role in (Role.CLINICAL_STAFF, Role.PRIVACY_OFFICER, Role.SYSTEM_ADMINISTRATOR, Role.AUDITOR):
        with raises(ErrorKind.FORBIDDEN):
            world.custody.amend_participants(world.accounts[role], case.case_id, ["Jung"], WHY)
    with raises(ErrorKind.NOT_FOUND):
        world.custody.amend_participants(world.manager, "unknown", ["Jung"], WHY)


def test_over_the_api(tmp_path: Path) -> None:
    api = make_api(tmp_path)
    case = api.world.recorded_case()
    path = f"cases/{case.case_id}/participants"
    answer = api.post(path, Role.RECORDS_MANAGER, json={"added": ["Jung"], "reason": WHY})
    assert answer.status_code == 200 and answer.json()["participants"] == ["Lee", "Park", "Jung"]
    again = api.post(path, Role.RECORDS_MANAGER, json={"added": ["Jung"], "reason": WHY})
    assert is_problem(again, 400, "bad-request") and "twice" in again.text
