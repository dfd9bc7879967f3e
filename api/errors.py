"""The one table from error kinds to HTTP, and the problem documents (RFC 9457) that every failure is answered with.

Messages come from where the error was raised; what nobody meant to raise is answered without its words.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from http import HTTPStatus
from typing import cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from orvault.custody.throttle import ThrottledError
from orvault.errors import ErrorKind, OrvaultError
from orvault.expected import expected

logger = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"
_TYPE = "urn:orvault:problem:"
_PLACE_CHARACTERS = 120
_MOST_ERRORS = 20

PROBLEMS: dict[ErrorKind, tuple[HTTPStatus, str]] = {
    ErrorKind.BAD_REQUEST: (HTTPStatus.BAD_REQUEST, "The request is not usable"),
    ErrorKind.UNAUTHENTICATED: (HTTPStatus.UNAUTHORIZED, "Sign in first"),
    ErrorKind.CODE_NEEDED: (HTTPStatus.UNAUTHORIZED, "A code is needed beside the password"),
    ErrorKind.FORBIDDEN: (HTTPStatus.FORBIDDEN, "This account may not do that"),
    ErrorKind.NOT_FOUND: (HTTPStatus.NOT_FOUND, "There is no such thing"),
    ErrorKind.CONFLICT: (HTTPStatus.CONFLICT, "The current state does not allow that"),
    ErrorKind.EMPTY_RANGE: (HTTPStatus.UNPROCESSABLE_ENTITY, "Nothing was recorded in this period"),
    ErrorKind.BASIS_MISSING: (HTTPStatus.UNPROCESSABLE_ENTITY, "The legal basis is not complete"),
    ErrorKind.SELF_APPROVAL: (HTTPStatus.FORBIDDEN, "Nobody approves their own request"),
    ErrorKind.NOT_APPROVED: (HTTPStatus.CONFLICT, "The request is not approved"),
    ErrorKind.LINK_EXPIRED: (HTTPStatus.GONE, "The download link is over"),
    ErrorKind.DESTROYED: (HTTPStatus.GONE, "The recordings were destroyed"),
    ErrorKind.TOO_MANY_ATTEMPTS: (HTTPStatus.TOO_MANY_REQUESTS, "Too many attempts"),
    ErrorKind.BAD_SETTINGS: (HTTPStatus.INTERNAL_SERVER_ERROR, "The system is not set up rightly"),
    ErrorKind.PROVIDER_MISSING: (HTTPStatus.INTERNAL_SERVER_ERROR, "The inference provider is missing"),
    ErrorKind.BAD_MODEL: (HTTPStatus.INTERNAL_SERVER_ERROR, "A detection model is not usable"),
    ErrorKind.NO_PLACE: (HTTPStatus.SERVICE_UNAVAILABLE, "No machine can take this work"),
    ErrorKind.KEYS_LOCKED: (HTTPStatus.SERVICE_UNAVAILABLE, "The key store is locked"),
    ErrorKind.WRONG_PASSPHRASE: (HTTPStatus.FORBIDDEN, "The passphrase is wrong"),
    ErrorKind.KEY_MISSING: (HTTPStatus.INTERNAL_SERVER_ERROR, "A key is missing"),
    ErrorKind.GRANT_MISSING: (HTTPStatus.FORBIDDEN, "No grant covers this"),
    ErrorKind.CAMERA_UNREACHABLE: (HTTPStatus.BAD_GATEWAY, "The camera cannot be reached"),
    ErrorKind.CAMERA_REFUSED: (HTTPStatus.BAD_GATEWAY, "The camera refused"),
    ErrorKind.CAMERA_STALLED: (HTTPStatus.GATEWAY_TIMEOUT, "The camera sends nothing"),
    ErrorKind.UNSUPPORTED_CODEC: (HTTPStatus.BAD_GATEWAY, "The camera's codec is not supported"),
    ErrorKind.BAD_MEDIA: (HTTPStatus.INTERNAL_SERVER_ERROR, "The video is not readable"),
    ErrorKind.NOT_ARMED: (HTTPStatus.CONFLICT, "The case is not armed"),
    ErrorKind.STORAGE: (HTTPStatus.INSUFFICIENT_STORAGE, "The storage failed"),
    ErrorKind.NOT_FOR_YOU: (HTTPStatus.FORBIDDEN, "This is sealed to somebody else"),
    ErrorKind.WRONG_PASSWORD: (HTTPStatus.FORBIDDEN, "The password is wrong"),
    ErrorKind.ALTERED: (HTTPStatus.INTERNAL_SERVER_ERROR, "Something stored was altered"),
    ErrorKind.DAMAGED: (HTTPStatus.INTERNAL_SERVER_ERROR, "Something stored is damaged"),
    ErrorKind.EXPIRED: (HTTPStatus.GONE, "The validity is over"),
    ErrorKind.NOT_YET_VALID: (HTTPStatus.CONFLICT, "The validity has not begun"),
    ErrorKind.NOT_ACTIVATED: (HTTPStatus.FORBIDDEN, "The package is not activated"),
    ErrorKind.UNTRUSTED: (HTTPStatus.FORBIDDEN, "The issuer is not trusted"),
    ErrorKind.NOT_A_PACKAGE: (HTTPStatus.BAD_REQUEST, "This is not a package"),
    ErrorKind.NEWER_FORMAT: (HTTPStatus.BAD_REQUEST, "This package is of a newer format"),
    ErrorKind.UNAVAILABLE: (HTTPStatus.SERVICE_UNAVAILABLE, "A part of the system does not answer"),
    ErrorKind.INTERNAL: (HTTPStatus.INTERNAL_SERVER_ERROR, "Something went wrong"),
}


def problem(
    status: int,
    kind: str,
    title: str,
    detail: str,
    *,
    headers: dict[str, str] | None = None,
    **more: object,
) -> JSONResponse:
    """A problem document; `more` are its extension members, left out where empty."""
    body: dict[str, object] = {"type": _TYPE + kind, "title": title, "status": int(status), "detail": detail}
    body |= {name: value for name, value in more.items() if value}
    return JSONResponse(body, status_code=int(status), headers=headers, media_type=MEDIA_TYPE)


def from_error(error: OrvaultError, **more: object) -> JSONResponse:
    """The problem document of a deliberate error."""
    status, title = PROBLEMS[error.kind]
    headers: dict[str, str] = {}
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, ThrottledError):
        headers["Retry-After"] = str(error.retry_after_s)
    return problem(
        status,
        error.kind.value,
        title,
        error.message,
        headers=headers,
        where=error.outside_where,
        advice=error.advice,
        **more,
    )


def install(app: FastAPI) -> None:
    """Let the app answer every failure with a problem document."""
    app.add_exception_handler(OrvaultError, _on_deliberate)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_unexpected)


def _on_deliberate(request: Request, error: Exception) -> JSONResponse:
    known = cast(OrvaultError, error)
    if PROBLEMS[known.kind][0] < HTTPStatus.INTERNAL_SERVER_ERROR and known.where == known.outside_where:
        return from_error(known)
    # A fault of the server's, or one whose place in its file system only the log is told.
    correlation = _log(request, known)
    return from_error(known, correlation_id=correlation)


def _on_invalid(_request: Request, error: Exception) -> JSONResponse:
    # Only the place and what was expected go back: what was sent may hold a password.
    found = cast(RequestValidationError, error).errors()
    errors = [_explain(item) for item in found[:_MOST_ERRORS]]
    status, title = PROBLEMS[ErrorKind.BAD_REQUEST]
    first = errors[0] if errors else {"where": "request", "expected": "another form"}
    detail = f"{first['where']}: {first['expected']}." + (f" And {len(found) - 1} more." if found[1:] else "")
    return problem(status, ErrorKind.BAD_REQUEST.value, title, detail, errors=errors)


def _on_http(_request: Request, error: Exception) -> JSONResponse:
    known = cast(HTTPException, error)
    status = HTTPStatus(known.status_code)
    details = {
        HTTPStatus.NOT_FOUND: "No part of the API has this address; /docs lists them.",
        HTTPStatus.METHOD_NOT_ALLOWED: "This address does not take this method; /docs lists what it takes.",
        HTTPStatus.BAD_REQUEST: "The body is not readable as what its Content-Type says.",
    }
    kind = status.phrase.lower().replace(" ", "-")
    headers = dict(known.headers) if known.headers else None
    return problem(status, kind, status.phrase, details.get(status, status.description), headers=headers)


def _on_unexpected(request: Request, error: Exception) -> JSONResponse:
    correlation = _log(request, error)
    status, title = PROBLEMS[ErrorKind.INTERNAL]
    detail = f"The request failed by a mistake of the program. In its log this is {correlation}."
    return problem(
        status,
        ErrorKind.INTERNAL.value,
        title,
        detail,
        advice="Tell the administrator this number.",
        correlation_id=correlation,
    )


def _log(request: Request, error: Exception) -> str:
    correlation = secrets.token_hex(8)
    # The path only: a query string may carry a download link's token. A view's stands in its path.
    path = request.url.path.replace(request.path_params.get("token") or "\0", "...")
    logger.error("%s: %s %s failed", correlation, request.method, path, exc_info=error)
    return correlation


def _explain(item: dict[str, object]) -> dict[str, str]:
    location = cast(Sequence[object], item.get("loc", ()))
    context = cast(dict[str, object], item.get("ctx") or {})
    if item.get("type") == "json_invalid":
        return {"where": f"body, character {location[-1]}", "expected": f"JSON; {context.get('error', '')}"}
    words = expected(str(item.get("type")), context, str(item.get("msg", "another value")))
    whole = tuple(location) == ("body",)  # a body that is none: mostly one that was sent as something else
    return {"where": _place(location), "expected": words + (", sent as application/json" if whole else "")}


def _place(location: Sequence[object]) -> str:
    text = ""
    for step in location:
        text += f"[{step}]" if isinstance(step, int) else f"{'.' if text else ''}{step}"
    shown = "".join(c for c in text if c.isprintable())
    return shown[:_PLACE_CHARACTERS] or "request"
