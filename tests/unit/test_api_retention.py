"""Retention over HTTP: the dry run, its approval, holds, extensions, receipts, and what is gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from orvault.clock import utc_iso
from orvault.custody.account import Role
from orvault.custody.case import Case
from orvault.custody.retention import DAY_US
from tests.unit.api_support import Api, export_body, is_problem, make_api

MANAGER, OFFICER = Role.RECORDS_MANAGER, Role.PRIVACY_OFFICER


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return make_api(tmp_path)


@pytest.fixture
def case(api: Api) -> Case:
    made = api.world.recorded_case(3)
    api.world.clock.us += 31 * DAY_US
    return made


def test_the_dry_run_tells_dates_sizes_and_the_policy(api: Api, case: Case) -> None:
    plan = api.get("retention/plan", OFFICER).json()
    (item,) = plan["due"]
    assert item["case_id"] == case.case_id and item["bytes"] == 6 * 2048 and item["stopped_by"] == []
    assert item["due_at"] == utc_iso(api.world.clock.now_us() - DAY_US)
    assert plan["policy"] == {"floor_days": 30, "ceiling_days": 90, "approve": True, "notice_days": 7}
    assert api.get("retention/plan", Role.CLINICAL_STAFF).status_code == 403


def test_holds_and_extensions_show_in_the_plan_and_at_the_case(api: Api, case: Case) -> None:
    holds = f"cases/{case.case_id}/holds"
    hold = api.post(holds, MANAGER, json={"reason": "proceedings", "document": "2026-77"}).json()
    until = utc_iso(api.world.clock.now_us() + DAY_US)
    body = {"until": until, "reason": "asked", "document": "form 3"}
    assert api.post(f"cases/{case.case_id}/retention/extend", MANAGER, json=body).status_code == 200
    (item,) = api.get("retention/plan", OFFICER).json()["stopped"]
    assert [each["stop"] for each in item["stopped_by"]] == ["extended", "hold"]
    lift = f"{holds}/{hold['id']}/lift"
    assert is_problem(api.post(lift, MANAGER, json={"reason": "settled"}), 403, "self-approval")
    assert api.post(lift, OFFICER, json={"reason": "settled"}).json()["lifted_at"]
    told = api.get(f"cases/{case.case_id}/retention", Role.AUDITOR).json()
    assert told["extension"]["until"] == until and told["holds"][0]["lift_reason"] == "settled"
    assert [each["stop"] for each in told["stopped_by"]] == ["extended"]


def test_who_approves_sends_the_digest_of_what_was_shown(api: Api, case: Case) -> None:
    digest = api.get("retention/plan", OFFICER).json()["digest"]
    assert is_problem(api.post("retention/plan/approve", OFFICER, json={"digest": "0" * 64}), 409, "conflict")
    assert api.post("retention/plan/approve", MANAGER, json={"digest": digest}).status_code == 403
    (approved,) = api.post("retention/plan/approve", OFFICER, json={"digest": digest}).json()
    assert approved["step"] == "approved" and approved["case_id"] == case.case_id


def test_what_is_destroyed_is_gone_and_says_when(api: Api, case: Case) -> None:
    custody = api.world.custody
    custody.approve_destruction(api.world.officer, custody.retention_plan(api.world.officer).digest)
    custody.begin_due()
    taken = custody.take_up(case.case_id)
    custody.key_destroyed(case.case_id, taken.epoch)
    custody.packages_removed(case.case_id, taken.epoch)
    custody.finish_destruction(case.case_id, taken.epoch, b'{"receipt":1}', "ab" * 32)
    start, end = utc_iso(case.armed_us or 0), utc_iso(case.closed_us or 0)
    body = export_body(case.case_id, start, end)
    view = {"case_id": case.case_id, "camera_id": "or1-wall", "from": start, "to": end}
    hold = {"reason": "late", "document": "2026-78"}
    for path, sent in (("exports", body), ("views/stored", view), (f"cases/{case.case_id}/holds", hold)):
        answer = api.post(path, MANAGER, json=sent)
        assert is_problem(answer, 410, "destroyed") and "destroyed on 20" in answer.json()["detail"]
    listed = api.get("recordings", MANAGER, params={"case_id": case.case_id}).json()
    assert listed and all(run["destroyed_at"] for run in listed)
    receipt = api.get(f"cases/{case.case_id}/receipt", Role.AUDITOR)
    assert receipt.content == b'{"receipt":1}' and "attachment" in receipt.headers["content-disposition"]
    assert api.get(f"cases/{case.case_id}/retention", OFFICER).json()["destruction"]["step"] == "destroyed"
