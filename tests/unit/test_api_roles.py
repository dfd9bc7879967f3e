"""Every route against every role: the rule is written on the route, decided in one function, and held by custody too.

The routes are taken from the API's own description, so a new one without a rule, or without a row here, fails.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from api.routes.guard import PUBLIC
from orvault.clock import utc_iso
from orvault.container.canonical import to_base64
from orvault.custody.access import Right, may
from orvault.custody.account import Role
from orvault.custody.export_policy import ExportPolicy
from orvault.custody.retention import plan_digest
from orvault.custody.scope import SITE
from tests.fakes import NOTHING_LEFT, PASSWORD, consents_of
from tests.unit.api_support import Api, export_body, is_problem, make_api, viewing_body
from tests.unit.watermark_images import PNG

BODIES: dict[str, dict[str, Any]] = {
    "create_account": {
        "name": "new.one",
        "display_name": "New",
        "role": "auditor",
        "scopes": [{"kind": "site"}],
        "password": "Long-enough-pw-1",
    },
    "create_machine": {
        "name": "new.machine",
        "display_name": "New",
        "role": "auditor",
        "scopes": [{"kind": "site"}],
    },
    "issue_key": {"name": "one", "expires_at": "2027-06-01T00:00:00Z"},
    "reset_password": {"password": "Long-enough-pw-1"},
    "set_scopes": {"scopes": [{"kind": "site"}]},
    "begin_second_factor": {"password": PASSWORD},
    "confirm_second_factor": {"code": "000000"},
    "remove_second_factor": {"password": PASSWORD, "code": "000000"},
    "link_directory": {"subject": "s-1"},
    "change_password": {"old_password": PASSWORD, "new_password": PASSWORD},
    "plan_case": {
        "number": "N-1",
        "room": "OR 1",
        "planned_at": "2026-11-22T18:30:00+09:00",
        "recording_request": "Form 1",
    },
    "refuse_recording": {"reason": "emergency", "note": "because"},
    "find_cases": {"patient_reference": "P-1"},
    "amend_participants": {"added": ["Jung"], "reason": "because"},
    "stop_recording": {"reason": "because"},
    "give_signal": {"kind": "start"},
    "give_reason": {"reason": "because"},
    "refuse_export": {"reason": "because"},
    "release_export": {"reason": "because"},
    "revoke_export": {"reason": "because"},
    "withdraw_export": {"reason": "because"},
    "add_consents": {
        "consents": [{"subject": "staff", "name": "Lee", "document_sha256": "ab" * 32}],
    },
    "withdraw_consent": {"reason": "because"},
    "answer_result": {"participant": "Lee", "agrees": True, "document_sha256": "ab" * 32},
    "ask_participant": {"participant": "Lee"},
    "waive_answer": {"participant": "Lee", "reason": "because"},
    "view_result": {"request_id": "unknown", "camera_id": "or1-wall"},
    "set_mask": {"reason": ""},
    "lift_mask": {"minutes": 5, "reason": "because"},
    "ask_viewing": viewing_body("unknown"),
    "refuse_viewing": {"reason": "because"},
    "withdraw_viewing": {"reason": "because"},
    "add_viewing_consents": {
        "consents": [{"subject": "staff", "name": "Lee", "document_sha256": "ab" * 32}],
    },
    "withdraw_viewing_consent": {"reason": "because"},
    "view_live": {"camera_id": "unknown"},
    "view_stored": {
        "case_id": "unknown",
        "camera_id": "or1-wall",
        "from": "2026-11-22T18:30:00Z",
        "to": "2026-11-22T18:31:00Z",
    },
    "add_watermark_image": {"name": "Seal", "png": to_base64(PNG)},
    "preview_watermark": {"watermark": {"text": "{hospital} {time}"}},
    "draft_export": export_body("unknown", "2026-11-22T18:30:00Z", "2026-11-22T18:31:00Z"),
    "change_draft": {"purpose": "another"},
    "approve_plan": {"digest": plan_digest([])},
    "put_hold": {"reason": "because", "document": "2026-1"},
    "lift_hold": {"reason": "because"},
    "extend_retention": {"until": "2027-11-22T18:30:00Z", "reason": "because", "document": "2026-1"},
    "choose_masking": {"regions": []},
    "submit_export": export_body("unknown", "2026-11-22T18:30:00Z", "2026-11-22T18:31:00Z"),
}

NEEDS_CODE = {"confirm_second_factor", "remove_second_factor"}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Api:
    return make_api(tmp_path_factory.mktemp("roles"))


def _operations(api: Api) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method.upper(), path, operation)
        for path, operations in api.app.openapi()["paths"].items()
        for method, operation in operations.items()
    ]


def _filled(path: str) -> str:
    return re.sub(r"{\w+}", "unknown", path.replace("{number}", "0"))


def test_every_route_names_a_right(api: Api) -> None:
    known = {right.value for right in Right} | {PUBLIC}
    lacking = [f"{method} {path}" for method, path, op in _operations(api) if op.get("x-right") not in known]
    assert lacking == []
    assert len(_operations(api)) >= 20


def test_every_parameter_is_described_and_every_text_of_a_body_has_an_example(api: Api) -> None:
    document = api.app.openapi()
    operations = [each for path in document["paths"].values() for each in path.values()]
    assert all(each["summary"] and each["description"] for each in operations)
    named = [given for each in operations for given in each.get("parameters", [])]
    assert [given["name"] for given in named if not given.get("description")] == []
    bodies = {name: body for name, body in document["components"]["schemas"].items() if name.endswith("In")}
    texts = [
        (name, field)
        for name, body in bodies.items()
        for field, schema in body.get("properties", {}).items()
        if any(kind.get("type") == "string" for kind in schema.get("anyOf", [schema]))
        and not any("examples" in kind or "enum" in kind for kind in schema.get("anyOf", [schema]))
        and "examples" not in schema
    ]
    assert len(bodies) > 30 and texts == []


def test_bodies_are_called_by_one_name_each(api: Api) -> None:
    # FastAPI tells two of one name apart by their modules, which is no name for a program that is generated from it.
    assert [name for name in api.app.openapi()["components"]["schemas"] if "__" in name] == []


def test_only_sign_in_activation_and_health_are_public(api: Api) -> None:
    public = {op["operationId"] for _, _, op in _operations(api) if op["x-right"] == PUBLIC}
    directory = {"begin_directory_sign_in", "finish_directory_sign_in", "open_directory_session"}
    assert public == {"sign_in", "show_health", "activate_package"} | directory


def test_every_right_is_needed_somewhere(api: Api) -> None:
    assert {op["x-right"] for _, _, op in _operations(api)} - {PUBLIC} == {right.value for right in Right}


@pytest.mark.parametrize("role", [None, *Role])
def test_matrix(api: Api, role: Role | None) -> None:
    """Whoever may not is refused, whoever may is not; and every answer is one that the description lists."""
    account = api.world.accounts[role] if role is not None else None
    kept = api.bearer(account)
    for method, path, operation in _operations(api):
        right = operation["x-right"]
        body = BODIES.get(operation["operationId"])
        answer = api.call(method, _filled(path), None, headers=kept, json=body)
        if right == Right.SESSION:  # it may have ended the session
            kept = api.bearer(account)
        told = f"{role}: {method} {path}: {answer.status_code} {answer.text[:200]}"
        assert str(answer.status_code) in operation["responses"], told
        if right == PUBLIC:
            continue
        if account is None:
            assert answer.status_code == 401, told
        elif may(account, Right(right)).allowed:
            # allowed, and looked at: a made-up code fits no second factor
            done = {401, 409} if operation["operationId"] in NEEDS_CODE else {200, 201, 204, 404}
            assert answer.status_code in done, told
        else:
            assert answer.status_code == 403, told


@pytest.fixture
def busy(tmp_path: Path) -> tuple[Api, str]:
    """An API with one request, submitted by the records manager."""
    api = make_api(tmp_path)
    case = api.world.recorded_case()
    assert case.armed_us is not None
    body = export_body(case.case_id, utc_iso(case.armed_us), utc_iso(api.world.clock.now_us()))
    return api, api.post("exports", Role.RECORDS_MANAGER, json=body).json()["id"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "exports/{}"),
        ("POST", "exports/{}/submit"),
        ("POST", "exports/{}/download-link"),
        ("POST", "exports/{}/approve"),
    ],
)
def test_other_peoples_requests_answer_like_unknown_ones(
    busy: tuple[Api, str], method: str, path: str
) -> None:
    api, theirs = busy
    other = api.world.account(Role.RECORDS_MANAGER, "second-manager")
    unknown = theirs[:-1] + ("0" if theirs[-1] != "0" else "1")
    there, not_there = (
        api.call_as(method, path.format(request_id), other) for request_id in (theirs, unknown)
    )
    assert there.status_code == not_there.status_code
    assert there.text.replace(theirs, "ID") == not_there.text.replace(unknown, "ID")


def test_lists_hold_only_what_the_caller_may_see(busy: tuple[Api, str]) -> None:
    api, theirs = busy
    other = api.world.account(Role.RECORDS_MANAGER, "second-manager")
    assert api.call_as("GET", "exports", other).json() == []
    for role in (Role.RECORDS_MANAGER, Role.PRIVACY_OFFICER, Role.AUDITOR):
        assert [row["id"] for row in api.get("exports", role).json()] == [theirs]


def test_those_who_see_a_request_may_yet_not_fetch_it(busy: tuple[Api, str]) -> None:
    api, theirs = busy
    api.world.custody.approve_export(api.world.officer, theirs)
    job = api.world.claimed()
    api.world.custody.finish_render(theirs, job.epoch, "a.orvpkg", 1, "a" * 64, second_look=NOTHING_LEFT)
    for role in (Role.PRIVACY_OFFICER, Role.AUDITOR, Role.SYSTEM_ADMINISTRATOR, Role.CLINICAL_STAFF):
        assert is_problem(api.post(f"exports/{theirs}/download-link", role), 403, "forbidden")
    assert api.post(f"exports/{theirs}/download-link", Role.RECORDS_MANAGER).status_code == 200


def test_staff_who_answer_see_their_answer_and_nothing_else_of_the_request(tmp_path: Path) -> None:
    api = make_api(tmp_path)
    api.world.custody._exports = ExportPolicy(participants_review=True)
    wish = api.world.wish(api.world.recorded_case(), basis=consents_of("Lee", "Park"))
    request = api.world.custody.submit_export(api.world.manager, wish)
    api.world.custody.approve_export(api.world.officer, request.request_id)
    job = api.world.claimed()
    api.world.custody.finish_render(
        request.request_id, job.epoch, "a.orvpkg", 1, "a" * 64, second_look=NOTHING_LEFT
    )
    lee = api.world.custody.create_account(None, "lee", "Lee", Role.CLINICAL_STAFF, PASSWORD, (SITE,))
    body = {"participant": "Lee", "agrees": True}
    said = api.call_as("POST", f"exports/{request.request_id}/answers", lee, json=body)
    assert said.status_code == 200, said.text
    assert set(said.json()) == {"participant", "agrees", "remark", "document_sha256", "taken_by", "at"}
    assert "Han" not in said.text and "Park" not in said.text
