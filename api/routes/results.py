"""Participants and the masked result: who is asked to look, what waits for whom, and what is waived.

Watching it is a view (`viewing`); the answer itself belongs to deciding on the request (`deciding`).
"""

from __future__ import annotations

from fastapi import APIRouter

from api.models_exports import ExportOut
from api.models_results import AwaitedOut, ParticipantIn, WaiveIn
from api.routes.guard import guarded
from api.services import CallerHere, ServicesHere
from api.types import ObjectId
from orvault.custody.access import Right
from orvault.errors import ErrorKind

router = APIRouter(tags=["Exports"])

_ABOUT_ONE = (ErrorKind.NOT_FOUND, ErrorKind.CONFLICT)


@router.post(
    "/exports/{request_id}/participants",
    summary="Ask a participant to look at the result",
    **guarded(Right.RESULT_ASK, *_ABOUT_ONE),
)
def ask_participant(
    services: ServicesHere, caller: CallerHere, request_id: ObjectId, body: ParticipantIn
) -> ExportOut:
    """Before it is rendered, for this request alone; its release waits for their answer. Again changes the rest."""
    request = services.custody.ask_participant(
        caller.account, request_id, body.participant, body.mail, body.account
    )
    return ExportOut.of(request)


@router.post(
    "/exports/{request_id}/answers/waive",
    summary="Waive a participant's answer",
    **guarded(Right.ANSWER_WAIVE, *_ABOUT_ONE, ErrorKind.SELF_APPROVAL, by_service=True),
)
def waive_answer(
    services: ServicesHere, caller: CallerHere, request_id: ObjectId, body: WaiveIn
) -> ExportOut:
    """Wait for it no longer, by somebody who did not make the request, with the reason. A no is not waived."""
    custody = services.custody
    return ExportOut.of(custody.waive_answer(caller.account, request_id, body.participant, body.reason))


@router.get("/results", summary="List results that wait for your answer", **guarded(Right.RESULT_VIEW))
def list_results(services: ServicesHere, caller: CallerHere) -> list[AwaitedOut]:
    """Masked results of cases that you took part in, and that you are asked to look at before they leave."""
    return [AwaitedOut.of(each) for each in services.custody.awaited_answers(caller.account)]
