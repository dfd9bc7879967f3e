"""Sign-in, and accounts."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.security import OAuth2PasswordRequestForm

from api.models_accounts import AccountIn, AccountOut, OwnPasswordIn, PasswordIn, ScopesIn, SessionOut, Token
from api.routes.guard import guarded, public
from api.services import CallerHere, ServicesHere, client_of
from api.types import Limit, ObjectId
from orvault.custody.access import Right
from orvault.custody.second_factor import MAX_CODE_CHARACTERS
from orvault.errors import ErrorKind

router = APIRouter()


@router.post(
    "/session",
    tags=["Session"],
    summary="Sign in",
    **public(ErrorKind.UNAUTHENTICATED, ErrorKind.CODE_NEEDED, ErrorKind.TOO_MANY_ATTEMPTS),
)
def sign_in(
    request: Request,
    services: ServicesHere,
    form: Annotated[OAuth2PasswordRequestForm, Depends()],
    totp: Annotated[
        str,
        Form(max_length=MAX_CODE_CHARACTERS, description="Code of the second factor, or a recovery code."),
    ] = "",
) -> Token:
    """Give account name and password as a form (OAuth 2 password flow); get a token that lives `expires_in`.

    After failures the next attempt waits, from a minute up to an hour (429 with Retry-After). A password that
    somebody else set is good for nothing but `POST /session/password`. An account with a second factor sends its
    code in the same form; that one is needed (`code-needed`) is said only after the password was right.
    """
    signed = services.custody.sign_in(form.username, form.password, client_of(request), totp)
    return Token.of(signed.session, services.tokens)


@router.delete("/session", tags=["Session"], summary="Sign out", status_code=204, **guarded(Right.SESSION))
def sign_out(services: ServicesHere, caller: CallerHere) -> None:
    """End this session; its token opens nothing any more."""
    services.custody.sign_out(caller.account, caller.session_id)


@router.get("/session/me", tags=["Session"], summary="Who am I", **guarded(Right.SESSION))
def show_me(caller: CallerHere) -> AccountOut:
    """The account behind the token."""
    return AccountOut.of(caller.account)


@router.post(
    "/session/password",
    tags=["Session"],
    summary="Change my password",
    status_code=204,
    **guarded(Right.SESSION, ErrorKind.TOO_MANY_ATTEMPTS),
)
def change_password(
    request: Request, services: ServicesHere, caller: CallerHere, body: OwnPasswordIn
) -> None:
    """Choose a new password; give the old one too. Every session of this account ends: sign in again."""
    old, new = body.old_password.get_secret_value(), body.new_password.get_secret_value()
    services.custody.change_password(caller.account, old, new, client_of(request))


@router.get(
    "/sessions",
    tags=["Session"],
    summary="List sessions",
    **guarded(Right.SESSION, ErrorKind.NOT_FOUND),
)
def list_sessions(
    services: ServicesHere,
    caller: CallerHere,
    account_id: Annotated[
        str, Query(max_length=64, description="Whose, for who manages accounts; empty: one's own.")
    ] = "",
) -> list[SessionOut]:
    """Open sessions, the oldest first: since when, from where, and how the account proved itself."""
    found = services.custody.sessions(caller.account, account_id or caller.account.account_id)
    return [SessionOut.of(session, caller.session_id) for session in found]


@router.delete(
    "/sessions/{session_id}",
    tags=["Session"],
    summary="End a session",
    status_code=204,
    **guarded(Right.SESSION, ErrorKind.NOT_FOUND),
)
def revoke_session(services: ServicesHere, caller: CallerHere, session_id: ObjectId) -> None:
    """End one of one's own sessions, or as who manages accounts anybody's; its views end too."""
    services.custody.revoke_session(caller.account, session_id)


@router.post(
    "/accounts",
    tags=["Accounts"],
    summary="Make an account",
    status_code=201,
    **guarded(Right.ACCOUNT_MANAGE, ErrorKind.CONFLICT),
)
def create_account(services: ServicesHere, caller: CallerHere, body: AccountIn) -> AccountOut:
    """Make an account with one role and its scopes. The very first one is made at the server's command line."""
    account = services.custody.create_account(
        caller.account,
        body.name,
        body.display_name,
        body.role,
        body.password.get_secret_value(),
        [scope.scope() for scope in body.scopes],
    )
    return AccountOut.of(account)


@router.get("/accounts", tags=["Accounts"], summary="List accounts", **guarded(Right.ACCOUNT_MANAGE))
def list_accounts(
    services: ServicesHere,
    caller: CallerHere,
    limit: Limit = 100,
    after: Annotated[str, Query(max_length=64, description="Continue from behind this id.")] = "",
) -> list[AccountOut]:
    """Accounts in the order in which they were made."""
    return [AccountOut.of(account) for account in services.custody.accounts(caller.account, limit, after)]


@router.put(
    "/accounts/{account_id}/scopes",
    tags=["Accounts"],
    summary="Say how far an account reaches",
    **guarded(Right.ACCOUNT_MANAGE, ErrorKind.NOT_FOUND),
)
def set_scopes(
    services: ServicesHere, caller: CallerHere, account_id: ObjectId, body: ScopesIn
) -> AccountOut:
    """In place of what was said before, from now on; open views follow at once. Without any it sees nothing."""
    scopes = [scope.scope() for scope in body.scopes]
    return AccountOut.of(services.custody.set_scopes(caller.account, account_id, scopes))


@router.post(
    "/accounts/{account_id}/disable",
    tags=["Accounts"],
    summary="Close an account",
    **guarded(Right.ACCOUNT_MANAGE, ErrorKind.NOT_FOUND, ErrorKind.CONFLICT),
)
def disable_account(services: ServicesHere, caller: CallerHere, account_id: ObjectId) -> AccountOut:
    """It cannot sign in any more, and its sessions are over. The last system administrator's stays open."""
    return AccountOut.of(services.custody.disable_account(caller.account, account_id))


@router.post(
    "/accounts/{account_id}/enable",
    tags=["Accounts"],
    summary="Open an account again",
    **guarded(Right.ACCOUNT_MANAGE, ErrorKind.NOT_FOUND),
)
def enable_account(services: ServicesHere, caller: CallerHere, account_id: ObjectId) -> AccountOut:
    """It signs in with the password that it had."""
    return AccountOut.of(services.custody.enable_account(caller.account, account_id))


@router.post(
    "/accounts/{account_id}/reset-password",
    tags=["Accounts"],
    summary="Give an account a new password",
    **guarded(Right.ACCOUNT_MANAGE, ErrorKind.NOT_FOUND, ErrorKind.CONFLICT),
)
def reset_password(
    services: ServicesHere, caller: CallerHere, account_id: ObjectId, body: PasswordIn
) -> AccountOut:
    """Its sessions end; with the new password it can do nothing but choose another."""
    password = body.password.get_secret_value()
    return AccountOut.of(services.custody.reset_password(caller.account, account_id, password))
