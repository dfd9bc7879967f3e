"""How long recordings are kept: the plan of destruction, its approval, holds, extensions, receipts."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.models_retention import (
    ApprovalIn,
    CaseRetentionOut,
    DestructionOut,
    ExtensionIn,
    ExtensionOut,
    HoldIn,
    HoldOut,
    LiftHoldIn,
    PlanOut,
)
from api.routes.guard import guarded
from api.services import CallerHere, ServicesHere
from api.types import Limit, ObjectId
from orvault.custody.access import Right
from orvault.errors import ErrorKind

router = APIRouter(tags=["Retention"])

_KEPT = (ErrorKind.NOT_FOUND, ErrorKind.DESTROYED)


@router.get("/retention/plan", summary="What would be destroyed now", **guarded(Right.RETENTION_VIEW))
def show_plan(
    services: ServicesHere,
    caller: CallerHere,
    after: Annotated[str, Query(max_length=64, description="Continue `stopped` from behind this case.")] = "",
    limit: Limit = 200,
) -> PlanOut:
    """The dry run: every case that is due, with dates and sizes, and what stops each of the others."""
    return PlanOut.of(services.custody.retention_plan(caller.account, after, limit))


@router.post(
    "/retention/plan/approve",
    summary="Approve the plan",
    **guarded(Right.DESTRUCTION_APPROVE, ErrorKind.CONFLICT, ErrorKind.SELF_APPROVAL),
)
def approve_plan(services: ServicesHere, caller: CallerHere, body: ApprovalIn) -> list[DestructionOut]:
    """Say yes to exactly the cases of the plan with this digest. They are destroyed next, for good."""
    approved = services.custody.approve_destruction(caller.account, body.digest)
    return [DestructionOut.of(each) for each in approved]


@router.get(
    "/cases/{case_id}/retention",
    summary="How long a case is kept",
    **guarded(Right.RETENTION_VIEW, ErrorKind.NOT_FOUND),
)
def show_case_retention(services: ServicesHere, caller: CallerHere, case_id: ObjectId) -> CaseRetentionOut:
    """Until when and why, what stops its destruction, and how far that is."""
    return CaseRetentionOut.of(services.custody.case_retention(caller.account, case_id))


@router.post(
    "/cases/{case_id}/retention/extend",
    summary="Keep a case longer",
    **guarded(Right.RETENTION_EXTEND, *_KEPT),
)
def extend_retention(
    services: ServicesHere, caller: CallerHere, case_id: ObjectId, body: ExtensionIn
) -> ExtensionOut:
    """On request, up to the site's ceiling; what has to be kept longer takes a legal hold."""
    custody = services.custody
    return ExtensionOut.of(
        custody.extend_retention(caller.account, case_id, body.until, body.reason, body.document)
    )


@router.post(
    "/cases/{case_id}/holds",
    summary="Put a legal hold",
    status_code=201,
    **guarded(Right.HOLD_PUT, *_KEPT),
)
def put_hold(services: ServicesHere, caller: CallerHere, case_id: ObjectId, body: HoldIn) -> HoldOut:
    """Nothing of the case is destroyed while it stands."""
    return HoldOut.of(services.custody.put_hold(caller.account, case_id, body.reason, body.document))


@router.post(
    "/cases/{case_id}/holds/{hold_id}/lift",
    summary="Lift a legal hold",
    **guarded(Right.HOLD_LIFT, ErrorKind.NOT_FOUND, ErrorKind.CONFLICT, ErrorKind.SELF_APPROVAL),
)
def lift_hold(
    services: ServicesHere, caller: CallerHere, case_id: ObjectId, hold_id: ObjectId, body: LiftHoldIn
) -> HoldOut:
    """By somebody other than who put it, or a privacy officer, with the reason."""
    return HoldOut.of(services.custody.lift_hold(caller.account, case_id, hold_id, body.reason))


@router.get(
    "/cases/{case_id}/receipt",
    summary="Get the receipt of a destruction",
    response_class=Response,
    **guarded(Right.RETENTION_VIEW, ErrorKind.NOT_FOUND),
)
def show_receipt(services: ServicesHere, caller: CallerHere, case_id: ObjectId) -> Response:
    """The signed receipt, as `orvault retention verify` and docs/format/receipt-v1.md take it."""
    return Response(
        services.custody.receipt(caller.account, case_id),
        media_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="receipt-{case_id}.json"'},
    )
