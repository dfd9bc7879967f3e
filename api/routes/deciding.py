"""Deciding on export requests: consents, approvals, reviews, refusing and taking back."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from api.models_basis import ConsentsIn, LackingOut
from api.models_exports import (
    AnswerIn,
    AnswerOut,
    ExportOut,
    ReasonIn,
    RefuseIn,
    ReleaseIn,
    ToldEventOut,
)
from api.routes.guard import guarded
from api.services import CallerHere, ServicesHere
from api.types import ObjectId
from orvault.custody.access import Right
from orvault.errors import ErrorKind

router = APIRouter(prefix="/exports", tags=["Exports"])
Number = Annotated[int, Path(ge=0, le=1000, description="The consent's number.")]

_DECIDING = (ErrorKind.NOT_FOUND, ErrorKind.CONFLICT)


@router.get(
    "/{request_id}/events",
    summary="List what its package tells of the room",
    **guarded(Right.EXPORT_DECIDE, ErrorKind.NOT_FOUND),
)
def list_told_events(services: ServicesHere, caller: CallerHere, request_id: ObjectId) -> list[ToldEventOut]:
    """The events that leave with the pictures, as history has them now, for who decides whether they may."""
    return [ToldEventOut.of(event) for event in services.custody.package_events(caller.account, request_id)]


@router.post(
    "/{request_id}/approve",
    summary="Approve an export request",
    **guarded(
        Right.EXPORT_DECIDE,
        *_DECIDING,
        ErrorKind.SELF_APPROVAL,
        ErrorKind.BASIS_MISSING,
        ErrorKind.EMPTY_RANGE,
        ErrorKind.DESTROYED,
        ErrorKind.EXPIRED,
        by_service=True,
    ),
)
def approve_export(services: ServicesHere, caller: CallerHere, request_id: ObjectId) -> ExportOut:
    """Approve what somebody else submitted; the rendering begins once as many did as the site's rules say."""
    return ExportOut.of(services.custody.approve_export(caller.account, request_id))


@router.post(
    "/{request_id}/release",
    summary="Release a package that waits for a reviewer",
    **guarded(Right.EXPORT_DECIDE, *_DECIDING, ErrorKind.SELF_APPROVAL, ErrorKind.EXPIRED, by_service=True),
)
def release_export(
    services: ServicesHere, caller: CallerHere, request_id: ObjectId, body: ReleaseIn
) -> ExportOut:
    """Let it go although a second look found something, by somebody who did not ask for it, with the reason."""
    return ExportOut.of(services.custody.release_export(caller.account, request_id, body.reason))


@router.post(
    "/{request_id}/refuse",
    summary="Refuse an export request",
    **guarded(Right.EXPORT_DECIDE, *_DECIDING, ErrorKind.SELF_APPROVAL, by_service=True),
)
def refuse_export(
    services: ServicesHere, caller: CallerHere, request_id: ObjectId, body: RefuseIn
) -> ExportOut:
    """Refuse it with a reason, which is kept, until its package can be fetched; afterwards it is revoked."""
    return ExportOut.of(services.custody.refuse_export(caller.account, request_id, body.reason))


@router.post(
    "/{request_id}/revoke", summary="Revoke an export request", **guarded(Right.EXPORT_REVOKE, *_DECIDING)
)
def revoke_export(
    services: ServicesHere, caller: CallerHere, request_id: ObjectId, body: ReasonIn
) -> ExportOut:
    """Take back what was approved: nothing is handed out any more, and its packages are removed."""
    return ExportOut.of(services.custody.revoke_export(caller.account, request_id, body.reason))


@router.post(
    "/{request_id}/withdraw",
    summary="Withdraw an export request",
    **guarded(Right.EXPORT_SUBMIT, *_DECIDING),
)
def withdraw_export(
    services: ServicesHere, caller: CallerHere, request_id: ObjectId, body: ReasonIn
) -> ExportOut:
    """Take back one's own draft or request before it is approved."""
    return ExportOut.of(services.custody.withdraw_export(caller.account, request_id, body.reason))


@router.get(
    "/{request_id}/consents",
    summary="Show a request's consents",
    **guarded(Right.EXPORT_VIEW, ErrorKind.NOT_FOUND),
)
def show_consents(services: ServicesHere, caller: CallerHere, request_id: ObjectId) -> LackingOut:
    """Each consent, and what the legal basis still lacks."""
    request, missing = services.custody.lacking(caller.account, request_id)
    return LackingOut.of(request.wish.basis, missing)


@router.post("/{request_id}/consents", summary="Add consents", **guarded(Right.CONSENT_TAKE, *_DECIDING))
def add_consents(
    services: ServicesHere, caller: CallerHere, request_id: ObjectId, body: ConsentsIn
) -> ExportOut:
    """Take consents in that came after the submit; the basis is satisfied once nothing is missing."""
    consents = [consent.consent() for consent in body.consents]
    return ExportOut.of(services.custody.add_consents(caller.account, request_id, consents))


@router.post(
    "/{request_id}/consents/{number}/withdraw",
    summary="Withdraw a consent",
    **guarded(Right.CONSENT_TAKE, *_DECIDING),
)
def withdraw_consent(
    services: ServicesHere, caller: CallerHere, request_id: ObjectId, number: Number, body: ReasonIn
) -> ExportOut:
    """Until the copies were delivered. What rests on it goes back to submitted and is not handed out."""
    custody = services.custody
    return ExportOut.of(custody.withdraw_consent(caller.account, request_id, number, body.reason))


@router.post(
    "/{request_id}/answers",
    summary="Answer to the masked result",
    **guarded(Right.RESULT_ANSWER, *_DECIDING),
)
def answer_result(
    services: ServicesHere, caller: CallerHere, request_id: ObjectId, body: AnswerIn
) -> AnswerOut:
    """What a participant said of the result, where the site asks them first: their own account, or on paper."""
    answer = services.custody.answer_result(
        caller.account,
        request_id,
        body.participant,
        agrees=body.agrees,
        remark=body.remark,
        document_sha256=body.document_sha256,
    )
    return AnswerOut.of(answer)
