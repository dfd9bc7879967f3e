"""Strangers who send slowly, or without end, hold no connection and no memory of the byte servers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send
from uvicorn.config import HTTP_PROTOCOLS

from actors import bounded_http
from actors.media import MediaActor
from api.middleware import MAX_BODY_BYTES, BodyLimit
from api.serving import WholeBody
from cluster.environment import ray_environment

PATIENCE_S = 30.0  # of the test; the server's is below
HEAD = b"POST /body HTTP/1.1\r\nHost: a.test\r\n"


async def _slow(_request: Request) -> PlainTextResponse:
    await asyncio.sleep(6 * bounded_http.HEAD_S)
    return PlainTextResponse("slow")


async def _body(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> tuple[str, int]:
    monkeypatch.setattr(bounded_http, "HEAD_S", 0.1)
    monkeypatch.setattr(bounded_http, "BODY_S", 0.1)
    routes = [Route("/slow", _slow), Route("/body", _body, methods=["POST"])]
    host, port = MediaActor(lambda: Starlette(routes=routes), "127.0.0.1", 0).address().split(":")
    return host, int(port)


@pytest.fixture
def line(server: tuple[str, int]) -> Iterator[socket.socket]:
    with socket.create_connection(server, timeout=PATIENCE_S) as made:
        yield made


def heard(line: socket.socket) -> bytes:
    """All that the server says until it hangs up."""
    found = b""
    try:
        while more := line.recv(65536):
            found += more
    except ConnectionError:
        pass
    return found


@pytest.mark.parametrize(
    "sent", [b"", b"GET /slow HTTP/1.1\r\nHost: a.test\r\nX-Half: ", HEAD + b"Content-Length: 9\r\n\r\nhalf"]
)
def test_a_request_that_does_not_come_is_hung_up_on(line: socket.socket, sent: bytes) -> None:
    line.sendall(sent)
    assert heard(line) == b""


def test_a_head_without_end_is_refused(line: socket.socket) -> None:
    with pytest.raises(ConnectionError):
        line.sendall(HEAD)
        for _ in range(4096):  # 64 MB
            line.sendall(b"X-More: " + b"a" * 16_000 + b"\r\n")


def test_an_answer_that_takes_longer_is_given_and_the_next_one_too(line: socket.socket) -> None:
    line.sendall(b"GET /slow HTTP/1.1\r\nHost: a.test\r\n\r\n" + HEAD + b"Content-Length: 4\r\n\r\nbody")
    told = heard(line)
    assert told.count(b"HTTP/1.1 200 OK") == 2 and told.endswith(b"4")


def test_serve_is_told_to_take_connections_so(monkeypatch: pytest.MonkeyPatch) -> None:
    module, _, name = ray_environment(Path("token"), False)[
        "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH"
    ].partition(":")
    monkeypatch.setitem(HTTP_PROTOCOLS, "auto", HTTP_PROTOCOLS["auto"])
    (whole,) = getattr(import_module(module), name)()
    assert whole.cls is WholeBody
    assert HTTP_PROTOCOLS["auto"] == "actors.bounded_http:BoundedHttp"


class Behind:
    """An app that reads the body of each request, and how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked += 1
        size = len(await Request(scope, receive).body())
        await PlainTextResponse(str(size))(scope, receive, send)


async def answered(front: WholeBody, *came: Message) -> list[Message]:
    """What a request is answered of which this came."""
    waiting, said = list(came), []

    async def receive() -> Message:
        return waiting.pop(0)

    async def send(message: Message) -> None:
        said.append(message)

    await front({"type": "http", "method": "POST", "path": "/", "headers": []}, receive, send)
    return said


def part(size: int, *, more: bool) -> Message:
    return {"type": "http.request", "body": b"a" * size, "more_body": more}


def test_the_api_is_asked_once_the_whole_body_is_there() -> None:
    behind = Behind()
    front = WholeBody(behind)
    assert asyncio.run(answered(front, part(3, more=True), {"type": "http.disconnect"})) == []
    assert behind.asked == 0
    said = asyncio.run(answered(front, part(3, more=True), part(4, more=False)))
    assert behind.asked == 1 and said[1]["body"] == b"7"


def test_of_too_much_it_is_given_what_tells_that() -> None:
    behind = Behind()
    limited = BodyLimit(behind)
    parts = [part(MAX_BODY_BYTES, more=True), part(1, more=True)]
    with pytest.raises(HTTPException) as caught:
        asyncio.run(answered(WholeBody(limited), *parts))
    assert caught.value.status_code == 413


def test_bodies_on_their_way_take_so_much_memory_together() -> None:
    behind = Behind()
    front = WholeBody(behind, most_held=10)
    for _ in range(3):  # what is over is counted no more
        assert asyncio.run(answered(front, part(6, more=True), part(6, more=True)))[0]["status"] == 503
    assert behind.asked == 0
    assert asyncio.run(answered(front, part(10, more=False)))[1]["body"] == b"10"
