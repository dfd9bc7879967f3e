"""Participants' answers to the masked result, where a site asks for them before anything leaves.

They are shown the result by whoever makes the request; what is kept is what each said.
"""

from __future__ import annotations

import re
from dataclasses import replace

from orvault.custody.access import Right, require
from orvault.custody.account import Account, Role
from orvault.custody.desks.base import not_found
from orvault.custody.desks.downloads import subject_of
from orvault.custody.desks.submitting import SubmitDesk
from orvault.custody.history import Act
from orvault.custody.request import Answer, ExportRequest
from orvault.custody.rows import UnitOfWork
from orvault.custody.steps import RequestState
from orvault.custody.text import clean_text
from orvault.errors import ErrorKind, OrvaultError

_SHA256 = re.compile(r"[0-9a-f]{64}")


class ReviewDesk(SubmitDesk):
    """Between a finished rendering and its release."""

    def answer_result(
        self,
        by: Account,
        request_id: str,
        participant: str,
        *,
        agrees: bool,
        remark: str = "",
        document_sha256: str = "",
    ) -> Answer:
        """What a participant said of the masked result; the last answer counts, and all have to agree.

        The answer as it is kept, and nothing else of the request: clinical staff see no requests.
        Clinical staff answer for themselves: their account's display name is the participant's. Others take answers
        in on paper, and name its SHA-256. Errors: BAD_REQUEST, FORBIDDEN, NOT_FOUND, CONFLICT.
        """
        require(by, Right.RESULT_ANSWER)
        remark = clean_text(remark, "remark", longest=500) if remark.strip() else ""
        with self._uow() as uow:
            request = self._answerable(uow, by, request_id)
            name = _participant(uow, by, request, participant)
            if by.role is not Role.CLINICAL_STAFF and not _SHA256.fullmatch(document_sha256):
                message = "An answer on paper names the SHA-256 of that paper."
                raise OrvaultError(ErrorKind.BAD_REQUEST, message, where="document_sha256")
            if request.state is not RequestState.REVIEW:
                message = f"This request is {request.state.value}; nobody is asked about its result."
                raise OrvaultError(ErrorKind.CONFLICT, message)
            now = self._clock.now_us()
            answer = Answer(name, agrees, by.account_id, now, remark, document_sha256)
            uow.requests.add_answer(request_id, answer)
            detail: dict[str, object] = {"participant": name, "agrees": agrees, "remark": remark}
            detail["document_sha256"] = document_sha256
            uow.history.append(now, by.actor, Act.RESULT_ANSWERED, subject_of(request), detail)
            answers = (*(a for a in request.answers if a.participant != name), answer)
            self._settle_review(uow, replace(request, answers=answers), now)
            uow.commit()
        return answer

    def _answerable(self, uow: UnitOfWork, by: Account, request_id: str) -> ExportRequest:
        """The request; staff who see no requests see one over a case of theirs, while it waits for them."""
        if by.role is not Role.CLINICAL_STAFF:
            return self._visible(uow, by, request_id)
        request = uow.requests.get(request_id)
        case = uow.cases.get(request.wish.case_id) if request is not None else None
        mine = case is not None and by.display_name.casefold() in {n.casefold() for n in case.participants}
        reached = case is not None and self._reaches(by, Right.RESULT_ANSWER, case.room)
        if request is None or not mine or not reached or request.state is not RequestState.REVIEW:
            raise not_found("export request", request_id)
        return request

    def _settle_review(self, uow: UnitOfWork, request: ExportRequest, now: int) -> ExportRequest:
        """Ready once nobody has to look any more; writes the request."""
        if second_look_done(request) and not self._unasked(uow, request):
            progress = replace(request.progress, stage=RequestState.READY.value)
            request = replace(request, state=RequestState.READY, progress=progress, ended_us=now)
        uow.requests.put_state(request)
        return request

    def _unasked(self, uow: UnitOfWork, request: ExportRequest) -> tuple[str, ...]:
        """Participants who have to look at the result and have not agreed to it."""
        if not self._exports.participants_review:
            return ()
        case = uow.cases.get(request.wish.case_id)
        assert case is not None, "a foreign key holds the case"
        agreed = {answer.participant.casefold() for answer in request.answers if answer.agrees}
        return tuple(name for name in case.participants if name.casefold() not in agreed)


def second_look_done(request: ExportRequest) -> bool:
    """Whether no reviewer has to decide about what a second look found."""
    return request.second_look is None or not request.second_look.waits or request.reviewed_by is not None


def _participant(uow: UnitOfWork, by: Account, request: ExportRequest, name: str) -> str:
    """The participant's name as the case has it. Errors: FORBIDDEN (somebody else's), NOT_FOUND."""
    if by.role is Role.CLINICAL_STAFF and name.casefold() != by.display_name.casefold():
        message = "An account answers for the person whose it is."
        raise OrvaultError(ErrorKind.FORBIDDEN, message, advice="Have their own answer taken in.")
    case = uow.cases.get(request.wish.case_id)
    assert case is not None, "a foreign key holds the case"
    for participant in case.participants:
        if participant.casefold() == name.casefold():
            return participant
    raise not_found("participant", name, "participant")
