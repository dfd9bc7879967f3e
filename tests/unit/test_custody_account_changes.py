"""Accounts that change: closed and opened, given new passwords; and floods of sign-ins, which are kept out early."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from orvault.clock import US_PER_S
from orvault.custody.access import Right, may
from orvault.custody.account import Role
from orvault.custody.throttle import ThrottledError
from orvault.errors import ErrorKind, OrvaultError
from tests.fakes import PASSWORD, World, kind_of_sign_in

ADMINISTRATOR = Role.SYSTEM_ADMINISTRATOR
OWN = "A-sentence-of-my-own-9"


def _session_of(world: World, name: str, password: str = PASSWORD) -> tuple[str, str]:
    signed = world.custody.sign_in(name, password)
    return signed.session.session_id, signed.account.account_id


def _over(world: World, session: tuple[str, str]) -> bool:
    try:
        world.custody.authenticate(*session)
    except OrvaultError as error:
        assert error.kind is ErrorKind.UNAUTHENTICATED
        return True
    return False


def test_a_disabled_account_is_out_at_once_and_can_come_back(world: World) -> None:
    admin, auditor = world.accounts[ADMINISTRATOR], world.accounts[Role.AUDITOR]
    session, others = _session_of(world, "auditor"), _session_of(world, "records-manager")
    closed = world.custody.disable_account(admin, auditor.account_id)
    assert closed.disabled and _over(world, session) and not _over(world, others)
    assert kind_of_sign_in(world, "auditor", PASSWORD).startswith("unauthenticated")
    assert (
        world.custody.disable_account(admin, auditor.account_id) == closed
    )  # again: no error, no second entry
    assert not world.custody.enable_account(admin, auditor.account_id).disabled
    assert _over(world, session) and not _over(world, _session_of(world, "auditor"))
    assert [act for act in world.acts() if act.startswith("account-")][-2:] == [
        "account-disabled",
        "account-enabled",
    ]


def test_the_last_system_administrator_stays(world: World) -> None:
    admin = world.accounts[ADMINISTRATOR]
    for by in (admin, None):
        with pytest.raises(OrvaultError, match="last system administrator") as caught:
            world.custody.disable_account(by, admin.account_id)
        assert caught.value.kind is ErrorKind.CONFLICT
    second = world.account(ADMINISTRATOR, "second.admin")
    assert world.custody.disable_account(second, admin.account_id).disabled
    with pytest.raises(OrvaultError, match="last system administrator"):
        world.custody.disable_account(None, second.account_id)


def test_a_reset_password_is_good_for_choosing_another_and_nothing_else(world: World) -> None:
    admin, manager = world.accounts[ADMINISTRATOR], world.manager
    session = _session_of(world, "records-manager")
    world.custody.reset_password(admin, manager.account_id, "Given-by-another-1")
    assert _over(world, session) and kind_of_sign_in(world, "records-manager", PASSWORD) != "in"
    given = world.custody.sign_in("records-manager", "Given-by-another-1").account
    assert given.must_change and may(given, Right.SESSION).allowed
    assert not any(may(given, right).allowed for right in Right if right is not Right.SESSION)
    with pytest.raises(OrvaultError) as caught:
        world.custody.change_password(given, "Given-by-another-1", "Given-by-another-1")
    assert caught.value.kind is ErrorKind.BAD_REQUEST
    world.custody.change_password(given, "Given-by-another-1", OWN)
    free = world.custody.sign_in("records-manager", OWN).account
    assert not free.must_change and may(free, Right.CASE_PLAN).allowed
    assert world.acts()[-3:] == ["signed-in", "password-changed", "signed-in"]


def test_ones_own_password_takes_the_old_one_and_ends_every_session(world: World) -> None:
    auditor, session = world.accounts[Role.AUDITOR], _session_of(world, "auditor")
    with pytest.raises(OrvaultError) as caught:
        world.custody.change_password(auditor, "not-the-old-one", OWN)
    assert caught.value.kind is ErrorKind.UNAUTHENTICATED and not _over(world, session)
    world.custody.change_password(auditor, PASSWORD, OWN)
    assert _over(world, session) and kind_of_sign_in(world, "auditor", OWN) == "in"
    assert kind_of_sign_in(world, "auditor", PASSWORD).startswith("unauthenticated")


def test_guessing_the_old_password_is_throttled_like_a_sign_in(world: World) -> None:
    auditor = world.accounts[Role.AUDITOR]
    for _ in range(5):
        with pytest.raises(OrvaultError):
            world.custody.change_password(auditor, "wrong-wrong-wrong", OWN)
    with pytest.raises(ThrottledError):
        world.custody.change_password(auditor, PASSWORD, OWN)


def test_who_manages_accounts_does_not_reset_its_own_password(world: World) -> None:
    admin = world.accounts[ADMINISTRATOR]
    with pytest.raises(OrvaultError) as caught:
        world.custody.reset_password(admin, admin.account_id, OWN)
    assert caught.value.kind is ErrorKind.CONFLICT
    world.custody.reset_password(None, admin.account_id, OWN)  # at the console there is no other way in
    assert world.custody.sign_in(admin.name, OWN).account.must_change


def test_only_a_system_administrator_closes_opens_and_resets(world: World) -> None:
    custody, target = world.custody, world.account(Role.AUDITOR, "some.body").account_id
    for role, account in world.accounts.items():
        if role is ADMINISTRATOR:
            continue
        for act in (
            lambda by=account: custody.disable_account(by, target),
            lambda by=account: custody.enable_account(by, target),
            lambda by=account: custody.reset_password(by, target, OWN),
        ):
            with pytest.raises(OrvaultError) as caught:
                act()
            assert caught.value.kind is ErrorKind.FORBIDDEN


def test_a_password_that_changes_while_it_is_looked_at_opens_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    passwords, matches = world.custody._passwords, world.custody._passwords.matches

    def reset_meanwhile(password: str, phc: str | None) -> bool:
        monkeypatch.undo()
        world.custody.reset_password(None, world.manager.account_id, "Given-by-another-1")
        return matches(password, phc)

    monkeypatch.setattr(passwords, "matches", reset_meanwhile)
    assert kind_of_sign_in(world, "records-manager", PASSWORD).startswith("unauthenticated")


def test_few_wait_and_the_rest_is_refused_before_anything_is_written(world: World) -> None:
    entries = len(world.acts())
    with ExitStack() as others:
        for _ in range(6):  # two being looked at, four waiting
            others.enter_context(world.custody._passwords.gate.place())
        assert kind_of_sign_in(world, "auditor", PASSWORD).startswith("too-many-attempts")
        assert len(world.acts()) == entries
    for _ in range(5):  # and nothing was counted against the name
        assert kind_of_sign_in(world, "auditor", PASSWORD) == "in"


def test_a_name_longer_than_any_is_refused_before_it_is_looked_at(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    monkeypatch.setattr("orvault.custody.account.clean_name", looked.append)
    assert kind_of_sign_in(world, "x" * 1_000_000, PASSWORD).startswith("bad-request")
    assert looked == []


def test_one_address_cannot_try_name_after_name(world: World) -> None:
    def tried(name: str, password: str, client: str) -> str:
        try:
            world.custody.sign_in(name, password, client)
        except OrvaultError as error:
            return error.kind.value
        return "in"

    for number in range(30):
        assert tried(f"name-{number}", "wrong", "192.0.2.9") == "unauthenticated"
        if number % 10 == 0:  # one's own account in between forgives nothing else
            assert tried("auditor", PASSWORD, "192.0.2.9") == "in"
    entries = len(world.acts())
    assert tried("clinical-staff", PASSWORD, "192.0.2.9") == "too-many-attempts"
    assert len(world.acts()) == entries
    assert tried("auditor", PASSWORD, "192.0.2.9") == "in"  # who is at home there is not touched
    assert tried("clinical-staff", PASSWORD, "192.0.2.10") == "in"
    world.clock.us += 60 * US_PER_S
    assert tried("clinical-staff", PASSWORD, "192.0.2.9") == "in"


def test_a_stranger_cannot_shut_an_account_out_where_it_is_at_home(world: World) -> None:
    def tried(password: str, client: str) -> str:
        try:
            world.custody.sign_in("auditor", password, client)
        except OrvaultError as error:
            return error.kind.value
        return "in"

    assert tried(PASSWORD, "192.0.2.1") == "in"
    for number in range(40):
        assert tried("wrong", f"198.51.100.{number}") in {"unauthenticated", "too-many-attempts"}
    assert tried(PASSWORD, "192.0.2.1") == "in"
    assert tried(PASSWORD, "192.0.2.2") == "too-many-attempts"
    world.clock.us += 60 * US_PER_S
    assert tried(PASSWORD, "192.0.2.2") == "in"
