"""Sends one event to one outside recorder, and says whether it was taken: webhook, TCP line, UDP line.

docs/format/events-v1.md, sections 3 and 4. When to try again, and what comes next, is notices.py's.
"""

from __future__ import annotations

import contextlib
import fcntl
import socket
import struct
import termios
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import httpx

from actors.http_answer import ask, why_not
from actors.keys import read_secret
from actors.tls import client_context
from orvault.clock import US_PER_S, Clock
from orvault.custody.notices import LineTemplate, Notice, Secret, body_of
from orvault.errors import ErrorKind, OrvaultError

_REFUSAL_S = 0.05  # for "nobody listens there" to come back from the next machine
_POLL_S = 0.01
_READ_BYTES = 4096


class Target(Protocol):
    """One outside recorder."""

    @property
    def name(self) -> str:
        """As the settings name it."""
        ...

    def channel(self, camera_id: str) -> str | None:
        """What it calls this camera; None: it is not told of it."""
        ...

    def send(self, notice: Notice, channel: str) -> None:
        """Return when it was taken. Errors: OrvaultError, and then it is to be sent again."""
        ...


@dataclass(frozen=True)
class Peer:
    """What every kind of target has; `channels` without entries: every camera, under its own id."""

    name: str
    site: str
    timeout_s: float = 5.0
    secret_file: Path | None = None
    channels: Mapping[str, str] = field(default_factory=dict)

    def channel(self, camera_id: str) -> str | None:
        """What it calls this camera; None: it is not told of it."""
        return self.channels.get(camera_id) if self.channels else camera_id

    def secret(self) -> Secret | None:
        """Read anew each time, so that it can be changed while this runs. Errors: BAD_SETTINGS."""
        if self.secret_file is None:
            return None
        return Secret.parse(read_secret(self.secret_file), str(self.secret_file))

    def failed(self, what: str) -> OrvaultError:
        """The error of an event that was not taken."""
        return OrvaultError(ErrorKind.UNAVAILABLE, f"It {what}.", where=f"event target {self.name}")


@dataclass(frozen=True)
class Webhook(Peer):
    """JSON over HTTP."""

    url: str = ""
    ca_file: Path | None = None
    clock: Clock | None = None

    def send(self, notice: Notice, channel: str) -> None:
        """One signed request; its answer is not read beyond the status."""
        secret, clock = self.secret(), self.clock
        assert secret is not None and clock is not None, "the settings ask for a secret"
        body = body_of(notice, self.site, channel)
        headers = secret.sign_webhook(notice.notice_id, clock.now_us() // US_PER_S, body)
        headers["content-type"] = "application/json"
        trust = client_context(self.ca_file)
        try:
            answer = ask(
                "POST",
                self.url,
                trust=trust,
                timeout_s=self.timeout_s,
                max_bytes=None,
                headers=headers,
                content=body,
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # Not the error's text: it may hold the URL, and that a token.
            raise self.failed(why_not(error)) from None
        status = answer.status_code
        if not 200 <= status <= 299:
            raise self.failed(f"answered {status}")


@dataclass(frozen=True)
class TcpLine(Peer):
    """A text line over a connection of its own; `until_close`: taken is what the receiver has closed after."""

    host: str = ""
    port: int = 0
    template: LineTemplate = field(default_factory=lambda: LineTemplate(""))
    until_close: bool = True

    def send(self, notice: Notice, channel: str) -> None:
        """Connect, send the line and the end of the stream, wait for the receiver's."""
        line = self.template.render(notice, self.site, channel, self.secret())
        deadline = time.monotonic() + self.timeout_s
        try:
            with socket.create_connection((self.host, self.port), timeout=self.timeout_s) as connection:
                connection.sendall(line)
                connection.shutdown(socket.SHUT_WR)
                self._await(connection, deadline)
        except OSError as error:
            raise self.failed(f"did not take the line ({_words(error)})") from None

    def _await(self, connection: socket.socket, deadline: float) -> None:
        connection.settimeout(_POLL_S)
        while time.monotonic() < deadline:
            with contextlib.suppress(TimeoutError):
                if not connection.recv(_READ_BYTES):
                    return  # it read to our end, and closed in good order
            if not self.until_close and _unacknowledged_bytes(connection) == 0:
                return
        raise self.failed(f"did not close the connection within {self.timeout_s:g} s")


@dataclass(frozen=True)
class UdpLine(Peer):
    """A text line in a datagram; nobody confirms it."""

    host: str = ""
    port: int = 0
    template: LineTemplate = field(default_factory=lambda: LineTemplate(""))

    def send(self, notice: Notice, channel: str) -> None:
        """Send it, and wait a moment for the word that nobody listens there."""
        line = self.template.render(notice, self.site, channel, self.secret())
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(
                self.host, self.port, type=socket.SOCK_DGRAM
            )[0]
            with socket.socket(family, kind, protocol) as connected:
                connected.connect(address)
                connected.settimeout(_REFUSAL_S)
                connected.send(line)
                with contextlib.suppress(TimeoutError):
                    connected.recv(1)
        except OSError as error:
            raise self.failed(f"did not take the line ({_words(error)})") from None


def _unacknowledged_bytes(connection: socket.socket) -> int:
    """What the receiving machine has not acknowledged yet (Linux: SIOCOUTQ, the same number as TIOCOUTQ)."""
    count: int = struct.unpack("i", fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, struct.pack("i", 0)))[
        0
    ]
    return count


def _words(error: OSError) -> str:
    return error.strerror or type(error).__name__
