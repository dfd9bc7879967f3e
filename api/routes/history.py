"""The history of acts, and the sign that the system answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.models_history import AccessOut, CheckpointOut, EntryOut, HistoryVerdictOut
from api.routes.guard import guarded, public
from api.services import CallerHere, Services, ServicesHere
from api.types import Limit, ObjectId, PaperLanguage
from orvault.custody.access import Right
from orvault.custody.history import Entry
from orvault.errors import ErrorKind
from orvault.papers.export_report import export_report
from orvault.papers.language import Language

router = APIRouter()

_Seq = Annotated[int | None, Query(ge=0, le=2**53, description="Continue from before this number.")]


class PdfResponse(Response):
    """A paper."""

    media_type = "application/pdf"


def _told(services: Services, entries: Sequence[Entry]) -> list[EntryOut]:
    """Entries with the names of their actors."""
    ids = {entry.actor.removeprefix("account:") for entry in entries if entry.actor.startswith("account:")}
    names = services.custody.account_names(ids)
    return [EntryOut.of(entry, names) for entry in entries]


@router.get("/history", tags=["History"], summary="Read history", **guarded(Right.HISTORY_VIEW))
def list_history(
    services: ServicesHere,
    caller: CallerHere,
    before: _Seq = None,
    limit: Limit = 100,
    subject: Annotated[
        str | None, Query(max_length=160, description="What it was done to.", examples=["export:0190..."])
    ] = None,
    actor: Annotated[
        str | None, Query(max_length=80, description="Who did it.", examples=["account:0190..."])
    ] = None,
    act: Annotated[
        str | None, Query(max_length=32, description="What was done.", examples=["keys-opened"])
    ] = None,
) -> list[EntryOut]:
    """Every act, the newest first, narrowed to a subject, an actor or a kind of act."""
    entries = services.custody.history(caller.account, before, limit, subject=subject, actor=actor, act=act)
    return _told(services, entries)


@router.get(
    "/history/verdict",
    tags=["History"],
    summary="Check history",
    **guarded(Right.HISTORY_VIEW, ErrorKind.TOO_MANY_ATTEMPTS),
)
def verify_history(services: ServicesHere, caller: CallerHere) -> HistoryVerdictOut:
    """Every entry's place and hash are computed anew: whether one was changed, removed or put in between."""
    return HistoryVerdictOut.of(services.custody.history_verdict(caller.account))


@router.get(
    "/history/checkpoint",
    tags=["History"],
    summary="Newest checkpoint",
    **guarded(Right.HISTORY_VIEW, ErrorKind.NOT_FOUND),
)
def newest_checkpoint(services: ServicesHere, caller: CallerHere) -> CheckpointOut:
    """Size and root of history as they were signed last, to be kept elsewhere, and who outside has taken it."""
    newest, receipts = services.custody.checkpoint_state(caller.account)
    return CheckpointOut.of(newest, receipts)


@router.get(
    "/cases/{case_id}/access",
    tags=["History"],
    summary="Who has seen it",
    **guarded(Right.HISTORY_VIEW, ErrorKind.NOT_FOUND),
)
def list_access(services: ServicesHere, caller: CallerHere, case_id: ObjectId) -> AccessOut:
    """Everybody who has seen a case's recording, which seconds of which camera and how; and every copy of it."""
    access = services.custody.recording_access(caller.account, case_id)
    return AccessOut.of(access, services.custody.account_names(access.account_ids))


@router.get(
    "/accounts/{account_id}/history",
    tags=["History"],
    summary="What an account has done",
    **guarded(Right.SESSION, ErrorKind.NOT_FOUND),
)
def list_account_history(
    services: ServicesHere,
    caller: CallerHere,
    account_id: ObjectId,
    before: _Seq = None,
    limit: Limit = 100,
) -> list[EntryOut]:
    """What it did and what was done to it, the newest first. Everybody may ask for their own; others take the right
    to read history.
    """
    return _told(services, services.custody.account_history(caller.account, account_id, before, limit))


@router.get(
    "/exports/{request_id}/report",
    tags=["History"],
    summary="Everything about an export",
    response_class=PdfResponse,
    **guarded(Right.EXPORT_VIEW, ErrorKind.NOT_FOUND),
)
def print_export(
    services: ServicesHere,
    caller: CallerHere,
    request_id: ObjectId,
    language: PaperLanguage = Language.KOREAN,
) -> PdfResponse:
    """The request, its copies and each of its acts, as a paper (PDF)."""
    dossier = services.custody.export_dossier(caller.account, request_id)
    names = services.custody.account_names(dossier.account_ids)
    return PdfResponse(export_report(dossier, names, language))


@router.get("/healthz", tags=["System"], summary="Does it answer", **public())
def show_health(services: ServicesHere) -> dict[str, str]:
    """Answers when the API and the ledger work."""
    services.custody.check_ledger()
    return {"status": "ok", "version": services.version}
