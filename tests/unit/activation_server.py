"""The API over real HTTPS on loopback, certified by an authority of its own, and a small proxy that takes CONNECT."""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import socket
import socketserver
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

LOOPBACK = "127.0.0.1"


def make_authority(folder: Path, name: str = "Test authority") -> tuple[bytes, Path, Path]:
    """An authority's certificate (DER), and the files of a certificate for 127.0.0.1 and its key (PEM)."""
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca = _certificate(name, name, ca_key.public_key(), ca_key, ca=True)
    leaf = _certificate(LOOPBACK, name, key.public_key(), ca_key, ca=False)
    certificate, key_file = folder / f"{name}.pem", folder / f"{name}.key"
    certificate.write_bytes(leaf.public_bytes(Encoding.PEM))
    key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return ca.public_bytes(Encoding.DER), certificate, key_file


def _certificate(
    name: str, issuer: str, public: ec.EllipticCurvePublicKey, signer: ec.EllipticCurvePrivateKey, *, ca: bool
) -> x509.Certificate:
    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    now = datetime.now(UTC)
    usage = {
        "digital_signature": not ca, "content_commitment": False, "key_encipherment": False,
        "data_encipherment": False, "key_agreement": False, "key_cert_sign": ca, "crl_sign": ca,
        "encipher_only": False, "decipher_only": False,
    }  # fmt: skip
    builder = (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named(issuer))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )
    if not ca:
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(LOOPBACK))])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(signer, SHA256())


@dataclass(frozen=True)
class Answer:
    """What is answered; `cut`: the connection ends before the body, which is `chunked` or has its length told."""

    status: int
    body: bytes = b""
    cut: bool = False
    chunked: bool = False


@dataclass
class Served:
    """An app behind something that may answer in its place: `instead` holds statuses or answers, each for one
    request that the app took in and answered all the same.
    """

    app: Any
    instead: list[int | Answer] = field(default_factory=list)
    requests: int = 0

    async def __call__(self, scope: Any, receive: Any, send: Callable[[Any], Awaitable[None]]) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        self.requests += 1
        answer = self.instead.pop(0) if self.instead else None
        if isinstance(answer, int):
            answer = Answer(answer)

        async def changed(message: Any) -> None:
            if answer is None:
                await send(message)
            elif message["type"] == "http.response.start":
                headers = [(b"location", b"https://127.0.0.1:1/elsewhere")]
                if not answer.chunked:
                    headers.append((b"content-length", b"%d" % (len(answer.body) + answer.cut)))
                await send({"type": "http.response.start", "status": answer.status, "headers": headers})
                await send({"type": "http.response.body", "body": answer.body, "more_body": answer.cut})

        await self.app(scope, receive, changed)


@contextlib.contextmanager
def served(app: Any, certificate: Path, key: Path) -> Iterator[str]:
    """The app's address while it is served."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        config = uvicorn.Config(
            app, ssl_certfile=str(certificate), ssl_keyfile=str(key), log_level="error", lifespan="off"
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield f"https://{LOOPBACK}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)


@dataclass
class Proxy:
    """Takes CONNECT, from who shows `user` ("name:password"; empty: from anybody); keeps whom it connected to."""

    address: str
    asked: list[str]


@contextlib.contextmanager
def proxy(user: str = "") -> Iterator[Proxy]:
    """A proxy on loopback."""
    asked: list[str] = []
    wanted = "Basic " + base64.b64encode(user.encode()).decode()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            line = self.rfile.readline().decode()
            headers = {}
            while header := self.rfile.readline().decode().strip():
                name, _, value = header.partition(":")
                headers[name.lower()] = value.strip()
            method, target, _ = line.split()
            asked.append(f"{method} {target}")
            if user and headers.get("proxy-authorization") != wanted:
                self.wfile.write(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
                return
            host, _, port = target.rpartition(":")
            with socket.create_connection((host, int(port)), 10) as upstream:
                self.wfile.write(b"HTTP/1.1 200 Connected\r\n\r\n")
                back = threading.Thread(target=_relay, args=(upstream, self.connection), daemon=True)
                back.start()
                _relay(self.connection, upstream)
                back.join(10)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server((LOOPBACK, 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        name = f"{user}@" if user else ""
        yield Proxy(f"http://{name}{LOOPBACK}:{server.server_address[1]}", asked)
        server.shutdown()


def _relay(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
