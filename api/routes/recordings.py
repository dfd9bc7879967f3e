"""Cameras, and what they recorded."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.models import CameraOut, RecordingOut
from api.routes.guard import guarded
from api.services import CallerHere, ServicesHere
from api.types import FromTime, Limit, OfCase, ToTime
from orvault.custody.access import Right

router = APIRouter()


@router.get("/cameras", tags=["Cameras"], summary="List cameras", **guarded(Right.CAMERA_VIEW))
def list_cameras(services: ServicesHere, caller: CallerHere) -> list[CameraOut]:
    """Every camera with what it does now."""
    return [CameraOut.of(view) for view in services.custody.cameras(caller.account)]


@router.get("/recordings", tags=["Recordings"], summary="List recordings", **guarded(Right.RECORDING_LIST))
def list_recordings(
    services: ServicesHere,
    caller: CallerHere,
    case_id: OfCase = None,
    camera_id: Annotated[str | None, Query(max_length=128, description="Of this camera only.")] = None,
    from_: FromTime = None,
    to: ToTime = None,
    limit: Limit = 100,
) -> list[RecordingOut]:
    """What was recorded, one row per camera and run, with its gaps. No pictures: those take an export."""
    found = services.custody.recordings(caller.account, case_id, camera_id, from_, to, limit)
    return [RecordingOut.of(run) for run in found]
