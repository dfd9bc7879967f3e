"""Export requests from the first draft to the download; deciding on them is in `deciding`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.models_exports import ExportOut, LinkOut
from api.models_wishes import DraftChangeIn, DraftIn, ExportIn, SubmitIn
from api.routes.guard import guarded
from api.services import CallerHere, ServicesHere
from api.types import Before, Limit, ObjectId, OfCase
from orvault.custody.access import Right
from orvault.custody.desks.submitting import ValidityWish
from orvault.custody.steps import RequestState
from orvault.errors import ErrorKind

router = APIRouter(prefix="/exports", tags=["Exports"])

_DRAFTING = (ErrorKind.NOT_FOUND, ErrorKind.CONFLICT, ErrorKind.DESTROYED, ErrorKind.TOO_MANY_ATTEMPTS)


@router.post(
    "",
    summary="Submit an export request",
    status_code=201,
    **guarded(
        Right.EXPORT_SUBMIT,
        ErrorKind.NOT_FOUND,
        ErrorKind.BASIS_MISSING,
        ErrorKind.EMPTY_RANGE,
        ErrorKind.DESTROYED,
        ErrorKind.TOO_MANY_ATTEMPTS,
    ),
)
def submit_export(services: ServicesHere, caller: CallerHere, body: ExportIn) -> ExportOut:
    """Ask for a masked, watermarked, sealed copy. Whatever would make it fail later is refused now, by name.

    Recipients' passwords are turned into public keys at once; the server keeps nothing that opens the package.
    """
    services.custody.check_exportable(caller.account, body.case_id)  # before passwords are worked on
    request = services.custody.submit_export(
        caller.account, body.wish(services.rooms_offset_min), body.valid_from, body.valid_until
    )
    return ExportOut.of(request)


@router.post(
    "/drafts",
    summary="Begin an export request",
    status_code=201,
    **guarded(Right.EXPORT_SUBMIT, *_DRAFTING),
)
def draft_export(services: ServicesHere, caller: CallerHere, body: DraftIn) -> ExportOut:
    """Keep a request that is not complete yet. Nobody decides on it; it expires after 30 days."""
    services.custody.check_exportable(caller.account, body.case_id)  # before passwords are worked on
    return ExportOut.of(services.custody.draft_export(caller.account, body.wish(services.rooms_offset_min)))


@router.patch(
    "/{request_id}",
    summary="Change a draft",
    **guarded(Right.EXPORT_SUBMIT, *_DRAFTING),
)
def change_draft(
    services: ServicesHere, caller: CallerHere, request_id: ObjectId, body: DraftChangeIn
) -> ExportOut:
    """By whoever began it, until it is submitted."""
    services.custody.check_draft(caller.account, request_id)  # before passwords are worked on
    return ExportOut.of(
        services.custody.change_draft(caller.account, request_id, body.change(services.rooms_offset_min))
    )


@router.post(
    "/{request_id}/submit",
    summary="Submit a draft",
    **guarded(
        Right.EXPORT_SUBMIT,
        ErrorKind.NOT_FOUND,
        ErrorKind.CONFLICT,
        ErrorKind.BASIS_MISSING,
        ErrorKind.EMPTY_RANGE,
        ErrorKind.DESTROYED,
    ),
)
def submit_draft(
    services: ServicesHere, caller: CallerHere, request_id: ObjectId, body: SubmitIn | None = None
) -> ExportOut:
    """Submit what was drafted; checked as a request that is submitted at once."""
    validity = None if body is None else ValidityWish(body.valid_from, body.valid_until)
    return ExportOut.of(services.custody.submit_draft(caller.account, request_id, validity))


@router.get("", summary="List export requests", **guarded(Right.EXPORT_VIEW))
def list_exports(
    services: ServicesHere,
    caller: CallerHere,
    state: Annotated[RequestState | None, Query(description="Only those that stand so.")] = None,
    case_id: OfCase = None,
    limit: Limit = 100,
    before: Before = "",
) -> list[ExportOut]:
    """Those that the account may see, the newest first."""
    found = services.custody.exports(caller.account, state, case_id, limit, before)
    return [ExportOut.of(request) for request in found]


@router.get(
    "/{request_id}", summary="Show an export request", **guarded(Right.EXPORT_VIEW, ErrorKind.NOT_FOUND)
)
def show_export(services: ServicesHere, caller: CallerHere, request_id: ObjectId) -> ExportOut:
    """Its state, how far the rendering is, and how often its packages were activated."""
    request = services.custody.export(caller.account, request_id)
    shares = services.custody.shares_of(caller.account, request_id) if request.wish.activation.wanted else ()
    return ExportOut.of(request, shares)


@router.post(
    "/{request_id}/download-link",
    summary="Get a download link",
    **guarded(
        Right.EXPORT_DOWNLOAD,
        ErrorKind.BAD_REQUEST,
        ErrorKind.NOT_FOUND,
        ErrorKind.CONFLICT,
        ErrorKind.NOT_APPROVED,
        ErrorKind.EXPIRED,
    ),
)
def issue_link(
    services: ServicesHere,
    caller: CallerHere,
    request_id: ObjectId,
    recipient: Annotated[
        str | None,
        Query(max_length=200, description="Whose copy; needed where there are several recipients."),
    ] = None,
) -> LinkOut:
    """A link of 5 minutes to a recipient's finished package, for whoever submitted the request."""
    link, package = services.custody.issue_link(caller.account, request_id, recipient)
    path = services.links.sign(package.package_id, link.link_id, link.expires_us)
    url = services.media_url() + path
    return LinkOut(url=url, expires_at=link.expires_us, bytes=package.bytes, sha256=package.sha256)
