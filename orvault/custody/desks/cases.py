"""Planning, arming and closing cases; their cameras are switched in `switching`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from orvault.custody.access import Right, require
from orvault.custody.account import Account
from orvault.custody.case import Case, CasePlan, CaseState, check_step
from orvault.custody.desks.base import page_size
from orvault.custody.desks.switching import CaseView, SwitchDesk, Switched, case_in, case_subject, view_in
from orvault.custody.history import Act
from orvault.custody.ids import new_id
from orvault.errors import ErrorKind, OrvaultError


class CaseDesk(SwitchDesk):
    """Cases from plan to close."""

    def plan_case(self, by: Account, plan: CasePlan) -> Case:
        """Plan a case under its hospital number. Errors: BAD_REQUEST, CONFLICT (number taken), FORBIDDEN."""
        require(by, Right.CASE_PLAN)
        plan = plan.checked()
        now = self._clock.now_us()
        case = Case(
            case_id=new_id(self._clock),
            number=plan.number,
            room=plan.room,
            planned_us=plan.planned_us,
            recording_request=plan.recording_request,
            participants=plan.participants,
            state=CaseState.PLANNED,
            created_us=now,
            created_by=by.account_id,
        )
        with self._uow() as uow:
            if uow.cases.by_number(case.number) is not None:
                message = f"A case with the number {case.number} exists already."
                raise OrvaultError(ErrorKind.CONFLICT, message, where="number")
            uow.cases.add(case)
            detail = {"number": case.number, "room": case.room, "recording_request": case.recording_request}
            uow.history.append(now, by.actor, Act.CASE_PLANNED, case_subject(case), detail)
            uow.commit()
        return case

    def cases(
        self, by: Account, state: CaseState | None = None, limit: int = 100, before: str = ""
    ) -> Sequence[Case]:
        """Cases, the newest first, from before the id `before`."""
        require(by, Right.CASE_VIEW)
        with self._uow(read_only=True) as uow:
            return uow.cases.page(state, page_size(limit), before)

    def case(self, by: Account, case_id: str) -> CaseView:
        """One case with its runs; NOT_FOUND."""
        require(by, Right.CASE_VIEW)
        with self._uow(read_only=True) as uow:
            return view_in(uow, case_id)

    def arm_case(self, by: Account, case_id: str) -> Case:
        """Arm a planned case: its key is made, its cameras may be started. Errors: CONFLICT, NOT_FOUND."""
        require(by, Right.CASE_ARM)
        with self._uow(read_only=True) as uow:
            check_step(case_in(uow, case_id), CaseState.ARMED)
        key = self._case_keys.create(
            case_id
        )  # outside the transaction: it may wait; repeating it is harmless
        with self._uow() as uow:
            case = case_in(uow, case_id)
            if case.state is not CaseState.PLANNED:
                raise OrvaultError(ErrorKind.CONFLICT, f"Case {case.number} is {case.state.value} already.")
            now = self._clock.now_us()
            armed = replace(case, state=CaseState.ARMED, case_key=key, armed_us=now, armed_by=by.account_id)
            uow.cases.put_state(armed)
            detail = {"key_thumbprint": key.thumbprint}
            uow.history.append(now, by.actor, Act.CASE_ARMED, case_subject(armed), detail)
            uow.commit()
        return armed

    def close_case(self, by: Account, case_id: str) -> Switched:
        """Close the case for good and stop what still records; a camera that does not confirm is in
        `problems`.
        """
        require(by, Right.CASE_CLOSE)
        with self._uow() as uow:
            view = view_in(uow, case_id)
            check_step(view.case, CaseState.CLOSED)
            now = self._clock.now_us()
            running = [run for run in view.runs if run.recording]
            self._order_stops(uow, running, by.actor, "the case was closed")
            closed = replace(view.case, state=CaseState.CLOSED, closed_us=now, closed_by=by.account_id)
            uow.cases.put_state(closed)
            uow.history.append(now, by.actor, Act.CASE_CLOSED, case_subject(closed), {})
            uow.commit()
        return self._switched(case_id, self._tell_stops(running))
