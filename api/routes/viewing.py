"""Views of live and stored pictures, and the quick mask."""

from __future__ import annotations

from fastapi import APIRouter, Request

from api.models_results import ResultIn
from api.models_viewing import LiftIn, LiveIn, MaskIn, MaskOut, StoredIn, ViewOut
from api.routes.guard import guarded
from api.services import CallerHere, Services, ServicesHere, client_of
from orvault.custody.access import Right
from orvault.custody.service import OpenedView
from orvault.errors import ErrorKind

router = APIRouter(tags=["Viewing"])


@router.get("/quick-mask", summary="Show the quick mask", **guarded(Right.CAMERA_VIEW))
def show_masks(services: ServicesHere, caller: CallerHere) -> list[MaskOut]:
    """Of every camera. It is on unless somebody lifted it, and then for minutes."""
    return [MaskOut.of(state) for state in services.custody.masks(caller.account)]


@router.post("/quick-mask", summary="Mask everything now", **guarded(Right.MASK_SET, ErrorKind.NOT_FOUND))
def set_mask(services: ServicesHere, caller: CallerHere, body: MaskIn | None = None) -> list[MaskOut]:
    """Mask one camera, or all, for everybody, from the next live picture and the next stored segment on.

    Every account may do that, and nobody has to say why.
    """
    body = body or MaskIn()
    states = services.custody.set_mask(caller.account, body.camera_id, body.reason)
    return [MaskOut.of(state) for state in states]


@router.post(
    "/quick-mask/lift",
    summary="Lift the quick mask for minutes",
    **guarded(Right.MASK_LIFT, ErrorKind.NOT_FOUND),
)
def lift_mask(services: ServicesHere, caller: CallerHere, body: LiftIn) -> list[MaskOut]:
    """Let those who hold a right to see a camera, or all, see it for so many minutes. Others see no more."""
    states = services.custody.lift_mask(caller.account, body.camera_id, body.minutes, body.reason)
    return [MaskOut.of(state) for state in states]


@router.post(
    "/views/live", summary="Watch live", status_code=201, **guarded(Right.LIVE_VIEW, ErrorKind.NOT_FOUND)
)
def view_live(request: Request, services: ServicesHere, caller: CallerHere, body: LiveIn) -> ViewOut:
    """What a camera shows now: a mosaic, unless you hold a right to more and the quick mask is lifted."""
    opened = services.custody.ask_live(
        caller.account, caller.session_id, body.camera_id, body.wanted, client_of(request)
    )
    return _told(services, opened)


@router.post(
    "/views/stored",
    summary="Watch a recording",
    status_code=201,
    **guarded(Right.STORED_VIEW, ErrorKind.NOT_FOUND, ErrorKind.EMPTY_RANGE, ErrorKind.DESTROYED),
)
def view_stored(request: Request, services: ServicesHere, caller: CallerHere, body: StoredIn) -> ViewOut:
    """What a camera recorded of a case: a mosaic, unless you hold a viewing grant and the quick mask is lifted."""
    opened = services.custody.ask_stored(
        caller.account,
        caller.session_id,
        body.case_id,
        body.camera_id,
        body.from_,
        body.to,
        body.wanted,
        client_of(request),
    )
    return _told(services, opened)


@router.post(
    "/views/result",
    summary="Watch a masked result",
    status_code=201,
    **guarded(Right.RESULT_VIEW, ErrorKind.NOT_FOUND, ErrorKind.CONFLICT, ErrorKind.DESTROYED),
)
def view_result(request: Request, services: ServicesHere, caller: CallerHere, body: ResultIn) -> ViewOut:
    """What would leave, as it was masked: for participants who are asked, before they answer. Nobody else sees it."""
    opened = services.custody.ask_result(
        caller.account, caller.session_id, body.request_id, body.camera_id, client_of(request)
    )
    return _told(services, opened)


def _told(services: Services, opened: OpenedView) -> ViewOut:
    path = services.links.sign_view(opened.view.view_id, opened.view.expires_us)
    return ViewOut.of(opened, services.viewing_url() + path)
