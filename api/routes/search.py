"""Searching cases, recordings and events."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.models_search import CasePageOut, EventPageOut, RecordingPageOut
from api.routes.guard import guarded
from api.services import CallerHere, ServicesHere
from api.types import Limit, TimeIn
from orvault.custody.access import Right
from orvault.custody.search import MOST_NAMES, EventKind, Wanted
from orvault.custody.text import MAX_TIME_US

router = APIRouter(prefix="/search", tags=["Search"])

_Number = Annotated[str, Query(max_length=64, description="A case's number, or its beginning.")]
_Rooms = Annotated[
    list[Annotated[str, Query(max_length=128)]],
    Query(alias="room", max_length=MOST_NAMES, description="Once for each room; without one, all."),
]
_Departments = Annotated[
    list[Annotated[str, Query(max_length=128)]],
    Query(alias="department", max_length=MOST_NAMES, description="Once for each department; its rooms now."),
]
_Cameras = Annotated[
    list[Annotated[str, Query(max_length=128)]],
    Query(alias="camera_id", max_length=MOST_NAMES, description="Once for each camera; without one, all."),
]
_Kinds = Annotated[
    list[EventKind], Query(alias="kind", max_length=8, description="Once for each kind; without one, all.")
]
_From = Annotated[TimeIn | None, Query(alias="from")]
_To = Annotated[TimeIn | None, Query(description="Exclusive.")]
_After = Annotated[str, Query(max_length=400, description="`next` of the page before, all else as it was.")]


@router.get("/cases", summary="Search cases", **guarded(Right.CASE_VIEW))
def search_cases(
    services: ServicesHere,
    caller: CallerHere,
    number: _Number = "",
    rooms: _Rooms = [],  # noqa: B006 - FastAPI copies it
    departments: _Departments = [],  # noqa: B006
    from_: _From = None,
    to: _To = None,
    limit: Limit = 100,
    after: _After = "",
) -> CasePageOut:
    """By number in its order; without one the newest first. The period is that of the planned time."""
    wanted = _wanted(number, rooms, departments, from_, to, limit, after)
    return CasePageOut.of(services.custody.search_cases(caller.account, wanted))


@router.get("/recordings", summary="Search recordings", **guarded(Right.RECORDING_LIST))
def search_recordings(
    services: ServicesHere,
    caller: CallerHere,
    number: _Number = "",
    rooms: _Rooms = [],  # noqa: B006
    departments: _Departments = [],  # noqa: B006
    camera_ids: _Cameras = [],  # noqa: B006
    from_: _From = None,
    to: _To = None,
    limit: Limit = 100,
    after: _After = "",
) -> RecordingPageOut:
    """What was recorded in the period, in unbroken stretches by camera and run; `limit` counts stretches.

    A run of which nothing was recorded has gaps alone: they stand among the events.
    """
    wanted = _wanted(number, rooms, departments, from_, to, limit, after, cameras=camera_ids)
    return RecordingPageOut.of(services.custody.search_recordings(caller.account, wanted))


@router.get("/events", summary="Search events", **guarded(Right.CASE_VIEW))
def search_events(
    services: ServicesHere,
    caller: CallerHere,
    number: _Number = "",
    rooms: _Rooms = [],  # noqa: B006
    departments: _Departments = [],  # noqa: B006
    camera_ids: _Cameras = [],  # noqa: B006
    kinds: _Kinds = [],  # noqa: B006
    from_: _From = None,
    to: _To = None,
    limit: Limit = 100,
    after: _After = "",
) -> EventPageOut:
    """Signals, switches and alarms in the period, and gaps that reach into it."""
    wanted = _wanted(number, rooms, departments, from_, to, limit, after, cameras=camera_ids, kinds=kinds)
    return EventPageOut.of(services.custody.search_events(caller.account, wanted))


def _wanted(
    number: str,
    rooms: list[str],
    departments: list[str],
    from_us: int | None,
    to_us: int | None,
    limit: int,
    after: str,
    *,
    cameras: list[str] | None = None,
    kinds: list[EventKind] | None = None,
) -> Wanted:
    return Wanted(
        number=number,
        rooms=tuple(rooms),
        camera_ids=tuple(cameras or ()),
        kinds=tuple(kinds or ()),
        from_us=0 if from_us is None else from_us,
        to_us=MAX_TIME_US if to_us is None else to_us,
        limit=limit,
        after=after,
        departments=tuple(departments),
    )
