"""Searches over HTTP: what they take and give, page by page."""

from __future__ import annotations

from pathlib import Path

import pytest

from orvault.clock import utc_iso
from orvault.custody.access import AccessPolicy
from orvault.custody.account import Role
from tests.unit.api_support import Api, is_problem, make_api

MANAGER = Role.RECORDS_MANAGER


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Api:
    made = make_api(tmp_path_factory.mktemp("search"))
    for n in range(3):
        made.world.recorded_case(5, number=f"2026-{n}")
    return made


def test_cases_by_number_and_room(api: Api) -> None:
    page = api.get("search/cases?number=2026-&limit=2", MANAGER).json()
    assert [case["number"] for case in page["items"]] == ["2026-0", "2026-1"]
    rest = api.get(f"search/cases?number=2026-&limit=2&after={page['next']}", MANAGER).json()
    assert [case["number"] for case in rest["items"]] == ["2026-2"] and rest["next"] is None
    assert api.get("search/cases?room=OR 2&room=OR 3", MANAGER).json() == {"items": [], "next": None}


def test_recordings_come_as_stretches_by_camera_and_run(api: Api) -> None:
    found = api.get("search/recordings?number=2026-1", MANAGER).json()["items"]
    assert {one["camera_id"] for one in found} == {"or1-wall", "or1-lamp"}
    assert {one["case_number"] for one in found} == {"2026-1"} and {one["room"] for one in found} == {"OR 1"}
    (stretch,) = found[0]["stretches"]
    assert (stretch["segments"], stretch["frames"], found[0]["gaps"]) == (5, 150, [])
    period = {"from": stretch["from"], "to": stretch["to"], "camera_id": "or1-wall"}
    (alone,) = api.get("search/recordings", MANAGER, params=period).json()["items"]
    assert alone["stretches"] == [stretch]


def test_events_in_a_period(api: Api) -> None:
    page = api.get("search/events?kind=switch&room=OR 1&limit=200", MANAGER).json()
    acts = [event["act"] for event in page["items"]]
    assert acts.count("recording-started") == 6 and acts.count("case-closed") == 3
    entry = api.get(f"history?before={page['items'][0]['seq'] + 1}&limit=1", Role.AUDITOR).json()[0]
    assert (entry["act"], entry["at"]) == (acts[0], page["items"][0]["at"])
    before = {"to": utc_iso(1)}
    assert api.get("search/events", MANAGER, params=before).json() == {"items": [], "next": None}


@pytest.mark.parametrize(
    "query",
    [
        "cases?limit=201",
        "cases?after=nowhere",
        "cases?from=yesterday",
        "cases?from=2026-11-22T18:30:00Z&to=2026-11-22T18:30:00Z",
        "recordings?room=",
        "recordings?" + "&".join(f"camera_id=c{n}" for n in range(65)),
        "events?kind=party",
        "events?number=" + "x" * 65,
    ],
)
def test_what_cannot_be_searched_is_a_bad_request(api: Api, query: str) -> None:
    assert is_problem(api.get(f"search/{query}", MANAGER), 400, "bad-request")


def test_a_number_that_begins_too_many_says_what_to_do(tmp_path: Path) -> None:
    api = make_api(tmp_path)
    for n in range(51):
        body = {
            "number": f"N-{n:02d}",
            "room": "OR 1",
            "planned_at": "2026-11-22T18:30:00Z",
            "recording_request": "F",
        }
        assert api.post("cases", MANAGER, json=body).status_code == 201
    answer = api.get("search/recordings?number=N-", MANAGER)
    assert is_problem(answer, 400, "bad-request") and "Give more of the number" in answer.json()["advice"]


def test_a_department_narrows_to_its_rooms_and_one_without_rooms_to_nothing(tmp_path: Path) -> None:
    api = make_api(tmp_path)
    api.world.custody._access = AccessPolicy({"OR 1": "Surgery", "OR 2": "Dentistry"})
    one, two = (api.world.armed_case(number, room).case_id for number, room in (("1", "OR 1"), ("2", "OR 2")))

    def found(query: str) -> set[str]:
        answer = api.get(f"search/cases?{query}", Role.RECORDS_MANAGER)
        assert answer.status_code == 200, answer.text
        return {each["id"] for each in answer.json()["items"]}

    assert found("department=Surgery") == {one} and found("department=Dentistry&number=2") == {two}
    assert found("department=Surgery&department=Dentistry") == {one, two}
    assert found("department=Surgery&room=OR%202") == found("department=Unknown") == set()
    for what in ("events", "recordings"):
        answer = api.get(f"search/{what}?department=Unknown", Role.RECORDS_MANAGER)
        assert answer.json()["items"] == []
    events = api.get("search/events?department=Dentistry", Role.RECORDS_MANAGER).json()["items"]
    assert events and {each["case_id"] for each in events} == {two}
