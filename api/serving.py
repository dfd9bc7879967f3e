"""What stands in front of the API in the process that Ray Serve takes connections in: bounds that Serve does not set.

A replica works on so many requests at a time, and a request is one from its head on. Without this, whoever sends the
heads of some dozens of requests, and their bodies never, keeps everybody from starting a recording.
"""

from __future__ import annotations

from collections import deque
from http import HTTPStatus

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from actors.bounded_http import BoundedHttp
from api.errors import problem
from api.middleware import MAX_BODY_BYTES

MOST_HELD_BYTES = 128 << 20  # of bodies that are on their way, together


def bound_serve() -> list[Middleware]:
    """Have connections bounded as the byte servers' are, and bodies taken in whole.

    Serve calls it by its name (`cluster.environment`) in its proxy's process; there uvicorn's own choice is replaced,
    which Serve has no setting for.
    """
    from uvicorn import config

    config.HTTP_PROTOCOLS["auto"] = f"{BoundedHttp.__module__}:{BoundedHttp.__name__}"
    return [Middleware(WholeBody)]


class WholeBody:
    """Passes a request on once its body is there; of one that is too large, as much as tells that."""

    def __init__(self, app: ASGIApp, most_held: int = MOST_HELD_BYTES) -> None:
        self.app = app
        self._most_held, self._held = most_held, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request (ASGI)."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        came: deque[Message] = deque()
        size, more = 0, True
        try:
            while more and size <= MAX_BODY_BYTES:
                message = await receive()
                if message["type"] != "http.request":
                    return  # nobody is there any more to answer
                came.append(message)
                more, length = bool(message.get("more_body")), len(message.get("body", b""))
                size, self._held = size + length, self._held + length
                if self._held > self._most_held:
                    await _busy()(scope, receive, send)
                    return

            async def receive_again() -> Message:
                return came.popleft() if came else await receive()

            await self.app(scope, receive_again, send)
        finally:
            self._held -= size


def _busy() -> ASGIApp:
    status = HTTPStatus.SERVICE_UNAVAILABLE
    detail = "Too much is being sent at once; try again in a few seconds."
    return problem(status, "unavailable", status.phrase, detail, headers={"Connection": "close"})
