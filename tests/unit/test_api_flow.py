"""The whole way over HTTP: plan, arm, record, request, approve, render, download link, history."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orvault.clock import US_PER_S, utc_iso
from orvault.custody.account import Role
from tests.fake_parts import make_segment
from tests.fakes import NOTHING_LEFT, PASSWORD
from tests.unit.api_support import MEDIA, Api, export_body, is_problem, make_api

MANAGER, OFFICER, CLINICIAN = Role.RECORDS_MANAGER, Role.PRIVACY_OFFICER, Role.CLINICAL_STAFF
CASE = {
    "number": "2026-OR1-0001",
    "room": "OR 1",
    "planned_at": "2026-11-22T18:30:00+09:00",
    "recording_request": "Form 1, 2026-11-20",
    "participants": ["Lee", "Park"],
}


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return make_api(tmp_path)


def _recorded(api: Api) -> dict[str, Any]:
    case: dict[str, Any] = api.post("cases", MANAGER, json=CASE).json()
    at = api.world.clock.now_us()
    assert api.post(f"cases/{case['id']}/arm", CLINICIAN).json()["state"] == "armed"
    started = api.post(f"cases/{case['id']}/recording/start", CLINICIAN).json()
    assert started["problems"] == [] and len(started["runs"]) == 2
    for run in started["runs"]:
        segments = [
            make_segment(run["id"], case["id"], run["camera_id"], n, at + n * 2 * US_PER_S) for n in range(5)
        ]
        assert api.world.index(segments).added == 5
    api.world.clock.us += 10 * US_PER_S
    return case | {"from": utc_iso(at), "to": utc_iso(at + 10 * US_PER_S)}


def _submitted(api: Api, **changes: Any) -> dict[str, Any]:
    case = _recorded(api)
    response = api.post("exports", MANAGER, json=export_body(case["id"], case["from"], case["to"], **changes))
    assert response.status_code == 201, response.json()
    body: dict[str, Any] = response.json()
    return body


def test_from_plan_to_download_link(api: Api) -> None:
    case = _recorded(api)
    cameras = {camera["id"]: camera for camera in api.get("cameras", CLINICIAN).json()}
    assert cameras["or1-wall"]["state"] == "recording" and cameras["or2-wall"]["state"] == "idle"
    assert api.post(f"cases/{case['id']}/close", CLINICIAN).json()["case"]["state"] == "closed"
    (first, second) = api.get("recordings", MANAGER, params={"case_id": case["id"]}).json()
    assert (first["segments"], first["from"], first["to"]) == (5, case["from"], case["to"])
    assert second["bytes"] == 5 * 2048

    submitted = api.post("exports", MANAGER, json=export_body(case["id"], case["from"], case["to"])).json()
    assert submitted["state"] == "satisfied"
    where = f"exports/{submitted['id']}"
    assert is_problem(api.post(f"{where}/download-link", MANAGER), 409, "not-approved")
    assert api.post(f"{where}/approve", OFFICER).json()["state"] == "approved"
    assert api.world.renderers.woken == 1

    job = api.world.claimed()
    api.world.custody.render_progress(submitted["id"], job.epoch, "masking", 40, 150)
    assert api.get(where, MANAGER).json()["progress"] == {"stage": "masking", "done": 40, "total": 150}
    assert is_problem(api.post(f"{where}/download-link", MANAGER), 409, "conflict")
    api.world.custody.finish_render(
        submitted["id"], job.epoch, "a.orvpkg", 1234, "a" * 64, second_look=NOTHING_LEFT
    )

    link = api.post(f"{where}/download-link", MANAGER).json()
    assert link["url"].startswith(f"{MEDIA}/media/{api.get(where, MANAGER).json()['package']['id']}?token=")
    assert (link["bytes"], link["sha256"]) == (1234, "a" * 64)
    history = api.get("history", Role.AUDITOR, params={"subject": f"export:{submitted['id']}"}).json()
    acts = [entry["act"] for entry in history]
    assert acts[::-1] == [
        "export-submitted",
        "basis-satisfied",
        "export-approved",
        "render-started",
        "render-finished",
        "link-issued",
    ]
    assert history[-1]["actor_name"] == "Records-Manager"


def test_sign_in_gives_a_token_that_works_until_it_is_over(api: Api) -> None:
    form = {"username": "AUDITOR ", "password": PASSWORD}
    answer = api.post("session", None, data=form).json()
    assert (answer["token_type"], answer["expires_in"]) == ("bearer", 900)
    headers = {"Authorization": f"Bearer {answer['access_token']}"}
    assert api.get("session/me", None, headers=headers).json()["role"] == "auditor"
    api.world.clock.us += 900 * US_PER_S
    assert is_problem(api.get("session/me", None, headers=headers), 401, "unauthenticated")


def test_signed_out_token_opens_nothing(api: Api) -> None:
    token = {"Authorization": f"Bearer {api.token(api.world.manager)}"}
    assert api.call("DELETE", "session", None, headers=token).status_code == 204
    assert is_problem(api.get("session/me", None, headers=token), 401, "unauthenticated")


def test_failed_sign_ins_make_the_next_one_wait_and_say_for_how_long(api: Api) -> None:
    for _ in range(5):
        wrong = api.post("session", None, data={"username": "auditor", "password": "wrong"})
        assert is_problem(wrong, 401, "unauthenticated")
        assert wrong.headers["www-authenticate"] == "Bearer"
    locked = api.post("session", None, data={"username": "auditor", "password": PASSWORD})
    assert is_problem(locked, 429, "too-many-attempts")
    assert locked.headers["retry-after"] == "60"
    api.world.clock.us += 60 * US_PER_S
    assert api.post("session", None, data={"username": "auditor", "password": PASSWORD}).status_code == 200


def test_token_in_the_address_or_a_cookie_is_not_taken(api: Api) -> None:
    token = api.token(api.world.manager)
    for place in ({"params": {"access_token": token}}, {"headers": {"Cookie": f"access_token={token}"}}):
        assert is_problem(api.get("cases", None, **place), 401, "unauthenticated")  # type: ignore[arg-type]


def test_requester_may_not_approve_its_own_request(api: Api) -> None:
    mine = _submitted(api)
    refused = api.post(f"exports/{mine['id']}/approve", MANAGER)
    assert is_problem(refused, 403, "self-approval")
    case_id, start, end = mine["case_id"], mine["from"], mine["to"]
    own = api.post("exports", OFFICER, json=export_body(case_id, start, end)).json()
    assert is_problem(api.post(f"exports/{own['id']}/approve", OFFICER), 403, "self-approval")
    other = api.world.account(OFFICER, "second-officer")
    assert api.call_as("POST", f"exports/{own['id']}/approve", other).json()["state"] == "approved"


def test_refusal_keeps_its_reason(api: Api) -> None:
    mine = _submitted(api)
    where = f"exports/{mine['id']}"
    assert is_problem(api.post(f"{where}/refuse", OFFICER, json={"reason": " "}), 400, "bad-request")
    assert api.post(f"{where}/refuse", OFFICER, json={"reason": "No order attached."}).status_code == 200
    shown = api.get(where, MANAGER).json()
    assert (shown["state"], shown["refusal_reason"]) == ("refused", "No order attached.")
    assert is_problem(api.post(f"{where}/approve", OFFICER), 409, "conflict")
    assert is_problem(api.post(f"{where}/download-link", MANAGER), 409, "not-approved")


def test_incomplete_basis_is_named(api: Api) -> None:
    case = _recorded(api)
    body = export_body(case["id"], case["from"], case["to"], basis={"kind": "court"})
    answer = api.post("exports", MANAGER, json=body)
    assert is_problem(answer, 422, "basis-missing") and "court's order" in answer.json()["detail"]


def test_consents_come_and_go_until_the_copy_left(api: Api) -> None:
    basis = {"kind": "consent", "consents": [_consent("staff", "Lee")]}
    mine = _submitted(api, basis=basis)
    where = f"exports/{mine['id']}"
    assert mine["state"] == "submitted" and mine["basis"]["consents"][0]["taken_by"] == mine["requested_by"]
    answer = api.post(f"{where}/approve", OFFICER)
    assert is_problem(answer, 422, "basis-missing")
    assert "the patient's consent" in answer.json()["detail"] and "Park" in answer.json()["detail"]
    assert "Lee" not in answer.json()["detail"]
    shown = api.get(f"{where}/consents", OFFICER).json()
    assert shown["missing"] == ["the patient's consent", "the consent of Park"]
    unproven = {"consents": [{"subject": "patient", "name": "Han", "document_sha256": "none"}]}
    assert is_problem(api.post(f"{where}/consents", MANAGER, json=unproven), 400, "bad-request")
    given = {"consents": [_consent("patient", "Han"), _consent("staff", "Park")]}
    assert api.post(f"{where}/consents", MANAGER, json=given).json()["state"] == "satisfied"
    assert api.post(f"{where}/approve", OFFICER).json()["state"] == "approved"
    withdrawn = api.post(f"{where}/consents/1/withdraw", MANAGER, json={"reason": "Changed her mind."}).json()
    assert (withdrawn["state"], withdrawn["approvals"], withdrawn["decided_by"]) == ("submitted", [], None)
    assert withdrawn["basis"]["consents"][1]["withdrawal_reason"] == "Changed her mind."
    again = api.post(f"{where}/consents/1/withdraw", MANAGER, json={"reason": "Twice."})
    assert is_problem(again, 409, "conflict")
    assert is_problem(
        api.post(f"{where}/consents/9/withdraw", MANAGER, json={"reason": "x"}), 404, "not-found"
    )
    history = api.get("history", OFFICER, params={"subject": f"export:{mine['id']}"}).json()
    assert [entry["act"] for entry in history][:3] == ["basis-broken", "consent-withdrawn", "export-approved"]
    assert "Han" not in str(history)


def _consent(subject: str, name: str) -> dict[str, str]:
    return {"subject": subject, "name": name, "document": "Form 3", "document_sha256": "ab" * 32}


def test_empty_period_says_what_was_recorded_when(api: Api) -> None:
    case = _recorded(api)
    api.world.clock.us += 3600 * US_PER_S
    body = export_body(case["id"], "2027-01-15T09:00:00+00:00", "2027-01-15T09:01:00+00:00")
    later = utc_iso(api.world.clock.now_us() - 60 * US_PER_S), utc_iso(api.world.clock.now_us())
    answer = api.post("exports", MANAGER, json=body | {"from": later[0], "to": later[1]})
    assert is_problem(answer, 422, "empty-range")
    assert "OR 1 wall 2027-01-15 08:00:00Z to 2027-01-15 08:00:10Z" in answer.json()["detail"]


def test_recipient_password_is_neither_kept_nor_shown(api: Api, tmp_path: Path) -> None:
    secret = "correct horse battery staple"
    made = _submitted(api, recipients=[{"name": "Patient", "password": secret}])
    assert made["recipients"] == ["Patient"]
    (recipient,) = api.world.custody.export(api.world.manager, made["id"]).wish.recipients
    assert recipient.password_salt is not None
    for file in tmp_path.iterdir():
        assert secret.encode() not in file.read_bytes()


def test_stop_before_the_close_needs_a_reason(api: Api) -> None:
    case = _recorded(api)
    where = f"cases/{case['id']}/recording/stop"
    assert is_problem(api.post(where, CLINICIAN, json={}), 400, "bad-request")
    stopped = api.post(where, CLINICIAN, json={"reason": "Emergency elsewhere"}).json()
    assert stopped["case"]["state"] == "armed" and stopped["runs"][0]["stop_reason"] == "Emergency elsewhere"


def test_lists_are_paged(api: Api) -> None:
    for n in range(5):
        api.world.clock.us += 10_000
        assert api.post("cases", MANAGER, json=CASE | {"number": f"N-{n}"}).status_code == 201
    first = api.get("cases", MANAGER, params={"limit": 2}).json()
    rest = api.get("cases", MANAGER, params={"limit": 200, "before": first[-1]["id"]}).json()
    assert [case["number"] for case in first + rest] == ["N-4", "N-3", "N-2", "N-1", "N-0"]
    newest = api.get("history", Role.AUDITOR, params={"limit": 1}).json()[0]["seq"]
    older = api.get("history", Role.AUDITOR, params={"limit": 1, "before": newest}).json()
    assert older[0]["seq"] == newest - 1


def test_health_needs_no_sign_in(api: Api) -> None:
    for path in ("/healthz", "/api/v1/healthz"):
        assert api.get(path, None).json() == {"status": "ok", "version": "1.2.3"}


def test_accounts_are_closed_opened_and_given_new_passwords(api: Api) -> None:
    admin, auditor = Role.SYSTEM_ADMINISTRATOR, api.world.accounts[Role.AUDITOR]
    theirs = {"Authorization": f"Bearer {api.token(auditor)}"}
    closed = api.post(f"accounts/{auditor.account_id}/disable", admin)
    assert closed.status_code == 200 and closed.json()["disabled_at"]
    assert is_problem(api.get("session/me", None, headers=theirs), 401, "unauthenticated")
    assert api.post(f"accounts/{auditor.account_id}/enable", admin).json()["disabled_at"] is None
    reset = {"password": "Given-by-another-1"}
    assert api.post(f"accounts/{auditor.account_id}/reset-password", admin, json=reset).json()[
        "must_change_password"
    ]
    form = {"username": "auditor", "password": "Given-by-another-1"}
    token = api.post("session", None, data=form).json()["access_token"]
    theirs = {"Authorization": f"Bearer {token}"}
    assert is_problem(api.get("history", None, headers=theirs), 403, "forbidden")
    assert api.get("session/me", None, headers=theirs).json()["must_change_password"]
    own = {"old_password": "Given-by-another-1", "new_password": PASSWORD}
    assert api.call("POST", "session/password", None, headers=theirs, json=own).status_code == 204
    assert is_problem(api.get("session/me", None, headers=theirs), 401, "unauthenticated")
    assert api.get("history", Role.AUDITOR).status_code == 200
    last = api.world.accounts[admin]
    assert is_problem(api.post(f"accounts/{last.account_id}/disable", admin), 409, "conflict")
