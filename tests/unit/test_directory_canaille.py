"""The whole way through a real directory (Canaille), over HTTP: a person's browser, a program, the API on a port."""

from __future__ import annotations

import json
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from authlib.oauth2.client import OAuth2Client

from orvault.custody.account import Role
from orvault.custody.directory import DirectoryPolicy, GroupRule, SecondFactor, challenge_of
from orvault.custody.scope import SITE
from tests.unit import canaille_server as canaille
from tests.unit.api_support import Api, make_api
from tests.unit.directory_rules import GROUPS, VERIFIER, set_policy
from tests.unit.directory_support import (
    place,
    query_of,
    shown_code,
    told,
    with_directory,
)

BEGIN = "/api/v1/session/directory"


@dataclass
class Site:
    """An API that listens, and its directory."""

    api: Api
    address: str
    issuer: str

    def policy(self, **changes: Any) -> None:
        named: dict[str, Any] = {"provision": True, "groups": GROUPS}
        set_policy(self.api.world.custody, DirectoryPolicy(self.issuer, **(named | changes)))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("canaille")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        redirect_uri = f"{address}{BEGIN}/callback"
        with canaille.running(redirect_uri) as issuer:
            api = _api(folder, issuer, redirect_uri)
            with _served(api.app, listener):
                yield Site(api, address, issuer)


def _api(folder: Path, issuer: str, redirect_uri: str) -> Api:
    secret = folder / "client-secret"
    secret.write_text(canaille.CLIENT_SECRET)
    secret.chmod(0o600)
    plain = make_api(folder)
    plain.world.clock.us = time.time_ns() // 1000  # the directory goes by the machine's clock
    at = place(
        issuer,
        client_secret_file=secret,
        redirect_uri=redirect_uri,
        scopes=("openid", "profile", "groups"),
        timeout_s=20.0,
    )
    return with_directory(plain, at, DirectoryPolicy(issuer))


@contextmanager
def _served(app: Any, listener: socket.socket) -> Iterator[None]:
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


@contextmanager
def _browser(site: Site) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=site.issuer, follow_redirects=True, timeout=60, trust_env=False) as browser:
        yield browser


def _sign_in(site: Site, browser: httpx.Client, name: str, **params: str) -> httpx.Response:
    """Where a person ends who follows the way through the directory's own pages."""
    params = {"code_challenge": challenge_of(VERIFIER)} | params
    asked = browser.get(f"{site.address}{BEGIN}", params=params)
    assert asked.status_code == 200 and asked.url.path == "/login", asked.text
    page = browser.post(asked.url, data={"login": name})
    assert page.url.path == "/auth/password", page.text
    return browser.post(page.url, data={"password": canaille.PASSWORD})


def _token(site: Site, code: str) -> httpx.Response:
    form = {"code": code, "code_verifier": VERIFIER}
    return httpx.post(f"{site.address}{BEGIN}", data=form, trust_env=False)


def _me(site: Site, token: str) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}"}
    return dict(httpx.get(f"{site.address}/api/v1/session/me", headers=headers, trust_env=False).json())


def test_a_member_of_a_group_gets_an_account_and_brings_the_code_by_hand(site: Site) -> None:
    site.policy()
    with _browser(site) as browser:
        page = _sign_in(site, browser, canaille.MEMBER)
    assert str(page.url).startswith(site.address)
    answer = _token(site, shown_code(page))
    assert answer.status_code == 200, answer.text
    found = _me(site, answer.json()["access_token"])
    assert (found["name"], found["role"]) == (canaille.MEMBER, Role.RECORDS_MANAGER.value)
    assert [(part["kind"], part["name"]) for part in found["scopes"]] == [("room", "OR 1")]
    acts = told(site.api)
    assert [act for act, _ in acts[:3]] == ["signed-in", "directory-admitted", "account-created"]
    assert json.loads(acts[1][1])["subject"] == canaille.MEMBER


def test_a_program_that_waits_on_loopback_needs_an_oauth_library_and_no_more(site: Site) -> None:
    """RFC 8252: a native program, with authlib's client as any other would do it."""
    site.policy()
    verifier = secrets.token_urlsafe(48)
    with _waiting() as (back, brought), _browser(site) as browser, httpx.Client(trust_env=False) as http:
        program = OAuth2Client(http, "any", redirect_uri=back, code_challenge_method="S256")
        address, state = program.create_authorization_url(f"{site.address}{BEGIN}", code_verifier=verifier)
        _sign_in(site, browser, canaille.MEMBER, **query_of(address))
        assert brought[0]["state"] == state and set(brought[0]) == {"code", "state"}
        token = program.fetch_token(
            f"{site.address}{BEGIN}",
            code=brought[0]["code"],
            code_verifier=verifier,
            auth=httpx.USE_CLIENT_DEFAULT,
        )
    assert _me(site, token["access_token"])["name"] == canaille.MEMBER


def test_who_is_in_no_group_is_refused_by_name_of_the_reason(site: Site) -> None:
    site.policy()
    with _browser(site) as browser:
        page = _sign_in(site, browser, canaille.STRANGER)
    assert page.status_code == 403 and "no group of this identity" in page.text
    act, detail = told(site.api)[0]
    assert act == "directory-refused" and json.loads(detail)["subject"] == canaille.STRANGER


def test_a_role_that_needs_a_second_factor_is_let_in_by_what_the_directory_says(site: Site) -> None:
    roles = frozenset({Role.RECORDS_MANAGER})
    site.policy(second_factor=SecondFactor(roles, frozenset({"mfa"})))
    with _browser(site) as browser:
        page = _sign_in(site, browser, canaille.MEMBER)
    assert page.status_code == 403 and "second factor" in page.text
    site.policy(second_factor=SecondFactor(roles, frozenset({"mfa", "pwd"})))
    with _browser(site) as browser:
        assert shown_code(_sign_in(site, browser, canaille.MEMBER)), "Canaille says pwd of a password"


def test_role_and_reach_follow_the_groups(site: Site) -> None:
    site.policy()
    with _browser(site) as browser:
        _sign_in(site, browser, canaille.MEMBER)
        site.policy(groups=(GroupRule(canaille.GROUP, Role.AUDITOR, SITE),))
        page = browser.get(f"{site.address}{BEGIN}", params={"code_challenge": challenge_of(VERIFIER)})
    found = _me(site, _token(site, shown_code(page)).json()["access_token"])
    assert found["role"] == Role.AUDITOR.value and found["scopes"][0]["kind"] == "site"
    followed = json.loads(dict(told(site.api))["account-followed"])
    assert (followed["before"]["role"], followed["now"]["role"]) == ("records-manager", "auditor")


@contextmanager
def _waiting() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A program's own listener on loopback, and what browsers brought it."""
    brought: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            brought.append(query_of(self.path))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/back", brought
        server.shutdown()
