"""Export requests as people meet them once submitted: deciding, following, and reviewing what was made.

Drafts and the submit are in `submitting`. Making the package is in `renders`, fetching it in `downloads`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from orvault.container.happened import Happened
from orvault.custody.access import Right, require, sees_only_own
from orvault.custody.account import Account
from orvault.custody.activation import drop_shares
from orvault.custody.decided import check_as_submitted, content_of
from orvault.custody.desks.base import not_found, page_size
from orvault.custody.desks.consents import check_complete, settle_basis
from orvault.custody.desks.downloads import subject_of
from orvault.custody.desks.reviews import ReviewDesk, second_look_done
from orvault.custody.desks.submitting import check_against_records
from orvault.custody.history import Act
from orvault.custody.ids import new_id
from orvault.custody.request import Approval, ExportRequest, check_step
from orvault.custody.rows import UnitOfWork
from orvault.custody.steps import UNDECIDED, RequestState
from orvault.custody.text import clean_text
from orvault.custody.told_events import events_for
from orvault.errors import ErrorKind, OrvaultError


class ExportDesk(ReviewDesk):
    """Export requests from decision to review."""

    def exports(
        self,
        by: Account,
        state: RequestState | None = None,
        case_id: str | None = None,
        limit: int = 100,
        before: str = "",
    ) -> Sequence[ExportRequest]:
        """Those requests that the account may see, the newest first, from before the id `before`."""
        require(by, Right.EXPORT_VIEW)
        owner = by.account_id if sees_only_own(by, Right.EXPORT_VIEW) else None
        with self._uow(read_only=True) as uow:
            return uow.requests.page(self._reach(by), state, owner, case_id, page_size(limit), before)

    def export(self, by: Account, request_id: str) -> ExportRequest:
        """One request; NOT_FOUND also for one that the account may not see."""
        require(by, Right.EXPORT_VIEW)
        with self._uow(read_only=True) as uow:
            return self._visible(uow, by, request_id)

    def package_events(self, by: Account, request_id: str) -> Sequence[Happened]:
        """What a package of this request would tell of the room's events, as history is now, for who decides on it.

        Damaged pictures are known, and told besides, once it is rendered. Errors: FORBIDDEN, NOT_FOUND.
        """
        require(by, Right.EXPORT_DECIDE)
        with self._uow(read_only=True) as uow:
            return events_for(uow, self._visible(uow, by, request_id).wish)

    def approve_export(self, by: Account, request_id: str) -> ExportRequest:
        """Approve a request whose basis is satisfied; rendered once as many accounts did as the site's rules say.

        Errors: SELF_APPROVAL, FORBIDDEN, NOT_FOUND, CONFLICT (also: this account did already), BASIS_MISSING.
        """
        with self._uow() as uow:
            request = self._decidable(uow, by, request_id, RequestState.APPROVED)
            now = self._clock.now_us()
            # Checked at submit, and again where it counts: what was recorded or listed may have changed
            # since.
            check_against_records(uow, request.wish, now)
            check_as_submitted(uow, request)
            if by.account_id in {approval.account_id for approval in request.approvals}:
                message = "This account has approved the request already; another one has to as well."
                raise OrvaultError(ErrorKind.CONFLICT, message, advice="Ask another privacy officer.")
            approval = Approval(by.account_id, now)
            uow.requests.add_approval(request_id, approval)
            request = replace(request, approvals=(*request.approvals, approval))
            missing = self._exports.missing_approvals(request)
            if missing:
                detail: dict[str, object] = {"further_approvals_needed": missing}
                uow.history.append(now, by.actor, Act.APPROVAL_GIVEN, subject_of(request), detail)
            else:
                request = self._approve_last(uow, by, request, now)
            uow.commit()
        if request.state is RequestState.APPROVED:
            self._renderers.wake()
        return request

    def _approve_last(self, uow: UnitOfWork, by: Account, request: ExportRequest, now: int) -> ExportRequest:
        """With names for its copies, which stay the same over a second approval: marks are made of them."""
        request = replace(request, state=RequestState.APPROVED, decided_by=by.account_id, decided_us=now)
        if request.package_id is None:
            further = tuple(new_id(self._clock) for _ in request.wish.recipients[1:])
            request = replace(request, package_id=new_id(self._clock), further_ids=further)
        uow.requests.put_state(request)
        uow.requests.put_copies(request)
        detail: dict[str, object] = {"package": request.package_id, "requested_by": request.requested_by}
        detail["content"] = content_of(request)
        detail["approvals"] = [approval.account_id for approval in request.approvals]
        if request.further_ids:
            detail["further_packages"] = list(request.further_ids)
        uow.history.append(now, by.actor, Act.EXPORT_APPROVED, subject_of(request), detail)
        return request

    def release_export(self, by: Account, request_id: str, reason: str) -> ExportRequest:
        """Let a package go in which a second look found something. Errors as for approving.

        The reviewer is not who asked for it, and says why it may go: what was found is no person, say.
        """
        reason = clean_text(reason, "reason", longest=500)
        with self._uow() as uow:
            request = self._decidable(uow, by, request_id, RequestState.READY, of=RequestState.REVIEW)
            now = self._clock.now_us()
            if second_look_done(request):
                message = "No second look waits for a reviewer; participants have to answer."
                raise OrvaultError(ErrorKind.CONFLICT, message, advice="Take their answers in.")
            reviewed = replace(request, reviewed_by=by.account_id, reviewed_us=now)
            detail = {"reason": reason, "package": request.package_id, "second_look": _looked(request)}
            uow.history.append(now, by.actor, Act.RENDER_RELEASED, subject_of(request), detail)
            reviewed = self._settle_review(uow, reviewed, now)
            uow.commit()
        return reviewed

    def refuse_export(self, by: Account, request_id: str, reason: str) -> ExportRequest:
        """Refuse a request whose package could not be fetched yet, with the reason; afterwards it is revoked.

        Errors as for approving, BAD_REQUEST without a reason.
        """
        reason = clean_text(reason, "reason", longest=500)
        with self._uow() as uow:
            request = self._decidable(uow, by, request_id, RequestState.REFUSED)
            now = self._clock.now_us()
            refused = replace(
                _refused_by(request, by, now),
                state=RequestState.REFUSED,
                refusal_reason=reason,
                ended_us=now,
            )
            uow.requests.put_state(refused)
            detail: dict[str, object] = {"reason": reason} | drop_shares(uow.activations, request_id)
            if request.state is RequestState.REVIEW:
                detail["second_look"] = _looked(request)
            uow.history.append(now, by.actor, Act.EXPORT_REFUSED, subject_of(request), detail)
            uow.commit()
        return refused

    def revoke_export(self, by: Account, request_id: str, reason: str) -> ExportRequest:
        """Take back what was approved: no download any more, and its packages are removed. Errors: FORBIDDEN,
        NOT_FOUND, CONFLICT, BAD_REQUEST without a reason.

        Copies that recipients hold already go on opening off line until their validity ends; those that ask for
        activation open nowhere any more: the hospital's half of their keys is deleted.
        """
        require(by, Right.EXPORT_REVOKE)
        return self._revoke(by, request_id, reason, Act.EXPORT_REVOKED)

    def withdraw_export(self, by: Account, request_id: str, reason: str) -> ExportRequest:
        """Take one's own request back before it is approved. Errors: as for revoking."""
        require(by, Right.EXPORT_SUBMIT)
        return self._revoke(by, request_id, reason, Act.EXPORT_WITHDRAWN)

    def _revoke(self, by: Account, request_id: str, reason: str, act: Act) -> ExportRequest:
        reason = clean_text(reason, "reason", longest=500)
        with self._uow() as uow:
            request = self._visible(uow, by, request_id)
            check_step(request, RequestState.REVOKED)
            early = request.state in UNDECIDED | {RequestState.DRAFT}
            if act is Act.EXPORT_WITHDRAWN and request.requested_by != by.account_id:
                message = "A request is withdrawn by whoever made it."
                raise OrvaultError(ErrorKind.FORBIDDEN, message, advice="Ask its owner.")
            if early is not (act is Act.EXPORT_WITHDRAWN):
                word = "refused, or withdrawn by whoever made it" if early else "revoked by a privacy officer"
                message = f"This request is {request.state.value}; it can be {word}."
                raise OrvaultError(ErrorKind.CONFLICT, message)
            now = self._clock.now_us()
            revoked = replace(
                request,
                state=RequestState.REVOKED,
                refusal_reason=reason,
                revoked_by=by.account_id,
                ended_us=now,
            )
            uow.requests.put_state(revoked)
            detail: dict[str, object] = {"reason": reason, "was": request.state.value}
            detail |= drop_shares(uow.activations, request_id)
            uow.history.append(now, by.actor, act, subject_of(request), detail)
            uow.commit()
        if not early:
            self._renderers.wake()  # who removes its packages
        return revoked

    def _decidable(
        self,
        uow: UnitOfWork,
        by: Account,
        request_id: str,
        to: RequestState,
        of: RequestState | None = None,
    ) -> ExportRequest:
        """The request, if this account may take this step with it (from the state `of` alone, if one is named)."""
        request = self._request_seen(uow, by, request_id)
        # An own request is answered as such (SELF_APPROVAL); one the asker may not know of, like one that
        # is not there.
        require(by, Right.EXPORT_DECIDE, owner_id=request.requested_by if request else None)
        if request is None:
            raise not_found("export request", request_id)
        if of is not None and request.state is not of:
            message = f"This request is {request.state.value}; nothing waits for a reviewer."
            raise OrvaultError(
                ErrorKind.CONFLICT, message, advice="Look at the request before the next step."
            )
        if to is RequestState.APPROVED and request.state is RequestState.SUBMITTED:
            check_complete(uow, request)
            request = settle_basis(uow, request, by.actor, self._clock.now_us())
        check_step(request, to)
        if to in {RequestState.APPROVED, RequestState.READY} and request.due_to_expire(self._clock.now_us()):
            message = "The validity that this request asks for is over."
            raise OrvaultError(ErrorKind.EXPIRED, message, advice="Have a new request submitted.")
        return request


def _refused_by(request: ExportRequest, by: Account, now: int) -> ExportRequest:
    """With who refused it when: as its review, where it was approved long ago, else as its decision."""
    if request.state is RequestState.REVIEW:
        return replace(request, reviewed_by=by.account_id, reviewed_us=now)
    return replace(request, decided_by=by.account_id, decided_us=now)


def _looked(request: ExportRequest) -> str:
    return request.second_look.summary() if request.second_look is not None else ""
