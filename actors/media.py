"""The byte server: downloads through uvicorn inside this actor, because Ray Serve knows no back-pressure."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from actors.bounded_http import MOST_CONNECTIONS, MOST_HEAD_BYTES, BoundedHttp
from orvault.errors import ErrorKind, OrvaultError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

MOST_HEARD_BYTES = 4096  # of one message over a WebSocket; nobody has more to say here
START_S = 20.0  # a server that has not begun to listen by then will not


class MediaActor:
    """Serves one ASGI app from an address of its own; the app decides who may have what."""

    def __init__(
        self, build: Callable[[], ASGIApp], host: str, port: int, tls: tuple[Path, Path] | None = None
    ) -> None:
        self._socket = _listen(host, port)
        config = uvicorn.Config(
            build(),
            lifespan="off",
            log_level="warning",
            access_log=False,
            server_header=False,
            http=BoundedHttp,
            h11_max_incomplete_event_size=MOST_HEAD_BYTES,
            limit_concurrency=MOST_CONNECTIONS,
            log_config=None,
            ws="websockets-sansio",
            ws_max_size=MOST_HEARD_BYTES,
            ws_per_message_deflate=False,  # video does not get smaller
            ssl_context_factory=None if tls is None else partial(_tls_1_3, tls),
        )
        self._server = uvicorn.Server(config)
        thread = threading.Thread(target=self._server.run, args=([self._socket],), name="media", daemon=True)
        thread.start()
        waited = threading.Event()
        for _ in range(int(START_S / 0.05)):
            if self._server.started:
                return
            waited.wait(0.05)
        raise OrvaultError(ErrorKind.UNAVAILABLE, "the byte server did not start.", where=f"{host}:{port}")

    def address(self) -> str:
        """HOST:PORT that it really listens on."""
        host, port = self._socket.getsockname()[:2]
        return f"{host}:{port}"


def _tls_1_3(tls: tuple[Path, Path], _config: object, _default: object) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_cert_chain(*tls)
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror or type(error).__name__
        raise OrvaultError(
            ErrorKind.BAD_SETTINGS, f"cannot be used: {reason}.", where=f"api.tls_certificate {tls[0]}"
        ) from None
    return context


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise OrvaultError(
            ErrorKind.BAD_SETTINGS,
            f"cannot listen: {error.strerror}.",
            where=f"api.media_port {host}:{port}",
            advice="Choose a free port, or 0 for any.",
        ) from None
    listener.listen(128)
    return listener
