"""Rooms, signals and reasons over HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest

from orvault.clock import US_PER_S, utc_iso
from orvault.custody.account import Role
from orvault.custody.control import Signal, SignalKind, SignalSource
from orvault.custody.ports import TriggerReport, Trouble, TroubleKind
from tests.unit.api_support import Api, is_problem, make_api

STAFF, AUDITOR = Role.CLINICAL_STAFF, Role.AUDITOR


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return make_api(tmp_path)


def pedal(api: Api, kind: SignalKind) -> None:
    world = api.world
    name = f"s{world.custody.check_ledger()}"
    world.custody.signal(Signal(name, "OR 1", kind, SignalSource.PEDAL, "pedal-1", world.clock.us))


def test_a_person_starts_and_stops_a_room(api: Api) -> None:
    case = api.world.armed_case()
    started = api.post("rooms/OR 1/signals", STAFF, json={"kind": "start", "signal_id": "one"}).json()
    assert (started["accepted"], started["action"], started["problems"]) == (True, "start", [])
    again = api.post("rooms/OR 1/signals", STAFF, json={"kind": "start", "signal_id": "one"}).json()
    assert again == started | {"repeated": True}
    room = api.get("rooms/OR 1", AUDITOR).json()
    assert (room["phase"], room["case"]["id"]) == ("recording", case.case_id)
    assert sorted(room["recording"]) == ["or1-lamp", "or1-wall"]
    api.world.clock.us += US_PER_S
    assert is_problem(api.post("rooms/OR 1/signals", STAFF, json={"kind": "stop"}), 400, "bad-request")
    body = {"kind": "stop", "reason": "The patient withdrew."}
    assert api.post("rooms/OR 1/signals", STAFF, json=body).json()["action"] == "stop"
    assert api.get("rooms/OR 1", AUDITOR).json()["phase"] == "stopped"
    assert api.get("reasons/pending", AUDITOR).json() == []


def test_a_signal_without_an_armed_case_is_answered_with_its_refusal(api: Api) -> None:
    answer = api.post("rooms/OR 1/signals", STAFF, json={"kind": "start"})
    assert answer.status_code == 200
    assert answer.json()["accepted"] is False and "no case is armed" in answer.json()["why"]


def test_a_room_shows_what_waits_and_what_is_due(api: Api) -> None:
    world = api.world
    case = world.armed_case()
    pedal(api, SignalKind.START)
    world.clock.us += 60 * US_PER_S
    pedal(api, SignalKind.STOP)
    (waiting,) = api.get("rooms/OR 1", STAFF).json()["waiting"]
    assert (waiting["source"], waiting["needs"]) == ("pedal", "dwell")
    world.clock.us += 3 * US_PER_S
    world.custody.ripen_stops()
    room = api.get("rooms/OR 1", STAFF).json()
    assert (room["phase"], room["waiting"], room["alarms"]) == ("stopped", [], [])
    (due,) = room["pending_reasons"]
    assert api.get("reasons/pending", STAFF).json() == [due]
    assert (due["case_number"], due["reason"], len(due["run_ids"])) == (case.number, None, 2)
    world.clock.us += 900 * US_PER_S
    assert [a["kind"] for a in api.get("rooms/OR 1", STAFF).json()["alarms"]] == ["reason-due"]
    given = api.post(f"reasons/{due['id']}", STAFF, json={"reason": "Lights moved."})
    assert given.json()["reason"] == "Lights moved." and given.json()["given_at"]
    assert is_problem(api.post(f"reasons/{due['id']}", STAFF, json={"reason": "x"}), 409, "conflict")
    assert api.get("rooms/OR 1", STAFF).json()["pending_reasons"] == []


def test_unknown_rooms_and_reasons_are_not_found(api: Api) -> None:
    assert is_problem(api.get("rooms/OR 9", STAFF), 404, "not-found")
    assert is_problem(api.post("rooms/OR 9/signals", STAFF, json={"kind": "start"}), 404, "not-found")
    assert is_problem(api.post("reasons/none", STAFF, json={"reason": "x"}), 404, "not-found")


def test_rooms_are_listed_with_a_pedal_that_is_unplugged_since_when_and_what_to_do(api: Api) -> None:
    world = api.world
    since_us = world.clock.us - 60 * US_PER_S
    trouble = Trouble(TroubleKind.PEDAL_LOST, "foot-1", since_us, "It is not plugged in.")
    world.custody.watch([TriggerReport("OR 1", (trouble,))])
    rooms = api.get("rooms", STAFF).json()
    assert [(room["room"], room["phase"]) for room in rooms] == [("OR 1", "idle"), ("OR 2", "idle")]
    (alarm,) = rooms[0]["alarms"]
    assert (alarm["kind"], alarm["case_id"], alarm["since"]) == ("pedal-lost", None, utc_iso(since_us))
    assert "Plug it in" in alarm["text"]
    assert rooms == [api.get(f"rooms/{room['room']}", STAFF).json() for room in rooms]
    world.custody.watch([TriggerReport("OR 1")])
    assert [room["alarms"] for room in api.get("rooms", STAFF).json()] == [[], []]
