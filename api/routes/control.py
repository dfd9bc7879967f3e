"""Rooms: their state for a display, a person's signals, and the reasons that stops owe."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from api.models_control import RoomOut, SignalIn, SignalOut, StopReasonIn, StopReasonOut
from api.routes.guard import guarded
from api.services import CallerHere, ServicesHere
from api.types import ObjectId
from orvault.custody.access import Right
from orvault.errors import ErrorKind

router = APIRouter(tags=["Rooms"])
RoomName = Annotated[str, Path(max_length=128, description="The room's name, as in the cameras' settings.")]


@router.get("/rooms", summary="List rooms", **guarded(Right.CASE_VIEW))
def list_rooms(services: ServicesHere, caller: CallerHere) -> list[RoomOut]:
    """Every room that has a camera, as `GET /rooms/{room}` shows it."""
    return [RoomOut.of(view) for view in services.custody.room_states(caller.account)]


@router.get("/rooms/{room}", summary="Show a room", **guarded(Right.CASE_VIEW, ErrorKind.NOT_FOUND))
def show_room(services: ServicesHere, caller: CallerHere, room: RoomName) -> RoomOut:
    """Whether it records, for which case, which stop awaits confirmation, which reasons are due, what is wrong."""
    return RoomOut.of(services.custody.room_state(caller.account, room))


@router.post(
    "/rooms/{room}/signals",
    summary="Start or stop a room",
    **guarded(Right.RECORDING_SWITCH, ErrorKind.NOT_FOUND, ErrorKind.CONFLICT),
)
def give_signal(services: ServicesHere, caller: CallerHere, room: RoomName, body: SignalIn) -> SignalOut:
    """As a gesture or a pedal does, for all cameras of the room; a person's stop takes effect at once."""
    outcome = services.custody.signal_by(caller.account, room, body.kind, body.reason, body.signal_id)
    return SignalOut.of(outcome)


@router.get("/reasons/pending", summary="List reasons that are due", **guarded(Right.CASE_VIEW))
def list_pending_reasons(services: ServicesHere, caller: CallerHere) -> list[StopReasonOut]:
    """Stops by gesture or pedal that nobody has explained yet, the oldest first."""
    return [StopReasonOut.of(due) for due in services.custody.pending_reasons(caller.account)]


@router.post(
    "/reasons/{reason_id}",
    summary="Give a reason",
    **guarded(Right.RECORDING_SWITCH, ErrorKind.NOT_FOUND, ErrorKind.CONFLICT),
)
def give_reason(
    services: ServicesHere, caller: CallerHere, reason_id: ObjectId, body: StopReasonIn
) -> StopReasonOut:
    """Say why a recording was stopped before its case's end; once, and also after the close."""
    return StopReasonOut.of(services.custody.give_reason(caller.account, reason_id, body.reason))
