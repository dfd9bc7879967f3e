"""Machines: they come by keys alone, which end; and whatever their role, some acts take a person."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import replace
from itertools import product
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orvault.clock import US_PER_S
from orvault.custody.access import Right, may
from orvault.custody.account import Account, MachineActor, Role
from orvault.custody.api_key import LONGEST_US, PREFIX, check_expiry, digest_of, is_key, new_key
from orvault.custody.scope import SITE
from orvault.custody.service import SeenSpan
from orvault.custody.viewing import Showing
from orvault.errors import ErrorKind, OrvaultError
from tests.fakes import PASSWORD, World
from tests.unit.api_support import call, is_problem, make_api

ADMIN = Role.SYSTEM_ADMINISTRATOR
DAY = 86_400 * US_PER_S
TAKES_A_PERSON = {
    Right.ACCOUNT_MANAGE,
    Right.EXPORT_DECIDE,
    Right.EXPORT_REVOKE,
    Right.DESTRUCTION_APPROVE,
    Right.MASK_LIFT,
    Right.HOLD_LIFT,
    Right.CONSENT_TAKE,
    Right.RESULT_ANSWER,
    Right.RESULT_ASK,
    Right.RESULT_VIEW,
    Right.ANSWER_WAIVE,
    Right.EXPORT_DOWNLOAD,
    Right.PATIENT_FIND,
}


def _machine(world: World, role: Role = Role.RECORDS_MANAGER) -> Account:
    return world.custody.create_machine(
        world.accounts[ADMIN], "or-planning", "Surgery planning", role, (SITE,)
    )


def _refused(world: World, secret: str) -> bool:
    try:
        world.custody.authenticate_key(secret)
    except OrvaultError as error:
        assert error.kind is ErrorKind.UNAUTHENTICATED and secret not in str(error)
        return True
    return False


def test_a_machine_has_no_right_that_a_person_of_its_role_lacks_and_none_that_takes_one() -> None:
    person = Account("id", "name", "Name", Role.AUDITOR, "", 0, "console", scopes=(SITE,))
    for role, right in product(Role, Right):
        machine = replace(person, role=role, machine=True)
        if may(machine, right).allowed:
            assert may(replace(person, role=role), right).allowed and right not in TAKES_A_PERSON


@given(st.integers(-LONGEST_US, 2 * LONGEST_US))
def test_a_key_ends_within_a_year(away_us: int) -> None:
    now = 1_800_000_000 * US_PER_S
    try:
        assert check_expiry(now + away_us, now) == now + away_us and 0 < away_us <= LONGEST_US
    except OrvaultError as error:
        assert error.kind is ErrorKind.BAD_REQUEST and not 0 < away_us <= LONGEST_US


def test_keys_are_long_unlike_each_other_and_known_by_their_prefix() -> None:
    keys = {new_key() for _ in range(50)}
    assert len({digest_of(key) for key in keys}) == 50
    assert all(key.startswith(PREFIX) and len(key) == 47 and is_key(key) for key in keys)


def test_a_key_opens_until_its_end_and_history_names_it(world: World) -> None:
    admin, machine = world.accounts[ADMIN], _machine(world)
    until = world.clock.us + 30 * DAY
    secret, key = world.custody.issue_key(admin, machine.account_id, "server", until)
    assert secret not in repr(key) and key.digest not in repr(key)
    assert world.custody.authenticate_key(secret, "192.0.2.1") == (machine, key.session.session_id)
    told = [(one.act, one.detail) for one in world.custody.history(world.accounts[Role.AUDITOR], limit=3)]
    assert [act for act, _ in told] == ["key-used", "key-issued", "account-created"]
    assert all(key.session.session_id in detail and secret not in detail for _, detail in told[:2])
    world.clock.us = until - 1
    assert not _refused(world, secret)
    world.clock.us = until
    assert _refused(world, secret) and _refused(world, new_key()) and _refused(world, PREFIX)


def test_every_act_of_a_machine_names_the_key_that_it_came_by(world: World) -> None:
    case, machine = world.recorded_case(), _machine(world)
    made = [world.custody.issue_key(None, machine.account_id, name, world.clock.us + DAY) for name in "ab"]
    for secret, key in made:
        came, session_id = world.custody.authenticate_key(secret)
        assert session_id == key.session.session_id
        world.custody.set_mask(came)
        assert case.armed_us is not None
        view = world.custody.ask_stored(
            came, session_id, case.case_id, "or1-wall", case.armed_us, world.clock.us
        ).view
        world.custody.open_view(view.view_id)
        world.custody.note_viewed(view.view_id, [SeenSpan(case.armed_us, world.clock.us, Showing.MASKED)])
        world.clock.us += 1
    entries = world.custody.account_history(world.accounts[Role.AUDITOR], machine.account_id)[::-1]
    did = [(one.act, json.loads(one.detail).get("by_key")) for one in entries if one.actor == machine.actor]
    acts = ("key-used", "mask-set", "view-started", "viewed")
    assert did == [(act, key.session.session_id) for _, key in made for act in acts]
    world.custody.set_mask(world.officer)
    last = world.custody.history(world.accounts[Role.AUDITOR], limit=1)[0]
    assert "by_key" not in last.detail


def test_a_machines_name_keeps_its_key_in_another_process(world: World) -> None:
    actor = replace(_machine(world), key_id="key-1").actor
    for again in (pickle.loads(pickle.dumps(actor)), copy.copy(actor), copy.deepcopy(actor)):
        assert type(again) is MachineActor and (again, again.key_id) == (actor, "key-1")


def test_uses_are_noted_once_a_minute_and_told_once_a_day_and_place(world: World) -> None:
    machine = _machine(world)
    world.clock.us -= world.clock.us % DAY  # a day begins
    secret, _ = world.custody.issue_key(None, machine.account_id, "server", world.clock.us + 30 * DAY)

    def used(after_s: int, client: str) -> tuple[int, int]:
        world.clock.us += after_s * US_PER_S
        world.custody.authenticate_key(secret, client)
        (kept,) = world.custody.keys(None, machine.account_id)
        assert kept.used_us is not None and kept.used_from == client
        return (world.clock.us - kept.used_us) // US_PER_S, world.acts().count("key-used")

    assert [used(0, "a"), used(59, "a"), used(1, "a"), used(1, "b"), used(86_400, "b")] == [
        (0, 1),
        (59, 1),
        (0, 1),
        (0, 2),
        (0, 3),
    ]


def test_keys_end_with_their_session_and_with_their_account(world: World) -> None:
    admin, machine = world.accounts[ADMIN], _machine(world)
    made = [world.custody.issue_key(admin, machine.account_id, name, world.clock.us + DAY) for name in "abc"]
    world.custody.revoke_session(admin, made[0][1].session.session_id)
    assert [_refused(world, secret) for secret, _ in made] == [True, False, False]
    assert {key.name for key in world.custody.keys(admin, machine.account_id)} == {"b", "c"}
    world.custody.disable_account(admin, machine.account_id)
    assert all(_refused(world, secret) for secret, _ in made)
    world.custody.enable_account(admin, machine.account_id)
    assert all(_refused(world, secret) for secret, _ in made)
    world.clock.us += 2 * DAY
    world.custody.sign_in("auditor", PASSWORD)  # drops what is over, keys before their sessions


def test_a_machine_has_no_password_and_gets_none(world: World) -> None:
    admin, machine = world.accounts[ADMIN], _machine(world)
    for password in ("", PASSWORD):
        with pytest.raises(OrvaultError) as caught:
            world.custody.sign_in(machine.name, password)
        assert caught.value.kind is ErrorKind.UNAUTHENTICATED
    for give in (
        lambda: world.custody.reset_password(admin, machine.account_id, "Long-enough-pw-1"),
        lambda: world.custody.link_directory(admin, machine.account_id, "s-1"),
        lambda: world.custody.begin_second_factor(machine, ""),
        lambda: world.custody.issue_key(admin, world.officer.account_id, "mine", world.clock.us + DAY),
    ):
        with pytest.raises(OrvaultError) as caught:
            give()
        assert caught.value.kind is ErrorKind.CONFLICT
    with pytest.raises(OrvaultError) as caught:
        _machine(world, ADMIN)
    assert caught.value.kind is ErrorKind.BAD_REQUEST


def test_over_http_a_key_is_a_bearer_token_shown_once(tmp_path: Path) -> None:
    api = make_api(tmp_path)
    body = {"name": "wall", "display_name": "Wall", "role": "privacy-officer", "scopes": [{"kind": "site"}]}
    machine = api.post("machines", ADMIN, json=body).json()
    assert machine["machine"] is True
    key = {"name": "wall, 2027", "expires_at": "2027-06-01T00:00:00Z"}
    issued = api.post(f"accounts/{machine['id']}/keys", ADMIN, json=key).json()
    listed = api.get(f"accounts/{machine['id']}/keys", ADMIN).json()
    assert [one["id"] for one in listed] == [issued["id"]] and issued["key"] not in str(listed)

    def asked(method: str, path: str) -> httpx.Response:
        return call(api.app, method, path, headers={"Authorization": f"Bearer {issued['key']}"})

    assert asked("GET", "cases").status_code == 200
    assert is_problem(asked("POST", "exports/unknown/approve"), 403, "forbidden")
    assert is_problem(asked("GET", "accounts"), 403, "forbidden")
    late = {"name": "late", "expires_at": "2029-06-01T00:00:00Z"}
    assert is_problem(api.post(f"accounts/{machine['id']}/keys", ADMIN, json=late), 400, "bad-request")
    assert api.call("DELETE", f"sessions/{issued['id']}", ADMIN).status_code == 204
    assert is_problem(asked("GET", "cases"), 401, "unauthenticated")


def test_two_addresses_in_turn_write_no_more_than_one(world: World) -> None:
    machine = _machine(world)
    world.clock.us -= world.clock.us % DAY
    secret, _ = world.custody.issue_key(None, machine.account_id, "pollers", world.clock.us + 30 * DAY)
    for n in range(20):
        world.clock.us += US_PER_S
        world.custody.authenticate_key(secret, "ab"[n % 2])
    assert world.acts().count("key-used") == 2


def test_a_key_ends_no_session_but_its_own(world: World) -> None:
    admin, machine = world.accounts[ADMIN], _machine(world)
    (stolen, first), (_, other) = (
        world.custody.issue_key(admin, machine.account_id, name, world.clock.us + DAY) for name in "ab"
    )
    came, session_id = world.custody.authenticate_key(stolen)
    with pytest.raises(OrvaultError) as caught:
        world.custody.revoke_session(came, other.session.session_id)
    assert caught.value.kind is ErrorKind.NOT_FOUND
    world.custody.sign_out(came, session_id)
    assert session_id == first.session.session_id
    assert [key.name for key in world.custody.keys(admin, machine.account_id)] == ["b"]
