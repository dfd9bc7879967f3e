"""Views: asking, what each shows now, and who saw what.

Every decision is `orvault.custody.viewing.decide_view`'s; the quick mask is `masking`'s. Pictures are made elsewhere
(actors/viewing.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from orvault.custody.access import Right, require
from orvault.custody.account import Account
from orvault.custody.desks.base import not_found
from orvault.custody.desks.retention import check_not_destroyed
from orvault.custody.desks.view_decisions import ViewDecisions
from orvault.custody.history import Act
from orvault.custody.ids import new_id
from orvault.custody.recorded import StoredSegment
from orvault.custody.rows import UnitOfWork
from orvault.custody.session import Method
from orvault.custody.terms import DAY_US
from orvault.custody.text import check_range
from orvault.custody.viewing import (
    LONGEST_PERIOD_US,
    Showing,
    View,
    ViewDecision,
    ViewKind,
    decide_view,
)
from orvault.errors import ErrorKind, OrvaultError

_MOST_SPANS = 500


@dataclass(frozen=True, slots=True)
class OpenedView:
    """A view with what it shows now, and the name that is burnt into what it shows unmasked."""

    view: View
    decision: ViewDecision
    viewer: str


@dataclass(frozen=True, slots=True)
class SeenSpan:
    """Seconds that were sent to a viewer: live by the clock, stored by the time of recording (UTC us).

    `grant_id`: the viewing grant by which they showed more than a mosaic, "" without one.
    """

    from_us: int
    to_us: int
    showing: Showing
    grant_id: str = ""

    def detail(self) -> dict[str, object]:
        """What history keeps of it."""
        told: dict[str, object] = {
            "from_us": self.from_us,
            "to_us": self.to_us,
            "showing": self.showing.value,
        }
        return told | _by_grant(self.grant_id)


class ViewingDesk(ViewDecisions):
    """Who sees what."""

    def ask_live(
        self,
        by: Account,
        session_id: str,
        camera_id: str,
        wanted: Showing = Showing.CLEAR,
        client: str = "",
    ) -> OpenedView:
        """A view of what a camera shows now; `wanted` is the most that the viewer wishes to see. NOT_FOUND."""
        require(by, Right.LIVE_VIEW)
        return self._ask(by, self._new_view(ViewKind.LIVE, by, session_id, camera_id, wanted, client))

    def ask_stored(
        self,
        by: Account,
        session_id: str,
        case_id: str,
        camera_id: str,
        from_us: int,
        to_us: int,
        wanted: Showing = Showing.CLEAR,
        client: str = "",
    ) -> OpenedView:
        """A view of what a camera recorded of a case in from-to.

        Errors: NOT_FOUND (case or camera out of reach, or the one recorded nothing of the other), BAD_REQUEST,
        DESTROYED, EMPTY_RANGE.
        """
        require(by, Right.STORED_VIEW)
        check_range(from_us, to_us)
        if to_us - from_us > LONGEST_PERIOD_US:
            message = "One view covers at most 24 hours."
            raise OrvaultError(ErrorKind.BAD_REQUEST, message, where="from, to")
        view = self._new_view(ViewKind.STORED, by, session_id, camera_id, wanted, client)
        return self._ask(by, replace(view, case_id=case_id, from_us=from_us, to_us=to_us))

    def open_view(self, view_id: str, client: str = "") -> OpenedView:
        """Begin to show a view; history says so, committed, before the first picture is made.

        Errors: LINK_EXPIRED (over, or of another address), FORBIDDEN.
        """
        with self._uow() as uow:
            view = uow.views.get(view_id)
            if view is None or view.client != client:
                raise _over()
            account, decision = self._decided(uow, view)
            if account is None or not decision.allowed:
                raise _refusal(decision)
            at_us, subject = self._clock.now_us(), f"camera:{view.camera_id}"
            detail = _named(uow, view) | {"showing": decision.showing.value, "reason": decision.reason}
            detail |= _by_grant(decision.grant_id)
            uow.history.append(at_us, account.actor, Act.VIEW_STARTED, subject, detail)
            uow.commit()
        return OpenedView(view, decision, account.name)

    def view_kind(self, view_id: str) -> ViewKind:
        """Whether this view is live or stored. Errors: LINK_EXPIRED for one that is not known."""
        with self._uow(read_only=True) as uow:
            view = uow.views.get(view_id)
        if view is None:
            raise _over()
        return view.kind

    def views_now(self, view_ids: Collection[str]) -> Mapping[str, ViewDecision]:
        """What each of these views shows now, all of one moment; one that is not known is not allowed."""
        with self._uow(read_only=True) as uow:
            known = {view_id: uow.views.get(view_id) for view_id in view_ids}
            return {each: self._decided(uow, view)[1] for each, view in known.items() if view is not None}

    def note_viewed(self, view_id: str, spans: Sequence[SeenSpan]) -> None:
        """Write into history what was shown since the last note."""
        with self._uow() as uow:
            view = uow.views.get(view_id)
            if view is None:
                raise not_found("view", view_id)
            account = self._viewer(uow, view)
            assert account is not None, "accounts are never removed"
            now = self._clock.now_us()
            for first in range(0, len(spans), _MOST_SPANS):  # an entry is bounded
                seen = [span.detail() for span in spans[first : first + _MOST_SPANS]]
                detail = _named(uow, view) | {"spans": seen}
                uow.history.append(now, account.actor, Act.VIEWED, f"camera:{view.camera_id}", detail)
            uow.commit()

    def forget_views(self, unsaid: Collection[str]) -> int:
        """Remove views that ended a day ago, but not those of which history lacks what was seen; how many."""
        before_us = self._clock.now_us() - DAY_US
        with self._uow(read_only=True) as uow:
            if not uow.views.any_over(before_us, unsaid):
                return 0
        with self._uow() as uow:
            removed = uow.views.remove_over(before_us, unsaid)
            uow.commit()
        return removed

    def view_segments(self, view_id: str) -> Sequence[StoredSegment]:
        """What a stored view is made of. Errors: NOT_FOUND, EMPTY_RANGE."""
        with self._uow(read_only=True) as uow:
            view = uow.views.get(view_id)
            if view is None or view.kind is not ViewKind.STORED:
                raise not_found("stored view", view_id)
            return uow.views.segments(view)

    def log_view_opening(self, view_id: str, segment_ids: Sequence[str]) -> Showing:
        """Write into history, before any key is out, which segments are opened for a view; how much it shows.

        Whoever holds no grant is shown a mosaic that is made on the server; it takes the keys as well, and history
        tells the two apart. Errors: GRANT_MISSING unless the view may be shown now and covers the segments.
        """
        with self._uow() as uow:
            view = uow.views.get(view_id)
            if view is None or view.kind is not ViewKind.STORED or view.request_id is not None:
                raise no_grant("No view of a recording has this identifier; no key is given out.", view_id)
            account, decision = self._decided(uow, view)
            if account is None or not decision.allowed:
                raise no_grant(f"{decision.reason} No key is given out.", view_id)
            if set(segment_ids) - uow.views.covered(view, segment_ids):
                raise no_grant("The view does not cover these segments; no key is given out.", view_id)
            purpose = "mosaic" if decision.showing is Showing.MASKED else "view"
            detail: dict[str, object] = {"segments": list(segment_ids), "purpose": purpose, "view": view_id}
            detail |= _by_grant(decision.grant_id)
            at_us, subject = self._clock.now_us(), f"view:{view_id}"
            uow.history.append(at_us, account.actor, Act.KEYS_OPENED, subject, detail)
            uow.commit()
        return decision.showing

    def _new_view(
        self, kind: ViewKind, by: Account, session_id: str, camera_id: str, wanted: Showing, client: str
    ) -> View:
        now = self._clock.now_us()
        ends_us = now + self._viewing.view_us
        view_id = new_id(self._clock)
        return View(view_id, kind, by.account_id, session_id, camera_id, wanted, client, now, ends_us)

    def _ask(self, by: Account, view: View) -> OpenedView:
        with self._uow() as uow:
            self._check_view_in_reach(uow, by, view)
            if view.case_id is not None:
                check_not_destroyed(uow, view.case_id)
            if view.kind is ViewKind.STORED and not uow.views.segments(view):
                message = "This camera recorded nothing of the case in this period."
                raise OrvaultError(ErrorKind.EMPTY_RANGE, message, where="from, to")
            decision = decide_view(by, view, self._circumstances(uow, by, view), self._clock.now_us())
            if not decision.allowed:
                raise _refusal(decision)
            session = uow.sessions.get(view.session_id)
            if session is not None and session.method is Method.KEY:  # a view is no way to outlive one's key
                view = replace(view, expires_us=min(view.expires_us, session.expires_us))
            uow.views.add(view)
            uow.commit()
        return OpenedView(view, decision, by.name)

    def _check_view_in_reach(self, uow: UnitOfWork, by: Account, view: View) -> None:
        """NOT_FOUND for a camera or case that is not there, or out of reach: a recording is where its case was.

        A case that this camera recorded nothing of is not there either: who reaches a camera or a room learns
        nothing of other rooms' cases, nor of other rooms' cameras.
        """
        if view.kind is ViewKind.LIVE:
            camera = self._camera_for(uow, by, Right.LIVE_VIEW, view.camera_id)
            if camera is None or camera.removed:
                raise not_found("camera", view.camera_id, "camera_id")
            return
        case = uow.cases.get(view.case_id or "")
        recorded = case is not None and view.camera_id in {
            run.camera_id for run in uow.runs.of_case(case.case_id)
        }
        if (
            case is None
            or not recorded
            or not self._reaches(by, Right.STORED_VIEW, case.room, view.camera_id)
        ):
            raise not_found("case", view.case_id or "", "case_id")


def _named(uow: UnitOfWork, view: View) -> dict[str, object]:
    """A live view with its camera's room now: by it the operation is found again, wherever the camera moves to."""
    named: dict[str, object] = {"view": view.view_id, "kind": view.kind.value}
    if view.request_id is not None:
        named["result_of"] = view.request_id
    if view.case_id is not None:
        return named | {"case": view.case_id}
    camera = uow.cameras.get(view.camera_id)
    return named | {"room": "" if camera is None else camera.room}


def _by_grant(grant_id: str) -> dict[str, object]:
    return {"grant": grant_id} if grant_id else {}


def _refusal(decision: ViewDecision) -> OrvaultError:
    return OrvaultError(ErrorKind.FORBIDDEN, decision.reason, advice="Ask for a new view, or for the right.")


def no_grant(message: str, view_id: str) -> OrvaultError:
    """Why no key is opened for a view."""
    return OrvaultError(ErrorKind.GRANT_MISSING, message, where=view_id[:64])


def _over() -> OrvaultError:
    return OrvaultError(ErrorKind.LINK_EXPIRED, "This view is over.", advice="Ask for a new one.")
