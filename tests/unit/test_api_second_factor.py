"""The second factor over HTTP: the whole way once, and what the form answers with and without a code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pyotp

from api.paths import PREFIX
from orvault.clock import US_PER_S
from orvault.custody.access import AccessPolicy
from orvault.custody.account import Role
from tests.fakes import PASSWORD
from tests.unit.api_support import Api, call, is_problem, make_api

MANAGER = Role.RECORDS_MANAGER


def _sign_in(api: Api, **more: str) -> httpx.Response:
    form = {"username": MANAGER.value, "password": PASSWORD} | more
    return call(api.app, "POST", f"{PREFIX}/session", data=form)


def _as(api: Api, method: str, path: str, token: str, **more: Any) -> httpx.Response:
    return call(api.app, method, path, headers={"Authorization": f"Bearer {token}"}, **more)


def test_the_whole_way(tmp_path: Path) -> None:
    api = make_api(tmp_path)
    api.world.custody._access = AccessPolicy(second_factor=frozenset({MANAGER}))
    bare = _sign_in(api).json()["access_token"]
    assert _as(api, "GET", "session/me", bare).json()["must_enrol_second_factor"] is True
    assert is_problem(_as(api, "GET", "cases", bare), 403, "forbidden")
    begun = _as(api, "POST", "session/second-factor", bare, json={"password": PASSWORD})
    assert begun.status_code == 201
    totp = pyotp.TOTP(begun.json()["secret"])
    assert pyotp.parse_uri(begun.json()["uri"]).secret == totp.secret
    code = totp.at(api.world.clock.us // US_PER_S)
    confirmed = _as(api, "POST", "session/second-factor/confirm", bare, json={"code": code})
    recovery = confirmed.json()["recovery_codes"]
    assert len(recovery) == 10 and is_problem(_as(api, "GET", "session/me", bare), 401, "unauthenticated")

    assert is_problem(_sign_in(api), 401, "code-needed")
    assert is_problem(_sign_in(api, password="another"), 401, "unauthenticated")
    assert is_problem(_sign_in(api, totp=code), 401, "unauthenticated")
    assert is_problem(_sign_in(api, totp="0" * 65), 400, "bad-request")
    api.world.clock.us += 30 * US_PER_S
    full = _sign_in(api, totp=totp.at(api.world.clock.us // US_PER_S)).json()["access_token"]
    assert _as(api, "GET", "cases", full).status_code == 200
    shown = _as(api, "GET", "session/second-factor", full).json()
    assert shown["needed"] is True and shown["enrolled_at"] and shown["recovery_codes_left"] == 10
    assert [one["how"] for one in _as(api, "GET", "sessions", full).json()] == ["password+code"]

    gone = _as(
        api,
        "POST",
        "session/second-factor/remove",
        full,
        json={"password": PASSWORD, "code": recovery[3]},
    )
    assert gone.status_code == 204 and _sign_in(api).status_code == 200


def test_an_administrator_resets_it_by_the_accounts_id(tmp_path: Path) -> None:
    api = make_api(tmp_path)
    manager, custody = api.world.accounts[MANAGER], api.world.custody
    secret = custody.begin_second_factor(manager, PASSWORD).secret
    custody.confirm_second_factor(manager, pyotp.TOTP(secret).at(api.world.clock.us // US_PER_S))
    assert is_problem(_sign_in(api), 401, "code-needed")
    path = f"accounts/{manager.account_id}/reset-second-factor"
    assert is_problem(api.post(path, Role.AUDITOR), 403, "forbidden")
    assert api.post(path, Role.SYSTEM_ADMINISTRATOR).status_code == 200
    assert _sign_in(api).status_code == 200
