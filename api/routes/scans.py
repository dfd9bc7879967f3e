"""Scans of drafts' footage, and the choice of what is masked that is made from them."""

from __future__ import annotations

from fastapi import APIRouter, Request

from api.models_exports import ExportOut
from api.models_scans import CameraThumbnailsOut, ChoiceIn, ScanOut
from api.routes.guard import guarded
from api.services import CallerHere, ServicesHere, client_of
from api.types import ObjectId
from orvault.custody.access import Right
from orvault.errors import ErrorKind

router = APIRouter(prefix="/exports/{request_id}", tags=["Exports"])


@router.post(
    "/scan",
    summary="Have a draft's footage scanned",
    status_code=202,
    **guarded(
        Right.EXPORT_SUBMIT,
        ErrorKind.NOT_FOUND,
        ErrorKind.CONFLICT,
        ErrorKind.EMPTY_RANGE,
        ErrorKind.DESTROYED,
    ),
)
def order_scan(services: ServicesHere, caller: CallerHere, request_id: ObjectId) -> ScanOut:
    """Find who and what is in it, so that it can be chosen what is masked. Nobody sees a picture for it.

    It is needed only to leave somebody clear; without it everybody is masked.
    """
    return ScanOut.of(services.custody.order_scan(caller.account, request_id))


@router.get("/scan", summary="Show the newest scan", **guarded(Right.EXPORT_VIEW, ErrorKind.NOT_FOUND))
def show_scan(services: ServicesHere, caller: CallerHere, request_id: ObjectId) -> ScanOut:
    """How far it is; once it is done, the tracks of each camera with kind and times.

    A track ends, and another part of it begins, wherever it is in doubt whom it follows.
    """
    return ScanOut.of(services.custody.scan(caller.account, request_id))


@router.post(
    "/scan/thumbnails",
    summary="Get pictures of the tracks",
    status_code=201,
    **guarded(Right.STORED_VIEW, ErrorKind.NOT_FOUND, ErrorKind.EMPTY_RANGE),
)
def issue_thumbnails(
    request: Request, services: ServicesHere, caller: CallerHere, request_id: ObjectId
) -> list[CameraThumbnailsOut]:
    """A link to a picture of each track: a view of the recording, with the same rule and the same history.

    A mosaic, unless you hold a viewing grant for it and the quick mask is lifted. Good from your address, for as long
    as the view.
    """
    scan = services.custody.scan(caller.account, request_id)
    wish = services.custody.export(caller.account, request_id).wish
    told = []
    for camera in scan.cameras:
        opened = services.custody.ask_stored(
            caller.account,
            caller.session_id,
            wish.case_id,
            camera.camera_id,
            scan.scope.from_us,
            scan.scope.to_us,
            client=client_of(request),
        )
        path = services.links.sign_view(opened.view.view_id, opened.view.expires_us)
        told.append(CameraThumbnailsOut.of(camera, opened, services.viewing_url() + path))
    return told


@router.put(
    "/masking",
    summary="Choose what is masked",
    **guarded(Right.EXPORT_SUBMIT, ErrorKind.NOT_FOUND, ErrorKind.CONFLICT),
)
def choose_masking(
    services: ServicesHere, caller: CallerHere, request_id: ObjectId, body: ChoiceIn
) -> ExportOut:
    """Leave tracks of the newest scan clear, and cover regions besides, in a draft of your own.

    Whoever lies stays masked, and whoever comes near somebody else, for as long. The choice, who made it and when
    stand in history and in the package.
    """
    clear = [(each.camera_id, each.track) for each in body.clear]
    regions = [each.region() for each in body.regions]
    return ExportOut.of(
        services.custody.choose_masking(caller.account, request_id, body.scan_id, clear, regions)
    )
