"""Searching cases, recordings and events."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.models_search import (
    CasePageOut,
    CaseQuery,
    EventPageOut,
    EventQuery,
    RecordingPageOut,
    RecordingQuery,
)
from api.routes.guard import guarded
from api.services import CallerHere, ServicesHere
from orvault.custody.access import Right

router = APIRouter(prefix="/search", tags=["Search"])


@router.get("/cases", summary="Search cases", **guarded(Right.CASE_VIEW))
def search_cases(
    services: ServicesHere, caller: CallerHere, query: Annotated[CaseQuery, Query()]
) -> CasePageOut:
    """By number in its order; without one the newest first. The period is that of the planned time."""
    return CasePageOut.of(services.custody.search_cases(caller.account, query.wanted()))


@router.get("/recordings", summary="Search recordings", **guarded(Right.RECORDING_LIST))
def search_recordings(
    services: ServicesHere, caller: CallerHere, query: Annotated[RecordingQuery, Query()]
) -> RecordingPageOut:
    """What was recorded in the period, in unbroken stretches by camera and run; `limit` counts stretches.

    A run of which nothing was recorded has gaps alone: they stand among the events.
    """
    return RecordingPageOut.of(services.custody.search_recordings(caller.account, query.wanted()))


@router.get("/events", summary="Search events", **guarded(Right.CASE_VIEW))
def search_events(
    services: ServicesHere, caller: CallerHere, query: Annotated[EventQuery, Query()]
) -> EventPageOut:
    """Signals, switches and alarms in the period, and gaps that reach into it."""
    return EventPageOut.of(services.custody.search_events(caller.account, query.wanted()))
