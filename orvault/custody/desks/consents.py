"""Consents of a request: taken in and withdrawn, and what follows for the request.

Whether the basis is complete is looked at in the transaction of whatever may change it, never later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from orvault.custody.access import Right, require
from orvault.custody.account import Account
from orvault.custody.basis import check_basis, missing_for
from orvault.custody.consents import MAX_CONSENTS, Consent
from orvault.custody.desks.base import not_found
from orvault.custody.desks.downloads import DownloadDesk, subject_of
from orvault.custody.history import Act
from orvault.custody.request import ExportRequest, Progress, check_step
from orvault.custody.rows import UnitOfWork
from orvault.custody.steps import PENDING, RESTS_ON_BASIS, RequestState
from orvault.custody.text import clean_text
from orvault.errors import ErrorKind, OrvaultError


class ConsentDesk(DownloadDesk):
    """What people who take consents in call."""

    def add_consents(self, by: Account, request_id: str, consents: Sequence[Consent]) -> ExportRequest:
        """Take consents in; the request's basis is satisfied if nothing is missing then.

        Errors: BAD_REQUEST, FORBIDDEN, NOT_FOUND, CONFLICT (it waits for none any more; a paper was withdrawn).
        """
        require(by, Right.CONSENT_TAKE)
        now = self._clock.now_us()
        cleaned = [
            consent.checked(f"consents[{i}]").taken(by.account_id, now) for i, consent in enumerate(consents)
        ]
        with self._uow() as uow:
            request = _open(self._visible(uow, by, request_id))
            basis = request.wish.basis
            _check_papers_stand(basis.consents, cleaned)
            together = (*basis.consents, *cleaned)
            if len(together) > MAX_CONSENTS:
                message = f"At most {MAX_CONSENTS} consents are kept with a request."
                raise OrvaultError(ErrorKind.BAD_REQUEST, message, where="consents")
            request = replace(request, wish=replace(request.wish, basis=replace(basis, consents=together)))
            uow.requests.put_consents(request)
            for number, consent in enumerate(cleaned, len(basis.consents)):
                detail = {"number": number, **consent.detail()}
                uow.history.append(now, by.actor, Act.CONSENT_GIVEN, subject_of(request), detail)
            request = settle_basis(uow, request, by.actor, now)
            uow.commit()
        return request

    def withdraw_consent(self, by: Account, request_id: str, number: int, reason: str) -> ExportRequest:
        """Take a person's withdrawal in (`number`: the place, from 0, of a consent of theirs); until the copies were
        delivered. All that the person gave ends: a second one must not hold what the first one's withdrawal stops.

        What rests on it goes back to submitted: nothing more is made or handed out. Errors: as for adding.
        """
        require(by, Right.CONSENT_TAKE)
        reason = clean_text(reason, "reason", longest=500)
        now = self._clock.now_us()
        with self._uow() as uow:
            request = _open(self._visible(uow, by, request_id))
            basis = request.wish.basis
            if not 0 <= number < len(basis.consents):
                raise not_found("consent", str(number))
            named = basis.consents[number].withdrawn(by.account_id, now, reason)
            consents = list(basis.consents)
            for place, consent in enumerate(basis.consents):
                if consent.stands and consent.same_person(named):
                    consents[place] = consent.withdrawn(by.account_id, now, reason)
                    detail = {"number": place, **consent.detail(), "reason": reason}
                    uow.history.append(now, by.actor, Act.CONSENT_WITHDRAWN, subject_of(request), detail)
            basis = replace(basis, consents=tuple(consents))
            request = replace(request, wish=replace(request.wish, basis=basis))
            uow.requests.put_consents(request)
            request = settle_basis(uow, request, by.actor, now)
            uow.commit()
        return request

    def lacking(self, by: Account, request_id: str) -> tuple[ExportRequest, tuple[str, ...]]:
        """A request and what its basis still lacks, in words. Errors: FORBIDDEN, NOT_FOUND."""
        require(by, Right.EXPORT_VIEW)
        with self._uow(read_only=True) as uow:
            request = self._visible(uow, by, request_id)
            return request, missing_in(uow, request)


def missing_in(uow: UnitOfWork, request: ExportRequest) -> tuple[str, ...]:
    """What its basis lacks now, in words."""
    case = uow.cases.get(request.wish.case_id)
    assert case is not None, "a foreign key holds the case"
    return missing_for(request.wish.basis, case.participants, clear=request.wish.clear)


def check_complete(uow: UnitOfWork, request: ExportRequest) -> None:
    """Raise BASIS_MISSING, naming everything that its basis lacks now."""
    case = uow.cases.get(request.wish.case_id)
    assert case is not None, "a foreign key holds the case"
    check_basis(request.wish.basis, case.participants, clear=request.wish.clear)


def settle_basis(uow: UnitOfWork, request: ExportRequest, actor: str, now: int) -> ExportRequest:
    """Move a request to where its basis puts it now: to satisfied when nothing is missing, back to submitted when
    something is. A step back voids the approvals; a worker that renders it is fenced.
    """
    missing = missing_in(uow, request)
    if not missing and request.state is RequestState.SUBMITTED:
        check_step(request, RequestState.SATISFIED)
        request = replace(request, state=RequestState.SATISFIED)
        uow.requests.put_state(request)
        uow.history.append(now, actor, Act.BASIS_SATISFIED, subject_of(request), {})
    elif missing and request.state in RESTS_ON_BASIS:
        check_step(request, RequestState.SUBMITTED)
        detail = {"was": request.state.value, "missing": list(missing)}
        uow.requests.void_approvals(request.request_id, now)
        uow.requests.drop_answers(request.request_id)
        request = _undecided(request)
        uow.requests.put_state(request)
        uow.history.append(now, actor, Act.BASIS_BROKEN, subject_of(request), detail)
    return request


def settle_case(uow: UnitOfWork, case_id: str, actor: str, now: int) -> None:
    """As `settle_basis`, for every request over a case whose participants changed."""
    for request in uow.requests.in_states(PENDING, case_id):
        settle_basis(uow, request, actor, now)


def _check_papers_stand(known: Sequence[Consent], fresh: Sequence[Consent]) -> None:
    """CONFLICT where one of the fresh ones stands on a paper whose consent was withdrawn."""
    for i, consent in enumerate(fresh):
        if any(not old.stands and old.same_paper(consent) for old in known):
            raise OrvaultError(
                ErrorKind.CONFLICT,
                "The consent on this paper was withdrawn.",
                where=f"consents[{i}].document_sha256",
                advice="Have a new paper signed, and add that.",
            )


def _undecided(request: ExportRequest) -> ExportRequest:
    """As it was before anybody decided; its copies keep their names, so that what was made is found and removed."""
    return replace(
        request,
        state=RequestState.SUBMITTED,
        approvals=(),
        answers=(),
        decided_by=None,
        decided_us=None,
        worker=None,
        given_back=request.worker_epoch,  # what was tried so far was no attempt at the next approval's work
        advanced_epoch=0,
        not_before_us=None,
        progress=Progress(),
        second_look=None,
        reviewed_by=None,
        reviewed_us=None,
        ended_us=None,
    )


def _open(request: ExportRequest) -> ExportRequest:
    if request.state in PENDING:
        return request
    message = f"This request is {request.state.value}; consents to it are neither taken in nor withdrawn."
    advice = (
        "Have a privacy officer revoke it: copies were delivered."
        if request.state is RequestState.DELIVERED
        else "Look at the request first."
    )
    raise OrvaultError(ErrorKind.CONFLICT, message, advice=advice)
