"""Identifiers and names that refer to nothing: every endpoint that takes one says so, and changes nothing."""

from __future__ import annotations

import re
from typing import Any

import pytest

from api.routes.guard import PUBLIC
from orvault.custody.access import Right, may
from orvault.custody.account import Role
from orvault.custody.scope import Scope, ScopeKind
from tests.unit.api_support import Api, export_body, is_problem, make_api, viewing_body

MANAGER, OFFICER = Role.RECORDS_MANAGER, Role.PRIVACY_OFFICER
NOWHERE, NO_IMAGE = "gone-9", "0" * 64
BEGIN, END = "2026-11-22T18:30:00Z", "2026-11-22T18:31:00Z"
PLANNED = {"number": "N-9", "room": NOWHERE, "planned_at": BEGIN, "recording_request": "Form 1"}
# What a body needs besides, so that nothing else is wrong with it.
FIELDS: dict[str, Any] = {
    "scopes": [],
    "password": "four random words",
    "reason": "because",
    "note": "why",
    "added": ["Lee"],
    "kind": "start",
    "consents": [{"subject": "staff", "name": "Lee", "document": "Form 6", "document_sha256": "ab" * 32}],
    "participant": "Lee",
    "agrees": True,
    "mail": "lee@hospital.test",
    "until": "2027-03-01T00:00:00Z",
    "document": "2026-77",
    "subject": "s-1",
    "name": "key",
    "expires_at": "2027-03-01T00:00:00Z",
}
REASONS = {"/cases/{case_id}/refuse-recording": {"reason": "emergency"}}  # one of a closed list there


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Api:
    return make_api(tmp_path_factory.mktemp("references"))


@pytest.fixture(scope="module")
def case_id(api: Api) -> str:
    return api.world.recorded_case(number="recorded").case_id


def test_no_address_answers_for_what_is_not_there(api: Api) -> None:
    """Read from the document of the API, so that a new endpoint is in the table by itself."""
    document, asked = api.app.openapi(), 0
    before = len(api.world.acts())
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if "{" not in path or operation["x-right"] == PUBLIC:
                continue
            address = re.sub(r"\{\w+\}", NOWHERE, path.replace("{number}", "0"))
            answer = api.call(
                method.upper(), address, _role(api, operation["x-right"]), **_body(document, path, operation)
            )
            assert is_problem(answer, 404, "not-found"), f"{method} {path}"
            asked += 1
    assert asked > 40
    told = [act for act in api.world.acts()[before:] if act not in {"signed-in", "denied"}]
    assert told == []


def _role(api: Api, right: str) -> Role:
    if right == Right.SESSION.value:
        return Role.SYSTEM_ADMINISTRATOR
    return next(role for role, account in api.world.accounts.items() if may(account, Right(right)).allowed)


def _body(document: dict[str, Any], path: str, operation: dict[str, Any]) -> dict[str, Any]:
    if "requestBody" not in operation:
        return {}
    (content,) = operation["requestBody"]["content"].values()
    schema = content["schema"]
    name = (schema.get("$ref") or schema["anyOf"][0]["$ref"]).rsplit("/", 1)[-1]
    fields = {
        each: FIELDS[each] for each in document["components"]["schemas"][name]["properties"] if each in FIELDS
    }
    return {"json": fields | next((more for end, more in REASONS.items() if path.endswith(end)), {})}


@pytest.mark.parametrize(
    ("path", "role", "body", "status", "where"),
    [
        ("cases", MANAGER, PLANNED, 400, "room"),
        ("quick-mask", MANAGER, {"camera_id": NOWHERE}, 404, "camera_id"),
        ("quick-mask/lift", OFFICER, {"camera_id": NOWHERE, "reason": "r", "minutes": 5}, 404, "camera_id"),
        ("views/live", MANAGER, {"camera_id": NOWHERE}, 404, "camera_id"),
        (
            "views/stored",
            MANAGER,
            {"case_id": NOWHERE, "camera_id": "or1-wall", "from": BEGIN, "to": END},
            404,
            "case_id",
        ),
        (
            "views/result",
            Role.CLINICAL_STAFF,
            {"request_id": NOWHERE, "camera_id": "or1-wall"},
            404,
            "request_id",
        ),
        ("viewing-requests", MANAGER, viewing_body(NOWHERE), 404, "case_id"),
        ("watermark-preview", MANAGER, {"watermark": {"text": "x"}, "case_id": NOWHERE}, 404, "case_id"),
        (
            "watermark-preview",
            MANAGER,
            {"watermark": {"image": {"id": NO_IMAGE}}},
            404,
            "watermark.image.id",
        ),
        ("sessions?account_id=" + NOWHERE, Role.SYSTEM_ADMINISTRATOR, None, 404, ""),
    ],
)
def test_a_body_that_names_nothing_is_refused(
    api: Api, path: str, role: Role, body: dict[str, Any] | None, status: int, where: str
) -> None:
    answer = api.get(path, role) if body is None else api.post(path, role, json=body)
    assert is_problem(answer, status, "bad-request" if status == 400 else "not-found")
    assert answer.json().get("where", "") == where
    assert NOWHERE in answer.json()["detail"] or NO_IMAGE in answer.json()["detail"]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"case_id": NOWHERE}, "case_id"),
        ({"camera_ids": [NOWHERE]}, "camera_ids"),
        ({"watermark": {"text": "x", "image": {"id": NO_IMAGE}}}, "watermark.image.id"),
    ],
)
def test_requests_and_drafts_name_what_is_not_there(
    api: Api, case_id: str, change: dict[str, Any], where: str
) -> None:
    body = export_body(case_id, BEGIN, END)
    answers = [api.post(path, MANAGER, json=body | change) for path in ("exports", "exports/drafts")]
    if "case_id" not in change:
        draft_id = api.post("exports/drafts", MANAGER, json=body).json()["id"]
        answers.append(api.call("PATCH", f"exports/{draft_id}", MANAGER, json=change))
    for answer in answers:
        assert is_problem(answer, 404, "not-found") and answer.json()["where"] == where


def test_of_a_case_only_its_own_cameras_and_people_are_named(api: Api, case_id: str) -> None:
    armed = api.world.armed_case("armed").case_id
    start = api.post(f"cases/{armed}/recording/start", MANAGER, json={"camera_ids": [NOWHERE]})
    assert is_problem(start, 404, "not-found") and start.json()["where"] == "camera_ids"
    stop = api.post(f"cases/{armed}/recording/stop", MANAGER, json={"camera_ids": [NOWHERE], "reason": "r"})
    assert is_problem(stop, 409, "conflict") and NOWHERE in stop.json()["detail"]
    for change in ({"camera_ids": [NOWHERE]}, {"viewer": NOWHERE}):
        answer = api.post("viewing-requests", MANAGER, json=viewing_body(armed) | change)
        assert is_problem(answer, 404, "not-found") and answer.json()["where"] in change
    hold = api.post(f"cases/{case_id}/holds/{NOWHERE}/lift", OFFICER, json={"reason": "r"})
    assert is_problem(hold, 404, "not-found") and NOWHERE in hold.json()["detail"]


def test_a_case_for_nowhere_is_told_the_rooms_in_reach(api: Api) -> None:
    answer = api.post("cases", MANAGER, json=PLANNED)
    assert answer.json()["advice"] == "Known here: OR 1, OR 2."
    one = api.world.account(MANAGER, "of.one.room", [Scope(ScopeKind.ROOM, "OR 1")])
    hidden = api.call_as("POST", "cases", one, json=PLANNED)
    # The same whether the room is there or not: who reaches one room learns nothing of the others.
    other = api.call_as("POST", "cases", one, json=PLANNED | {"room": "OR 2"})
    assert is_problem(hidden, 403, "forbidden") and is_problem(other, 403, "forbidden")
    told = hidden.json()["detail"] + hidden.json()["advice"]
    assert told.replace(NOWHERE, "OR 2") == other.json()["detail"] + other.json()["advice"]
