"""HTTP to the hospital's directory, in seconds, for answers of a bounded size.

Redirects are not followed and the environment names no proxy: what the settings and the directory's own document name
is meant as it stands there.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx

from actors.tls import client_context
from orvault.errors import ErrorKind, OrvaultError

log = logging.getLogger(__name__)
MAX_ANSWER_BYTES = 512 << 10  # a set of keys has some KiB, a token of somebody in 200 groups some tens


def away(why: str) -> OrvaultError:
    """The error of a directory that does not do its part; the log is told more than the person."""
    log.warning("the hospital's directory %s", why)
    return OrvaultError(
        ErrorKind.UNAVAILABLE,
        "The hospital's directory does not answer as it should.",
        advice="Try again in a minute. Accounts with a password of their own sign in without it.",
    )


@dataclass(frozen=True)
class Wire:
    """Requests to the directory; `timeout_s` is for each step, and twice that for the whole of an answer."""

    ca_file: Path | None = None
    timeout_s: float = 5.0

    def get(self, url: str) -> dict[str, Any]:
        """The JSON object at this address. Errors: UNAVAILABLE, BAD_SETTINGS (`ca_file`)."""
        answer = self._send("GET", url, {"accept": "application/json"}, None)
        if answer.status_code != HTTPStatus.OK:
            raise away(f"answered {answer.status_code}")
        try:
            found = answer.json()
        except (ValueError, RecursionError):
            raise away("answered what is no JSON") from None
        if not isinstance(found, dict):
            raise away("answered no JSON object")
        return found

    def post(
        self, url: str, data: Mapping[str, str], headers: Mapping[str, str], auth: Any
    ) -> httpx.Response:
        """What authlib's client asks its session for: a form; `auth` puts the client's authentication to it."""
        url, headers, body = auth.prepare("POST", url, dict(headers), urlencode(data))
        answer = self._send("POST", url, headers, body.encode())
        if not (answer.is_success or answer.is_client_error):  # a refusal is one of those
            raise away(f"answered {answer.status_code}")
        return answer

    def _send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> httpx.Response:
        deadline = time.monotonic() + 2 * self.timeout_s
        # Nothing packed: a few bytes could unpack to more than any limit between two looks at it.
        plain = {**headers, "accept-encoding": "identity"}
        trust = client_context(self.ca_file)
        try:
            with (
                httpx.Client(verify=trust, timeout=self.timeout_s, trust_env=False) as client,
                client.stream(method, url, headers=plain, content=body) as answer,
            ):
                content = bytearray()
                for piece in answer.iter_raw():
                    content += piece
                    if len(content) > MAX_ANSWER_BYTES:
                        raise away(f"answered more than {MAX_ANSWER_BYTES} bytes")
                    if time.monotonic() > deadline:
                        raise away(f"took more than {2 * self.timeout_s:g} s for an answer")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # Not the error's text: it may hold the URL, and that a secret.
            raise away(f"did not answer ({type(error).__name__})") from None
        return httpx.Response(answer.status_code, content=bytes(content), request=answer.request)
