"""A small OpenID provider on loopback that signs with joserfc, and lies as it is told.

Where somebody would type a password, the test says who it is (`issue`).
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.jwk import ECKey, Key, KeySet

from orvault.clock import US_PER_S, Clock

CLIENT = "orvault"
CLIENT_SECRET = "client-secret-7"
ACCESS = "access-token-7"
BIG = 10 << 20


@dataclass
class Provider:
    """Answers as it should, but for what a test changes: `claims` of the next token, its `header`, its `key`, the
    `document`; `before` runs at each request and may hang up or stall by itself.
    """

    clock: Clock
    key: Key = field(default_factory=lambda: ECKey.generate_key("P-256", {"kid": "first"}))
    published: list[Key] = field(default_factory=list)
    claims: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    document: dict[str, Any] = field(default_factory=dict)
    token_answer: dict[str, Any] | None = None
    sign: Callable[[dict[str, Any], dict[str, Any]], str] | None = None
    raw: dict[str, bytes] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    stall_s: dict[str, float] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    _codes: dict[str, tuple[dict[str, str], dict[str, Any]]] = field(default_factory=dict)
    _server: ThreadingHTTPServer | None = None
    port: int = 0

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def issue(self, query: dict[str, str], **claims: Any) -> str:
        """The code of somebody who signed in with this query of the authorization address."""
        code = f"code-{len(self._codes)}"
        self._codes[code] = (query, claims)
        return code

    def start(self) -> None:
        self.published = self.published or [self.key]
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer._answer(self, b"")

            def do_POST(self) -> None:
                outer._answer(self, self.rfile.read(int(self.headers["content-length"])))

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _answer(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        path = request.path
        self.asked.append(path)
        content = self.raw.get(path)
        status = 200
        if content is None:
            status, answer = self._dispatch(path, body)
            content = json.dumps(answer).encode()
        request.send_response(302 if path in self.moved else status)
        request.send_header("location", self.moved.get(path, ""))
        request.send_header("content-type", "application/json")
        request.send_header("content-length", str(len(content)))
        request.end_headers()
        try:
            if stall_s := self.stall_s.get(path):
                for byte in content:  # a byte now and then: no single wait is long
                    request.wfile.write(bytes([byte]))
                    request.wfile.flush()
                    time.sleep(stall_s)
            else:
                request.wfile.write(content)
        except OSError:
            request.close_connection = True  # the other side had enough

    def _dispatch(self, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        if path == "/.well-known/openid-configuration":
            return 200, self._description()
        if path == "/jwks":
            return 200, dict(KeySet(self.published).as_dict(private=False))
        if path == "/token":
            return self._token({name: values[0] for name, values in parse_qs(body.decode()).items()})
        return 404, {}

    def _description(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "authorization_response_iss_parameter_supported": True,
        } | self.document

    def _token(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        known = (form.get("client_id"), form.get("client_secret")) == (CLIENT, CLIENT_SECRET)
        if not known:
            return 401, {"error": "invalid_client"}
        query, claims = self._codes.pop(form["code"], ({}, {}))
        challenge = create_s256_code_challenge(form.get("code_verifier", ""))
        same = query.get("redirect_uri") == form.get("redirect_uri")
        if not same or challenge != query.get("code_challenge"):
            return 400, {"error": "invalid_grant"}
        if self.token_answer is not None:
            return 200, self.token_answer
        token = self.id_token({"nonce": query["nonce"]} | claims)
        return 200, {"access_token": ACCESS, "token_type": "Bearer", "id_token": token}

    def id_token(self, claims: dict[str, Any]) -> str:
        """A token as this provider signs it."""
        now = self.clock.now_us() // US_PER_S
        said = {"iss": self.issuer, "aud": CLIENT, "sub": "s-1", "iat": now, "exp": now + 300}
        said |= claims | self.claims
        said = {name: value for name, value in said.items() if value is not None}
        header = {"alg": "ES256", "kid": self.key.kid} | self.header
        if self.sign is not None:
            return self.sign(header, said)
        return jwt.encode(header, said, self.key, algorithms=[header["alg"]])


@contextmanager
def running(clock: Clock) -> Iterator[Provider]:
    """A provider that is gone afterwards."""
    provider = Provider(clock)
    provider.start()
    try:
        yield provider
    finally:
        provider.stop()
