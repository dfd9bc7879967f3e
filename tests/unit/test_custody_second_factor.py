"""Signing in with a code: enrolled by who knows the password, asked for only behind it, good once, and needed where
the site says so.
"""

from __future__ import annotations

from pathlib import Path

import pyotp
import pytest

from orvault.clock import US_PER_S
from orvault.custody.access import AccessPolicy, Right, may
from orvault.custody.account import Account, Role
from orvault.custody.second_factor import NO_FACTORS, STEP_S
from orvault.errors import ErrorKind, OrvaultError
from tests.fakes import PASSWORD, World

NAME, HOME = "privacy-officer", "192.0.2.1"


def _now(world: World, secret: str) -> str:
    return pyotp.TOTP(secret).at(world.clock.us // US_PER_S)


def _next(world: World, secret: str) -> str:
    world.clock.us += STEP_S * US_PER_S
    return _now(world, secret)


def _enrol(world: World, account: Account) -> tuple[str, tuple[str, ...]]:
    secret = world.custody.begin_second_factor(account, PASSWORD, HOME).secret
    return secret, world.custody.confirm_second_factor(account, _now(world, secret), HOME)


def _sign_in(world: World, code: str = "", password: str = PASSWORD, client: str = HOME) -> str:
    """How it was opened, or why not."""
    try:
        return world.custody.sign_in(NAME, password, client, code).session.method.value
    except OrvaultError as error:
        return error.kind.value


def test_a_confirmed_factor_is_asked_for_behind_the_right_password_alone(world: World) -> None:
    secret = world.custody.begin_second_factor(world.officer, PASSWORD, HOME).secret
    assert _sign_in(world) == "password"  # begun is not confirmed
    world.custody.confirm_second_factor(world.officer, _now(world, secret), HOME)
    assert _sign_in(world) == "code-needed"
    assert _sign_in(world, password="another") == "unauthenticated"
    assert _sign_in(world, _next(world, secret), "another") == "unauthenticated"
    assert _sign_in(world, _next(world, secret)) == "password+code"


def test_a_code_is_taken_once_the_one_that_confirmed_too(world: World) -> None:
    secret, _ = _enrol(world, world.officer)
    assert _sign_in(world, _now(world, secret)) == "unauthenticated"
    code = _next(world, secret)
    assert [_sign_in(world, code) for _ in range(2)] == ["password+code", "unauthenticated"]
    assert _sign_in(world, _next(world, secret)) == "password+code"


def test_confirming_ends_the_sessions_that_were_opened_without_a_code(world: World) -> None:
    session = world.custody.sign_in(NAME, PASSWORD).session
    _enrol(world, world.officer)
    with pytest.raises(OrvaultError, match="over"):
        world.custody.authenticate(session.session_id, session.account_id)


def test_wrong_codes_make_the_next_attempt_wait_and_asking_without_one_frees_nobody(world: World) -> None:
    secret, _ = _enrol(world, world.officer)
    tried = [kind for _ in range(5) for kind in (_sign_in(world, "000000"), _sign_in(world))]
    assert tried == ["unauthenticated", "code-needed"] * 4 + ["unauthenticated", "too-many-attempts"]
    assert _sign_in(world, _next(world, secret)) == "too-many-attempts"
    world.clock.us += 60 * US_PER_S
    assert _sign_in(world, _now(world, secret)) == "password+code"
    assert world.acts().count("sign-in-failed") == 5


def test_the_throttle_counts_wrong_codes_of_confirming_and_removing(world: World) -> None:
    world.custody.begin_second_factor(world.officer, PASSWORD, HOME)
    kinds = []
    for _ in range(6):
        with pytest.raises(OrvaultError) as caught:
            world.custody.confirm_second_factor(world.officer, "000000", HOME)
        kinds.append(caught.value.kind)
    assert kinds == [ErrorKind.UNAUTHENTICATED] * 5 + [ErrorKind.TOO_MANY_ATTEMPTS]


def test_a_recovery_code_signs_in_once_and_history_says_how_many_are_left(world: World) -> None:
    _, codes = _enrol(world, world.officer)
    assert [_sign_in(world, codes[0].lower()) for _ in range(2)] == ["password+code", "unauthenticated"]
    assert world.custody.second_factor(world.officer).recovery_codes_left == 9
    (used,) = (one for one in _entries(world) if one[0] == "recovery-code-used")
    assert used[1] == '{"left":9}'


def test_removing_takes_password_and_code(world: World) -> None:
    secret, codes = _enrol(world, world.officer)
    for password, code, kind in (
        ("another", _next(world, secret), ErrorKind.UNAUTHENTICATED),
        (PASSWORD, "000000", ErrorKind.UNAUTHENTICATED),
        (PASSWORD, "", ErrorKind.CODE_NEEDED),
    ):
        with pytest.raises(OrvaultError) as caught:
            world.custody.remove_second_factor(world.officer, password, code, HOME)
        assert caught.value.kind is kind
    world.custody.remove_second_factor(world.officer, PASSWORD, codes[0], HOME)
    assert _sign_in(world) == "password"
    assert world.custody.second_factor(world.officer).recovery_codes_left == 0
    with pytest.raises(OrvaultError) as caught:
        world.custody.remove_second_factor(world.officer, PASSWORD, codes[1], HOME)
    assert caught.value.kind is ErrorKind.CONFLICT


def test_enrolling_takes_the_password_and_replaces_nothing_that_counts(world: World) -> None:
    with pytest.raises(OrvaultError) as caught:
        world.custody.begin_second_factor(world.officer, "another", HOME)
    assert caught.value.kind is ErrorKind.UNAUTHENTICATED
    first = world.custody.begin_second_factor(world.officer, PASSWORD, HOME).secret
    secret, _ = _enrol(world, world.officer)  # again: the first was never confirmed
    assert secret != first
    for again in (
        lambda: world.custody.begin_second_factor(world.officer, PASSWORD, HOME),
        lambda: world.custody.confirm_second_factor(world.officer, _next(world, secret), HOME),
    ):
        with pytest.raises(OrvaultError) as caught:
            again()
        assert caught.value.kind is ErrorKind.CONFLICT
    assert _sign_in(world, _next(world, secret)) == "password+code"


def test_an_administrator_resets_anothers_and_not_the_own(world: World) -> None:
    admin = world.accounts[Role.SYSTEM_ADMINISTRATOR]
    secret, _ = _enrol(world, world.officer)
    session = world.custody.sign_in(NAME, PASSWORD, HOME, _next(world, secret)).session
    with pytest.raises(OrvaultError) as caught:
        world.custody.reset_second_factor(world.officer, world.officer.account_id)
    assert caught.value.kind is ErrorKind.FORBIDDEN
    with pytest.raises(OrvaultError) as caught:
        world.custody.reset_second_factor(admin, admin.account_id)
    assert caught.value.kind is ErrorKind.CONFLICT
    world.custody.reset_second_factor(admin, world.officer.account_id)
    with pytest.raises(OrvaultError, match="over"):
        world.custody.authenticate(session.session_id, session.account_id)
    assert _sign_in(world) == "password"
    world.custody.reset_second_factor(None, world.officer.account_id)  # has none: no second entry
    assert [act for act in world.acts() if act.startswith("second-factor")] == [
        "second-factor-enrolled",
        "second-factor-reset",
    ]


def test_a_role_that_needs_one_can_do_nothing_but_enrol_with_the_password_alone(world: World) -> None:
    world.custody._access = AccessPolicy(second_factor=frozenset({Role.PRIVACY_OFFICER}))
    here = _caller(world)
    assert here.must_enrol and may(here, Right.SESSION).allowed
    assert not any(may(here, right).allowed for right in Right if right is not Right.SESSION)
    assert "second factor" in may(here, Right.CASE_VIEW).reason
    secret, _ = _enrol(world, here)
    here = _caller(world, _next(world, secret))
    assert not here.must_enrol and here == world.officer and may(here, Right.CASE_VIEW).allowed
    signed = world.custody.sign_in("records-manager", PASSWORD).session
    assert not world.custody.authenticate(signed.session_id, signed.account_id).must_enrol


def test_neither_ledger_nor_history_holds_a_secret_or_a_code(world: World, tmp_path: Path) -> None:
    secret, codes = _enrol(world, world.officer)
    _sign_in(world, codes[0])
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert world.officer.account_id.encode() in kept
    for one in (secret, *codes, *(code.replace("-", "") for code in codes)):
        assert one.encode() not in kept


def _caller(world: World, code: str = "") -> Account:
    signed = world.custody.sign_in(NAME, PASSWORD, HOME, code).session
    return world.custody.authenticate(signed.session_id, signed.account_id)


def _entries(world: World) -> list[tuple[str, str]]:
    found = world.custody.history(world.accounts[Role.AUDITOR], limit=200)
    return [(entry.act, entry.detail) for entry in found]


def test_what_the_site_lacks_is_nobodys_failed_sign_in(world: World) -> None:
    secret, _ = _enrol(world, world.officer)
    has, world.custody._factors = world.custody._factors, NO_FACTORS
    for _ in range(12):
        assert _sign_in(world, _next(world, secret)) == "bad-settings"
        with pytest.raises(OrvaultError) as caught:
            world.custody.begin_second_factor(world.manager, PASSWORD, HOME)
        assert caught.value.kind is ErrorKind.BAD_SETTINGS
    world.custody._factors = has
    assert _sign_in(world, _next(world, secret)) == "password+code"
