"""What the API is built from, and how its routes get at it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, cast

from fastapi import Depends, Request
from fastapi.security import OAuth2PasswordBearer

from api.paths import PREFIX
from api.security import LinkSigner, TokenSigner
from orvault.custody.account import Account
from orvault.custody.api_key import is_key
from orvault.custody.service import CustodyService
from orvault.errors import ErrorKind, OrvaultError

if TYPE_CHECKING:
    # The byte and the viewing server load this module: they have nothing to do with the hospital's directory.
    from api.directory.flow import Directory

# Reads the Authorization header and nothing else: a token in a URL or a cookie ends in logs or in forgeries.
_bearer = OAuth2PasswordBearer(
    f"{PREFIX}/session", auto_error=False, description="Token from `POST /session`."
)


@dataclass(frozen=True)
class Services:
    """The parts behind the API. `media_url` says where downloads are served now, e.g. https://host:8443, and
    `viewing_url` where views are; UNAVAILABLE where their server has to be asked and is away. `directory`: the
    hospital's, where people may sign in through it. `rooms_offset_min`: how far clocks in the rooms are from UTC.
    """

    custody: CustodyService
    links: LinkSigner
    tokens: TokenSigner
    media_url: Callable[[], str]
    version: str = "0"
    viewing_url: Callable[[], str] = lambda: ""
    directory: Directory | None = None
    rooms_offset_min: int = 0


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: the account, and the session that the token named."""

    account: Account
    session_id: str


def services_of(request: Request) -> Services:
    """The services that the app was built with."""
    return cast(Services, request.app.state.services)


ServicesHere = Annotated[Services, Depends(services_of)]


def caller_of(
    request: Request, services: ServicesHere, token: Annotated[str | None, Depends(_bearer)]
) -> Caller:
    """The caller behind the bearer token, or a machine's key; UNAUTHENTICATED without a good one."""
    if token is None:
        raise OrvaultError(
            ErrorKind.UNAUTHENTICATED,
            "The request carries no bearer token.",
            where="Authorization",
            advice=f"Sign in with POST {PREFIX}/session and send its token in the Authorization header.",
        )
    if is_key(token):
        return Caller(*services.custody.authenticate_key(token, client_of(request)))
    claims = services.tokens.read(token)
    account = services.custody.authenticate(claims.session_id, claims.account_id, client_of(request))
    return Caller(account, claims.session_id)


CallerHere = Annotated[Caller, Depends(caller_of)]


def client_of(request: Request) -> str:
    """The address that the request came from, for history."""
    return request.client.host if request.client else ""
