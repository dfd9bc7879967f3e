"""Participants' answers to the masked result, where they are asked for before anything leaves.

Here is who is asked, what each said and what was waived; who may watch the result is `desks.results`'.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace

from orvault.custody.access import Right, require
from orvault.custody.account import Account, Role, clean_name
from orvault.custody.desks.base import LONGEST_PAGE, SYSTEM, all_about, not_found
from orvault.custody.desks.downloads import subject_of
from orvault.custody.desks.submitting import SubmitDesk
from orvault.custody.history import Act
from orvault.custody.participants import Answer, Asked, find, outstanding, put_in, same
from orvault.custody.request import ExportRequest
from orvault.custody.rows import UnitOfWork
from orvault.custody.scope import EVERYTHING
from orvault.custody.steps import RequestState
from orvault.custody.text import clean_text
from orvault.custody.viewing import Showing
from orvault.errors import ErrorKind, OrvaultError

_SHA256 = re.compile(r"[0-9a-f]{64}")
_MAIL = re.compile(r"[^\s@<>,;]{1,64}@[^\s@<>,;]{1,190}")
# Who looks gets a copy of their own, which is made with the others.
_NOT_MADE_YET = frozenset(
    {RequestState.DRAFT, RequestState.SUBMITTED, RequestState.SATISFIED, RequestState.APPROVED}
)


class ReviewDesk(SubmitDesk):
    """Between a finished rendering and its release."""

    def ask_participant(
        self, by: Account, request_id: str, participant: str, mail: str = "", account: str = ""
    ) -> ExportRequest:
        """Ask one of the case's participants to look at this request's result before it leaves; again changes how.

        `account` is the name of theirs, where several bear it; "" goes by the display name. Errors: FORBIDDEN,
        NOT_FOUND (request, participant, account), BAD_REQUEST (mail), CONFLICT (it is made already).
        """
        require(by, Right.RESULT_ASK)
        if mail and not _MAIL.fullmatch(mail):
            raise OrvaultError(ErrorKind.BAD_REQUEST, "This is no address for e-mail.", where="mail")
        with self._uow() as uow:
            request = self._visible(uow, by, request_id)
            name = _known_participant(uow, request, participant)
            if request.state not in _NOT_MADE_YET:
                message = f"This request is {request.state.value}; participants are asked before it is made."
                raise OrvaultError(ErrorKind.CONFLICT, message, advice="Have a new request submitted.")
            now = self._clock.now_us()
            known = find(request.asked, name) or Asked(name, by.account_id, now)
            one = replace(known, mail=mail, account_id=_staff_account(uow, account, name))
            request = replace(request, asked=put_in(request.asked, one))
            uow.requests.put_asked(request)
            detail: dict[str, object] = {"participant": name, "mail": bool(mail), "account": one.account_id}
            uow.history.append(now, by.actor, Act.PARTICIPANTS_NAMED, subject_of(request), detail)
            uow.commit()
        return request

    def waive_answer(self, by: Account, request_id: str, participant: str, reason: str) -> ExportRequest:
        """Let a result go without an answer that is outstanding; who said no is asked again, or the request refused.

        Errors: FORBIDDEN, SELF_APPROVAL (one's own request), NOT_FOUND, BAD_REQUEST (reason), CONFLICT.
        """
        reason = clean_text(reason, "reason", longest=500)
        with self._uow() as uow:
            request = self._request_seen(uow, by, request_id)
            require(by, Right.ANSWER_WAIVE, owner_id=request.requested_by if request else None)
            if request is None:
                raise not_found("export request", request_id)
            name = _known_participant(uow, request, participant)
            self._check_outstanding(uow, request, name)
            now = self._clock.now_us()
            known = find(request.asked, name) or Asked(name, None, now)
            waived = replace(known, waived_by=by.account_id, waived_us=now, waiver_reason=reason)
            request = replace(request, asked=put_in(request.asked, waived))
            uow.requests.put_asked(request)
            detail: dict[str, object] = {"participant": name, "reason": reason}
            uow.history.append(now, by.actor, Act.ANSWER_WAIVED, subject_of(request), detail)
            request = self._settle_review(uow, request, now)
            uow.commit()
        self._renderers.wake()  # who removes what was kept for them
        return request

    def remind_answers(self) -> int:
        """Note in history whose answers to a result come due, once at each of the site's distances and once when the
        time is over; the number of requests. Called by workers at intervals.

        Who has answered is not reminded, no more than who was waived. What was noted, history itself remembers.
        """
        now = self._clock.now_us()
        with self._uow(read_only=True) as uow:
            if not any(self._exports.reminders_due(one.answers_due_us, now) for one in _in_review(uow)):
                return 0
        with self._uow() as uow:
            noted = 0
            for request in _in_review(uow):
                stage = self._exports.reminders_due(request.answers_due_us, now)
                silent = self._silent(uow, request) if stage else ()
                if not silent or stage <= _reminders(uow, request):
                    continue
                detail: dict[str, object] = {"participants": list(silent), "due_us": request.answers_due_us}
                detail["overdue"] = now >= (request.answers_due_us or 0)
                uow.history.append(now, SYSTEM, Act.ANSWERS_DUE, subject_of(request), detail)
                noted += 1
            if noted:
                uow.commit()
        return noted

    def _silent(self, uow: UnitOfWork, request: ExportRequest) -> tuple[str, ...]:
        """Those who are waited for and have said nothing yet."""
        waiting = self._unasked(uow, request)
        return tuple(n for n in waiting if not any(same(n, said.participant) for said in request.answers))

    def _check_outstanding(self, uow: UnitOfWork, request: ExportRequest, name: str) -> None:
        """CONFLICT unless the result is there and waits for this participant, who has not said no to it."""
        if request.state is not RequestState.REVIEW:
            message = f"This request is {request.state.value}; no answer to its result is outstanding."
            raise OrvaultError(ErrorKind.CONFLICT, message)
        if any(same(answer.participant, name) and not answer.agrees for answer in request.answers):
            message = f"{name} has answered no, which is not waived."
            advice = "Refuse the request, or have them look again."
            raise OrvaultError(ErrorKind.CONFLICT, message, advice=advice)
        if name not in self._unasked(uow, request):
            raise OrvaultError(ErrorKind.CONFLICT, f"No answer of {name} is outstanding.")

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

        The answer as it is kept, and nothing else of the request: clinical staff see no requests. History says with
        it whether the participant had watched the result here.
        Clinical staff answer for themselves: their account's display name is the participant's. Others take answers
        in on paper, and name its SHA-256. Errors: BAD_REQUEST, FORBIDDEN, NOT_FOUND, CONFLICT.
        """
        require(by, Right.RESULT_ANSWER)
        remark = clean_text(remark, "remark", longest=500) if remark.strip() else ""
        with self._uow() as uow:
            request = self._answerable(uow, by, request_id)
            name = self._answers_for(uow, by, request, participant)
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
            detail |= {"document_sha256": document_sha256, "watched": has_watched(uow, request, name)}
            uow.history.append(now, by.actor, Act.RESULT_ANSWERED, subject_of(request), detail)
            answers = (*(a for a in request.answers if a.participant != name), answer)
            self._settle_review(uow, replace(request, answers=answers), now)
            uow.commit()
        self._renderers.wake()
        return answer

    def _answerable(self, uow: UnitOfWork, by: Account, request_id: str) -> ExportRequest:
        """The request; staff who see no requests see one over a case of theirs, while it waits for their answer.

        Who is not asked learns nothing of it, and their answer is not taken: it would count for nothing.
        """
        if by.role is not Role.CLINICAL_STAFF:
            return self._visible(uow, by, request_id)
        request = uow.requests.get(request_id)
        case = uow.cases.get(request.wish.case_id) if request is not None else None
        reached = case is not None and self._reaches(by, Right.RESULT_ANSWER, case.room)
        if request is None or not reached or request.state is not RequestState.REVIEW:
            raise not_found("export request", request_id)
        if self._participant_of(uow, by, request) not in self._to_answer(uow, request):
            raise not_found("export request", request_id)
        return request

    def _answers_for(self, uow: UnitOfWork, by: Account, request: ExportRequest, name: str) -> str:
        """The participant's name as the case has it. Errors: FORBIDDEN (somebody else's), NOT_FOUND."""
        if by.role is Role.CLINICAL_STAFF and not same(name, self._participant_of(uow, by, request) or ""):
            message = "An account answers for the person whose it is."
            raise OrvaultError(ErrorKind.FORBIDDEN, message, advice="Have their own answer taken in.")
        return _known_participant(uow, request, name)

    def _settle_review(self, uow: UnitOfWork, request: ExportRequest, now: int) -> ExportRequest:
        """Ready once nobody has to look any more; writes the request."""
        if second_look_done(request) and not self._unasked(uow, request):
            progress = replace(request.progress, stage=RequestState.READY.value)
            request = replace(request, state=RequestState.READY, progress=progress, ended_us=now)
        uow.requests.put_state(request)
        return request

    def _unasked(self, uow: UnitOfWork, request: ExportRequest) -> tuple[str, ...]:
        """Participants who have to agree to the result and have not; and whoever said no to it, asked or not."""
        return outstanding(self._to_answer(uow, request), request.asked, request.answers)


def second_look_done(request: ExportRequest) -> bool:
    """Whether no reviewer has to decide about what a second look found; where none was had, one has to."""
    looked = request.second_look
    return (looked is not None and not looked.waits) or request.reviewed_by is not None


def _in_review(uow: UnitOfWork) -> Iterator[ExportRequest]:
    before = ""
    while page := uow.requests.page(EVERYTHING, RequestState.REVIEW, None, None, LONGEST_PAGE, before):
        yield from page
        before = page[-1].request_id


def _reminders(uow: UnitOfWork, request: ExportRequest) -> int:
    """How many were given for the result that is there: another one is due at another time."""
    given = uow.history.page(
        None, LONGEST_PAGE, subject=subject_of(request), actor=None, act=Act.ANSWERS_DUE.value
    )
    return sum(json.loads(entry.detail)["due_us"] == request.answers_due_us for entry in given)


def looks_at(uow: UnitOfWork, request: ExportRequest) -> Iterator[dict[str, object]]:
    """What history says of each look at the result that is there now, the newest first; of older results, nothing."""
    for entry in all_about(uow, subject_of(request)):
        if entry.act == Act.RENDER_HELD:
            return
        if entry.act == Act.RESULT_SHOWN:
            yield dict(json.loads(entry.detail))


def has_watched(uow: UnitOfWork, request: ExportRequest, participant: str) -> bool:
    """Whether this participant's account was shown the result that is there now, as it would leave: no mosaic."""
    return any(
        same(str(look["participant"]), participant) and look.get("showing") != Showing.MASKED
        for look in looks_at(uow, request)
    )


def _staff_account(uow: UnitOfWork, name: str, participant: str) -> str | None:
    """The id of the staff account of this name, which bears the participant's; None for "".

    NOT_FOUND for every other name alike: nobody is asked in another's place.
    """
    if not name.strip():
        return None
    found = uow.accounts.by_name(clean_name(name))
    staff = found is not None and not found.disabled and found.role is Role.CLINICAL_STAFF
    if found is None or not staff or not same(found.display_name, participant):
        raise not_found("account of clinical staff", name, "account")
    return found.account_id


def _known_participant(uow: UnitOfWork, request: ExportRequest, name: str) -> str:
    """The participant's name as the case has it. NOT_FOUND."""
    case = uow.cases.get(request.wish.case_id)
    assert case is not None, "a foreign key holds the case"
    for participant in case.participants:
        if same(participant, name):
            return participant
    raise not_found("participant", name, "participant")
