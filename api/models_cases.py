"""Bodies of cases and of switching their cameras, in and out."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr

from api.models import Words
from api.types import Model, TimeIn, TimeOut
from orvault.custody.case import Case, CasePlan, CaseState, Run
from orvault.custody.intake import AskedBy, Intake, Refusal, RefusalReason
from orvault.custody.service import CaseView, Switched


class AskedIn(Model):
    """A recording request; the form stays with the hospital, its digest is kept here."""

    by: AskedBy
    at: TimeIn
    document_sha256: Annotated[str, Field(max_length=64, description="SHA-256 of the form's scan, hex.")]

    def intake(self) -> Intake:
        """As custody takes it."""
        return Intake(self.by, self.at, self.document_sha256)


class AskedOut(Model):
    """A recording request."""

    by: AskedBy
    at: TimeOut
    document_sha256: str


class RefusedOut(Model):
    """Why a case is not recorded."""

    reason: RefusalReason
    note: str
    at: TimeOut
    kept_until: TimeOut


class CaseIn(Model):
    """A case to plan. Recording is lawful only on a request: name the paper."""

    number: Annotated[str, Field(max_length=200, examples=["2026-OR3-0412"])]
    room: Annotated[str, Field(max_length=200, examples=["OR 3"])]
    planned_at: TimeIn
    recording_request: Annotated[str, Field(max_length=500, examples=["Form 1 of 2026-11-20, patient"])]
    participants: list[Words] = Field(default=[], max_length=100, examples=[["Lee Minsu", "Park Sora"]])
    asked: AskedIn | None = Field(
        default=None, description="Who asked for the recording, when, on which form."
    )
    patient_reference: SecretStr = Field(
        default=SecretStr(""),
        max_length=200,
        description="The hospital's; sealed, and found by a keyed hash.",
    )

    def plan(self) -> CasePlan:
        """As custody takes it."""
        return CasePlan(
            self.number,
            self.room,
            self.planned_at,
            self.recording_request,
            tuple(self.participants),
            None if self.asked is None else self.asked.intake(),
            self.patient_reference.get_secret_value(),
        )


class RefuseRecordingIn(Model):
    """Why a case is not recorded although it was asked for; kept 3 years."""

    reason: RefusalReason
    note: Words = Field(examples=["Ruptured aneurysm, operated on at once."])


class PatientIn(Model):
    """A patient reference to search for."""

    patient_reference: SecretStr = Field(min_length=1, max_length=200)


class PatientOut(Model):
    """Whose operation a case is."""

    patient_reference: str


class ParticipantsIn(Model):
    """Staff who joined the operation after it was planned; nobody is taken off."""

    added: list[Words] = Field(min_length=1, max_length=100, examples=[["Jung Haneul"]])
    reason: Words = Field(examples=["Called in when the bleeding began."])


class RunOut(Model):
    """One camera's recording from a start to a stop."""

    id: str
    camera_id: str
    started_at: TimeOut
    stop_ordered_at: TimeOut | None
    stop_reason: str | None
    stopped_at: TimeOut | None

    @classmethod
    def of(cls, run: Run) -> RunOut:
        """From custody's run."""
        return cls(
            id=run.run_id,
            camera_id=run.camera_id,
            started_at=run.started_us,
            stop_ordered_at=run.stop_ordered_us,
            stop_reason=run.stop_reason,
            stopped_at=run.stopped_us,
        )


class CaseOut(Model):
    """A case."""

    id: str
    number: str
    room: str
    planned_at: TimeOut
    recording_request: str
    participants: list[str]
    state: CaseState
    created_at: TimeOut
    armed_at: TimeOut | None
    closed_at: TimeOut | None
    asked: AskedOut | None
    refused: RefusedOut | None
    has_patient: bool = Field(description="Whether a patient reference is kept with it.")

    @classmethod
    def of(cls, case: Case) -> CaseOut:
        """From custody's case."""
        return cls(
            id=case.case_id,
            number=case.number,
            room=case.room,
            planned_at=case.planned_us,
            recording_request=case.recording_request,
            participants=list(case.participants),
            state=case.state,
            created_at=case.created_us,
            armed_at=case.armed_us,
            closed_at=case.closed_us,
            asked=None if case.intake is None else _asked(case.intake),
            refused=None if case.refusal is None else _refused(case.refusal),
            has_patient=case.patient is not None,
        )


def _asked(intake: Intake) -> AskedOut:
    return AskedOut(by=intake.asked_by, at=intake.asked_us, document_sha256=intake.document_sha256)


def _refused(refusal: Refusal) -> RefusedOut:
    kept = refusal.kept_until_us
    return RefusedOut(reason=refusal.reason, note=refusal.note, at=refusal.at_us, kept_until=kept)


class CaseDetail(Model):
    """A case with its runs."""

    case: CaseOut
    runs: list[RunOut]

    @classmethod
    def of(cls, view: CaseView) -> CaseDetail:
        """From custody's view of a case."""
        return cls(case=CaseOut.of(view.case), runs=[RunOut.of(run) for run in view.runs])


class ProblemOut(Model):
    """A camera that did not do what it was told."""

    camera_id: str
    kind: str
    message: str


class SwitchedOut(Model):
    """A case after its cameras were switched; look at `problems`."""

    case: CaseOut
    runs: list[RunOut]
    problems: list[ProblemOut]

    @classmethod
    def of(cls, switched: Switched) -> SwitchedOut:
        """From custody's answer."""
        detail = CaseDetail.of(switched.view)
        problems = [
            ProblemOut(camera_id=p.camera_id, kind=p.kind.value, message=p.message) for p in switched.problems
        ]
        return cls(case=detail.case, runs=detail.runs, problems=problems)


class StartIn(Model):
    """Which cameras to start; all of the case's room when left out."""

    camera_ids: list[Words] | None = Field(default=None, max_length=32, examples=[["or3-wall", "or3-lamp"]])


class StopIn(Model):
    """Which cameras to stop before the close (all when left out), and why."""

    reason: Words = Field(default="", examples=["The patient withdrew the request."])
    camera_ids: list[Words] | None = Field(default=None, max_length=32)
