"""Planning, arming and closing cases; their cameras are switched in `switching`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from orvault.custody.access import Right, require
from orvault.custody.account import Account
from orvault.custody.case import Case, CasePlan, CaseState, check_participants, check_step
from orvault.custody.desks.alarms import rooms_of
from orvault.custody.desks.asking import settle_viewings
from orvault.custody.desks.base import page_size, unknown_name
from orvault.custody.desks.consents import settle_case
from orvault.custody.desks.intake import IntakeDesk
from orvault.custody.desks.ordering import arm_orders, case_subject
from orvault.custody.desks.switching import CaseView, Switched, view_of
from orvault.custody.history import Act
from orvault.custody.ids import new_id
from orvault.custody.rows import UnitOfWork
from orvault.custody.text import clean_text
from orvault.errors import ErrorKind, OrvaultError


class CaseDesk(IntakeDesk):
    """Cases from plan to close."""

    def plan_case(self, by: Account, plan: CasePlan) -> Case:
        """Plan a case under its hospital number.

        Errors: BAD_REQUEST (a field, a room that the site does not have), CONFLICT (number taken), FORBIDDEN.
        """
        now = self._clock.now_us()
        plan = plan.checked(now)
        require(by, Right.CASE_PLAN, place=self._place(plan.room))
        case_id, reference = new_id(self._clock), plan.patient_reference
        case = Case(
            case_id=case_id,
            number=plan.number,
            room=plan.room,
            planned_us=plan.planned_us,
            recording_request=plan.recording_request,
            participants=plan.participants,
            state=CaseState.PLANNED,
            created_us=now,
            created_by=by.account_id,
            intake=plan.intake,
            patient=self._patients.seal(reference, case_id) if reference else None,
        )
        with self._uow() as uow:
            self._check_room(uow, by, case.room)
            if uow.cases.by_number(case.number) is not None:
                message = f"A case with the number {case.number} exists already."
                advice = "Go on with that one, or give this one another number."
                raise OrvaultError(ErrorKind.CONFLICT, message, where="number", advice=advice)
            uow.cases.add(case)
            detail: dict[str, object] = {"number": case.number, "room": case.room}
            detail["recording_request"] = case.recording_request
            if case.intake is not None:
                detail["asked_by"] = case.intake.asked_by.value
                detail["asked_us"] = case.intake.asked_us
                detail["document_sha256"] = case.intake.document_sha256
            uow.history.append(now, by.actor, Act.CASE_PLANNED, case_subject(case), detail)
            uow.commit()
        return case

    def _check_room(self, uow: UnitOfWork, by: Account, room: str) -> None:
        """BAD_REQUEST for a room that is not there: its case would wait for cameras that never record it."""
        rooms = {*rooms_of(uow), *self._access.departments}
        if room not in rooms:
            reached = [name for name in rooms if self._reaches(by, Right.CASE_PLAN, name)]
            raise unknown_name("room", room, reached, "room")

    def amend_participants(self, by: Account, case_id: str, added: Sequence[str], reason: str) -> Case:
        """Name staff who joined the operation after it was planned, also after the close; nobody is ever taken off.

        An export by consent needs each of them from now on, also one that waits for its approval. Errors:
        BAD_REQUEST (nobody, no reason, a name twice, too many), NOT_FOUND, FORBIDDEN.
        """
        require(by, Right.CASE_PLAN)
        reason = clean_text(reason, "reason", longest=500)
        if not added:
            raise OrvaultError(ErrorKind.BAD_REQUEST, "Nobody is named.", where="participants")
        with self._uow() as uow:
            case = self._case_for(uow, by, Right.CASE_PLAN, case_id)
            names = check_participants(added, case.participants)
            uow.cases.add_participants(case, names)
            detail = {"added": list(names), "reason": reason}
            now = self._clock.now_us()
            uow.history.append(now, by.actor, Act.CASE_AMENDED, case_subject(case), detail)
            settle_case(uow, case_id, by.actor, now)
            settle_viewings(uow, case_id, by.actor, now)
            uow.commit()
        self._viewers.switched()
        return replace(case, participants=(*case.participants, *names))

    def cases(
        self, by: Account, state: CaseState | None = None, limit: int = 100, before: str = ""
    ) -> Sequence[Case]:
        """Cases in reach, the newest first, from before the id `before`."""
        require(by, Right.CASE_VIEW)
        with self._uow(read_only=True) as uow:
            return uow.cases.page(self._reach(by), state, page_size(limit), before)

    def case(self, by: Account, case_id: str) -> CaseView:
        """One case with its runs; NOT_FOUND."""
        require(by, Right.CASE_VIEW)
        with self._uow(read_only=True) as uow:
            return view_of(uow, self._case_for(uow, by, Right.CASE_VIEW, case_id))

    def arm_case(self, by: Account, case_id: str) -> Case:
        """Arm a planned case: its key is made, its cameras may be started; one case in a room at a time.

        Errors: CONFLICT (its state, another case armed in its room), NOT_FOUND.
        """
        require(by, Right.CASE_ARM)
        with self._uow(read_only=True) as uow:
            _check_arming(uow, self._case_for(uow, by, Right.CASE_ARM, case_id))
        key = self._case_keys.create(
            case_id
        )  # outside the transaction: it may wait; repeating it is harmless
        with self._uow() as uow:
            case = self._case_for(uow, by, Right.CASE_ARM, case_id)
            _check_arming(uow, case)
            now = self._clock.now_us()
            armed = replace(case, state=CaseState.ARMED, case_key=key, armed_us=now, armed_by=by.account_id)
            uow.cases.put_state(armed)
            detail = {"key_thumbprint": key.thumbprint}
            uow.history.append(now, by.actor, Act.CASE_ARMED, case_subject(armed), detail)
            orders = arm_orders(uow, armed)
            uow.commit()
        self._tell_armed(orders)  # a camera that does not hear it now is told again (`keep_armed`)
        return armed

    def close_case(self, by: Account, case_id: str) -> Switched:
        """Close the case for good and stop what still records; a camera that does not confirm is in
        `problems`.
        """
        require(by, Right.CASE_CLOSE)
        with self._uow() as uow:
            view = view_of(uow, self._case_for(uow, by, Right.CASE_CLOSE, case_id))
            check_step(view.case, CaseState.CLOSED)
            now = self._clock.now_us()
            running = [run for run in view.runs if run.recording]
            self._order_stops(uow, running, by.actor, "the case was closed")
            closed = replace(view.case, state=CaseState.CLOSED, closed_us=now, closed_by=by.account_id)
            uow.cases.put_state(closed)
            uow.history.append(now, by.actor, Act.CASE_CLOSED, case_subject(closed), {})
            if view.case.intake is not None and not view.runs:
                # The law wants a reason; who ends an operation may not be the one to give it (`refuse_recording`).
                uow.history.append(now, by.actor, Act.CASE_UNRECORDED, case_subject(closed), {})
            orders = arm_orders(uow, closed) if closed.armed_us is not None else []
            uow.commit()
        self._tell_disarmed(orders)  # one that does not hear it forgets by itself within a minute
        return self._switched(case_id, self._tell_stops(running))


def _check_arming(uow: UnitOfWork, case: Case) -> None:
    check_step(case, CaseState.ARMED)
    if case.state is not CaseState.PLANNED:
        raise OrvaultError(ErrorKind.CONFLICT, f"Case {case.number} is {case.state.value} already.")
    other = uow.cases.in_room(case.room)
    if other is not None and other.state is not CaseState.CLOSED:
        # A raised hand names no case: with two armed ones it might record a patient under another's key.
        raise OrvaultError(
            ErrorKind.CONFLICT,
            f"Case {other.number} is {other.state.value} in {case.room}; a room has one armed case at a time.",
            where="room",
            advice=f"Close case {other.number} first.",
        )
