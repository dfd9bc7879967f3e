"""One question over HTTP, whose answer is bounded in bytes and in time as a whole.

httpx bounds each read alone: who sends a byte now and then, of headers or body, would keep a thread for ever.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any

import httpx


def ask(
    method: str,
    url: str,
    *,
    trust: ssl.SSLContext,
    timeout_s: float,
    max_bytes: int | None,
    headers: Mapping[str, str],
    params: Mapping[str, str] | None = None,
    content: bytes | None = None,
) -> httpx.Response:
    """The answer, with its status, content type and body; `timeout_s` is for each step, twice that for all of it.

    Without `max_bytes` the body is not read: who only wants to know whether it was taken need not care what is said.
    Redirects are not followed and no proxy of the environment is used: the address is meant as it stands in the
    settings. Errors: httpx.HTTPError (UnboundedError: the whole is, or takes, too long), httpx.InvalidURL.
    """
    # Nothing packed: a few bytes could unpack to more than any limit.
    plain = {**headers, "accept-encoding": "identity"}
    body = bytearray()
    with _Limit(2 * timeout_s) as limit:
        try:
            with (
                httpx.Client(verify=trust, timeout=timeout_s, trust_env=False) as client,
                client.stream(
                    method,
                    url,
                    headers=plain,
                    params=params,
                    content=content,
                    extensions={"trace": limit.trace},
                ) as answer,
            ):
                for piece in () if max_bytes is None else answer.iter_raw():
                    body += piece
                    if max_bytes is not None and len(body) > max_bytes:
                        raise UnboundedError(f"more than {max_bytes} bytes")
        except httpx.HTTPError:
            limit.check()
            raise
        limit.check()  # an answer without a length ends where its connection does
    kept = {name: value for name, value in answer.headers.items() if name == "content-type"}
    return httpx.Response(answer.status_code, headers=kept, content=bytes(body), request=answer.request)


class UnboundedError(httpx.HTTPError):
    """The answer is longer, or takes longer, than it may."""


def why_not(error: Exception) -> str:
    """Why there is no answer, to put behind the name of who was asked; httpx's own words may hold the address."""
    if isinstance(error, UnboundedError):
        return f"gave an answer of {error}"
    return f"did not answer ({type(error).__name__})"


class _Limit:
    """Shuts the connection down when its time is over, whatever waits on it then ends."""

    def __init__(self, total_s: float) -> None:
        self._total_s = total_s
        self._timer = threading.Timer(total_s, self._end)
        self._timer.daemon = True
        self._turn = threading.Lock()
        self._socket: socket.socket | None = None
        self._over = False

    def __enter__(self) -> _Limit:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        with self._turn:
            self._socket = None

    def trace(self, event: str, told: Mapping[str, Any]) -> None:
        """What httpx tells of its steps: which socket it has, plain first and then under TLS."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            with self._turn:
                self._socket = told["return_value"].get_extra_info("socket")
                if self._over:
                    self._shut()

    def check(self) -> None:
        """Raise UnboundedError if it was this that ended the connection."""
        with self._turn:
            if self._over:
                raise UnboundedError(f"more than {self._total_s:g} s")

    def _end(self) -> None:
        with self._turn:
            self._over = True
            self._shut()

    def _shut(self) -> None:
        if self._socket is not None:
            with suppress(OSError):  # it is closed already
                # Not an SSLSocket's own, which would take its state from under the thread that reads.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
