"""Images for visible watermarks, and what a watermark will look like."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response

from api.models_watermarks import PreviewIn, WatermarkImageIn, WatermarkImageOut
from api.routes.guard import guarded
from api.services import CallerHere, ServicesHere
from orvault.custody.access import Right
from orvault.custody.terms import Masking, Style
from orvault.errors import ErrorKind

router = APIRouter(tags=["Exports"])
_PNG = "image/png"
_ImageId = Annotated[str, Path(description="Its digest, as the list tells it.")]


@router.post(
    "/watermark-images",
    summary="Keep an image for watermarks",
    status_code=201,
    **guarded(Right.EXPORT_SUBMIT, ErrorKind.CONFLICT),
)
def add_watermark_image(
    services: ServicesHere, caller: CallerHere, body: WatermarkImageIn
) -> WatermarkImageOut:
    """A PNG with alpha, of at most 512 KiB and 1024 pixels a side. Its pixels alone are kept, written afresh."""
    from orvault.vision.watermark_image import clean_png, size_of  # OpenCV: loaded at the first use

    png = clean_png(body.data())
    image = services.custody.add_watermark_image(caller.account, body.name, png, size_of(png))
    return WatermarkImageOut.of(image)


@router.get("/watermark-images", summary="List the images for watermarks", **guarded(Right.EXPORT_SUBMIT))
def list_watermark_images(services: ServicesHere, caller: CallerHere) -> list[WatermarkImageOut]:
    """The newest first."""
    return [WatermarkImageOut.of(image) for image in services.custody.watermark_images(caller.account)]


@router.delete(
    "/watermark-images/{image_id}",
    summary="Remove an image for watermarks",
    status_code=204,
    **guarded(Right.WATERMARK_REMOVE, ErrorKind.NOT_FOUND, ErrorKind.CONFLICT),
)
def remove_watermark_image(services: ServicesHere, caller: CallerHere, image_id: _ImageId) -> None:
    """One that a request names is kept until its packages are made, or it is refused or over."""
    services.custody.remove_watermark_image(caller.account, image_id)


def _showing_png(arguments: dict[str, Any]) -> dict[str, Any]:
    picture = {
        "description": "The picture",
        "content": {_PNG: {"schema": {"type": "string", "format": "binary"}}},
    }
    return arguments | {"responses": arguments["responses"] | {200: picture}}


@router.post(
    "/watermark-preview",
    summary="Show what a watermark looks like",
    response_class=Response,
    **_showing_png(guarded(Right.EXPORT_SUBMIT, ErrorKind.NOT_FOUND)),
)
def preview_watermark(services: ServicesHere, caller: CallerHere, body: PreviewIn) -> Response:
    """One picture (PNG) with the watermark on a drawn background, light to dark; never a camera's picture.

    It is the first recipient's. What a request could not have, in any recipient's copy, is refused here with the same
    words.
    """
    from actors.watermark_preview import preview_png  # OpenCV: loaded at the first use
    from actors.watermarks import check_watermark

    redaction = body.watermark.redaction(Masking.PICTURE, Style.SOLID, services.rooms_offset_min)
    (shown, *others), image, now_us = services.custody.preview_watermark(
        caller.account, redaction, body.case_id, body.recipients
    )
    for other in others:
        check_watermark(other, image, body.width, body.height)
    return Response(preview_png(shown, image, (body.width, body.height), now_us), media_type=_PNG)
