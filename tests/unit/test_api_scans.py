"""Scans and the choice of what is masked, over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orvault.clock import US_PER_S, utc_iso
from orvault.custody.account import Role
from tests.unit.api_support import Api, export_body, is_problem, make_api
from tests.unit.test_scans import FOUND, claimed

MANAGER, OFFICER = Role.RECORDS_MANAGER, Role.PRIVACY_OFFICER


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return make_api(tmp_path)


def drafted(api: Api) -> str:
    case = api.world.recorded_case()
    start, end = utc_iso(case.armed_us or 0), utc_iso(api.world.clock.us)
    answer = api.post("exports/drafts", MANAGER, json=export_body(case.case_id, start, end))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def scanned(api: Api, draft: str) -> dict[str, Any]:
    ordered = api.post(f"exports/{draft}/scan", MANAGER)
    assert ordered.status_code == 202 and ordered.json()["state"] == "waiting", ordered.text
    job = claimed(api.world)
    api.world.custody.finish_scan(job.scan.scan_id, job.epoch, [FOUND])
    return dict(api.get(f"exports/{draft}/scan", MANAGER).json())


def region(api: Api, *shares: float) -> dict[str, Any]:
    at = utc_iso(api.world.clock.us - 5 * US_PER_S)
    return {"camera_id": "or1-wall", "name": "screen", "keys": [{"at": at, "box": list(shares)}]}


def test_a_scan_is_ordered_shown_and_chosen_from(api: Api) -> None:
    draft = drafted(api)
    is_problem(api.get(f"exports/{draft}/scan", MANAGER), 404, "not-found")
    scan = scanned(api, draft)
    tracks = scan["cameras"][0]["tracks"]
    assert [(t["id"], t["kind"], t["may_be_left_clear"]) for t in tracks] == [
        ("1.1", "person", True),
        ("2", "lying", False),
        ("3.1", "person", True),
    ]
    assert tracks[0]["box"] == [0.1, 0.2, 0.3, 0.4] and tracks[0]["from"] == "1970-01-01T00:00:00.000001Z"
    body = {
        "scan_id": scan["id"],
        "clear": [{"camera_id": "or1-wall", "track": "3.1"}],
        "regions": [region(api, 0, 0.25, 0.5, 1)],
    }
    answer = api.call("PUT", f"exports/{draft}/masking", MANAGER, json=body)
    assert answer.status_code == 200, answer.text
    submitted = api.post(f"exports/{draft}/submit", MANAGER).json()
    choice = submitted["masking_choice"]
    assert (
        choice
        == answer.json()["masking_choice"]
        == api.get(f"exports/{draft}", OFFICER).json()["masking_choice"]
    )
    assert choice["clear"][0]["track"] == "3.1" and choice["chosen_by"] == api.world.manager.display_name
    assert choice["regions"][0]["keys"][0]["box"] == [0, 0.25, 0.5, 1]


def test_thumbnails_are_views_of_each_camera_masked_for_who_holds_no_grant(api: Api) -> None:
    draft = drafted(api)
    scanned(api, draft)
    answer = api.post(f"exports/{draft}/scan/thumbnails", OFFICER)
    assert answer.status_code == 201, answer.text
    (camera,) = answer.json()
    assert camera["showing"] == "masked" and [t["track"] for t in camera["thumbnails"]] == ["1.1", "2", "3.1"]
    assert camera["thumbnails"][0]["url"].endswith("/still.jpg?at=1&box=100000,200000,300000,400000")
    token = camera["thumbnails"][0]["url"].split("/view/")[1].split("/")[0]
    with api.world.ledger.uow(read_only=True) as uow:
        view = uow.views.get(api.links.read_view(token))
    assert view is not None and (view.camera_id, view.client) == ("or1-wall", "192.0.2.7")


@pytest.mark.parametrize(
    "change",
    [
        {"clear": [{"camera_id": "or1-wall", "track": "9.9"}]},
        {"clear": [{"camera_id": "or1-wall", "track": "2"}]},
        {"clear": [{"camera_id": "or1-wall", "track": "x" * 33}]},
        {"clear": [{"camera_id": "or1-wall", "track": "1.1"}] * 501},
        {"regions": [{"camera_id": "or1-wall", "name": "a", "keys": []}]},
        {"everything": True},
    ],
)
def test_what_cannot_be_chosen_is_a_400(api: Api, change: dict[str, Any]) -> None:
    draft = drafted(api)
    scan = scanned(api, draft)
    answer = api.call("PUT", f"exports/{draft}/masking", MANAGER, json={"scan_id": scan["id"]} | change)
    assert is_problem(answer, 400, "bad-request")


@pytest.mark.parametrize(
    "shares",
    [
        "[0, 0, 1.1, 1]",
        "[-0.1, 0, 1, 1]",
        "[0, 0, NaN, 1]",
        "[0, 0, Infinity, 1]",
        "[0, 0, 1]",
        "[1, 0, 0, 1]",
    ],
)
def test_boxes_lie_inside_the_picture_and_are_finite(api: Api, shares: str) -> None:
    draft = drafted(api)
    at = utc_iso(api.world.clock.us - 5 * US_PER_S)
    keys = f'[{{"at": "{at}", "box": {shares}}}]'
    body = f'{{"regions": [{{"camera_id": "or1-wall", "name": "a", "keys": {keys}}}]}}'
    headers = {"Content-Type": "application/json"}
    answer = api.call("PUT", f"exports/{draft}/masking", MANAGER, content=body, headers=headers)
    assert is_problem(answer, 400, "bad-request")
