"""Views of a masked result, for the participants who are asked about it: which wait, asking, and opening.

Who may is decided in `result_view`; what was seen is written down as of every view (`viewing`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from orvault.custody.access import Right, require
from orvault.custody.account import Account
from orvault.custody.case import Case
from orvault.custody.desks.base import LONGEST_PAGE, not_found
from orvault.custody.desks.downloads import subject_of
from orvault.custody.desks.retention import check_not_destroyed
from orvault.custody.desks.reviews import looks_at
from orvault.custody.desks.viewing import OpenedView, ViewingDesk, no_grant
from orvault.custody.history import Act
from orvault.custody.participants import Answer, same
from orvault.custody.request import ExportRequest
from orvault.custody.result_view import decide_result, may_look
from orvault.custody.rows import UnitOfWork
from orvault.custody.steps import RequestState
from orvault.custody.viewing import Showing, View, ViewKind
from orvault.errors import ErrorKind, OrvaultError


@dataclass(frozen=True, slots=True)
class AwaitedAnswer:
    """A result that a participant is asked about, and what they have said of it so far.

    `shown`: whether it may be watched now, and `reason` why, or why not; whether its copy is still kept, a view says.
    """

    request: ExportRequest
    case: Case
    answer: Answer | None
    shown: bool
    reason: str


class ResultDesk(ViewingDesk):
    """What participants call before they answer."""

    def awaited_answers(self, by: Account) -> Sequence[AwaitedAnswer]:
        """The results that this account's person is asked about now, the newest first. FORBIDDEN."""
        require(by, Right.RESULT_VIEW)
        with self._uow(read_only=True) as uow:
            found = uow.requests.page(self._reach(by), RequestState.REVIEW, None, None, LONGEST_PAGE, "")
            return [self._awaited(uow, by, request) for request in found if self._asks(uow, by, request)]

    def ask_result(
        self, by: Account, session_id: str, request_id: str, camera_id: str, client: str = ""
    ) -> OpenedView:
        """A view of what one camera's masked result shows.

        Errors: FORBIDDEN, NOT_FOUND (nobody asks this person about it, or the camera is not in it), CONFLICT (a
        second look waits, people are left clear), DESTROYED.
        """
        require(by, Right.RESULT_VIEW)
        with self._uow() as uow:
            request = uow.requests.get(request_id)
            if request is None or not self._asks(uow, by, request):
                raise not_found("export request", request_id, "request_id")
            wish = request.wish
            if camera_id not in wish.camera_ids:
                raise not_found("camera", camera_id, "camera_id")
            check_not_destroyed(uow, wish.case_id)
            now, state = self._clock.now_us(), self._result_state(uow, by, request, camera_id)
            allowed, reason = may_look(by, state, now)
            if not allowed:
                raise OrvaultError(ErrorKind.CONFLICT, reason, advice="Ask the privacy officer.")
            view = self._new_view(ViewKind.STORED, by, session_id, camera_id, Showing.PEOPLE, client)
            view = replace(
                view, case_id=wish.case_id, from_us=wish.from_us, to_us=wish.to_us, request_id=request_id
            )
            uow.views.add(view)
            uow.commit()
        return OpenedView(view, decide_result(by, view, state, now), by.name)

    def log_result_opening(self, view_id: str, segment_ids: Sequence[str]) -> str:
        """Write into history, before any key is out, which segments' result is opened for a view; whose result it is.

        With its first piece a view shows the result: history says that as well, and how much of it is shown.
        Errors: GRANT_MISSING unless the result may be watched now and covers the segments.
        """
        with self._uow() as uow:
            view = uow.views.get(view_id)
            if view is None or view.request_id is None:
                raise no_grant("No view of a result has this identifier; no key is given out.", view_id)
            account, decision = self._decided(uow, view)
            if account is None or not decision.allowed:
                raise no_grant(f"{decision.reason} No key is given out.", view_id)
            if not segment_ids or set(segment_ids) - uow.views.covered(view, segment_ids):
                raise no_grant("The result does not cover these segments; no key is given out.", view_id)
            detail: dict[str, object] = {"segments": list(segment_ids), "purpose": "result"}
            detail["result_of"] = view.request_id
            at_us, subject = self._clock.now_us(), f"view:{view_id}"
            uow.history.append(at_us, account.actor, Act.KEYS_OPENED, subject, detail)
            self._tell_shown(uow, account, view, decision.showing)
            uow.commit()
        return view.request_id

    def _tell_shown(self, uow: UnitOfWork, account: Account, view: View, showing: Showing) -> None:
        """Once for each view, and once more where the quick mask changed how much it shows."""
        request = uow.requests.get(view.request_id or "")
        assert request is not None, "the view was decided by it"
        shown: dict[str, object] = {"view": view.view_id, "participant": account.display_name}
        shown |= {"camera": view.camera_id, "showing": showing.value}
        if shown not in looks_at(uow, request):
            now = self._clock.now_us()
            uow.history.append(now, account.actor, Act.RESULT_SHOWN, subject_of(request), shown)

    def results_over(self, request_ids: Sequence[str]) -> list[str]:
        """Those of the requests whose result nobody looks at any more, and that is not made anew just now."""
        kept = {RequestState.APPROVED, RequestState.RENDERING, RequestState.REVIEW}
        with self._uow(read_only=True) as uow:
            found = {request_id: uow.requests.get(request_id) for request_id in request_ids}
        return [each for each, request in found.items() if request is None or request.state not in kept]

    def _asks(self, uow: UnitOfWork, by: Account, request: ExportRequest) -> bool:
        """Whether this account's person is asked about the result, which is there and within the account's reach."""
        case = uow.cases.get(request.wish.case_id)
        reached = case is not None and self._reaches(by, Right.RESULT_VIEW, case.room)
        waits = request.state is RequestState.REVIEW
        return reached and waits and self._participant_of(uow, by, request) in self._to_answer(uow, request)

    def _awaited(self, uow: UnitOfWork, by: Account, request: ExportRequest) -> AwaitedAnswer:
        case = uow.cases.get(request.wish.case_id)
        assert case is not None, "asked for before"
        name = self._participant_of(uow, by, request) or ""
        said = next((each for each in request.answers if same(each.participant, name)), None)
        allowed, reason = may_look(by, self._result_state(uow, by, request), self._clock.now_us())
        return AwaitedAnswer(request, case, said, allowed, reason)
