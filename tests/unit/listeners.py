"""Outside recorders for tests: real HTTP, TCP and UDP listeners on loopback that can be killed and come back."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port that nobody listens on now."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Received:
    """One request as it came."""

    headers: dict[str, str]
    body: bytes

    @property
    def notice_id(self) -> str:
        return str(json.loads(self.body)["id"])


@dataclass
class HttpRecorder:
    """Keeps every request; answers with the next of `answers`, then 204. -1: it hangs up without an answer."""

    port: int = field(default_factory=free_port)
    received: list[Received] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    _server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.received.append(Received({k.lower(): v for k, v in self.headers.items()}, body))
                status = outer.answers.pop(0) if outer.answers else 204
                if status < 0:
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                self.send_response(status)
                self.send_header("location", f"http://127.0.0.1:{outer.port}/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def kill(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


@dataclass
class TcpRecorder:
    """Reads lines to the end of each connection, then `after` it: close, or reset, or never."""

    after: str = "close"
    port: int = field(default_factory=free_port)
    lines: list[str] = field(default_factory=list)
    _listener: socket.socket | None = None
    _held: list[socket.socket] = field(default_factory=list)

    def start(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def kill(self) -> None:
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        for connection in self._held:
            connection.close()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._take(listener.accept()[0])

    def _take(self, connection: socket.socket) -> None:
        data = b""
        if self.after != "reset":  # which hangs up with the line unread
            while piece := connection.recv(100):
                data += piece
            self.lines.append(data.decode())
        if self.after == "never":
            self._held.append(connection)
            return
        if self.after == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        connection.close()


@dataclass
class UdpRecorder:
    """Keeps datagrams."""

    port: int = field(default_factory=lambda: free_port(socket.SOCK_DGRAM))
    lines: list[str] = field(default_factory=list)
    _socket: socket.socket | None = None

    def start(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", self.port))
        self._socket.settimeout(0.05)
        threading.Thread(target=self._receive, args=(self._socket,), daemon=True).start()

    def kill(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _receive(self, bound: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while bound.fileno() >= 0:
                with contextlib.suppress(TimeoutError):
                    self.lines.append(bound.recv(2000).decode())


Recorder = HttpRecorder | TcpRecorder | UdpRecorder


@contextlib.contextmanager
def ended(make: Callable[[], Recorder]) -> Iterator[Recorder]:
    """A recorder that is gone afterwards, whatever the test did."""
    recorder = make()
    try:
        yield recorder
    finally:
        recorder.kill()
