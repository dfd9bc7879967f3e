"""Who may look at a masked result before it leaves, now: the one function that decides such a view.

Pure. Every other view is decided in `viewing`; that nothing clear is in a result is the rendering's part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from orvault.custody.access import Right, may
from orvault.custody.account import Account, Role
from orvault.custody.participants import Asked, same
from orvault.custody.request import ExportRequest
from orvault.custody.scope import Place
from orvault.custody.steps import RequestState
from orvault.custody.viewing import MaskAct, Showing, View, ViewDecision, newest_act


@dataclass(frozen=True, slots=True)
class ResultState:
    """What is so at this moment, round one result and one account: whether its person is asked, whether a reviewer
    has to decide first, and the acts on the quick mask. `place` is where the case was.
    """

    request: ExportRequest
    asked: bool
    second_look_waits: bool
    acts: Sequence[MaskAct]
    place: Place


def speaks_for(account: Account, participants: Sequence[str], asked: Sequence[Asked]) -> str | None:
    """Which of a case's participants this account is the one of, for a request that asked these; None: nobody.

    The one whom it was named for; else the one of its display name, unless another account was named for them.
    """
    if account.role is not Role.CLINICAL_STAFF:
        return None
    named = {each.participant.casefold(): each.account_id for each in asked if each.account_id is not None}
    for name in participants:
        account_id = named.get(name.casefold())
        if account_id == account.account_id or (account_id is None and same(account.display_name, name)):
            return name
    return None


def may_look(account: Account, now: ResultState, now_us: int) -> tuple[bool, str]:
    """Whether this account may look at the result at this moment, and why or why not. Raises nothing."""
    right = may(account, Right.RESULT_VIEW, place=replace(now.place, at_us=now_us))
    if not right.allowed:
        return False, right.reason
    if not now.asked:
        return False, "The result is shown to the participants who are asked."
    if now.request.state is not RequestState.REVIEW or now.request.due_to_expire(now_us):
        return False, "Nobody is asked about this result any more."
    if now.second_look_waits:
        return False, "A reviewer has to decide first about what a second look has found in it."
    if now.request.wish.clear:
        return False, "People can be recognised in this result; nobody watches it here."
    return True, "A participant looks at the masked result."


def decide_result(account: Account, view: View, now: ResultState, now_us: int) -> ViewDecision:
    """Decide a view of a result at this moment; asked again whenever anything may have changed. Raises nothing.

    It is shown as it was masked; a quick mask that was set since the view was asked for makes a mosaic of it.
    """
    allowed, reason = may_look(account, now, now_us)
    if not allowed:
        return ViewDecision(False, Showing.MASKED, reason, now_us)
    if now_us >= view.expires_us:
        return ViewDecision(False, Showing.MASKED, "This view is over.", now_us)
    act = newest_act(now.acts, view.camera_id)
    if act is not None and act.lifted_until_us is None and act.at_us >= view.issued_us:
        reason = "The quick mask was set since this view was asked for."
        return ViewDecision(True, Showing.MASKED, reason, view.expires_us)
    return ViewDecision(True, Showing.PEOPLE, reason, view.expires_us)
