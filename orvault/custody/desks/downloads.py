"""Fetching a finished package: download links, their first use, and the end of a request's validity."""

from __future__ import annotations

from dataclasses import replace

from orvault.clock import US_PER_S
from orvault.custody.access import Right, require
from orvault.custody.account import Account
from orvault.custody.activation import drop_shares
from orvault.custody.desks.base import SYSTEM
from orvault.custody.desks.watermarks import WatermarkDesk
from orvault.custody.history import Act
from orvault.custody.ids import new_id
from orvault.custody.request import ExportRequest, PackageFile, check_ready, package_for
from orvault.custody.request_rows import Link
from orvault.custody.rows import UnitOfWork
from orvault.custody.steps import RequestState
from orvault.errors import ErrorKind, OrvaultError

LINK_US = 5 * 60 * US_PER_S


class DownloadDesk(WatermarkDesk):
    """From a ready package to its download."""

    def issue_link(
        self, by: Account, request_id: str, recipient: str | None = None
    ) -> tuple[Link, PackageFile]:
        """A download link of 5 minutes for a recipient's ready package; only who submitted the request gets one.

        Errors: NOT_FOUND (also where the account may not see it), FORBIDDEN, NOT_APPROVED, EXPIRED, CONFLICT,
        BAD_REQUEST (several recipients, and none or nobody is named).
        """
        require(by, Right.EXPORT_DOWNLOAD)
        self.expire_due()
        with self._uow() as uow:
            request = self._visible(uow, by, request_id)
            require(by, Right.EXPORT_DOWNLOAD, owner_id=request.requested_by)
            now = self._clock.now_us()
            check_ready(request, now)
            package = package_for(request, recipient)
            link = Link(new_id(self._clock), request_id, by.account_id, now, now + LINK_US)
            uow.requests.add_link(link)
            detail = {"link": link.link_id, "package": package.package_id}
            uow.history.append(now, by.actor, Act.LINK_ISSUED, subject_of(request), detail)
            uow.commit()
        return link, package

    def look_up(self, package_id: str, link_id: str) -> PackageFile:
        """The file behind a link whose signature was checked; nothing is noted. Errors: as for `open_download`."""
        with self._uow(read_only=True) as uow:
            return self._linked(uow, package_id, link_id)[1]

    def open_download(self, package_id: str, link_id: str, client: str = "") -> PackageFile:
        """The file behind a link whose signature was checked; its first use is written into history.

        Errors: LINK_EXPIRED (unknown, over, of another package, or its account was closed), NOT_APPROVED, EXPIRED.
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
                _deliver(uow, link.request_id, package_id, actor, now)
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
                dropped = drop_shares(uow.activations, request.request_id)
                uow.history.append(now, SYSTEM, Act.EXPORT_EXPIRED, subject_of(request), dropped)
            uow.commit()
        return len(due)

    def remind_due(self) -> int:
        """Note in history which undecided requests come due, once at each of the site's distances and once when it
        is over; the number of those. Called by workers at intervals.
        """
        now = self._clock.now_us()
        with self._uow() as uow:
            noted = 0
            for request in uow.requests.due(self._exports.remind_until_us(now)):
                stage = self._exports.reminders_due(request.due_us, now)
                if stage <= request.reminders:
                    continue
                uow.requests.put_state(replace(request, reminders=stage))
                detail = {"due_us": request.due_us, "overdue": now >= (request.due_us or 0)}
                uow.history.append(now, SYSTEM, Act.EXPORT_DUE, subject_of(request), detail)
                noted += 1
            if noted:
                uow.commit()
        return noted

    def _linked(self, uow: UnitOfWork, package_id: str, link_id: str) -> tuple[Link, PackageFile]:
        now = self._clock.now_us()
        link = uow.requests.link(link_id)
        request = uow.requests.get(link.request_id) if link is not None else None
        ids = {copy.package_id: copy for copy in request.copies} if request is not None else {}
        issued_to = uow.accounts.get(link.issued_to) if link is not None else None
        ended = issued_to is None or issued_to.disabled  # a link is no longer-lived than its account
        if link is None or request is None or now >= link.expires_us or package_id not in ids or ended:
            message = "This download link is not valid any more."
            raise OrvaultError(ErrorKind.LINK_EXPIRED, message, advice="Ask for a new link.")
        check_ready(request, now)
        package = ids[package_id].package
        assert package is not None, "a ready request has all its packages"
        return link, package


def _deliver(uow: UnitOfWork, request_id: str, package_id: str, actor: str, now: int) -> None:
    """Note that this copy was fetched; once all were, the request is delivered."""
    request = uow.requests.get(request_id)
    assert request is not None, "a link names it"
    uow.requests.mark_delivered(request, package_id, now)
    fetched = {package_id, *(copy_id for copy_id, _ in request.delivered)}
    if request.state is RequestState.READY and fetched >= {copy.package_id for copy in request.copies}:
        uow.requests.put_state(replace(request, state=RequestState.DELIVERED))
        uow.history.append(now, actor, Act.EXPORT_DELIVERED, subject_of(request), {})


def subject_of(request: ExportRequest) -> str:
    """How history names it."""
    return f"export:{request.request_id}"
