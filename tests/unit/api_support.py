"""The API over a real SQLite ledger, called without sockets, one account for each role."""

from __future__ import annotations

import asyncio
from copy import copy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from starlette.datastructures import State

from api.app import Services, build_app
from api.security import LinkSigner, TokenSigner
from orvault.clock import US_PER_S, FakeClock, utc_iso
from orvault.container import canonical
from orvault.custody.account import Account, Role
from tests.fakes import KEY, PASSWORD, World, make_world, sqlite_url

MEDIA, VERSION = "https://media.test", "1.2.3"
ROOMS_OFFSET_MIN = 540


@dataclass
class Api:
    """The app with its world; `get`, `post`, `delete` call it as an account of the role (None: no token)."""

    world: World
    app: FastAPI
    links: LinkSigner
    tokens: TokenSigner
    folder: Path

    def call(self, method: str, path: str, role: Role | None, **more: Any) -> httpx.Response:
        account = self.world.accounts[role] if role is not None else None
        return self.call_as(method, path, account, **more)

    def call_as(self, method: str, path: str, account: Account | None, **more: Any) -> httpx.Response:
        headers = more.pop("headers", {}) | self.bearer(account)
        return call(self.app, method, path, headers=headers, **more)

    def get(self, path: str, role: Role | None, **more: Any) -> httpx.Response:
        return self.call("GET", path, role, **more)

    def post(self, path: str, role: Role | None, **more: Any) -> httpx.Response:
        return self.call("POST", path, role, **more)

    def token(self, account: Account) -> str:
        return self.tokens.sign(self.world.custody.sign_in(account.name, PASSWORD).session)

    def bearer(self, account: Account | None) -> dict[str, str]:
        """Headers of a new session. For many calls keep it: signing in takes longer than most of them."""
        return {} if account is None else {"Authorization": f"Bearer {self.token(account)}"}


def call(app: Any, method: str, path: str, **more: Any) -> httpx.Response:
    """One request to an ASGI app, as a client would see its answer."""

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=("192.0.2.7", 5000))
        async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as client:
            return await client.request(method, path if path.startswith("/") else f"/api/v1/{path}", **more)

    return asyncio.run(send())


def make_api(folder: Path) -> Api:
    """The API over a fresh ledger in this folder."""
    world = make_world(sqlite_url(folder))
    tokens, links = TokenSigner(b"t" * 32, world.clock), LinkSigner(b"l" * 32, world.clock)
    app = copy(_app())
    app.state = State(
        {
            "services": Services(
                world.custody, links, tokens, lambda: MEDIA, VERSION, rooms_offset_min=ROOMS_OFFSET_MIN
            )
        }
    )
    return Api(world, app, links, tokens, folder)


@cache
def _app() -> FastAPI:
    """The app without its services, and it has no other state: building its routes takes longer than most tests."""
    nothing: Any = None
    return build_app(Services(nothing, nothing, nothing, lambda: MEDIA, VERSION))


def export_body(case_id: str, start: str, end: str, **changes: Any) -> dict[str, Any]:
    """A request that is in order, by a court, for one recipient with a key of their own."""
    public = KEY.public()
    body: dict[str, Any] = {
        "case_id": case_id,
        "camera_ids": ["or1-wall"],
        "from": start,
        "to": end,
        "purpose": "Court proceedings 2026-77",
        "basis": {"kind": "court", "document_number": "2026-77"},
        "recipients": [
            {"name": "Court", "public_key": {"kem": str(public.kem), "raw": canonical.to_base64(public.raw)}}
        ],
        "masking": {"mode": "head", "style": "solid"},
        "watermark": {"text": "Hospital 2026-77", "position": "bottom-right"},
    }
    return body | changes


def viewing_body(case_id: str, **changes: Any) -> dict[str, Any]:
    """A request to view that is in order by the fake clock: the records manager's name, live, for an hour."""
    body: dict[str, Any] = {
        "viewer": Role.RECORDS_MANAGER.value,
        "kind": "live",
        "case_id": case_id,
        "camera_ids": ["or1-wall"],
        "showing": "people-masked",
        "purpose": "A second opinion",
        "basis": {"kind": "court", "document_number": "2026-77"},
        "until": utc_iso(FakeClock().us + 3600 * US_PER_S),
    }
    return body | changes


def is_problem(response: httpx.Response, status: int, kind: str) -> bool:
    """Whether the answer is this problem document; shows the answer where it is not."""
    body = response.json()
    found = (response.status_code, response.headers["content-type"], body["type"].rsplit(":", 1)[-1])
    assert found == (status, "application/problem+json", kind), body
    assert body["status"] == status and body["title"] and body["detail"]
    return True
