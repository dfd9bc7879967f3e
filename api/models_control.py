"""Bodies of rooms, signals and stop reasons, in and out."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from api.models_cases import CaseOut, ProblemOut
from api.types import Model, TimeOut
from orvault.custody.control import Action, Confirmation, Phase, SignalKind, SignalSource, Waiting
from orvault.custody.desks.alarms import AlarmKind
from orvault.custody.service import Alarm, DueReason, RoomView, SignalOutcome


class WaitingOut(Model):
    """A stop that awaits its confirmation; recording goes on."""

    source: SignalSource
    given_at: TimeOut
    needs: Confirmation
    until: TimeOut = Field(
        description="With a dwell it takes effect then; without a second signal it lapses."
    )

    @classmethod
    def of(cls, waiting: Waiting) -> WaitingOut:
        """From custody's stop in waiting."""
        return cls(
            source=waiting.stop.source,
            given_at=waiting.stop.at_us,
            needs=waiting.needs,
            until=waiting.until_us,
        )


class StopReasonOut(Model):
    """Why a recording was stopped before its case's end; due while `reason` is null."""

    id: str
    case_id: str
    case_number: str
    room: str
    stopped_at: TimeOut
    run_ids: list[str]
    reason: str | None
    given_at: TimeOut | None
    reminders: int

    @classmethod
    def of(cls, due: DueReason) -> StopReasonOut:
        """From custody's reason with its case."""
        return cls(
            id=due.reason.reason_id,
            case_id=due.case.case_id,
            case_number=due.case.number,
            room=due.case.room,
            stopped_at=due.reason.since_us,
            run_ids=list(due.reason.run_ids),
            reason=due.reason.reason,
            given_at=due.reason.given_us,
            reminders=due.reason.reminders,
        )


class AlarmOut(Model):
    """Something that staff must see. `text` says it, and what to do."""

    kind: AlarmKind
    case_id: str | None = Field(
        description="Null where no case is armed; alarms of pedals and gestures stand then, too."
    )
    since: TimeOut
    text: str

    @classmethod
    def of(cls, alarm: Alarm) -> AlarmOut:
        """From custody's alarm."""
        return cls(kind=alarm.kind, case_id=alarm.case_id or None, since=alarm.since_us, text=alarm.text)


class RoomOut(Model):
    """An operating room for a display: its armed case, or the one closed there last."""

    room: str
    phase: Phase
    case: CaseOut | None
    recording: list[str] = Field(description="Ids of the cameras that record.")
    waiting: list[WaitingOut]
    pending_reasons: list[StopReasonOut]
    alarms: list[AlarmOut]

    @classmethod
    def of(cls, view: RoomView) -> RoomOut:
        """From custody's view of a room."""
        return cls(
            room=view.room,
            phase=view.phase,
            case=None if view.case is None else CaseOut.of(view.case),
            recording=list(view.recording),
            waiting=[WaitingOut.of(waiting) for waiting in view.waiting],
            pending_reasons=[StopReasonOut.of(due) for due in view.reasons],
            alarms=[AlarmOut.of(alarm) for alarm in view.alarms],
        )


class SignalIn(Model):
    """A person's signal. A stop needs its reason."""

    kind: SignalKind
    reason: Annotated[str, Field(max_length=1000)] = ""
    signal_id: Annotated[str, Field(max_length=64)] = Field(
        default="", description="A UUID of your own: the same one sent again does nothing."
    )


class SignalOut(Model):
    """What became of a signal. A refused one is an answer, not an error: look at `accepted` and `why`."""

    signal_id: str
    accepted: bool
    action: Action
    why: str
    repeated: bool = Field(description="It was heard before; this is what it did then.")
    problems: list[ProblemOut]

    @classmethod
    def of(cls, outcome: SignalOutcome) -> SignalOut:
        """From custody's answer."""
        return cls(
            signal_id=outcome.signal_id,
            accepted=outcome.accepted,
            action=outcome.action,
            why=outcome.why,
            repeated=outcome.repeated,
            problems=[
                ProblemOut(camera_id=p.camera_id, kind=p.kind.value, message=p.message)
                for p in outcome.problems
            ],
        )


class StopReasonIn(Model):
    """Why the recording was stopped."""

    reason: Annotated[str, Field(max_length=1000, examples=["Emergency in the neighbouring room."])]
