"""Hostile and careless input: every answer is a problem document that says where and what, and repeats no secret."""

from __future__ import annotations

import json
import logging
from contextlib import ExitStack
from typing import Any

import pytest

from api import models_wishes
from orvault.custody.account import Role
from orvault.custody.passwords import RECIPIENTS
from orvault.errors import ErrorKind, OrvaultError
from tests.fakes import PASSWORD
from tests.unit.api_support import Api, export_body, is_problem, make_api

MANAGER = Role.RECORDS_MANAGER
BODY = export_body("c", "2026-11-22T18:30:00Z", "2026-11-22T18:31:00Z")
SECRET = "Hunter2-Hunter2-Hunter2"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Api:
    return make_api(tmp_path_factory.mktemp("inputs"))


@pytest.fixture(scope="module")
def case_id(api: Api) -> str:
    return api.world.recorded_case(number="fields").case_id


def test_garbage_json_names_its_place(api: Api) -> None:
    answer = api.post(
        "exports",
        MANAGER,
        content='{"case_id": "x", "password": "' + SECRET + '", oops}',
        headers={"Content-Type": "application/json"},
    )
    assert is_problem(answer, 400, "bad-request")
    assert "character" in answer.json()["errors"][0]["where"] and "JSON" in answer.json()["detail"]
    assert SECRET not in answer.text


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\xff\xfe\x00", "application/json"),
        (b"[" * 200_000, "application/json"),
        (b'"just text"', "application/json"),
        (b"null", "application/json"),
        (b"", "application/json"),
        (b"a=b", "application/x-www-form-urlencoded"),
        (b"{}", "text/plain"),
        (b'{"case_id": "\\ud800"}', "application/json"),
        (b'{"from": 1e999}', "application/json"),
    ],
)
def test_unreadable_bodies(api: Api, content: bytes, kind: str) -> None:
    answer = api.post("exports", MANAGER, content=content, headers={"Content-Type": kind})
    assert is_problem(answer, 400, "bad-request")


@pytest.mark.parametrize(
    ("change", "where", "expected"),
    [
        ({"from": "2026-11-22T18:30:00"}, "body.from", "offset"),
        ({"from": "yesterday"}, "body.from", "offset"),
        ({"from": 12345}, "body.from", "offset"),
        ({"from": "1969-12-31T23:59:59Z"}, "body.from", "1970"),
        ({"camera_ids": "or1-wall"}, "body.camera_ids", "list"),
        ({"camera_ids": ["x"] * 33}, "body.camera_ids", "at most 32"),
        ({"masking": {"mode": "none"}}, "body.masking.mode", "'face'"),
        ({"masking": {"style": "lace"}}, "body.masking.style", "'solid'"),
        ({"watermark": {"text": "x", "position": "middle"}}, "body.watermark.position", "'top-left'"),
        ({"watermark": {"text": "x", "opacity": 101}}, "body.watermark.opacity", "100"),
        ({"watermark": {"text": "x", "utc_offset_min": 841}}, "body.watermark.utc_offset_min", "840"),
        ({"basis": {"kind": "curiosity"}}, "body.basis.kind", "'court'"),
        ({"recipients": [{"name": "A"}]}, "body.recipients[0]", "either a password or a public_key"),
        ({"recipients": [{"name": "A", "password": 7}]}, "body.recipients[0].password", "text"),
        ({"surprise": 1}, "body.surprise", "no such name"),
    ],
)
def test_wrong_fields_are_named_with_what_was_expected(
    api: Api, change: dict[str, Any], where: str, expected: str
) -> None:
    answer = api.post("exports", MANAGER, json=BODY | change)
    assert is_problem(answer, 400, "bad-request")
    found = {error["where"]: error["expected"] for error in answer.json()["errors"]}
    assert expected in found[where]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"from": BODY["to"], "to": BODY["from"]}, "from, to"),
        ({"to": "2026-11-25T18:30:00Z"}, "from, to"),
        ({"camera_ids": []}, "camera_ids"),
        ({"camera_ids": ["a", "a"]}, "camera_ids"),
        ({"recipients": []}, "recipients"),
        ({"recipients": BODY["recipients"] * 2}, "recipients"),
        ({"recipients": [{"name": "A", "password": "short"}]}, "recipient A"),
        ({"purpose": "  "}, "purpose"),
        ({"purpose": "a\u0000b"}, "purpose"),
        ({"watermark": {"text": "x" * 65}}, "watermark.text"),
        ({"watermark": {"text": "two\nlines"}}, "watermark.text"),
        ({"watermark": {}}, "watermark.text"),
        ({"watermark": {"text": "{patient}"}}, "watermark.text"),
        ({"watermark": {"text": "a } b"}}, "watermark.text"),
        ({"watermark": {"text": "{time} {time}"}}, "watermark.text"),
        ({"watermark": {"text": "x", "opacity": 5}}, "watermark.opacity"),
        ({"watermark": {"text": "x", "size": 50}}, "watermark.size"),
        ({"watermark": {"text": "x", "x": 5}}, "watermark.x, watermark.y"),
        ({"watermark": {"text": "x", "x": 5, "y": 5, "tiled": True}}, "watermark.tiled"),
        ({"watermark": {"image": {"id": "seal"}}}, "watermark.image.id"),
        ({"watermark": {"image": {"id": "0" * 64, "size": 1}}}, "watermark.image.size"),
        ({"terms": "x" * 4001}, "terms"),
        (
            {"valid_from": "2027-02-01T00:00:00Z", "valid_until": "2027-01-31T00:00:00Z"},
            "valid_from, valid_until",
        ),
        ({"valid_until": "2027-01-01T00:00:00Z"}, "valid_from, valid_until"),
        ({"valid_until": "2031-01-01T00:00:00Z"}, "valid_from, valid_until"),
    ],
)
def test_custody_names_the_field_too(api: Api, case_id: str, change: dict[str, Any], where: str) -> None:
    answer = api.post("exports", MANAGER, json=BODY | {"case_id": case_id} | change)
    assert is_problem(answer, 400, "bad-request")
    assert answer.json()["where"] == where


def test_no_password_is_worked_on_for_a_case_that_is_not_there(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    worked: list[str] = []
    monkeypatch.setattr(models_wishes, "password_recipient", lambda name, _password: worked.append(name))
    recipients = [{"name": "A", "password": "four random words"}]
    answer = api.post("exports", MANAGER, json=BODY | {"recipients": recipients})
    assert is_problem(answer, 404, "not-found") and worked == []


def test_few_wait_for_recipients_passwords(api: Api, case_id: str) -> None:
    body = BODY | {"case_id": case_id, "recipients": [{"name": "A", "password": "four random words"}]}
    with ExitStack() as others:
        for _ in range(5):
            others.enter_context(RECIPIENTS.place())
        assert is_problem(api.post("exports", MANAGER, json=body), 429, "too-many-attempts")
        keys = api.post("exports", MANAGER, json=BODY | {"case_id": case_id})
        assert keys.json()["type"] != "urn:orvault:problem:too-many-attempts"
    assert api.post("exports", MANAGER, json=body).status_code != 429


def test_unknown_case_and_camera_are_named(api: Api) -> None:
    answer = api.post("exports", MANAGER, json=BODY)
    assert is_problem(answer, 404, "not-found") and answer.json()["where"] == "case_id"
    case = api.world.recorded_case(number="named")
    answer = api.post("exports", MANAGER, json=BODY | {"case_id": case.case_id, "camera_ids": ["or1-roof"]})
    assert is_problem(answer, 404, "not-found") and "or1-roof" in answer.json()["detail"]


def test_passwords_sent_wrongly_are_never_repeated(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    bodies: list[tuple[str, Any, Role | None]] = [
        (
            "accounts",
            {"name": "a b", "display_name": "x", "role": "auditor", "password": SECRET},
            Role.SYSTEM_ADMINISTRATOR,
        ),
        ("accounts", {"name": "abc", "role": "x", "password": SECRET}, Role.SYSTEM_ADMINISTRATOR),
        (
            "accounts",
            {"name": "abc", "display_name": "x", "role": "auditor", "password": [SECRET]},
            Role.SYSTEM_ADMINISTRATOR,
        ),
        ("exports", BODY | {"recipients": [{"name": "A", "password": SECRET, "x": 1}]}, MANAGER),
        ("exports", BODY | {"recipients": SECRET}, MANAGER),
        ("exports", BODY | {"from": SECRET}, MANAGER),
    ]
    for path, body, role in bodies:
        answer = api.post(path, role, json=body)
        assert answer.status_code == 400 and SECRET not in answer.text, answer.text
    answer = api.post("session", None, data={"username": SECRET, "password": SECRET})
    assert answer.status_code == 401 and SECRET not in answer.text
    answer = api.post("session", None, data={"password": SECRET})
    assert is_problem(answer, 400, "bad-request") and SECRET not in answer.text
    told = json.dumps(api.get("history", Role.AUDITOR, params={"limit": 200}).json())
    assert SECRET not in told + caplog.text and PASSWORD not in told + caplog.text


def test_large_bodies_are_refused_early_and_late(api: Api) -> None:
    async def drip() -> Any:
        for _ in range(40):
            yield b" " * 32_768

    declared = api.post("exports", MANAGER, content=b" " * ((1 << 20) + 1))
    undeclared = api.post("exports", MANAGER, content=drip(), headers={"Content-Type": "application/json"})
    for answer in (declared, undeclared):
        assert is_problem(answer, 413, answer.json()["type"].rsplit(":", 1)[-1])


def test_unknown_address_and_method(api: Api) -> None:
    assert is_problem(api.get("nothing-here", MANAGER), 404, "not-found")
    answer = api.call("PUT", "cases", MANAGER)
    assert is_problem(answer, 405, "method-not-allowed")
    assert set(answer.headers["allow"].split(", ")) <= {"GET", "POST"}


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "before=" + "x" * 65, "state=lost"])
def test_wrong_queries(api: Api, query: str) -> None:
    assert is_problem(api.get(f"cases?{query}", MANAGER), 400, "bad-request")


@pytest.mark.parametrize("path", ["cases/" + "x" * 65, "cases/%00", "cases/%ff%fe", "cases/' OR 1=1"])
def test_odd_identifiers(api: Api, path: str) -> None:
    assert api.get(path, MANAGER).status_code in {400, 404}


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer x.y.z", "Basic YTpi", "Bearer " + "a" * 9000])
def test_tokens_that_are_none(api: Api, header: str) -> None:
    answer = api.get("cases", None, headers={"Authorization": header})
    assert is_problem(answer, 401, "unauthenticated")


def test_unforeseen_failure_tells_a_number_and_nothing_else(
    api: Api, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise RuntimeError(f"the secret is {SECRET}")

    monkeypatch.setattr(api.world.recorders, "statuses", fail)
    answer = api.get("cameras", MANAGER)
    assert is_problem(answer, 500, "internal")
    assert SECRET not in answer.text and "RuntimeError" not in answer.text
    assert answer.json()["correlation_id"] in caplog.text


def test_deliberate_server_failure_carries_a_number_too(
    api: Api, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> int:
        raise OrvaultError(ErrorKind.UNAVAILABLE, "The ledger does not answer.")

    monkeypatch.setattr(api.world.custody, "check_ledger", fail)
    answer = api.get("/healthz", None)
    assert is_problem(answer, 503, "unavailable")
    assert answer.json()["correlation_id"] in caplog.text


def test_locked_key_store_is_said_when_arming(api: Api) -> None:
    body = {
        "number": "locked",
        "room": "OR 1",
        "planned_at": "2026-11-22T18:30:00+09:00",
        "recording_request": "Form 1",
    }
    case_id = api.post("cases", MANAGER, json=body).json()["id"]
    api.world.case_keys.locked = True
    assert is_problem(api.post(f"cases/{case_id}/arm", MANAGER), 503, "keys-locked")
    api.world.case_keys.locked = False
    assert api.post(f"cases/{case_id}/arm", MANAGER).status_code == 200
    assert is_problem(api.post(f"cases/{case_id}/arm", MANAGER), 409, "conflict")
