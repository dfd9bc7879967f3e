"""Consents of a request: taken in and withdrawn, and what follows for the request.

Whether the basis is complete is looked at in the transaction of whatever may change it, never later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from orvault.custody.access import Right, require
from orvault.custody.account import Account
from orvault.custody.activation import drop_shares
from orvault.custody.basis import check_basis, missing_for
from orvault.custody.consents import Consent
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
        cleaned = taken_in(by, consents, now)
        with self._uow() as uow:
            request = _open(self._visible(uow, by, request_id))
            basis = request.wish.basis
            request = replace(request, wish=replace(request.wish, basis=basis.with_consents(cleaned)))
            uow.requests.put_consents(request)
            tell_given(uow, by, subject_of(request), dict(enumerate(cleaned, len(basis.consents))), now)
            request = settle_basis(uow, request, by.actor, now)
            uow.commit()
        return request

    def withdraw_consent(self, by: Account, request_id: str, number: int, reason: str) -> ExportRequest:
        """Take a person's withdrawal in (`number`: the place, from 0, of a consent of theirs); until the copies were
        delivered. All that the person gave ends.

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
            basis, ended = basis.without(number, by.account_id, now, reason)
            request = replace(request, wish=replace(request.wish, basis=basis))
            uow.requests.put_consents(request)
            tell_withdrawn(uow, by, subject_of(request), ended, now)
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
        detail: dict[str, object] = {"was": request.state.value, "missing": list(missing)}
        detail |= drop_shares(uow.activations, request.request_id)
        uow.requests.void_approvals(request.request_id, now)
        uow.requests.drop_answers(request.request_id)
        uow.requests.drop_deliveries(request.request_id)
        uow.views.end_results(request.request_id, now)
        request = _undecided(request)
        uow.requests.put_asked(request)
        uow.requests.put_state(request)
        uow.history.append(now, actor, Act.BASIS_BROKEN, subject_of(request), detail)
    return request


def settle_case(uow: UnitOfWork, case_id: str, actor: str, now: int) -> None:
    """As `settle_basis`, for every request over a case whose participants changed."""
    for request in uow.requests.in_states(PENDING, case_id):
        settle_basis(uow, request, actor, now)


def taken_in(by: Account, consents: Sequence[Consent], now: int) -> list[Consent]:
    """Consents as they are kept: checked, with who took them in. BAD_REQUEST says which is wrong."""
    return [consent.checked(f"consents[{i}]").taken(by.account_id, now) for i, consent in enumerate(consents)]


def tell_given(uow: UnitOfWork, by: Account, subject: str, given: Mapping[int, Consent], now: int) -> None:
    """Into history, each under its number."""
    for number, consent in given.items():
        detail = {"number": number, **consent.detail()}
        uow.history.append(now, by.actor, Act.CONSENT_GIVEN, subject, detail)


def tell_withdrawn(
    uow: UnitOfWork, by: Account, subject: str, ended: Mapping[int, Consent], now: int
) -> None:
    """Into history, each under its number, with the reason."""
    for number, consent in ended.items():
        detail = {"number": number, **consent.detail(), "reason": consent.withdrawal_reason}
        uow.history.append(now, by.actor, Act.CONSENT_WITHDRAWN, subject, detail)


def _undecided(request: ExportRequest) -> ExportRequest:
    """As it was before anybody decided; its copies keep their names, so that what was made is found and removed."""
    return replace(
        request,
        state=RequestState.SUBMITTED,
        approvals=(),
        answers=(),
        delivered=(),
        asked=tuple(each.of_another_result() for each in request.asked),
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
