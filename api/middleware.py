"""Around every request: a limit on the body's size, and headers that keep browsers from doing harm."""

from __future__ import annotations

from collections.abc import MutableMapping
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import problem

MAX_BODY_BYTES = 1 << 20
# The pages hold no scripts; the docs page brings its own style and names its hash instead (see docs_page).
CONTENT_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_HEADERS = {
    "content-security-policy": CONTENT_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
_HSTS = "max-age=31536000"


class SecurityHeaders:
    """Adds the headers that a response does not set itself; HSTS where the connection is TLS."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request (ASGI)."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        wanted = _HEADERS | ({"strict-transport-security": _HSTS} if scope.get("scheme") == "https" else {})

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add_missing(message, wanted)
            await send(message)

        await self.app(scope, receive, send_with_headers)


class BodyLimit:
    """Answers 413 to a body over `max_bytes`, by its declared length or as soon as more has arrived."""

    def __init__(self, app: ASGIApp, max_bytes: int = MAX_BODY_BYTES) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request (ASGI)."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"")
        if declared.isdigit() and int(declared[:20]) > self.max_bytes:
            await self._refusal()(scope, receive, send)
            return
        arrived = 0

        async def receive_some() -> Message:
            nonlocal arrived
            message = await receive()
            arrived += len(message.get("body", b""))
            if arrived > self.max_bytes:
                # an HTTPException passes through FastAPI's reading of bodies and becomes a problem document
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return message

        await self.app(scope, receive_some, send)

    def _refusal(self) -> ASGIApp:
        status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        detail = f"The body is larger than {self.max_bytes} bytes."
        return problem(status, "content-too-large", status.phrase, detail, headers={"Connection": "close"})


def _add_missing(message: MutableMapping[str, Any], wanted: dict[str, str]) -> None:
    headers = list(message.get("headers", []))
    present = {name.lower() for name, _ in headers}
    for name, value in wanted.items():
        if name.encode() not in present:
            headers.append((name.encode(), value.encode()))
    message["headers"] = headers
