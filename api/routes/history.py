"""The history of acts, and the sign that the system answers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.models_history import EntryOut, HistoryVerdictOut
from api.routes.guard import guarded, public
from api.services import CallerHere, ServicesHere
from api.types import Limit
from orvault.custody.access import Right

router = APIRouter()

_Seq = Annotated[int | None, Query(ge=0, le=2**53, description="Continue from before this number.")]


@router.get("/history", tags=["History"], summary="Read history", **guarded(Right.HISTORY_VIEW))
def list_history(
    services: ServicesHere,
    caller: CallerHere,
    before: _Seq = None,
    limit: Limit = 100,
    subject: Annotated[str | None, Query(max_length=160, examples=["export:0190..."])] = None,
    actor: Annotated[str | None, Query(max_length=80, examples=["account:0190..."])] = None,
    act: Annotated[str | None, Query(max_length=32, examples=["keys-opened"])] = None,
) -> list[EntryOut]:
    """Every act, the newest first, narrowed to a subject, an actor or a kind of act."""
    entries = services.custody.history(caller.account, before, limit, subject=subject, actor=actor, act=act)
    ids = {entry.actor.removeprefix("account:") for entry in entries if entry.actor.startswith("account:")}
    names = services.custody.account_names(ids)
    return [EntryOut.of(entry, names) for entry in entries]


@router.get("/history/verdict", tags=["History"], summary="Check history", **guarded(Right.HISTORY_VIEW))
def verify_history(services: ServicesHere, caller: CallerHere) -> HistoryVerdictOut:
    """Every entry's place and hash are computed anew: whether one was changed, removed or put in between."""
    return HistoryVerdictOut.of(services.custody.history_verdict(caller.account))


@router.get("/healthz", tags=["System"], summary="Does it answer", **public())
def show_health(services: ServicesHere) -> dict[str, str]:
    """Answers when the API and the ledger work."""
    services.custody.check_ledger()
    return {"status": "ok", "version": services.version}
