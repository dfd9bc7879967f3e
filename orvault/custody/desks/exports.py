"""Export requests as people meet them once submitted: deciding, following, and reviewing what was made.

Drafts and the submit are in `submitting`. Making the package is in `renders`, fetching it in `downloads`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from orvault.custody.access import Right, may, require, sees_only_own
from orvault.custody.account import Account
from orvault.custody.desks.base import not_found, page_size
from orvault.custody.desks.downloads import subject_of, visible
from orvault.custody.desks.submitting import SubmitDesk, check_against_records
from orvault.custody.history import Act
from orvault.custody.ids import new_id
from orvault.custody.request import ExportRequest, RequestState, check_step
from orvault.custody.rows import UnitOfWork
from orvault.custody.text import clean_text
from orvault.errors import ErrorKind, OrvaultError


class ExportDesk(SubmitDesk):
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
            return uow.requests.page(state, owner, case_id, page_size(limit), before)

    def export(self, by: Account, request_id: str) -> ExportRequest:
        """One request; NOT_FOUND also for one that the account may not see."""
        require(by, Right.EXPORT_VIEW)
        with self._uow(read_only=True) as uow:
            return visible(uow, by, request_id)

    def approve_export(self, by: Account, request_id: str) -> ExportRequest:
        """Approve a submitted request. Errors: SELF_APPROVAL, FORBIDDEN, NOT_FOUND, CONFLICT,
        BASIS_MISSING.
        """
        with self._uow() as uow:
            request = self._decidable(uow, by, request_id, RequestState.APPROVED)
            # Checked at submit, and again where it counts: what was recorded or listed may have changed
            # since.
            check_against_records(uow, request.wish, self._clock.now_us())
            now = self._clock.now_us()
            approved = replace(
                request,
                state=RequestState.APPROVED,
                decided_by=by.account_id,
                decided_us=now,
                package_id=new_id(self._clock),
                further_ids=tuple(new_id(self._clock) for _ in request.wish.recipients[1:]),
            )
            uow.requests.put_state(approved)
            uow.requests.put_copies(approved)
            detail: dict[str, object] = {"package": approved.package_id, "requested_by": request.requested_by}
            if approved.further_ids:
                detail["further_packages"] = list(approved.further_ids)
            uow.history.append(now, by.actor, Act.EXPORT_APPROVED, subject_of(request), detail)
            uow.commit()
        self._renderers.wake()
        return approved

    def release_export(self, by: Account, request_id: str, reason: str) -> ExportRequest:
        """Let a package go in which a second look found something. Errors as for approving.

        The reviewer is not who asked for it, and says why it may go: what was found is no person, say.
        """
        reason = clean_text(reason, "reason", longest=500)
        with self._uow() as uow:
            request = self._decidable(uow, by, request_id, RequestState.READY, of=RequestState.REVIEW)
            now = self._clock.now_us()
            ready = replace(
                request,
                state=RequestState.READY,
                progress=replace(request.progress, stage=RequestState.READY.value),
                reviewed_by=by.account_id,
                reviewed_us=now,
                ended_us=now,
            )
            uow.requests.put_state(ready)
            detail = {"reason": reason, "package": request.package_id, "second_look": _looked(request)}
            uow.history.append(now, by.actor, Act.RENDER_RELEASED, subject_of(request), detail)
            uow.commit()
        return ready

    def refuse_export(self, by: Account, request_id: str, reason: str) -> ExportRequest:
        """Refuse a request that is submitted, or whose package waits for a reviewer, with the reason.

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
            detail = {"reason": reason}
            if request.state is RequestState.REVIEW:
                detail["second_look"] = _looked(request)
            uow.history.append(now, by.actor, Act.EXPORT_REFUSED, subject_of(request), detail)
            uow.commit()
        return refused

    def _decidable(
        self,
        uow: UnitOfWork,
        by: Account,
        request_id: str,
        to: RequestState,
        of: RequestState | None = None,
    ) -> ExportRequest:
        """The request, if this account may take this step with it (from the state `of` alone, if one is named)."""
        request = uow.requests.get(request_id)
        visible = request is not None and may(by, Right.EXPORT_VIEW, owner_id=request.requested_by).allowed
        # An own request is answered as such (SELF_APPROVAL); one the asker may not know of, like one that
        # is not there.
        require(by, Right.EXPORT_DECIDE, owner_id=request.requested_by if request and visible else None)
        if request is None or not visible:
            raise not_found("export request", request_id)
        if of is not None and request.state is not of:
            message = f"This request is {request.state.value}; nothing waits for a reviewer."
            raise OrvaultError(
                ErrorKind.CONFLICT, message, advice="Look at the request before the next step."
            )
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
