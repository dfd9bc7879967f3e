"""Export requests as people meet them: submitting, deciding, following, and reviewing what was made.

Making the package is in `renders`, fetching it in `downloads`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

from orvault.custody.access import Right, may, require, sees_only_own
from orvault.custody.account import Account
from orvault.custody.basis import check_basis
from orvault.custody.desks.base import not_found, page_size
from orvault.custody.desks.downloads import DownloadDesk, subject_of, visible
from orvault.custody.history import Act
from orvault.custody.ids import new_id
from orvault.custody.request import (
    ExportRequest,
    RequestState,
    Wish,
    check_recorded,
    check_step,
)
from orvault.custody.rows import UnitOfWork
from orvault.custody.terms import make_validity
from orvault.custody.text import clean_text
from orvault.errors import ErrorKind, OrvaultError


class ExportDesk(DownloadDesk):
    """Export requests from submit to decision and review."""

    def submit_export(
        self, by: Account, wish: Wish, valid_from_us: int | None = None, valid_until_us: int | None = None
    ) -> ExportRequest:
        """File a request; everything that would make it fail later is checked now.

        Errors: BAD_REQUEST (a field), NOT_FOUND (case, camera), BASIS_MISSING, EMPTY_RANGE, FORBIDDEN.
        """
        require(by, Right.EXPORT_SUBMIT)
        wish = wish.checked()
        now = self._clock.now_us()
        validity = make_validity(valid_from_us, valid_until_us, now)
        request_id = new_id(self._clock)
        wish = self._with_watermark(wish, request_id)
        request = ExportRequest(request_id, wish, validity, RequestState.SUBMITTED, by.account_id, now)
        with self._uow() as uow:
            _check_against_records(uow, wish, now)
            uow.requests.add(request)
            uow.history.append(now, by.actor, Act.EXPORT_SUBMITTED, subject_of(request), _wish_detail(wish))
            uow.commit()
        return request

    def check_exportable(self, by: Account, case_id: str) -> None:
        """Before anything costly is done for a request over this case. Errors: FORBIDDEN, NOT_FOUND."""
        require(by, Right.EXPORT_SUBMIT)
        with self._uow(read_only=True) as uow:
            if uow.cases.get(case_id) is None:
                raise not_found("case", case_id, "case_id")

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
            _check_against_records(uow, request.wish, self._clock.now_us())
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

    def _with_watermark(self, wish: Wish, request_id: str) -> Wish:
        """With its watermark's fields filled in, once it is sure that all pictures of all copies can hold it."""
        with self._uow(read_only=True) as uow:
            case = uow.cases.get(wish.case_id)
            if case is None:
                raise not_found("case", wish.case_id, "case_id")
            redaction, image = self._drawable(uow, wish.redaction, case.number, request_id)
        copies = {redaction.for_copy([recipient.name]) for recipient in wish.recipients}
        for copy, (width, height) in product(copies, self._picture_sizes(wish)):
            self._check_watermark(copy, image, width, height)
        return replace(wish, redaction=redaction)

    def _picture_sizes(self, wish: Wish) -> set[tuple[int, int]]:
        """The sizes of the pictures that are asked for, by the last segment of each run in the period."""
        with self._uow(read_only=True) as uow:
            runs = [run for run in uow.runs.of_case(wish.case_id) if run.camera_id in wish.camera_ids]
            lasts = [uow.segments.last(run.run_id, before_us=wish.to_us) for run in runs]
        metas = [last.header.meta for last in lasts if last is not None]
        return {(meta.width, meta.height) for meta in metas if meta.end_us > wish.from_us}


def _refused_by(request: ExportRequest, by: Account, now: int) -> ExportRequest:
    """With who refused it when: as its review, where it was approved long ago, else as its decision."""
    if request.state is RequestState.REVIEW:
        return replace(request, reviewed_by=by.account_id, reviewed_us=now)
    return replace(request, decided_by=by.account_id, decided_us=now)


def _looked(request: ExportRequest) -> str:
    return request.second_look.summary() if request.second_look is not None else ""


def _check_against_records(uow: UnitOfWork, wish: Wish, now_us: int) -> None:
    case = uow.cases.get(wish.case_id)
    if case is None:
        raise not_found("case", wish.case_id, "case_id")
    titles = {}
    for camera_id in wish.camera_ids:
        camera = uow.cameras.get(camera_id)
        if camera is None:
            raise not_found("camera", camera_id, "camera_ids")
        titles[camera_id] = camera.title
    check_basis(wish.basis, case.participants)
    recorded = {camera_id: uow.segments.spans(wish.case_id, camera_id) for camera_id in wish.camera_ids}
    check_recorded(wish, recorded, titles, now_us)


def _wish_detail(wish: Wish) -> dict[str, object]:
    return {
        "case": wish.case_id,
        "cameras": list(wish.camera_ids),
        "from_us": wish.from_us,
        "to_us": wish.to_us,
        "purpose": wish.purpose,
        "basis": wish.basis.summary(),
        "consents": [f"{c.subject.value}: {c.name}" for c in wish.basis.consents],
        "recipients": [recipient.name for recipient in wish.recipients],
        "masking": wish.redaction.masking.value,
        "watermark": wish.redaction.watermark_summary(),
    }
