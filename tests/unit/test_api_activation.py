"""Activation over the API: without an account, in the words of the format, and told to who asks for the request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orvault.clock import utc_iso
from orvault.container.activation import ActivationAnswer
from orvault.container.canonical import Fields
from orvault.container.keys import generate_private_key
from orvault.custody.account import Role
from tests.unit.activation_support import allow, handed_out
from tests.unit.api_support import Api, export_body, is_problem, make_api


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return make_api(tmp_path)


def test_a_player_is_answered_and_the_plays_are_told(api: Api) -> None:
    held = handed_out(api.world, plays=3)
    key = generate_private_key()
    question = held.question(key)
    given = api.post("activations", None, json=question.to_json())
    assert given.status_code == 200, given.text
    answer = ActivationAnswer.read(Fields(given.json(), "answer"))
    assert answer.open(question, key) == held.share and answer.plays_left == 2
    assert held.share.hex() not in given.text
    shown = api.get(f"exports/{held.request.request_id}", Role.PRIVACY_OFFICER).json()
    assert shown["activation"] == {"wanted": True, "plays": 3}
    assert [copy["plays_used"] for copy in shown["packages"]] == [1]
    (listed,) = api.get("exports", Role.PRIVACY_OFFICER).json()
    assert listed["packages"][0]["plays_used"] is None


@pytest.mark.parametrize("changes", [{"proof": "AAAA"}, {"package_id": "another"}])
def test_whoever_has_no_proof_is_refused(api: Api, changes: dict[str, Any]) -> None:
    held = handed_out(api.world)
    body = held.question(generate_private_key()).to_json() | changes
    answer = api.post("activations", None, json=body)
    assert is_problem(answer, 403, "not-activated") and "no such package" in answer.json()["detail"]


@pytest.mark.parametrize(
    "changes",
    [
        {"proof": "not base64"},
        {"package_id": "../x"},
        {"ephemeral": {"kem": "rot13", "raw": "AAAA"}},
        {"ephemeral": {"kem": "x25519", "raw": "AAAA"}},
        {"more": 1},
    ],
)
def test_what_is_no_question_is_said_to_be_none(api: Api, changes: dict[str, Any]) -> None:
    held = handed_out(api.world)
    body = held.question(generate_private_key()).to_json() | changes
    assert is_problem(api.post("activations", None, json=body), 400, "bad-request")
    assert "activation-refused" not in api.world.acts()


def test_a_request_asks_for_it_in_its_body_and_is_held_to_the_rules(api: Api) -> None:
    case = api.world.recorded_case()
    assert case.armed_us is not None
    start, end = utc_iso(case.armed_us), utc_iso(api.world.clock.now_us())
    body = export_body(case.case_id, start, end, activation={"wanted": True, "plays": 2})
    refused = api.post("exports", Role.RECORDS_MANAGER, json=body)
    assert is_problem(refused, 403, "forbidden") and refused.json()["where"] == "export.activation.mode"
    allow(api.world)
    made = api.post("exports", Role.RECORDS_MANAGER, json=body).json()
    assert made["activation"] == {"wanted": True, "plays": 2}
    draft = api.post(
        "exports/drafts", Role.RECORDS_MANAGER, json=export_body(case.case_id, start, end)
    ).json()
    assert draft["activation"] == {"wanted": False, "plays": None}
    changed = api.call(
        "PATCH", f"exports/{draft['id']}", Role.RECORDS_MANAGER, json={"activation": {"wanted": True}}
    ).json()
    assert changed["activation"] == {"wanted": True, "plays": None}
