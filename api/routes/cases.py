"""Cases, and switching their cameras."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.models_cases import (
    CaseDetail,
    CaseIn,
    CaseOut,
    ParticipantsIn,
    PatientIn,
    PatientOut,
    RefuseRecordingIn,
    StartIn,
    StopIn,
    SwitchedOut,
)
from api.routes.guard import guarded
from api.services import CallerHere, ServicesHere
from api.types import Before, Limit, ObjectId
from orvault.custody.access import Right
from orvault.custody.case import CaseState
from orvault.errors import ErrorKind

router = APIRouter(prefix="/cases", tags=["Cases"])


@router.post("", summary="Plan a case", status_code=201, **guarded(Right.CASE_PLAN, ErrorKind.CONFLICT))
def plan_case(services: ServicesHere, caller: CallerHere, body: CaseIn) -> CaseOut:
    """Plan an operation under the hospital's case number, with the paper that asks for its recording."""
    return CaseOut.of(services.custody.plan_case(caller.account, body.plan()))


@router.post("/find", summary="Find a patient's cases", **guarded(Right.PATIENT_FIND))
def find_cases(services: ServicesHere, caller: CallerHere, body: PatientIn) -> list[CaseOut]:
    """The newest first. In a body and not in an address: addresses are logged. That somebody looked is in history."""
    found = services.custody.cases_of_patient(caller.account, body.patient_reference.get_secret_value())
    return [CaseOut.of(case) for case in found]


@router.get(
    "/{case_id}/patient", summary="Show whose case it is", **guarded(Right.PATIENT_FIND, ErrorKind.NOT_FOUND)
)
def show_patient(services: ServicesHere, caller: CallerHere, case_id: ObjectId) -> PatientOut:
    """The hospital's patient reference, empty where none is kept; that somebody saw it is in history."""
    return PatientOut(patient_reference=services.custody.patient_of(caller.account, case_id))


@router.post(
    "/{case_id}/refuse-recording",
    summary="Refuse to record a case",
    **guarded(Right.CASE_PLAN, ErrorKind.NOT_FOUND, ErrorKind.CONFLICT),
)
def refuse_recording(
    services: ServicesHere, caller: CallerHere, case_id: ObjectId, body: RefuseRecordingIn
) -> CaseOut:
    """Close a planned case unrecorded, for a reason that the law lists."""
    refused = services.custody.refuse_recording(caller.account, case_id, body.reason, body.note)
    return CaseOut.of(refused)


@router.get("", summary="List cases", **guarded(Right.CASE_VIEW))
def list_cases(
    services: ServicesHere,
    caller: CallerHere,
    state: Annotated[CaseState | None, Query(description="Only those that stand so.")] = None,
    limit: Limit = 100,
    before: Before = "",
) -> list[CaseOut]:
    """The newest first."""
    return [CaseOut.of(case) for case in services.custody.cases(caller.account, state, limit, before)]


@router.get("/{case_id}", summary="Show a case", **guarded(Right.CASE_VIEW, ErrorKind.NOT_FOUND))
def show_case(services: ServicesHere, caller: CallerHere, case_id: ObjectId) -> CaseDetail:
    """The case with every run of its cameras."""
    return CaseDetail.of(services.custody.case(caller.account, case_id))


@router.post(
    "/{case_id}/arm",
    summary="Arm a case",
    **guarded(Right.CASE_ARM, ErrorKind.NOT_FOUND, ErrorKind.CONFLICT, ErrorKind.KEYS_LOCKED),
)
def arm_case(services: ServicesHere, caller: CallerHere, case_id: ObjectId) -> CaseOut:
    """Make the case's key and let its cameras be started."""
    return CaseOut.of(services.custody.arm_case(caller.account, case_id))


@router.post(
    "/{case_id}/close",
    summary="Close a case",
    **guarded(Right.CASE_CLOSE, ErrorKind.NOT_FOUND, ErrorKind.CONFLICT),
)
def close_case(services: ServicesHere, caller: CallerHere, case_id: ObjectId) -> SwitchedOut:
    """Stop what still records and close the case for good."""
    return SwitchedOut.of(services.custody.close_case(caller.account, case_id))


@router.post(
    "/{case_id}/participants",
    summary="Add participants",
    **guarded(Right.CASE_PLAN, ErrorKind.NOT_FOUND),
)
def amend_participants(
    services: ServicesHere, caller: CallerHere, case_id: ObjectId, body: ParticipantsIn
) -> CaseOut:
    """Name staff who joined later, also after the close. An export by consent then needs theirs too."""
    case = services.custody.amend_participants(caller.account, case_id, body.added, body.reason)
    return CaseOut.of(case)


@router.post(
    "/{case_id}/recording/start",
    summary="Start recording",
    **guarded(Right.RECORDING_SWITCH, ErrorKind.NOT_FOUND, ErrorKind.CONFLICT, ErrorKind.NOT_ARMED),
)
def start_recording(
    services: ServicesHere, caller: CallerHere, case_id: ObjectId, body: StartIn | None = None
) -> SwitchedOut:
    """Start cameras of the case's room. One that cannot be reached is named in `problems`; the others record."""
    cameras = body.camera_ids if body is not None else None
    return SwitchedOut.of(services.custody.start_recording(caller.account, case_id, cameras))


@router.post(
    "/{case_id}/recording/stop",
    summary="Stop recording before the close",
    **guarded(Right.RECORDING_SWITCH, ErrorKind.NOT_FOUND, ErrorKind.CONFLICT),
)
def stop_recording(
    services: ServicesHere, caller: CallerHere, case_id: ObjectId, body: StopIn
) -> SwitchedOut:
    """A stop in the middle of a case needs a reason, which is kept."""
    switched = services.custody.stop_recording(caller.account, case_id, body.reason, body.camera_ids)
    return SwitchedOut.of(switched)
