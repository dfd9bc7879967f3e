"""Asking to see more than a mosaic, and looking at such requests; deciding on them is `granting`'s."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from orvault.custody.access import Right, may, require, sees_only_own
from orvault.custody.account import Account, clean_name
from orvault.custody.basis import LegalBasis, check_papers, missing_for
from orvault.custody.case import Case, CaseState
from orvault.custody.desks.base import Desk, not_found, page_size
from orvault.custody.desks.retention import check_not_destroyed, withdraw_stopped
from orvault.custody.history import Act
from orvault.custody.ids import new_id
from orvault.custody.request import check_recorded
from orvault.custody.rows import UnitOfWork
from orvault.custody.steps import UNDECIDED, RequestState, check_step
from orvault.custody.viewing import VIEW_RIGHT, ViewKind
from orvault.custody.viewing_request import OPEN, ViewingRequest, ViewingWish
from orvault.errors import ErrorKind, OrvaultError


class AskingDesk(Desk):
    """Who asked to see what."""

    def ask_viewing(self, by: Account, viewer: str, wish: ViewingWish) -> ViewingRequest:
        """Ask that an account (`viewer`: its name) may see more than a mosaic; what would fail later is checked now.

        Errors: BAD_REQUEST (a field), NOT_FOUND (case, camera, an account that could see it), BASIS_MISSING (papers),
        EMPTY_RANGE, DESTROYED, FORBIDDEN, SELF_APPROVAL (consents, by who is to see).
        """
        require(by, Right.VIEWING_ASK)
        now = self._clock.now_us()
        wish = wish.checked(self._viewing, now)
        wish = replace(wish, basis=wish.basis.taken(by.account_id, now))
        check_papers(wish.basis)
        self._exports.check_unmasked(by.role, wish)
        with self._uow() as uow:
            case = self._case_for(uow, by, Right.VIEWING_ASK, wish.case_id, "case_id")
            titles = self._titles_of(uow, by, Right.VIEWING_ASK, case, wish.camera_ids)
            found = uow.accounts.by_name(clean_name(viewer))
            wish = replace(wish, viewer_id="" if found is None else found.account_id)
            if wish.basis.consents:
                require(by, Right.VIEWING_CONSENT, owner_id=wish.viewer_id)
            self._check_bearable(uow, wish, case, titles, now)
            state = RequestState.SUBMITTED
            request = ViewingRequest(new_id(self._clock), wish, state, by.account_id, now)
            uow.viewing_requests.add(request)
            uow.history.append(now, by.actor, Act.VIEWING_ASKED, request.subject, _detail(wish))
            request = settle_viewing(uow, request, by.actor, now)
            withdraw_stopped(uow, wish.case_id, self._retention, now)
            uow.commit()
        return request

    def viewing_requests(
        self,
        by: Account,
        state: RequestState | None = None,
        case_id: str | None = None,
        *,
        to_decide: bool = False,
        limit: int = 100,
        before: str = "",
    ) -> Sequence[ViewingRequest]:
        """One's own (asked, or to see by), and for roles that see all those of cases in reach; the newest first, from
        before the id `before`. `to_decide`: those alone that wait for this account's decision.
        """
        require(by, Right.VIEWING_LIST)
        if to_decide and not may(by, Right.VIEWING_DECIDE).allowed:
            return []
        states = UNDECIDED if to_decide else frozenset(RequestState)
        states &= frozenset(RequestState) if state is None else {state}
        with self._uow(read_only=True) as uow:
            found = uow.viewing_requests.page(
                self._reach(by),
                states,
                by.account_id,
                case_id,
                page_size(limit),
                before,
                own_only=sees_only_own(by, Right.VIEWING_LIST),
                to_decide=to_decide,
            )
        return [told_to(by, request) for request in found]

    def viewing_request(self, by: Account, request_id: str) -> ViewingRequest:
        """One request; NOT_FOUND also for one that the account may not know of."""
        require(by, Right.VIEWING_LIST)
        with self._uow(read_only=True) as uow:
            return told_to(by, self._viewing_visible(uow, by, request_id))

    def viewing_lacking(self, by: Account, request_id: str) -> tuple[LegalBasis, tuple[str, ...]]:
        """The basis of a request and what it still lacks, in words. FORBIDDEN for who is told of no consents."""
        require(by, Right.VIEWING_LIST)
        with self._uow(read_only=True) as uow:
            request = self._viewing_visible(uow, by, request_id)
            if _told_no_consents(by, request):
                message = "Whose consents a request rests on is not told to who is to see by it."
                raise OrvaultError(ErrorKind.FORBIDDEN, message, advice="Ask who made the request.")
            return request.wish.basis, _missing_in(uow, request)

    def _check_bearable(
        self, uow: UnitOfWork, wish: ViewingWish, case: Case, titles: dict[str, str], now: int
    ) -> None:
        """Whether case, cameras and viewer bear this wish now. Errors: as for asking."""
        check_not_destroyed(uow, case.case_id)
        if not self._could_see(uow.accounts.get(wish.viewer_id), wish, case):
            # One answer for an account that is not there and one that could not see it: names are no guessing game.
            message = "No account of this name may see these cameras, whatever is granted."
            advice = "Check the name; its role must include such views, and its scopes the room."
            raise OrvaultError(ErrorKind.NOT_FOUND, message, where="viewer", advice=advice)
        if wish.kind is ViewKind.LIVE:
            _check_live(uow, wish, case)
            return
        assert wish.from_us is not None and wish.to_us is not None, "checked: a recording has its period"
        recorded = {camera_id: uow.segments.spans(wish.case_id, camera_id) for camera_id in wish.camera_ids}
        check_recorded((wish.from_us, wish.to_us), recorded, titles, now)

    def _could_see(self, viewer: Account | None, wish: ViewingWish, case: Case) -> bool:
        """Whether the account may look at these cameras at all: more than a mosaic is never a machine's."""
        if viewer is None or viewer.machine:
            return False
        places = (self._place(case.room, camera_id) for camera_id in wish.camera_ids)
        return all(may(viewer, VIEW_RIGHT[wish.kind], place=place).allowed for place in places)

    def _viewing_seen(self, uow: UnitOfWork, by: Account, request_id: str) -> ViewingRequest | None:
        """The request; None also for one that the account may not know of."""
        request = uow.viewing_requests.get(request_id)
        case = None if request is None else uow.cases.get(request.wish.case_id)
        if request is None or case is None:
            return None
        if by.account_id == request.wish.viewer_id:  # about themselves, wherever they reach
            return request if may(by, Right.VIEWING_LIST).allowed else None
        place = self._place(case.room)
        seen = may(by, Right.VIEWING_LIST, owner_id=request.requested_by, place=place).allowed
        return request if seen else None

    def _viewing_visible(self, uow: UnitOfWork, by: Account, request_id: str) -> ViewingRequest:
        request = self._viewing_seen(uow, by, request_id)
        if request is None:
            raise not_found("viewing request", request_id)
        return request


def settle_viewing(uow: UnitOfWork, request: ViewingRequest, actor: str, now: int) -> ViewingRequest:
    """Move a request to where its basis puts it now, as `consents.settle_basis` does for exports: a grant whose basis
    broke ends, and opens again by new approvals only.
    """
    missing = _missing_in(uow, request)
    if not missing and request.state is RequestState.SUBMITTED:
        check_step(request.state, RequestState.SATISFIED)
        request = replace(request, state=RequestState.SATISFIED)
        uow.viewing_requests.put_state(request)
        uow.history.append(now, actor, Act.BASIS_SATISFIED, request.subject, {})
    elif missing and request.state in OPEN - {RequestState.SUBMITTED}:
        check_step(request.state, RequestState.SUBMITTED)
        detail = {"was": request.state.value, "missing": list(missing)}
        uow.viewing_requests.void_approvals(request.request_id, now)
        end_views(uow, request, now)
        request = replace(
            request, state=RequestState.SUBMITTED, approvals=(), decided_by=None, decided_us=None
        )
        uow.viewing_requests.put_state(request)
        uow.history.append(now, actor, Act.BASIS_BROKEN, request.subject, detail)
    return request


def _missing_in(uow: UnitOfWork, request: ViewingRequest) -> tuple[str, ...]:
    case = uow.cases.get(request.wish.case_id)
    assert case is not None, "a foreign key holds the case"
    return missing_for(request.wish.basis, case.participants, clear=request.wish.clear)


def settle_viewings(uow: UnitOfWork, case_id: str, actor: str, now: int) -> None:
    """As `settle_viewing`, for every open request over a case whose participants changed."""
    for request in uow.viewing_requests.of_case(case_id, OPEN):
        settle_viewing(uow, request, actor, now)


def end_views(uow: UnitOfWork, request: ViewingRequest, now: int) -> None:
    """End the views that rest on a grant which ends: all of the viewer's of these cameras; new ones show a mosaic."""
    if request.state is RequestState.APPROVED:
        wish = request.wish
        case_id = wish.case_id if wish.kind is ViewKind.STORED else None
        uow.views.end_of(wish.viewer_id, case_id, wish.camera_ids, now)


def _check_live(uow: UnitOfWork, wish: ViewingWish, case: Case) -> None:
    if case.state is CaseState.CLOSED:
        message = "This case is closed; nothing of it is live any more."
        raise OrvaultError(ErrorKind.BAD_REQUEST, message, where="case_id", advice="Ask for its recordings.")
    for camera_id in wish.camera_ids:
        camera = uow.cameras.get(camera_id)
        if camera is None or camera.room != case.room:
            message = f"The camera {camera_id} is not in this case's room."
            raise OrvaultError(ErrorKind.BAD_REQUEST, message, where="camera_ids")


def told_to(by: Account, request: ViewingRequest) -> ViewingRequest:
    """As this account may know it: who only sees by it learns its kind of basis, and nobody's consent."""
    if not _told_no_consents(by, request):
        return request
    return replace(request, wish=replace(request.wish, basis=LegalBasis(request.wish.basis.kind)))


def _told_no_consents(by: Account, request: ViewingRequest) -> bool:
    return by.account_id == request.wish.viewer_id and by.account_id != request.requested_by


def _detail(wish: ViewingWish) -> dict[str, object]:
    """What history keeps of a wish."""
    period = {} if wish.from_us is None else {"from_us": wish.from_us, "to_us": wish.to_us}
    return {
        "viewer": wish.viewer_id,
        "kind": wish.kind.value,
        "case": wish.case_id,
        "cameras": list(wish.camera_ids),
        **period,
        "showing": wish.showing.value,
        "purpose": wish.purpose,
        "basis": wish.basis.summary(),
        "consents": [consent.detail() for consent in wish.basis.consents],
        "until_us": wish.until_us,
    }
