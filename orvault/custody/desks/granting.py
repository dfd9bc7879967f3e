"""Deciding on requests to view, their consents, taking them back, and their end by time.

Whether a basis is complete is looked at in the transaction of whatever may change it. A grant that ends takes the
open views that rested on it with it, at once. Asking and looking at them is `asking`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from orvault.custody.access import Right, may, require
from orvault.custody.account import Account
from orvault.custody.basis import check_basis
from orvault.custody.consents import Consent
from orvault.custody.desks.asking import AskingDesk, end_views, settle_viewing, told_to
from orvault.custody.desks.base import SYSTEM, not_found
from orvault.custody.desks.consents import taken_in, tell_given, tell_withdrawn
from orvault.custody.desks.retention import check_not_destroyed
from orvault.custody.history import Act
from orvault.custody.request import Approval
from orvault.custody.rows import UnitOfWork
from orvault.custody.steps import UNDECIDED, RequestState, check_step
from orvault.custody.text import clean_text
from orvault.custody.viewing_request import OPEN, ViewingRequest
from orvault.errors import ErrorKind, OrvaultError


class GrantDesk(AskingDesk):
    """What becomes of requests to view."""

    def approve_viewing(self, by: Account, request_id: str) -> ViewingRequest:
        """Approve; the grant holds from when as many did as the site's rules say, always two for clear pictures.

        Errors: SELF_APPROVAL (asked for it, or is to see by it), FORBIDDEN, NOT_FOUND, CONFLICT (also: this account
        did already), BASIS_MISSING, EXPIRED, and what asking says of case, cameras and viewer.
        """
        with self._uow() as uow:
            request = self._viewing_decidable(uow, by, request_id)
            now = self._clock.now_us()
            case = check_not_destroyed(uow, request.wish.case_id)
            if request.state is RequestState.SUBMITTED:
                check_basis(request.wish.basis, case.participants, clear=request.wish.clear)
                request = settle_viewing(uow, request, by.actor, now)
            check_step(request.state, RequestState.APPROVED)
            if request.due_to_expire(now):
                message = "The time for which this request asks is over."
                raise OrvaultError(ErrorKind.EXPIRED, message, advice="Have a new request made.")
            self._check_bearable(uow, request.wish, case, {}, now)
            if by.account_id in {approval.account_id for approval in request.approvals}:
                message = "This account has approved the request already; another one has to as well."
                raise OrvaultError(ErrorKind.CONFLICT, message, advice="Ask another privacy officer.")
            request = self._approved_by(uow, by, request, now)
            uow.commit()
        self._viewers.switched()
        return request

    def refuse_viewing(self, by: Account, request_id: str, reason: str) -> ViewingRequest:
        """Refuse what is not granted yet, with the reason. Errors as for approving, BAD_REQUEST without a reason."""
        reason = clean_text(reason, "reason", longest=500)
        with self._uow() as uow:
            request = self._viewing_decidable(uow, by, request_id)
            now = self._clock.now_us()
            if request.state not in UNDECIDED:
                message = f"This request is {request.state.value}; what is not decided yet can be refused."
                raise OrvaultError(ErrorKind.CONFLICT, message, advice="Withdraw a grant that stands.")
            refused = replace(request, state=RequestState.REFUSED, decided_by=by.account_id, decided_us=now)
            refused = replace(refused, reason=reason, ended_by=by.account_id, ended_us=now)
            uow.viewing_requests.put_state(refused)
            uow.history.append(now, by.actor, Act.VIEWING_REFUSED, request.subject, {"reason": reason})
            uow.commit()
        return refused

    def withdraw_viewing(self, by: Account, request_id: str, reason: str) -> ViewingRequest:
        """Take it back, by who asked; a grant that stands, by a privacy officer too. Open views by it end at once.

        Errors: FORBIDDEN, NOT_FOUND, CONFLICT (it has ended), BAD_REQUEST without a reason.
        """
        require(by, Right.VIEWING_ASK)
        reason = clean_text(reason, "reason", longest=500)
        with self._uow() as uow:
            request = self._viewing_visible(uow, by, request_id)
            check_step(request.state, RequestState.REVOKED)
            granted = request.state is RequestState.APPROVED
            if by.account_id != request.requested_by and not (
                granted and may(by, Right.VIEWING_DECIDE).allowed
            ):
                message = "A request is withdrawn by whoever made it, a grant by a privacy officer too."
                raise OrvaultError(ErrorKind.FORBIDDEN, message, advice="Ask its owner, or refuse it.")
            now = self._clock.now_us()
            ended = replace(
                request, state=RequestState.REVOKED, reason=reason, ended_by=by.account_id, ended_us=now
            )
            uow.viewing_requests.put_state(ended)
            end_views(uow, request, now)
            detail = {"reason": reason, "was": request.state.value}
            uow.history.append(now, by.actor, Act.VIEWING_WITHDRAWN, request.subject, detail)
            uow.commit()
        self._viewers.switched()
        return told_to(by, ended)

    def add_viewing_consents(
        self, by: Account, request_id: str, consents: Sequence[Consent]
    ) -> ViewingRequest:
        """Take consents in; the basis is satisfied if nothing is missing then.

        Errors: as for an export's consents, and SELF_APPROVAL for who is to see by it.
        """
        require(by, Right.VIEWING_CONSENT)
        now = self._clock.now_us()
        fresh = taken_in(by, consents, now)
        with self._uow() as uow:
            request = self._viewing_visible(uow, by, request_id)
            require(by, Right.VIEWING_CONSENT, owner_id=request.wish.viewer_id)
            request = _consentable(request)
            basis = request.wish.basis
            request = replace(request, wish=replace(request.wish, basis=basis.with_consents(fresh)))
            uow.viewing_requests.put_consents(request)
            tell_given(uow, by, request.subject, dict(enumerate(fresh, len(basis.consents))), now)
            request = settle_viewing(uow, request, by.actor, now)
            uow.commit()
        return request

    def withdraw_viewing_consent(
        self, by: Account, request_id: str, number: int, reason: str
    ) -> ViewingRequest:
        """Take a person's withdrawal in: a grant that rests on it ends at once. Errors: as for exports.

        Also by who is to see: it only takes away, and nobody who withdraws is sent to another desk.
        """
        require(by, Right.VIEWING_CONSENT)
        reason = clean_text(reason, "reason", longest=500)
        now = self._clock.now_us()
        with self._uow() as uow:
            request = _consentable(self._viewing_visible(uow, by, request_id))
            if not 0 <= number < len(request.wish.basis.consents):
                raise not_found("consent", str(number))
            basis, ended = request.wish.basis.without(number, by.account_id, now, reason)
            request = replace(request, wish=replace(request.wish, basis=basis))
            uow.viewing_requests.put_consents(request)
            tell_withdrawn(uow, by, request.subject, ended, now)
            request = settle_viewing(uow, request, by.actor, now)
            uow.commit()
        self._viewers.switched()
        return told_to(by, request)

    def expire_viewings(self) -> int:
        """Say of every request whose time is over that it has ended, and end open views by it; how many. They show a
        mosaic since that moment by themselves.
        """
        now = self._clock.now_us()
        with self._uow(read_only=True) as uow:
            if not uow.viewing_requests.outlived(now):
                return 0
        with self._uow() as uow:
            over = [each for each in uow.viewing_requests.outlived(now) if each.due_to_expire(now)]
            for request in over:
                check_step(request.state, RequestState.EXPIRED)
                end_views(uow, request, now)
                uow.viewing_requests.put_state(replace(request, state=RequestState.EXPIRED, ended_us=now))
                detail = {"was": request.state.value}
                uow.history.append(now, SYSTEM, Act.VIEWING_EXPIRED, request.subject, detail)
            uow.commit()
        self._viewers.switched()
        return len(over)

    def _approved_by(self, uow: UnitOfWork, by: Account, request: ViewingRequest, now: int) -> ViewingRequest:
        approval = Approval(by.account_id, now)
        uow.viewing_requests.add_approval(request.request_id, approval)
        request = replace(request, approvals=(*request.approvals, approval))
        missing = self._exports.missing_approvals(request)
        if missing:
            detail: dict[str, object] = {"further_approvals_needed": missing}
            uow.history.append(now, by.actor, Act.APPROVAL_GIVEN, request.subject, detail)
            return request
        request = replace(request, state=RequestState.APPROVED, decided_by=by.account_id, decided_us=now)
        uow.viewing_requests.put_state(request)
        detail = {"viewer": request.wish.viewer_id, "requested_by": request.requested_by}
        detail |= {
            "approvals": [each.account_id for each in request.approvals],
            "until_us": request.wish.until_us,
        }
        uow.history.append(now, by.actor, Act.VIEWING_GRANTED, request.subject, detail)
        return request

    def _viewing_decidable(self, uow: UnitOfWork, by: Account, request_id: str) -> ViewingRequest:
        """The request, if this account may decide on it: nobody who asked for it, or is to see by it."""
        request = self._viewing_seen(uow, by, request_id)
        own = request is not None and by.account_id in request.account_ids
        require(by, Right.VIEWING_DECIDE, owner_id=by.account_id if own else None)
        if request is None:
            raise not_found("viewing request", request_id)
        return request


def _consentable(request: ViewingRequest) -> ViewingRequest:
    if request.state in OPEN:
        return request
    message = f"This request is {request.state.value}; consents to it are neither taken in nor withdrawn."
    raise OrvaultError(ErrorKind.CONFLICT, message, advice="Look at the request first.")
