"""Serves views: the page, live pictures over a WebSocket, stored ones as HLS; by a view's signed path only.

It runs under uvicorn inside the viewing actor. Who sees what, custody decided, and decides again at every picture.
The formats: docs/format/view-v1.md.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import Annotated, Any

from fastapi import FastAPI, Path, Query, Request, WebSocket
from fastapi.responses import HTMLResponse, Response
from starlette.websockets import WebSocketDisconnect

from actors.viewing import Viewing, Visit
from api import errors
from api.middleware import SecurityHeaders
from api.security import LinkSigner
from api.services import client_of
from api.viewing_page import view_page
from orvault.clock import US_PER_S, Clock
from orvault.custody.text import MAX_TIME_US
from orvault.custody.viewing import Showing, shows_more
from orvault.errors import OrvaultError
from orvault.viewing.outlet import Begin, Message, Notice, Shown

PLAYLIST_TYPE, SEGMENT_TYPE = "application/vnd.apple.mpegurl", "video/mp4"
LOOK_S = 0.1  # between looks at what a stored view shows, to tell its player
_NOTHING_MORE = 1008  # RFC 6455: the policy does not allow it
_NO_STORE = {"Cache-Control": "private, no-store"}

Token = Annotated[str, Path(max_length=2048)]
Moment = Annotated[int, Query(ge=0, le=MAX_TIME_US)]  # UTC us
BoxMicro = Annotated[str, Query(pattern=r"^\d{1,7}(,\d{1,7}){3}$")]  # x1,y1,x2,y2 in millionths of the sides


class ViewingApp:
    """The routes over one `Viewing`."""

    def __init__(self, links: LinkSigner, viewing: Viewing, clock: Clock) -> None:
        self._links, self._viewing, self._clock = links, viewing, clock

    def show_page(self, request: Request, token: Token) -> HTMLResponse:
        """The page of a view; opening that of a stored view opens the view."""
        view_id = self._links.read_view(token)
        if self._viewing.is_live(view_id):
            return view_page("live")
        return view_page("stored", _mime(self._viewing.stored(view_id, client_of(request)).video.codec))

    def send_playlist(self, request: Request, token: Token) -> Response:
        """What a stored view is made of."""
        view = self._viewing.stored(self._links.read_view(token), client_of(request))
        return Response(view.video.playlist(), media_type=PLAYLIST_TYPE, headers=_NO_STORE)

    def send_init(self, request: Request, token: Token) -> Response:
        """The description of its segments."""
        view = self._viewing.stored(self._links.read_view(token), client_of(request))
        return Response(view.video.init, media_type=SEGMENT_TYPE, headers=_NO_STORE)

    def send_segment(self, request: Request, token: Token, number: int) -> Response:
        """One segment, showing what the view shows now."""
        view = self._viewing.stored(self._links.read_view(token), client_of(request))
        return Response(view.segment(number), media_type=SEGMENT_TYPE, headers=_NO_STORE)

    def send_still(self, request: Request, token: Token, at: Moment, box: BoxMicro) -> Response:
        """One picture of a stored view, with a box drawn in, showing what the view shows now."""
        view = self._viewing.stored(self._links.read_view(token), client_of(request))
        x1, y1, x2, y2 = map(int, box.split(","))
        return Response(view.still(at, (x1, y1, x2, y2)), media_type="image/jpeg", headers=_NO_STORE)

    async def socket(self, socket: WebSocket, token: str) -> None:
        """Live pictures; to a stored view, word of what it shows from now on."""
        await socket.accept()
        client = socket.client.host if socket.client else ""
        try:
            view_id = self._links.read_view(token[:2048])
            live = await asyncio.to_thread(self._viewing.is_live, view_id)
            send = self._send_live if live else self._send_word
            await _until_gone(socket, send(socket, view_id, client))
        except OrvaultError as error:
            await _end(socket, Notice(error.message, over=True))
        except WebSocketDisconnect:
            return

    async def _send_live(self, socket: WebSocket, view_id: str, client: str) -> None:
        loop, there = asyncio.get_running_loop(), asyncio.Event()

        def notify() -> None:
            loop.call_soon_threadsafe(there.set)

        opening = asyncio.ensure_future(asyncio.to_thread(self._viewing.watch, view_id, client, notify))
        try:
            visit = await asyncio.shield(opening)
        except asyncio.CancelledError:  # the browser went away meanwhile; the thread goes on
            opening.add_done_callback(self._leave_late)
            raise
        try:
            while True:
                await there.wait()
                there.clear()
                if await self._send_waiting(socket, visit):
                    return
        finally:
            await asyncio.to_thread(self._viewing.leave, visit)

    def _leave_late(self, opening: asyncio.Future[Visit]) -> None:
        if not opening.cancelled() and opening.exception() is None:
            asyncio.get_running_loop().run_in_executor(None, self._viewing.leave, opening.result())

    async def _send_waiting(self, socket: WebSocket, visit: Visit) -> bool:
        """All that waits for this viewer; whether that was the last."""
        assert visit.outlet is not None, "it is a live one"
        while (message := visit.outlet.take()) is not None:
            if isinstance(message, Notice) and message.over:
                await _end(socket, message)
                return True
            if isinstance(message, Shown):
                await self._send_picture(socket, visit, message)
            else:
                await _tell(socket, message)
        return False

    async def _send_picture(self, socket: WebSocket, visit: Visit, shown: Shown) -> None:
        # The switch may have been set since the picture was made.
        decision = self._viewing.board.decision(visit.opened.view.view_id)
        if shows_more(shown.showing, decision.showing):
            return
        now_us = self._clock.now_us()
        visit.seen.add(now_us, now_us + US_PER_S // 25, shown.showing, decision.grant_id)
        await socket.send_bytes(shown.data)

    async def _send_word(self, socket: WebSocket, view_id: str, client: str) -> None:
        view = await asyncio.to_thread(self._viewing.stored, view_id, client)
        told: Showing | None = None
        while True:
            decision = self._viewing.board.decision(view_id)
            if not decision.allowed:
                await _end(socket, Notice(decision.reason, over=True))
                return
            showing = view.told(decision.showing)
            if showing is not told:
                told = showing
                word = {"type": "switch", "showing": showing.value, "reason": decision.reason}
                await socket.send_text(json.dumps(word))
            await asyncio.sleep(LOOK_S)


def build_viewing_app(links: LinkSigner, clock: Clock, viewing: Viewing) -> FastAPI:
    """The viewing server's ASGI application, everything below `/view/{token}/`.

    Answers 401 to a forged path, 410 to one that is over or of another address, 403 to a view that may not be shown.
    """
    app = FastAPI(title="OR Vault viewing", openapi_url=None, docs_url=None, redoc_url=None)
    routes = ViewingApp(links, viewing, clock)
    for path, answer in (
        ("", routes.show_page),
        ("index.m3u8", routes.send_playlist),
        ("init.mp4", routes.send_init),
        ("{number}.m4s", routes.send_segment),
        ("still.jpg", routes.send_still),
    ):
        app.add_api_route(f"/view/{{token}}/{path}", answer, methods=["GET"], response_model=None)
    app.add_api_websocket_route("/view/{token}/socket", routes.socket)
    errors.install(app)
    app.add_middleware(SecurityHeaders)
    return app


def _mime(codec: str) -> str:
    return f'video/mp4; codecs="{codec}"'


async def _tell(socket: WebSocket, message: Message) -> None:
    if isinstance(message, Begin):
        word = {"type": "begin", "showing": message.showing.value, "reason": message.reason}
        await socket.send_text(json.dumps(word | {"mime": _mime(message.codec)}))
        await socket.send_bytes(message.init)
    elif isinstance(message, Notice):
        word = {"type": "notice", "words": message.words}
        await socket.send_text(json.dumps(word | {"over": message.over}))


async def _end(socket: WebSocket, notice: Notice) -> None:
    await _tell(socket, notice)
    await socket.close(_NOTHING_MORE)


async def _until_gone(socket: WebSocket, sending: Coroutine[Any, Any, None]) -> None:
    """Send until that ends, or the viewer is gone. What the viewer says is not listened to."""
    tasks = [asyncio.create_task(sending), asyncio.create_task(_gone(socket))]
    done, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    for task in done:
        task.result()


async def _gone(socket: WebSocket) -> None:
    while (await socket.receive())["type"] != "websocket.disconnect":
        continue
