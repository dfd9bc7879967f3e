"""What a view shows at this moment: gathers what is so, and has the pure rules decide.

Asking for views and writing down what they showed is `viewing`'s and `results`'.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from orvault.clock import US_PER_S
from orvault.custody.account import Account
from orvault.custody.case import CaseState
from orvault.custody.decided import grant_stands
from orvault.custody.desks.base import Desk
from orvault.custody.desks.reviews import second_look_done
from orvault.custody.request import ExportRequest
from orvault.custody.result_view import ResultState, decide_result, speaks_for
from orvault.custody.rows import UnitOfWork
from orvault.custody.viewing import (
    Circumstances,
    Showing,
    View,
    ViewDecision,
    ViewingGrant,
    decide_view,
)

# So long it is known of a grant whether history holds it: views are decided all the time.
GRANT_SEEN_US = 10 * US_PER_S
_MOST_SEEN = 1000
_IN_OPERATION = frozenset({CaseState.ARMED, CaseState.RECORDING})


class ViewDecisions(Desk):
    """Reads what decides a view."""

    def _decided(self, uow: UnitOfWork, view: View) -> tuple[Account | None, ViewDecision]:
        account, now = self._viewer(uow, view), self._clock.now_us()
        session = uow.sessions.get(view.session_id)
        if account is None or (session is not None and session.ended_us is not None):
            return account, ViewDecision(False, Showing.MASKED, "The viewer signed out.", now)
        if view.request_id is not None:
            return account, self._decided_result(uow, account, view, now)
        return account, decide_view(account, view, self._circumstances(uow, account, view), now)

    def _viewer(self, uow: UnitOfWork, view: View) -> Account | None:
        """Whose view it is; a machine with the key that it came by, so that history names it."""
        account = uow.accounts.get(view.account_id)
        return (
            replace(account, key_id=view.session_id) if account is not None and account.machine else account
        )

    def _circumstances(self, uow: UnitOfWork, account: Account, view: View) -> Circumstances:
        camera = uow.cameras.get(view.camera_id)
        case = None if camera is None else uow.cases.in_room(camera.room)
        shown = None if view.case_id is None else uow.cases.get(view.case_id)
        room = shown.room if shown is not None else camera.room if camera is not None else ""
        return Circumstances(
            uow.masks.all(),
            self._grants(uow, account.account_id, view.camera_id),
            case.case_id if case is not None and case.state in _IN_OPERATION else "",
            self._viewing,
            self._place(room, view.camera_id),
        )

    def _grants(self, uow: UnitOfWork, account_id: str, camera_id: str) -> Sequence[ViewingGrant]:
        """What this account may see of the camera now, as far as history holds it: a row alone shows nothing."""
        now = self._clock.now_us()
        found = uow.viewing_requests.grants(account_id, camera_id)
        return [each for each in found if now < each.until_us and self._stands(uow, each, now)]

    def _stands(self, uow: UnitOfWork, grant: ViewingGrant, now: int) -> bool:
        seen = self._grants_seen.get(grant)
        if seen is None or not 0 <= now - seen[0] < GRANT_SEEN_US:
            if len(self._grants_seen) >= _MOST_SEEN:
                self._grants_seen.clear()
            seen = self._grants_seen[grant] = now, grant_stands(uow, grant)
        return seen[1]

    def _decided_result(self, uow: UnitOfWork, account: Account, view: View, now: int) -> ViewDecision:
        request = uow.requests.get(view.request_id or "")
        if request is None:
            return ViewDecision(False, Showing.MASKED, "This view is over.", now)
        return decide_result(account, view, self._result_state(uow, account, request, view.camera_id), now)

    def _result_state(
        self, uow: UnitOfWork, account: Account, request: ExportRequest, camera_id: str = ""
    ) -> ResultState:
        case = uow.cases.get(request.wish.case_id)
        assert case is not None, "a foreign key holds the case"
        asked = speaks_for(account, case.participants, request.asked) in self._to_answer(uow, request)
        place, waits = self._place(case.room, camera_id), not second_look_done(request)
        return ResultState(request, asked, waits, uow.masks.all(), place)
