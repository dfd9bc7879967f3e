"""Why a case is not recorded, and whose it is: refusals of recordings, patient references."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from orvault.custody.access import Right, require
from orvault.custody.account import Account
from orvault.custody.case import Case, CaseState
from orvault.custody.desks.ordering import arm_orders, case_subject
from orvault.custody.desks.switching import SwitchDesk
from orvault.custody.history import Act
from orvault.custody.intake import Refusal, RefusalReason
from orvault.custody.rows import UnitOfWork
from orvault.custody.text import clean_text
from orvault.errors import ErrorKind, OrvaultError


class IntakeDesk(SwitchDesk):
    """What the records office does with a case besides planning it."""

    def refuse_recording(self, by: Account, case_id: str, reason: RefusalReason, note: str) -> Case:
        """Close a case unrecorded, for a reason that the law lists; kept for 3 years.

        Also one that was armed, or closed, without ever being recorded. Errors: BAD_REQUEST (no note), CONFLICT
        (something was recorded, or it was refused before), NOT_FOUND, FORBIDDEN.
        """
        require(by, Right.CASE_PLAN)
        note = clean_text(note, "note", longest=500)
        now = self._clock.now_us()
        with self._uow() as uow:
            case = self._case_for(uow, by, Right.CASE_PLAN, case_id)
            _check_unrecorded(uow, case)
            refusal = Refusal(reason, note, by.account_id, now)
            closed = case
            if case.state is not CaseState.CLOSED:
                closed = replace(case, state=CaseState.CLOSED, closed_us=now, closed_by=by.account_id)
            refused = replace(closed, refusal=refusal)
            uow.cases.put_state(refused)
            orders = arm_orders(uow, refused) if case.state is CaseState.ARMED else []
            detail = {"reason": reason.value, "note": note, "kept_until_us": refusal.kept_until_us}
            uow.history.append(now, by.actor, Act.CASE_RECORDING_REFUSED, case_subject(case), detail)
            uow.commit()
        self._tell_disarmed(orders)
        return refused

    def cases_of_patient(self, by: Account, reference: str) -> Sequence[Case]:
        """The cases with this patient reference, the newest first; that somebody looked stands in history.

        Errors: BAD_REQUEST, BAD_SETTINGS (no secret), FORBIDDEN.
        """
        require(by, Right.PATIENT_FIND)
        digest = self._patients.digest(reference)
        with self._uow() as uow:
            found = uow.cases.of_patient(self._reach(by), digest)
            detail = {"found": [case.case_id for case in found]}
            uow.history.append(self._clock.now_us(), by.actor, Act.PATIENT_SEARCHED, "cases", detail)
            uow.commit()
        return found

    def patient_of(self, by: Account, case_id: str) -> str:
        """A case's patient reference ("": it has none); that somebody saw it stands in history first.

        Errors: NOT_FOUND, FORBIDDEN, ALTERED, BAD_SETTINGS.
        """
        require(by, Right.PATIENT_FIND)
        with self._uow() as uow:
            case = self._case_for(uow, by, Right.PATIENT_FIND, case_id)
            if case.patient is None:
                return ""
            reference = self._patients.open(case.patient.sealed, case_id)
            uow.history.append(self._clock.now_us(), by.actor, Act.PATIENT_SHOWN, case_subject(case), {})
            uow.commit()
        return reference


def _check_unrecorded(uow: UnitOfWork, case: Case) -> None:
    if case.refusal is not None:
        raise OrvaultError(ErrorKind.CONFLICT, f"The recording of case {case.number} was refused before.")
    if uow.runs.of_case(case.case_id):
        message = f"Case {case.number} was recorded; only a recording that never began is refused."
        raise OrvaultError(ErrorKind.CONFLICT, message)
