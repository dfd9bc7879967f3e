"""Every route against every reach: role x scope x endpoint, taken from the API's own description.

For each route, whoever does not reach an object is answered exactly as for one that is not there; lists of theirs are
empty. A new route whose path names an object that this test has no sample of, fails.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from api.routes.guard import PUBLIC
from orvault.clock import US_PER_S, utc_iso
from orvault.custody.access import Right, may
from orvault.custody.account import Account, Role
from orvault.custody.scope import Scope, ScopeKind
from orvault.custody.signals import SignalKind
from tests.unit.api_support import Api, export_body, make_api, viewing_body
from tests.unit.test_api_roles import BODIES

# Scopes that reach nothing of what the fixture makes (OR 1), by name.
ELSEWHERE: dict[str, tuple[Scope, ...]] = {
    "nothing": (),
    "another-room": (Scope(ScopeKind.ROOM, "OR 2"),),
    "another-camera": (Scope(ScopeKind.CAMERA, "or2-wall"),),
    "over": (Scope(ScopeKind.SITE, "", None, 1),),
}
# Rights over oneself, or over what belongs to no place: routes of these answer alike whatever the scopes.
PLACELESS = {Right.SESSION}
# Bodies that name an object: the field, and which sample it is.
NAMED_IN_BODY = {
    "submit_export": {"case_id": "case_id"},
    "draft_export": {"case_id": "case_id"},
    "ask_viewing": {"case_id": "case_id"},
    "view_live": {"camera_id": "camera_id"},
    "view_stored": {"case_id": "case_id", "camera_id": "camera_id"},
    "preview_watermark": {"case_id": "case_id"},
    "set_mask": {"camera_id": "camera_id"},
    "lift_mask": {"camera_id": "camera_id"},
}


@dataclass
class Busy:
    """An API over a ledger in which each kind of object is there, all of it in OR 1."""

    api: Api
    samples: dict[str, str]
    strangers: dict[tuple[Role, str], Account]
    tokens: dict[str, str] = field(default_factory=dict)

    def call(self, method: str, path: str, who: Account, **more: Any) -> httpx.Response:
        """One call in the account's one session: signing in each time would be most of the work."""
        if who.account_id not in self.tokens:
            self.tokens[who.account_id] = self.api.token(who)
        bearer = {"Authorization": f"Bearer {self.tokens[who.account_id]}"}
        return self.api.call_as(method, path, None, headers=bearer, **more)

    def operations(self) -> list[tuple[str, str, dict[str, Any]]]:
        return [
            (method.upper(), path, operation)
            for path, operations in self.api.app.openapi()["paths"].items()
            for method, operation in operations.items()
            if operation["x-right"] != PUBLIC
        ]


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Busy:
    api = make_api(tmp_path_factory.mktemp("scopes"))
    return Busy(api, _samples(api), _strangers(api))


def _samples(api: Api) -> dict[str, str]:
    world = api.world
    case = world.recorded_case()
    assert case.armed_us is not None
    body = export_body(case.case_id, utc_iso(case.armed_us), utc_iso(world.clock.now_us()))
    request = api.post("exports", Role.RECORDS_MANAGER, json=body).json()["id"]
    viewing = viewing_body(case.case_id, kind="stored", showing="clear")
    viewing |= {key: body[key] for key in ("from", "to")}
    return {
        "case_id": case.case_id,
        "viewing_id": api.post("viewing-requests", Role.RECORDS_MANAGER, json=viewing).json()["id"],
        "request_id": request,
        "room": "OR 1",
        "camera_id": "or1-wall",
        "reason_id": _owed_reason(api),
        "account_id": world.manager.account_id,
        "image_id": api.post(
            "watermark-images", Role.RECORDS_MANAGER, json=BODIES["add_watermark_image"]
        ).json()["id"],
        "hold_id": api.post(
            f"cases/{case.case_id}/holds",
            Role.RECORDS_MANAGER,
            json={"reason": "because", "document": "2026-1"},
        ).json()["id"],
        "from": utc_iso(case.armed_us),
        "to": utc_iso(world.clock.now_us()),
    }


def _owed_reason(api: Api) -> str:
    """A stop by pedal that nobody has explained yet."""
    from orvault.custody.signals import Signal, SignalSource

    world = api.world
    case = world.armed_case("owed")
    world.custody.start_recording(world.manager, case.case_id)
    for number in range(2):  # the second confirms
        world.clock.us += US_PER_S
        stop = Signal(f"stop-{number}", "OR 1", SignalKind.STOP, SignalSource.PEDAL, "pedal", world.clock.us)
        world.custody.signal(stop)
    return world.custody.pending_reasons(world.manager)[0].reason.reason_id


def _strangers(api: Api) -> dict[tuple[Role, str], Account]:
    return {
        (role, name): api.world.account(role, f"{role.value}.{name}", scopes)
        for role in Role
        for name, scopes in ELSEWHERE.items()
    }


def _called(busy: Busy, who: Account, operation: tuple[str, str, dict[str, Any]], *, real: bool) -> str:
    """Status and body of one call, about the samples or about what is not there, without the ids of either."""
    method, path, described = operation
    name, told = described["operationId"], dict[str, str]()

    def sample(parameter: str) -> str:
        assert parameter in busy.samples, f"{method} {path}: this test needs a sample of {parameter}"
        there = busy.samples[parameter]
        value = there if real else there[:-1] + ("0" if there[-1] != "0" else "1")
        told[value] = parameter
        return value

    address = re.sub(r"{(\w+)}", lambda found: sample(found[1]), path.replace("{number}", "0"))
    body = dict(BODIES[name]) if name in BODIES else None
    if body is not None:
        body |= {key: sample(of) for key, of in NAMED_IN_BODY.get(name, {}).items()}
        if name in {"view_stored", "submit_export"}:
            body |= {key: busy.samples[key] for key in ("from", "to")}
    answer = busy.call(method, address, who, json=body)
    text = answer.text
    for value, parameter in told.items():
        text = text.replace(value, f"<{parameter}>")
    return f"{answer.status_code} {text}"


@pytest.mark.parametrize("scope", ELSEWHERE)
@pytest.mark.parametrize("role", Role)
def test_what_is_out_of_reach_answers_like_what_is_not_there(busy: Busy, role: Role, scope: str) -> None:
    who = busy.strangers[role, scope]
    for operation in busy.operations():
        if Right(operation[2]["x-right"]) in PLACELESS:
            continue
        named = "{" in operation[1] or operation[2]["operationId"] in NAMED_IN_BODY
        there = _called(busy, who, operation, real=True)
        assert not named or there == _called(busy, who, operation, real=False), operation[:2]
        if not may(who, Right(operation[2]["x-right"])).allowed:
            assert there.startswith("403"), operation[:2]


@pytest.mark.parametrize("role", Role)
def test_lists_of_whoever_reaches_nothing_are_empty(busy: Busy, role: Role) -> None:
    who = busy.strangers[role, "nothing"]
    for method, path, described in busy.operations():
        right = Right(described["x-right"])
        if method != "GET" or "{" in path or right in PLACELESS:
            continue
        answer = busy.call(method, path, who)
        if answer.headers["content-type"] == "application/pdf":
            continue  # a paper without rows
        shown = answer.json()
        rows = shown["items"] if isinstance(shown, dict) and "items" in shown else shown
        assert answer.status_code == 403 or rows == [], f"{path}: {answer.text[:200]}"


@pytest.mark.parametrize("role", Role)
def test_whoever_reaches_the_site_finds_what_the_role_may(busy: Busy, role: Role) -> None:
    """Else the test above would hold for an API that shows nothing to anybody."""
    found = {
        operation[2]["operationId"]
        for operation in busy.operations()
        if operation[0] == "GET"
        and "{" in operation[1]
        and _called(busy, busy.api.world.accounts[role], operation, real=True).startswith("200")
    }
    expected = {
        Role.SYSTEM_ADMINISTRATOR: set(),
        Role.CLINICAL_STAFF: {"show_case", "show_room"},
    }.get(role, {"show_case", "show_room", "show_export", "show_viewing_request"})
    assert expected <= found


def test_samples_are_what_they_say(busy: Busy) -> None:
    assert all(busy.samples.values()) and len(set(busy.samples.values())) == len(busy.samples)
