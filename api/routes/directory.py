"""Signing in through the hospital's directory, and the links that administrators make.

To a program these are an authorization server's two endpoints (RFC 6749, with PKCE): any OAuth library can use them.
Two of the routes are met by a browser, and answer with pages.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from api.directory.attempts import ATTEMPT_S
from api.directory.flow import Directory, Return, with_code, with_error
from api.directory.pages import code_page, error_page
from api.models_accounts import DirectoryLinkIn, DirectoryLinkOut, Token
from api.paths import DIRECTORY, DIRECTORY_CALLBACK
from api.routes.guard import guarded, public
from api.services import CallerHere, Services, ServicesHere, client_of
from api.types import ObjectId
from orvault.custody.access import Right
from orvault.custody.directory import no_directory
from orvault.errors import ErrorKind, OrvaultError

log = logging.getLogger(__name__)
router = APIRouter()
_SEE_OTHER = 303


def _pages(*kinds: ErrorKind) -> dict[str, Any]:
    """A public route whose answers are pages for a browser, and redirects."""
    about = public(ErrorKind.NOT_FOUND, ErrorKind.TOO_MANY_ATTEMPTS, *kinds)
    for answer in about["responses"].values():
        answer["content"] = {"text/html": {}} | answer["content"]
    about["responses"][_SEE_OTHER] = {"description": "The browser goes on"}
    return about | {"response_class": HTMLResponse}


@router.get(DIRECTORY, tags=["Session"], summary="Sign in through the hospital's directory", **_pages())
def begin_directory_sign_in(
    services: ServicesHere,
    code_challenge: Annotated[
        str, Query(pattern=r"^[A-Za-z0-9_-]{43}$", description="Of a verifier that the program keeps, S256.")
    ],
    code_challenge_method: Annotated[
        str, Query(pattern="^S256$", description="S256, the only one.")
    ] = "S256",
    redirect_uri: Annotated[
        str, Query(max_length=500, description="Where the program waits; without it the code is shown.")
    ] = "",
    state: Annotated[str, Query(max_length=300, description="Comes back with the code.")] = "",
) -> Response:
    """Open this address in a browser. It comes back with a code, for which `POST /session/directory` gives the token.

    `redirect_uri` is a loopback address (RFC 8252) of a program on the person's own computer, or one of the settings.
    """

    def begin() -> Response:
        directory = _directory_of(services)
        address, cookie = directory.begin(code_challenge, redirect_uri, state)
        answer = RedirectResponse(address, _SEE_OTHER)
        answer.set_cookie(value=cookie, max_age=ATTEMPT_S, **_cookie(directory))
        return answer

    return _or_page(begin)


@router.get(
    DIRECTORY_CALLBACK,
    tags=["Session"],
    summary="Come back from the hospital's directory",
    **_pages(ErrorKind.UNAUTHENTICATED, ErrorKind.FORBIDDEN),
)
def finish_directory_sign_in(
    request: Request,
    services: ServicesHere,
    state: Annotated[str, Query(max_length=500, description="As this server gave it on the way there.")] = "",
    code: Annotated[
        str, Query(max_length=8192, description="What the directory lets the server in with, once.")
    ] = "",
    iss: Annotated[str, Query(max_length=500, description="The directory's issuer (RFC 9207).")] = "",
    error: Annotated[str, Query(max_length=500, description="Why the directory refused.")] = "",
) -> Response:
    """The directory sends browsers here: register this address there. Nobody else calls it."""

    def finish() -> Response:
        directory = _directory_of(services)
        came, client = Return(state, code, iss, error), client_of(request)
        cookie = request.cookies.get(_cookie(directory)["key"], "")
        attempt = directory.opened(services.custody, came, cookie, client)
        try:
            given = directory.code(services.custody, attempt, came, client)
        except OrvaultError as failure:
            if not attempt.return_to:
                raise
            return _went(RedirectResponse(with_error(attempt, _told(failure)), _SEE_OTHER), directory)
        if attempt.return_to:
            return _went(RedirectResponse(with_code(attempt, given), _SEE_OTHER), directory)
        return _went(code_page(given), directory)

    return _or_page(finish)


@router.post(
    DIRECTORY,
    tags=["Session"],
    summary="Get the token of a sign-in through the directory",
    **public(ErrorKind.NOT_FOUND, ErrorKind.UNAUTHENTICATED, ErrorKind.TOO_MANY_ATTEMPTS),
)
def open_directory_session(
    request: Request,
    services: ServicesHere,
    code: Annotated[str, Form(max_length=200)],
    code_verifier: Annotated[str, Form(pattern=r"^[A-Za-z0-9._~-]{43,128}$")],
) -> Token:
    """Bring the code, within five minutes and once, with the verifier whose challenge the sign-in began with."""
    _directory_of(services)
    signed = services.custody.directory_session(code, code_verifier, client_of(request))
    return Token.of(signed.session, services.tokens)


@router.get(
    "/accounts/{account_id}/directory",
    tags=["Accounts"],
    summary="Who signs in as an account through the directory",
    **guarded(Right.ACCOUNT_MANAGE, ErrorKind.NOT_FOUND),
)
def show_directory_link(services: ServicesHere, caller: CallerHere, account_id: ObjectId) -> DirectoryLinkOut:
    """The identity that it is linked to."""
    return DirectoryLinkOut.of(services.custody.directory_link(caller.account, account_id))


@router.put(
    "/accounts/{account_id}/directory",
    tags=["Accounts"],
    summary="Let somebody of the directory sign in as an account",
    **guarded(Right.ACCOUNT_MANAGE, ErrorKind.NOT_FOUND, ErrorKind.CONFLICT),
)
def link_directory(
    services: ServicesHere, caller: CallerHere, account_id: ObjectId, body: DirectoryLinkIn
) -> DirectoryLinkOut:
    """By `subject`: its password and its sessions end. By `username`, where the site allows it: the first who comes
    with that name is taken for it, and its subject counts from then on.
    """
    return DirectoryLinkOut.of(
        services.custody.link_directory(caller.account, account_id, body.subject, body.username)
    )


@router.delete(
    "/accounts/{account_id}/directory",
    tags=["Accounts"],
    summary="Take an account's link to the directory away",
    status_code=204,
    **guarded(Right.ACCOUNT_MANAGE, ErrorKind.NOT_FOUND),
)
def unlink_directory(services: ServicesHere, caller: CallerHere, account_id: ObjectId) -> None:
    """Its sessions end. Without a password nobody can sign in as it until it gets one, or another link."""
    services.custody.unlink_directory(caller.account, account_id)


def _directory_of(services: Services) -> Directory:
    if services.directory is None:
        raise no_directory()
    return services.directory


def _cookie(directory: Directory) -> dict[str, Any]:
    """How the cookie of a sign-in is set: unseen by scripts and by other sites' requests, and, where there is TLS,
    bound to this very host (`__Host-`). It is no session: it says nothing of who somebody is.
    """
    secure = directory.place.redirect_uri.startswith("https:")
    name = "__Host-orvault-sign-in" if secure else "orvault-sign-in"
    return {"key": name, "path": "/", "secure": secure, "httponly": True, "samesite": "lax"}


def _went(answer: Response, directory: Directory) -> Response:
    answer.delete_cookie(**_cookie(directory))
    return answer


def _or_page(step: Callable[[], Response]) -> Response:
    try:
        return step()
    except OrvaultError as error:
        return error_page(_told(error))


def _told(error: OrvaultError) -> OrvaultError:
    """The error as it may be shown; the log is told where a fault of the set-up is."""
    if error.kind is not ErrorKind.BAD_SETTINGS:
        return error
    log.error("signing in through the directory: %s", error)
    message = "Signing in through the directory is not set up rightly."
    return OrvaultError(ErrorKind.BAD_SETTINGS, message, advice="Tell the people who run OR Vault.")
