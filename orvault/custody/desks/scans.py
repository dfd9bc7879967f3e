"""Scans of drafts, and the choice that is made from them: which tracks stay masked, what is covered besides.

The scanning itself is in `scanning`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from orvault.custody.access import Right, require
from orvault.custody.account import Account
from orvault.custody.choice import MAX_CLEAR, ClearPart, DrawnRegion, MaskingChoice, ToldChoice, check_drawn
from orvault.custody.desks.base import Desk, not_found
from orvault.custody.desks.downloads import subject_of
from orvault.custody.desks.retention import check_not_destroyed
from orvault.custody.desks.submitting import own_draft
from orvault.custody.history import Act
from orvault.custody.ids import new_id
from orvault.custody.request import ExportRequest
from orvault.custody.rows import UnitOfWork
from orvault.custody.scan import (
    MAX_SCANS,
    OPEN_STATES,
    FoundTrack,
    Scan,
    ScanScope,
    ScanState,
)
from orvault.custody.terms import Masking
from orvault.errors import ErrorKind, OrvaultError


class ScanDesk(Desk):
    """From the order of a scan to the choice."""

    def order_scan(self, by: Account, request_id: str) -> Scan:
        """Have one's own draft's footage scanned for who is in it; an earlier scan is no longer chosen from.

        Errors: FORBIDDEN, NOT_FOUND, DESTROYED, CONFLICT (no draft any more; a scan is under way; too many),
        EMPTY_RANGE, BAD_REQUEST (the whole picture is masked: there is nothing to choose).
        """
        require(by, Right.EXPORT_SUBMIT)
        with self._uow() as uow:
            draft = own_draft(self._visible(uow, by, request_id), by)
            check_not_destroyed(uow, draft.wish.case_id)
            _check_scannable(uow, draft)
            now = self._clock.now_us()
            scope = ScanScope.of(draft.wish)
            scan = Scan(new_id(self._clock), request_id, scope, ScanState.WAITING, by.account_id, now)
            uow.scans.add(scan)
            detail = {
                "scan": scan.scan_id, "cameras": list(scope.camera_ids), "from_us": scope.from_us,
                "to_us": scope.to_us, "masking": scope.masking.value,
            }  # fmt: skip
            uow.history.append(now, by.actor, Act.SCAN_ORDERED, subject_of(draft), detail)
            uow.commit()
        self._renderers.wake()
        return scan

    def scan(self, by: Account, request_id: str) -> Scan:
        """The newest scan of a request. NOT_FOUND also for a request that the account may not see."""
        require(by, Right.EXPORT_VIEW)
        with self._uow(read_only=True) as uow:
            self._visible(uow, by, request_id)
            scan = uow.scans.latest(request_id)
        if scan is None:
            raise not_found("scan of the request", request_id)
        return scan

    def choose_masking(
        self,
        by: Account,
        request_id: str,
        scan_id: str | None = None,
        clear: Collection[tuple[str, str]] = (),
        drawn: Sequence[DrawnRegion] = (),
    ) -> ExportRequest:
        """Put this choice in place of the last one in one's own draft; with nothing chosen, everybody is masked.

        `clear` names (camera, track) of the newest scan, which `scan_id` is wherever it is given. Errors: FORBIDDEN,
        NOT_FOUND, CONFLICT (no draft any more; the scan is another, not done, or of other footage), BAD_REQUEST (a
        track that is unknown or stays masked, a region out of bounds).
        """
        require(by, Right.EXPORT_SUBMIT)
        regions = check_drawn(drawn)
        with self._uow() as uow:
            draft = own_draft(self._visible(uow, by, request_id), by)
            now = self._clock.now_us()
            choice: MaskingChoice | None = None
            from_scan = clear or scan_id is not None
            parts, digests = _chosen(uow, draft, scan_id, clear) if from_scan else ((), ())
            if clear or regions:
                told = ToldChoice(by.display_name, now, parts, regions)
                choice = MaskingChoice(told, by.account_id, scan_id if clear else None, digests)
                choice.check_scope(draft.wish.camera_ids, draft.wish.from_us, draft.wish.to_us)
            redaction = replace(draft.wish.redaction, choice=choice)
            chosen = replace(draft, wish=replace(draft.wish, redaction=redaction))
            uow.requests.put_wish(chosen)
            detail: dict[str, object] = {"clear": [], "drawn": []}
            if choice is not None:
                detail = choice.told.to_json() | {"scan": choice.scan_id or ""}
            uow.history.append(now, by.actor, Act.MASKING_CHOSEN, subject_of(draft), detail)
            uow.commit()
        return chosen


def _check_scannable(uow: UnitOfWork, draft: ExportRequest) -> None:
    wish = draft.wish
    if wish.redaction.masking is Masking.PICTURE:
        message = "The whole picture is masked: there is nothing to choose."
        raise OrvaultError(
            ErrorKind.BAD_REQUEST, message, where="masking.mode", advice="Take another mode first."
        )
    last = uow.scans.latest(draft.request_id)
    if last is not None and last.state in OPEN_STATES:
        raise OrvaultError(ErrorKind.CONFLICT, "A scan is under way.", advice="Wait until it is done.")
    if uow.scans.count(draft.request_id) >= MAX_SCANS:
        message = f"This draft was scanned {MAX_SCANS} times."
        raise OrvaultError(ErrorKind.CONFLICT, message, advice="Make a new draft.")
    empty = [c for c in wish.camera_ids if not uow.segments.of(wish.case_id, c, wish.from_us, wish.to_us)]
    if empty:
        message = "This camera recorded nothing of the case in this period."
        raise OrvaultError(ErrorKind.EMPTY_RANGE, message, where=f"camera {empty[0]}")


def _chosen(
    uow: UnitOfWork, draft: ExportRequest, scan_id: str | None, clear: Collection[tuple[str, str]]
) -> tuple[tuple[ClearPart, ...], tuple[tuple[str, str], ...]]:
    """The parts that are left clear, and by camera which tracks they were chosen from."""
    if len(clear) > MAX_CLEAR:
        raise _bad(f"At most {MAX_CLEAR} tracks are left clear in one request.")
    scan = uow.scans.latest(draft.request_id)
    if (
        scan is None
        or scan.scan_id != scan_id
        or scan.state is not ScanState.DONE
        or not scan.fits(draft.wish)
    ):
        message = "This is not the newest scan of what the draft asks for now, or it is not done."
        raise OrvaultError(
            ErrorKind.CONFLICT, message, where="scan_id", advice="Look at the scan, or order a new one."
        )
    parts = []
    for camera_id, name in sorted(set(clear)):
        found = scan.camera(camera_id)
        track = next((each for each in found.tracks if each.name == name), None) if found else None
        _check_clearable(camera_id, name, track)
        assert track is not None, "checked"
        parts.append(ClearPart(camera_id, name, track.kind, track.from_us, track.to_us))
    digests = {each.camera_id: each.digest for each in scan.cameras}
    return tuple(parts), tuple((camera, digests[camera]) for camera in sorted({p.camera_id for p in parts}))


def _check_clearable(camera_id: str, name: str, track: FoundTrack | None) -> None:
    shown = f"{camera_id[:64]!r}, {name[:32]!r}"
    if track is None:
        raise _bad(f"The scan found no such track: {shown}.")
    if not track.clearable:
        raise _bad(f"Whoever lies, or is not followed without doubt, stays masked: {shown}.")


def _bad(message: str) -> OrvaultError:
    return OrvaultError(
        ErrorKind.BAD_REQUEST, message, where="clear", advice="Choose from the newest scan's list."
    )
