"""Machines, and the keys that they come by."""

from __future__ import annotations

from fastapi import APIRouter

from api.models_accounts import AccountOut, ApiKeyIn, ApiKeyOut, IssuedApiKeyOut, MachineIn
from api.routes.guard import guarded
from api.services import CallerHere, ServicesHere
from api.types import ObjectId
from orvault.custody.access import Right
from orvault.errors import ErrorKind

router = APIRouter(tags=["Accounts"])


@router.post(
    "/machines",
    summary="Make an account of a machine",
    status_code=201,
    **guarded(Right.ACCOUNT_MANAGE, ErrorKind.CONFLICT),
)
def create_machine(services: ServicesHere, caller: CallerHere, body: MachineIn) -> AccountOut:
    """It has no password, and comes by keys. It never decides, lifts masks, sees clear pictures or hands out."""
    scopes = [scope.scope() for scope in body.scopes]
    made = services.custody.create_machine(caller.account, body.name, body.display_name, body.role, scopes)
    return AccountOut.of(made)


@router.post(
    "/accounts/{account_id}/keys",
    summary="Issue a key",
    status_code=201,
    **guarded(Right.ACCOUNT_MANAGE, ErrorKind.NOT_FOUND, ErrorKind.CONFLICT),
)
def issue_key(
    services: ServicesHere, caller: CallerHere, account_id: ObjectId, body: ApiKeyIn
) -> IssuedApiKeyOut:
    """A new key of a machine, shown this once. Earlier ones work on until they end, or are ended."""
    secret, key = services.custody.issue_key(caller.account, account_id, body.name, body.expires_at)
    return IssuedApiKeyOut.issued(secret, key)


@router.get(
    "/accounts/{account_id}/keys",
    summary="List keys",
    **guarded(Right.ACCOUNT_MANAGE, ErrorKind.NOT_FOUND),
)
def list_keys(services: ServicesHere, caller: CallerHere, account_id: ObjectId) -> list[ApiKeyOut]:
    """A machine's keys that work, the oldest first. `DELETE /sessions/ID` ends one."""
    return [ApiKeyOut.of(key) for key in services.custody.keys(caller.account, account_id)]
