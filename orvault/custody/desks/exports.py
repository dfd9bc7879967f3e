"""Export requests as people meet them: submitting, deciding, following, and fetching the package.

Making the package is in `renders`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from orvault.clock import US_PER_S
from orvault.custody.access import Right, may, require, sees_only_own
from orvault.custody.account import Account
from orvault.custody.basis import check_basis
from orvault.custody.desks.base import SYSTEM, Desk, not_found, page_size
from orvault.custody.history import Act
from orvault.custody.ids import new_id
from orvault.custody.request import (
    ExportRequest,
    PackageFile,
    RequestState,
    Wish,
    check_ready,
    check_recorded,
    check_step,
)
from orvault.custody.rows import Link, UnitOfWork
from orvault.custody.terms import make_validity
from orvault.custody.text import clean_text
from orvault.errors import ErrorKind, OrvaultError

LINK_US = 5 * 60 * US_PER_S


class ExportDesk(Desk):
    """Export requests from submit to download."""

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
        for width, height in self._picture_sizes(wish):
            self._check_watermark(wish.redaction.watermark, width, height)
        request = ExportRequest(
            new_id(self._clock), wish, validity, RequestState.SUBMITTED, by.account_id, now
        )
        with self._uow() as uow:
            _check_against_records(uow, wish, now)
            uow.requests.add(request)
            uow.history.append(now, by.actor, Act.EXPORT_SUBMITTED, _subject(request), _wish_detail(wish))
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
            return _visible(uow, by, request_id)

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
            )
            uow.requests.put_state(approved)
            detail = {"package": approved.package_id, "requested_by": request.requested_by}
            uow.history.append(now, by.actor, Act.EXPORT_APPROVED, _subject(request), detail)
            uow.commit()
        self._renderers.wake()
        return approved

    def refuse_export(self, by: Account, request_id: str, reason: str) -> ExportRequest:
        """Refuse a submitted request with its reason. Errors as for approving, BAD_REQUEST without a
        reason.
        """
        reason = clean_text(reason, "reason", longest=500)
        with self._uow() as uow:
            request = self._decidable(uow, by, request_id, RequestState.REFUSED)
            now = self._clock.now_us()
            refused = replace(
                request,
                state=RequestState.REFUSED,
                decided_by=by.account_id,
                decided_us=now,
                refusal_reason=reason,
                ended_us=now,
            )
            uow.requests.put_state(refused)
            uow.history.append(now, by.actor, Act.EXPORT_REFUSED, _subject(request), {"reason": reason})
            uow.commit()
        return refused

    def issue_link(self, by: Account, request_id: str) -> tuple[Link, PackageFile]:
        """A download link of 5 minutes for a ready package; only whoever submitted the request gets one.

        Errors: NOT_FOUND (also where the account may not see it), FORBIDDEN, NOT_APPROVED, EXPIRED, CONFLICT.
        """
        require(by, Right.EXPORT_DOWNLOAD)
        self.expire_due()
        with self._uow() as uow:
            request = _visible(uow, by, request_id)
            require(by, Right.EXPORT_DOWNLOAD, owner_id=request.requested_by)
            now = self._clock.now_us()
            package = check_ready(request, now)
            link = Link(new_id(self._clock), request_id, by.account_id, now, now + LINK_US)
            uow.requests.add_link(link)
            detail = {"link": link.link_id, "package": package.package_id}
            uow.history.append(now, by.actor, Act.LINK_ISSUED, _subject(request), detail)
            uow.commit()
        return link, package

    def open_download(self, package_id: str, link_id: str, client: str = "") -> PackageFile:
        """The file behind a link whose signature was checked; its first use is written into history.

        Errors: LINK_EXPIRED (unknown, over, or of another package), NOT_APPROVED, EXPIRED.
        """
        with self._uow(read_only=True) as uow:
            link, package = self._linked(uow, package_id, link_id)
        if link.first_used_us is not None:
            return package  # a further range of a download that is in history
        with self._uow() as uow:
            link, package = self._linked(uow, package_id, link_id)
            if link.first_used_us is None:
                now = self._clock.now_us()
                uow.requests.mark_link_used(link_id, now)
                detail = {
                    "link": link_id,
                    "package": package_id,
                    "sha256": package.sha256,
                    "from": client[:64],
                }
                actor = f"account:{link.issued_to}"
                uow.history.append(now, actor, Act.DOWNLOADED, f"export:{link.request_id}", detail)
                uow.commit()
        return package

    def expire_due(self) -> int:
        """End every request whose validity is over; the number of those ended. Called by workers at
        intervals.
        """
        now = self._clock.now_us()
        with self._uow(read_only=True) as uow:
            if not uow.requests.outlived(now):
                return 0
        with self._uow() as uow:
            due = [request for request in uow.requests.outlived(now) if request.due_to_expire(now)]
            for request in due:
                ended = request.ended_us if request.ended_us is not None else now
                uow.requests.put_state(replace(request, state=RequestState.EXPIRED, ended_us=ended))
                uow.history.append(now, SYSTEM, Act.EXPORT_EXPIRED, _subject(request), {})
            uow.commit()
        return len(due)

    def _decidable(self, uow: UnitOfWork, by: Account, request_id: str, to: RequestState) -> ExportRequest:
        request = uow.requests.get(request_id)
        visible = request is not None and may(by, Right.EXPORT_VIEW, owner_id=request.requested_by).allowed
        # An own request is answered as such (SELF_APPROVAL); one the asker may not know of, like one that
        # is not there.
        require(by, Right.EXPORT_DECIDE, owner_id=request.requested_by if request and visible else None)
        if request is None or not visible:
            raise not_found("export request", request_id)
        check_step(request, to)
        if to is RequestState.APPROVED and request.due_to_expire(self._clock.now_us()):
            message = "The validity that this request asks for is over."
            raise OrvaultError(ErrorKind.EXPIRED, message, advice="Have a new request submitted.")
        return request

    def _picture_sizes(self, wish: Wish) -> set[tuple[int, int]]:
        """The sizes of the pictures that are asked for, by the last segment of each run in the period."""
        with self._uow(read_only=True) as uow:
            runs = [run for run in uow.runs.of_case(wish.case_id) if run.camera_id in wish.camera_ids]
            lasts = [uow.segments.last(run.run_id, before_us=wish.to_us) for run in runs]
        metas = [last.header.meta for last in lasts if last is not None]
        return {(meta.width, meta.height) for meta in metas if meta.end_us > wish.from_us}

    def _linked(self, uow: UnitOfWork, package_id: str, link_id: str) -> tuple[Link, PackageFile]:
        now = self._clock.now_us()
        link = uow.requests.link(link_id)
        request = uow.requests.get(link.request_id) if link is not None else None
        if link is None or request is None or now >= link.expires_us or request.package_id != package_id:
            message = "This download link is not valid any more."
            raise OrvaultError(ErrorKind.LINK_EXPIRED, message, advice="Ask for a new link.")
        return link, check_ready(request, now)


def _subject(request: ExportRequest) -> str:
    return f"export:{request.request_id}"


def _visible(uow: UnitOfWork, by: Account, request_id: str) -> ExportRequest:
    request = uow.requests.get(request_id)
    if request is None or not may(by, Right.EXPORT_VIEW, owner_id=request.requested_by).allowed:
        raise not_found("export request", request_id)
    return request


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
    }
