"""Cases as rows, and back."""

from __future__ import annotations

from orvault.container.keys import PublicKey
from orvault.custody.case import Case, CaseState
from orvault.custody.intake import AskedBy, Intake, Refusal, RefusalReason
from orvault.custody.patients import SealedPatient
from orvault.ledger.rows import Row, Values, from_text, to_text


def case_state(case: Case) -> Values:
    """The columns that change on a case's way."""
    refusal = case.refusal
    return {
        "state": case.state.value,
        "case_key": None if case.case_key is None else to_text(case.case_key.to_json()),
        "armed_us": case.armed_us,
        "armed_by": case.armed_by,
        "closed_us": case.closed_us,
        "closed_by": case.closed_by,
        "refusal_reason": None if refusal is None else refusal.reason.value,
        "refusal_note": None if refusal is None else refusal.note,
    }


def intake_values(case: Case) -> Values:
    """The columns that are fixed when a case is planned: who asked for its recording, and whose operation it is."""
    intake, patient = case.intake, case.patient
    return {
        "asked_by": None if intake is None else intake.asked_by.value,
        "asked_us": None if intake is None else intake.asked_us,
        "request_sha256": None if intake is None else intake.document_sha256,
        "patient_sealed": None if patient is None else patient.sealed,
        "patient_hash": None if patient is None else patient.digest,
    }


def case_of(row: Row, participants: tuple[str, ...]) -> Case:
    """A case out of its row and its participants."""
    where = f"cases {row['id']}"
    key = None if row["case_key"] is None else PublicKey.from_json(from_text(row["case_key"], where))
    return Case(
        case_id=row["id"],
        number=row["number"],
        room=row["room"],
        planned_us=row["planned_us"],
        recording_request=row["recording_request"],
        participants=participants,
        state=CaseState(row["state"]),
        created_us=row["created_us"],
        created_by=row["created_by"],
        case_key=key,
        armed_us=row["armed_us"],
        armed_by=row["armed_by"],
        closed_us=row["closed_us"],
        closed_by=row["closed_by"],
        intake=_intake(row),
        refusal=_refusal(row),
        patient=SealedPatient(row["patient_sealed"], row["patient_hash"]) if row["patient_hash"] else None,
    )


def _intake(row: Row) -> Intake | None:
    if row["asked_by"] is None:
        return None
    return Intake(AskedBy(row["asked_by"]), row["asked_us"], row["request_sha256"])


def _refusal(row: Row) -> Refusal | None:
    if row["refusal_reason"] is None:
        return None
    return Refusal(
        RefusalReason(row["refusal_reason"]), row["refusal_note"], row["closed_by"], row["closed_us"]
    )
