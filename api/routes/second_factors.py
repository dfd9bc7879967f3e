"""The second factor of one's own account, and resetting another's."""

from __future__ import annotations

from fastapi import APIRouter, Request

from api.models_accounts import (
    AccountOut,
    CodeIn,
    EnrolmentIn,
    EnrolmentOut,
    FactorStateOut,
    RecoveryCodesOut,
    RemovalIn,
)
from api.routes.guard import guarded
from api.services import CallerHere, ServicesHere, client_of
from api.types import ObjectId
from orvault.custody.access import Right
from orvault.errors import ErrorKind

router = APIRouter()
_PROVING = (ErrorKind.CONFLICT, ErrorKind.TOO_MANY_ATTEMPTS)


@router.get(
    "/session/second-factor", tags=["Session"], summary="Show my second factor", **guarded(Right.SESSION)
)
def show_second_factor(services: ServicesHere, caller: CallerHere) -> FactorStateOut:
    """Whether my role needs one, since when I have one, and how many recovery codes are left."""
    return FactorStateOut.of(services.custody.second_factor(caller.account))


@router.post(
    "/session/second-factor",
    tags=["Session"],
    summary="Begin a second factor",
    status_code=201,
    **guarded(Right.SESSION, *_PROVING),
)
def begin_second_factor(
    request: Request, services: ServicesHere, caller: CallerHere, body: EnrolmentIn
) -> EnrolmentOut:
    """Give the password again; get a secret for an authenticator app, shown this once. It does not count yet."""
    password = body.password.get_secret_value()
    made = services.custody.begin_second_factor(caller.account, password, client_of(request))
    return EnrolmentOut.of(made)


@router.post(
    "/session/second-factor/confirm",
    tags=["Session"],
    summary="Confirm my second factor",
    **guarded(Right.SESSION, *_PROVING),
)
def confirm_second_factor(
    request: Request, services: ServicesHere, caller: CallerHere, body: CodeIn
) -> RecoveryCodesOut:
    """Give a first code: from now on signing in takes one. Every session of this account ends: sign in again.

    The answer holds ten recovery codes, shown this once.
    """
    code = body.code.get_secret_value()
    codes = services.custody.confirm_second_factor(caller.account, code, client_of(request))
    return RecoveryCodesOut(recovery_codes=list(codes))


@router.post(
    "/session/second-factor/remove",
    tags=["Session"],
    summary="Remove my second factor",
    status_code=204,
    **guarded(Right.SESSION, ErrorKind.CODE_NEEDED, *_PROVING),
)
def remove_second_factor(
    request: Request, services: ServicesHere, caller: CallerHere, body: RemovalIn
) -> None:
    """Give password and a code, or a recovery code. Every session of this account ends: sign in again."""
    password, code = body.password.get_secret_value(), body.code.get_secret_value()
    services.custody.remove_second_factor(caller.account, password, code, client_of(request))


@router.post(
    "/accounts/{account_id}/reset-second-factor",
    tags=["Accounts"],
    summary="Remove an account's second factor",
    **guarded(Right.ACCOUNT_MANAGE, ErrorKind.NOT_FOUND, ErrorKind.CONFLICT),
)
def reset_second_factor(services: ServicesHere, caller: CallerHere, account_id: ObjectId) -> AccountOut:
    """For somebody whose device and recovery codes are gone; its sessions end. One's own is not reset."""
    return AccountOut.of(services.custody.reset_second_factor(caller.account, account_id))
