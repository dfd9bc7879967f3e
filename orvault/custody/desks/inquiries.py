"""One call each: who has seen a recording, what an account has done, everything about an export.

All of it is read out of history by its indexes: what an answer costs follows from what it tells, not from how many
years of history there are. That history itself stands, `histories` checks.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orvault.clock import US_PER_S
from orvault.custody.access import Right, may, require
from orvault.custody.account import Account
from orvault.custody.case import Case
from orvault.custody.checkpoints import StoredCheckpoint
from orvault.custody.desks.base import Desk, all_about, not_found, page_size
from orvault.custody.desks.downloads import subject_of
from orvault.custody.desks.viewing import SeenSpan
from orvault.custody.history import Act, Entry
from orvault.custody.request import ExportRequest
from orvault.custody.rows import UnitOfWork
from orvault.custody.scope import EVERYTHING
from orvault.custody.viewing import Showing, View, ViewKind
from orvault.errors import ErrorKind, OrvaultError

LATE_US = 3600 * US_PER_S  # what was seen is written up to so long after a view ended, or the clock was set
_PAGE = 1000
_VIEWS = (Act.VIEW_STARTED, Act.VIEWED)
_HANDED_OUT = (Act.LINK_ISSUED, Act.DOWNLOADED, Act.PACKAGE_ACTIVATED, Act.ACTIVATION_REFUSED)


@dataclass(frozen=True, slots=True)
class Seen:
    """One look: who, which camera, and which seconds were shown how and by which grant; `view_id` is one sitting.

    Live spans are by the clock, stored ones by the time of recording. `entry` is history's number of it.
    """

    account_id: str
    view_id: str
    kind: ViewKind
    camera_id: str
    at_us: int
    spans: tuple[SeenSpan, ...]
    entry: int


@dataclass(frozen=True, slots=True)
class HandedOut:
    """What became of one copy: a link to it was issued, it was fetched, or a player asked to open it (`act`).

    By whom and when; for a player, which signs in nowhere, `came_from` is its address and `account_id` says so.
    """

    request_id: str
    recipients: tuple[str, ...]
    package_id: str
    act: Act
    account_id: str
    at_us: int
    entry: int
    came_from: str = ""


@dataclass(frozen=True, slots=True)
class RecordingAccess:
    """Everybody who has seen a case's recording, or the room while it was operated in, and every copy of it."""

    case: Case
    seen: tuple[Seen, ...]
    copies: tuple[HandedOut, ...]

    @property
    def account_ids(self) -> frozenset[str]:
        """Everybody who is named in it."""
        seen = {each.account_id for each in self.seen}
        return frozenset(seen | {each.account_id for each in self.copies})


@dataclass(frozen=True, slots=True)
class ExportDossier:
    """Everything about an export request: itself, its case, all of its history (the oldest first), and history's
    newest checkpoint; asked for at `asked_us` in this hospital.
    """

    request: ExportRequest
    case: Case
    entries: tuple[Entry, ...]
    checkpoint: StoredCheckpoint | None
    hospital: str
    asked_us: int

    @property
    def account_ids(self) -> frozenset[str]:
        """Everybody who is named in it."""
        told = {entry.actor.removeprefix("account:") for entry in self.entries}
        decided = {self.request.requested_by, self.request.decided_by, self.request.reviewed_by}
        return frozenset(each for each in told | decided if each is not None)


class InquiryDesk(Desk):
    """Questions about people and footage. `by` None is a person at the server's own command line."""

    def recording_access(self, by: Account | None, case_id: str) -> RecordingAccess:
        """Who has seen this case: stored views of it, live views of its room while it was armed, and copies.

        Errors: FORBIDDEN, NOT_FOUND.
        """
        if by is not None:
            require(by, Right.HISTORY_VIEW)
        with self._uow(read_only=True) as uow:
            case = uow.cases.get(case_id)
            reached = case is not None and (by is None or self._reaches(by, Right.HISTORY_VIEW, case.room))
            if case is None or not reached:
                raise not_found("case", case_id)
            seen = {each.entry: each for view in uow.views.of_case(case_id) for each in _seen_in(uow, view)}
            seen |= {each.entry: each for each in _seen_live(uow, case, self._clock.now_us())}
            copies = [copy for request in _all_of(uow, case_id) for copy in _handed_out(uow, request)]
        return RecordingAccess(
            case,
            tuple(seen[number] for number in sorted(seen)),
            tuple(sorted(copies, key=lambda copy: copy.entry)),
        )

    def account_history(
        self, by: Account | None, account_id: str, before_seq: int | None = None, limit: int = 100
    ) -> Sequence[Entry]:
        """What an account did and what was done to it, the newest first; everybody may ask for their own.

        NOT_FOUND also for another's account without the right to read history.
        """
        foreign = (
            by is not None
            and by.account_id != account_id
            and not may(by, Right.HISTORY_VIEW, place=self._place()).allowed
        )
        count = page_size(limit)
        with self._uow(read_only=True) as uow:
            account = uow.accounts.get(account_id)
            if account is None or foreign:
                raise not_found("account", account_id)
            did = uow.history.page(before_seq, count, subject=None, actor=account.actor, act=None)
            had = uow.history.page(before_seq, count, subject=account.actor, actor=None, act=None)
        both = {entry.seq: entry for entry in (*did, *had)}
        return [both[seq] for seq in sorted(both, reverse=True)[:count]]

    def export_dossier(self, by: Account | None, request_id: str) -> ExportDossier:
        """Everything about an export, for whoever may see it. NOT_FOUND also where the account may not know of it."""
        with self._uow(read_only=True) as uow:
            request = uow.requests.get(request_id) if by is None else self._visible(uow, by, request_id)
            if request is None:
                raise not_found("export request", request_id)
            case = uow.cases.get(request.wish.case_id)
            assert case is not None, "a foreign key holds the case"
            entries = tuple(all_about(uow, subject_of(request)))
            newest = uow.checkpoints.newest()
        return ExportDossier(request, case, entries[::-1], newest, self._hospital, self._clock.now_us())


def _all_of(uow: UnitOfWork, case_id: str) -> Iterator[ExportRequest]:
    """Every request for a case, the newest first."""
    before = ""
    while page := uow.requests.page(EVERYTHING, None, None, case_id, _PAGE, before):
        yield from page
        before = page[-1].request_id


def _seen_in(uow: UnitOfWork, view: View) -> Iterator[Seen]:
    """What one view showed: its entries stand under its camera, from when it was asked for to soon after its end."""
    begin = uow.history.seq_at(view.issued_us - LATE_US)
    end = uow.history.seq_at(view.expires_us + LATE_US)
    for entry, detail in _looks(uow, view.camera_id, begin, end):
        if detail.get("view") == view.view_id:
            yield _seen(entry, detail, view.camera_id)


def _seen_live(uow: UnitOfWork, case: Case, now_us: int) -> Iterator[Seen]:
    """What was watched live in the case's room between its arming and its closing."""
    if case.armed_us is None:
        return
    closed_us = now_us if case.closed_us is None else case.closed_us
    begin, end = uow.history.seq_at(case.armed_us - LATE_US), uow.history.seq_at(closed_us + LATE_US)
    recorded = {run.camera_id for run in uow.runs.of_case(case.case_id)}
    for camera in uow.cameras.all():
        for entry, detail in _looks(uow, camera.camera_id, begin, end):
            # It may have been moved since. Entries from before views named their room go by where it is now.
            here = camera.camera_id in recorded or detail.get("room", camera.room) == case.room
            if here and detail.get("kind") == ViewKind.LIVE.value:
                seen = _seen(entry, detail, camera.camera_id)
                if _touches(seen, case.armed_us, closed_us):
                    yield seen


def _looks(
    uow: UnitOfWork, camera_id: str, begin: int, end: int
) -> Iterator[tuple[Entry, dict[str, object]]]:
    """The views of a camera among these entries of history, with their particulars.

    Acts are sorted out here: asked for both, a database may take the index of the acts, which grows with the years.
    """
    for entry in uow.history.span(f"camera:{camera_id}", begin, end):
        if entry.act in _VIEWS:
            yield entry, _detail(entry)


def _touches(seen: Seen, from_us: int, to_us: int) -> bool:
    if not seen.spans:
        return from_us <= seen.at_us <= to_us
    return any(span.from_us < to_us and span.to_us > from_us for span in seen.spans)


def _seen(entry: Entry, detail: dict[str, object], camera_id: str) -> Seen:
    spans = detail.get("spans", [])
    assert isinstance(spans, list), "the viewing desk writes a list"
    return Seen(
        account_id=entry.actor.removeprefix("account:"),
        view_id=str(detail.get("view", "")),
        kind=ViewKind(str(detail.get("kind"))),
        camera_id=camera_id,
        at_us=entry.at_us,
        spans=tuple(
            SeenSpan(each["from_us"], each["to_us"], Showing(each["showing"]), each.get("grant", ""))
            for each in spans
        ),
        entry=entry.seq,
    )


def _handed_out(uow: UnitOfWork, request: ExportRequest) -> Iterator[HandedOut]:
    names = {copy.package_id: tuple(each.name for each in copy.recipients) for copy in request.copies}
    for entry in all_about(uow, subject_of(request)):
        if entry.act in _HANDED_OUT:
            detail = _detail(entry)
            package, came_from = str(detail.get("package", "")), str(detail.get("from", ""))
            account, act = entry.actor.removeprefix("account:"), Act(entry.act)
            yield HandedOut(
                request_id=request.request_id,
                recipients=names.get(package, ()),
                package_id=package,
                act=act,
                account_id=account,
                at_us=entry.at_us,
                entry=entry.seq,
                came_from=came_from,
            )


def _detail(entry: Entry) -> dict[str, object]:
    found = json.loads(entry.detail)
    if not isinstance(found, dict):
        message = "This entry is not what was written."
        raise OrvaultError(ErrorKind.ALTERED, message, where=f"history {entry.seq}")
    return found
