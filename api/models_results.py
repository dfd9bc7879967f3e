"""Bodies about participants who look at a masked result before it leaves."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from api.models import Words
from api.models_exports import AnswerOut
from api.models_viewing import CameraName
from api.types import Model, TimeOut
from orvault.custody.service import AwaitedAnswer

Mail = Annotated[str, Field(max_length=255, pattern=r"^$|^[^\s@<>,;]{1,64}@[^\s@<>,;]{1,190}$")]


class ParticipantIn(Model):
    """Whom to ask to look at a request's result."""

    participant: Words = Field(examples=["Lee Minsu"])
    account: Annotated[str, Field(max_length=200)] = Field(
        default="", description="The name of their account, where several bear the display name."
    )
    mail: Mail = Field(
        default="", description="Where they are told that the result is there; may be left out."
    )


class WaiveIn(Model):
    """Whose outstanding answer is not waited for, and why; kept."""

    participant: Words = Field(examples=["Lee Minsu"])
    reason: Words = Field(examples=["On leave until January; reached neither by telephone nor by mail."])


class ResultIn(Model):
    """Which camera's result to watch."""

    request_id: Annotated[str, Field(max_length=64)]
    camera_id: CameraName


class AwaitedOut(Model):
    """A result that waits for your answer; of the request itself no more than you need to give it."""

    request_id: str
    case_id: str
    case_number: str
    room: str
    camera_ids: list[str]
    from_: TimeOut = Field(serialization_alias="from")
    to: TimeOut
    answers_due_at: TimeOut | None = Field(description="Until when you are asked to answer.")
    shown: bool = Field(
        description="Whether you may watch it now (POST /views/result); its page says where no copy is kept any more."
    )
    reason: str
    answer: AnswerOut | None = Field(description="What you have said of it so far.")

    @classmethod
    def of(cls, awaited: AwaitedAnswer) -> AwaitedOut:
        """From custody's."""
        request, case = awaited.request, awaited.case
        return cls(
            request_id=request.request_id,
            case_id=case.case_id,
            case_number=case.number,
            room=case.room,
            camera_ids=list(request.wish.camera_ids),
            from_=request.wish.from_us,
            to=request.wish.to_us,
            answers_due_at=request.answers_due_us,
            shown=awaited.shown,
            reason=awaited.reason,
            answer=None if awaited.answer is None else AnswerOut.of(awaited.answer),
        )
