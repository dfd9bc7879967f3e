"""Views and the quick mask over HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest

from orvault.clock import utc_iso
from orvault.custody.account import Role
from orvault.custody.viewing import MINUTE_US
from tests.unit.api_support import Api, is_problem, make_api

STAFF, OFFICER, AUDITOR = Role.CLINICAL_STAFF, Role.PRIVACY_OFFICER, Role.AUDITOR


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return make_api(tmp_path)


def lifted(api: Api) -> dict[str, str]:
    states = api.get("quick-mask", AUDITOR).json()
    assert all(state["masked"] == (state["lifted_until"] is None) for state in states)
    return {state["camera_id"]: state["lifted_until"] for state in states if not state["masked"]}


def test_every_camera_is_masked_until_somebody_lifts_it_for_minutes(api: Api) -> None:
    assert lifted(api) == {}
    body = {"camera_id": "or1-wall", "minutes": 5, "reason": "The anaesthetist watches."}
    assert api.post("quick-mask/lift", STAFF, json=body).status_code == 200
    assert lifted(api) == {"or1-wall": utc_iso(api.world.clock.us + 5 * MINUTE_US)}
    api.world.clock.us += 5 * MINUTE_US
    assert lifted(api) == {}
    assert api.post("quick-mask/lift", OFFICER, json={"minutes": 5, "reason": "all"}).status_code == 200
    assert len(lifted(api)) > 1
    assert api.post("quick-mask", AUDITOR).status_code == 200
    assert lifted(api) == {}


def test_what_is_refused(api: Api) -> None:
    lift = {"minutes": 5, "reason": "because"}
    assert is_problem(api.post("quick-mask/lift", AUDITOR, json=lift), 403, "forbidden")
    assert is_problem(api.post("quick-mask/lift", STAFF, json=lift | {"minutes": 31}), 400, "bad-request")
    assert is_problem(api.post("quick-mask/lift", STAFF, json=lift | {"reason": " "}), 400, "bad-request")
    assert is_problem(api.post("quick-mask", STAFF, json={"camera_id": "none"}), 404, "not-found")
    assert is_problem(api.post("views/live", STAFF, json={"camera_id": "none"}), 404, "not-found")
    assert lifted(api) == {}


def test_a_live_view_answers_with_its_page_and_what_it_shows(api: Api) -> None:
    answer = api.post("views/live", STAFF, json={"camera_id": "or1-wall"})
    told = answer.json()
    assert (answer.status_code, told["showing"], told["playlist"]) == (201, "masked", None)
    assert told["reason"] == "This account holds no viewing grant that covers this."
    token = told["url"].split("/view/")[1].rstrip("/")
    assert api.links.read_view(token) == told["id"]
    assert told["socket"].endswith(f"/view/{token}/socket")
    assert told["expires_at"] == utc_iso(api.world.clock.us + 60 * MINUTE_US)
    assert api.world.custody.open_view(told["id"], "192.0.2.7").view.client == "192.0.2.7"


def test_a_stored_view_needs_something_that_was_recorded(api: Api) -> None:
    case = api.world.recorded_case()
    assert case.armed_us is not None
    body = {
        "case_id": case.case_id,
        "camera_id": "or1-wall",
        "from": utc_iso(case.armed_us),
        "to": utc_iso(api.world.clock.us),
    }
    told = api.post("views/stored", OFFICER, json=body)
    assert told.status_code == 201 and told.json()["playlist"].endswith("/index.m3u8")
    assert is_problem(api.post("views/stored", STAFF, json=body), 403, "forbidden")
    before = body | {"from": "2020-01-01T00:00:00Z", "to": "2020-01-01T00:01:00Z"}
    assert is_problem(api.post("views/stored", OFFICER, json=before), 422, "empty-range")
    assert is_problem(api.post("views/stored", OFFICER, json=body | {"case_id": "none"}), 404, "not-found")
    backwards = body | {"from": body["to"], "to": body["from"]}
    assert is_problem(api.post("views/stored", OFFICER, json=backwards), 400, "bad-request")
    long = body | {"from": "2020-01-01T00:00:00Z"}
    assert is_problem(api.post("views/stored", OFFICER, json=long), 400, "bad-request")
