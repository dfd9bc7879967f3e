"""Talks to the site's API as any other program of the hospital would; used by the demonstration and by tests."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from orvault.errors import ErrorKind, OrvaultError

TIMEOUT_S = 90.0
DOWNLOAD_BYTES = 1 << 20


class ApiClient:
    """One signed-in account; `verify` says whose certificates are believed."""

    def __init__(self, api_url: str, name: str, password: str, verify: ssl.SSLContext | bool = True) -> None:
        self._verify = verify
        self._http = httpx.Client(
            base_url=f"{api_url}/api/v1", timeout=TIMEOUT_S, trust_env=False, verify=verify
        )
        answer = self._http.post("/session", data={"username": name, "password": password})
        token = _checked(answer)["access_token"]
        self._http.headers["Authorization"] = f"Bearer {token}"

    def get(self, path: str, **query: str) -> Any:
        """The answer's body. Errors: UNAVAILABLE with the problem's own words."""
        return _checked(self._http.get(path, params=query))

    def post(self, path: str, body: object = None) -> Any:
        """The answer's body. Errors: UNAVAILABLE with the problem's own words."""
        return _checked(self._http.post(path, json=body))

    def download(self, url: str, target: Path, on_bytes: Callable[[int, int], None]) -> None:
        """Fetch a signed link into a file; `on_bytes(done, total)` hears of progress."""
        with httpx.stream("GET", url, timeout=TIMEOUT_S, trust_env=False, verify=self._verify) as answer:
            if answer.status_code != httpx.codes.OK:
                answer.read()
                raise _problem(answer)
            total, done = int(answer.headers["content-length"]), 0
            with target.open("wb") as file:
                for piece in answer.iter_bytes(DOWNLOAD_BYTES):
                    file.write(piece)
                    done += len(piece)
                    on_bytes(done, total)


def _checked(answer: httpx.Response) -> Any:
    if answer.is_error:
        raise _problem(answer)
    return answer.json() if answer.content else None


def _problem(answer: httpx.Response) -> OrvaultError:
    """The problem document (RFC 9457) as an error of ours."""
    where = f"{answer.request.method} {answer.request.url.path}: {answer.status_code}"
    if answer.headers.get("content-type", "").startswith("application/problem+json"):
        problem = answer.json()
        return OrvaultError(
            ErrorKind.UNAVAILABLE, str(problem.get("detail") or problem.get("title")), where=where
        )
    return OrvaultError(ErrorKind.UNAVAILABLE, answer.reason_phrase, where=where)
