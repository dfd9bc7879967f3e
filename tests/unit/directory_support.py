"""A site whose people sign in through a directory: the API over it, browsers, and programs that want a token."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from api.directory.flow import Directory
from api.directory.place import ProviderPlace
from orvault.custody.account import Account, Role
from orvault.custody.directory import DirectoryPolicy, challenge_of
from tests.unit.api_support import Api, call
from tests.unit.directory_rules import VERIFIER, set_policy

LOOPBACK = "http://127.0.0.1:51004/back"
PORTAL = "https://portal.test/signed-in"


def place(issuer: str, **changes: Any) -> ProviderPlace:
    """The directory at this issuer, as settings would name it."""
    named: dict[str, Any] = {
        "client_id": "orvault",
        "redirect_uri": "http://api.test/api/v1/session/directory/callback",
        "return_addresses": (PORTAL,),
        "timeout_s": 2.0,
    }
    return ProviderPlace(issuer=issuer, **(named | changes))


def with_directory(api: Api, at: ProviderPlace, policy: DirectoryPolicy) -> Api:
    """The same API, whose people sign in through this directory from now on."""
    set_policy(api.world.custody, policy)
    directory = Directory.at(at, b"t" * 32, api.world.clock)
    api.app.state.services = replace(api.app.state.services, directory=directory)
    return api


@dataclass
class Browser:
    """Somebody's browser: it keeps cookies, and goes where it is sent, one step at a time."""

    app: Any
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **params: str) -> httpx.Response:
        answer = call(self.app, "GET", path, params=params, headers={"cookie": self._cookie()})
        for header in answer.headers.get_list("set-cookie"):
            name, _, value = header.partition(";")[0].partition("=")
            if "max-age=0" in header.lower():
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value.strip('"')
        return answer

    def begin(self, **params: str) -> dict[str, str]:
        """What the directory is asked, once the browser was sent there."""
        wanted = {"code_challenge": challenge_of(VERIFIER)} | params
        answer = self.get("session/directory", **wanted)
        assert answer.status_code == 303, answer.text
        return query_of(answer.headers["location"])

    def come_back(self, **params: str) -> httpx.Response:
        return self.get("session/directory/callback", **params)

    def _cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())


def query_of(address: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def shown_code(page: httpx.Response) -> str:
    """The code on the page."""
    found = re.search(r"<code>([A-Za-z0-9_-]+)</code>", page.text)
    assert page.status_code == 200 and found, page.text
    return found[1]


def redeem(app: Any, code: str, verifier: str = VERIFIER) -> httpx.Response:
    """What a program does with the code."""
    return call(app, "POST", "session/directory", data={"code": code, "code_verifier": verifier})


def told(api: Api, limit: int = 50) -> list[tuple[str, str]]:
    """Acts of history with their details, the newest first."""
    entries = api.world.custody.history(api.world.accounts[Role.AUDITOR], limit=limit)
    return [(entry.act, entry.detail) for entry in entries]


def me(api: Api, token: str) -> dict[str, Any]:
    answer = call(api.app, "GET", "session/me", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def linked(api: Api, subject: str, role: Role = Role.RECORDS_MANAGER, name: str = "kim.jiwon") -> Account:
    account = api.world.account(role, name)
    api.world.custody.link_directory(None, account.account_id, subject=subject)
    return account
