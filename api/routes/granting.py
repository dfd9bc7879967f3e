"""Requests to see more than a mosaic: asking, deciding with four eyes, consents, and taking them back."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from api.models_basis import ConsentsIn, LackingOut
from api.models_exports import ReasonIn, RefuseIn
from api.models_granting import ViewingAskIn, ViewingRequestOut
from api.routes.guard import guarded
from api.services import CallerHere, Services, ServicesHere
from api.types import Before, Limit, ObjectId, OfCase
from orvault.custody.access import Right
from orvault.custody.steps import RequestState
from orvault.custody.viewing_request import ViewingRequest
from orvault.errors import ErrorKind

router = APIRouter(prefix="/viewing-requests", tags=["Viewing"])
Number = Annotated[int, Path(ge=0, le=1000, description="The consent's number.")]

_DECIDING = (ErrorKind.NOT_FOUND, ErrorKind.CONFLICT)


@router.post(
    "",
    summary="Ask for a viewing grant",
    status_code=201,
    **guarded(
        Right.VIEWING_ASK,
        ErrorKind.NOT_FOUND,
        ErrorKind.BASIS_MISSING,
        ErrorKind.EMPTY_RANGE,
        ErrorKind.DESTROYED,
        ErrorKind.SELF_APPROVAL,
    ),
)
def ask_viewing(services: ServicesHere, caller: CallerHere, body: ViewingAskIn) -> ViewingRequestOut:
    """Ask that an account may see more than a mosaic of a case: live while it is armed, or what was recorded."""
    return _told(services, services.custody.ask_viewing(caller.account, body.viewer, body.wish()))


@router.get("", summary="List requests to view", **guarded(Right.VIEWING_LIST))
def list_viewing_requests(
    services: ServicesHere,
    caller: CallerHere,
    state: Annotated[RequestState | None, Query(description="Only those that stand so.")] = None,
    case_id: OfCase = None,
    to_decide: Annotated[bool, Query(description="Only those that wait for your decision.")] = False,
    limit: Limit = 100,
    before: Before = "",
) -> list[ViewingRequestOut]:
    """Your own, and those that your role may see; the newest first."""
    found = services.custody.viewing_requests(
        caller.account, state, case_id, to_decide=to_decide, limit=limit, before=before
    )
    names = services.custody.account_names({each.wish.viewer_id for each in found})
    return [ViewingRequestOut.of(each, names) for each in found]


@router.get(
    "/{viewing_id}", summary="Show a request to view", **guarded(Right.VIEWING_LIST, ErrorKind.NOT_FOUND)
)
def show_viewing_request(
    services: ServicesHere, caller: CallerHere, viewing_id: ObjectId
) -> ViewingRequestOut:
    """Who only sees by it is told the kind of its basis, and nobody's consent."""
    return _told(services, services.custody.viewing_request(caller.account, viewing_id))


@router.post(
    "/{viewing_id}/approve",
    summary="Approve a request to view",
    **guarded(
        Right.VIEWING_DECIDE,
        *_DECIDING,
        ErrorKind.SELF_APPROVAL,
        ErrorKind.BASIS_MISSING,
        ErrorKind.EMPTY_RANGE,
        ErrorKind.DESTROYED,
        ErrorKind.EXPIRED,
        by_service=True,
    ),
)
def approve_viewing(services: ServicesHere, caller: CallerHere, viewing_id: ObjectId) -> ViewingRequestOut:
    """Nobody who asked for it or is to see by it; clear pictures take two. The last approval makes it a grant."""
    return _told(services, services.custody.approve_viewing(caller.account, viewing_id))


@router.post(
    "/{viewing_id}/refuse",
    summary="Refuse a request to view",
    **guarded(Right.VIEWING_DECIDE, *_DECIDING, ErrorKind.SELF_APPROVAL, by_service=True),
)
def refuse_viewing(
    services: ServicesHere, caller: CallerHere, viewing_id: ObjectId, body: RefuseIn
) -> ViewingRequestOut:
    """With a reason, which is kept; a grant that stands is withdrawn."""
    return _told(services, services.custody.refuse_viewing(caller.account, viewing_id, body.reason))


@router.post(
    "/{viewing_id}/withdraw",
    summary="Withdraw a request to view, or a grant",
    **guarded(Right.VIEWING_ASK, *_DECIDING),
)
def withdraw_viewing(
    services: ServicesHere, caller: CallerHere, viewing_id: ObjectId, body: ReasonIn
) -> ViewingRequestOut:
    """By whoever asked; a grant by a privacy officer too. Open views that rest on it end at once."""
    return _told(services, services.custody.withdraw_viewing(caller.account, viewing_id, body.reason))


@router.get(
    "/{viewing_id}/consents",
    summary="Show the consents of a request to view",
    **guarded(Right.VIEWING_LIST, ErrorKind.NOT_FOUND),
)
def show_viewing_consents(services: ServicesHere, caller: CallerHere, viewing_id: ObjectId) -> LackingOut:
    """Each consent, and what the legal basis still lacks; not told to who only sees by it."""
    return LackingOut.of(*services.custody.viewing_lacking(caller.account, viewing_id))


@router.post(
    "/{viewing_id}/consents",
    summary="Add consents to a request to view",
    **guarded(Right.VIEWING_CONSENT, *_DECIDING, ErrorKind.SELF_APPROVAL),
)
def add_viewing_consents(
    services: ServicesHere, caller: CallerHere, viewing_id: ObjectId, body: ConsentsIn
) -> ViewingRequestOut:
    """Take consents in that came later, by nobody who is to see by it; once nothing is missing it can be approved."""
    consents = [consent.consent() for consent in body.consents]
    return _told(services, services.custody.add_viewing_consents(caller.account, viewing_id, consents))


@router.post(
    "/{viewing_id}/consents/{number}/withdraw",
    summary="Withdraw a consent to a request to view",
    **guarded(Right.VIEWING_CONSENT, *_DECIDING),
)
def withdraw_viewing_consent(
    services: ServicesHere, caller: CallerHere, viewing_id: ObjectId, number: Number, body: ReasonIn
) -> ViewingRequestOut:
    """A grant that rests on it goes back to submitted, and open views by it end at once."""
    custody = services.custody
    found = custody.withdraw_viewing_consent(caller.account, viewing_id, number, body.reason)
    return _told(services, found)


def _told(services: Services, request: ViewingRequest) -> ViewingRequestOut:
    return ViewingRequestOut.of(request, services.custody.account_names({request.wish.viewer_id}))
