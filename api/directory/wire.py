"""HTTP to the hospital's directory, in seconds, for answers of a bounded size.

Redirects are not followed and the environment names no proxy: what the settings and the directory's own document name
is meant as it stands there.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx

from actors.http_answer import ask, why_not
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
        try:
            return ask(
                method,
                url,
                trust=client_context(self.ca_file),
                timeout_s=self.timeout_s,
                max_bytes=MAX_ANSWER_BYTES,
                headers=headers,
                content=body,
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # Not the error's text: it may hold the URL, and that a secret.
            raise away(why_not(error)) from None
