"""Who sees what of a picture, now: the quick mask, viewing grants, and the one function that decides a view.

Pure. What no rule opens is masked, and what no role includes is denied. Masking itself is `orvault.viewing`'s.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from orvault.clock import US_PER_S
from orvault.custody.access import Right, may
from orvault.custody.account import Account, Role
from orvault.custody.recorded import StoredSegment
from orvault.custody.scope import Place, Scope
from orvault.errors import ErrorKind, OrvaultError

EVERYWHERE = "*"  # the scope of a switch for all cameras; no camera's id can be this
MINUTE_US = 60 * US_PER_S
LONGEST_PERIOD_US = 24 * 60 * MINUTE_US  # of stored video in one view


class ViewKind(StrEnum):
    """Pictures of this moment, or of a recording."""

    LIVE = "live"
    STORED = "stored"


class Showing(StrEnum):
    """How much of a picture is shown; each is made on the server, from the least to the most."""

    MASKED = "masked"  # the whole picture: a coarse mosaic
    PEOPLE = "people-masked"
    CLEAR = "clear"


_ORDER = tuple(Showing)
VIEW_RIGHT = {ViewKind.LIVE: Right.LIVE_VIEW, ViewKind.STORED: Right.STORED_VIEW}


def least(first: Showing, second: Showing) -> Showing:
    """The one of the two that shows less."""
    return min(first, second, key=_ORDER.index)


def shows_more(first: Showing, second: Showing) -> bool:
    """Whether the first shows anything that the second does not."""
    return _ORDER.index(first) > _ORDER.index(second)


@dataclass(frozen=True, slots=True)
class LiveRule:
    """How much accounts of a role see live, within a scope, of a room whose case is armed."""

    role: Role
    scope: Scope
    showing: Showing


@dataclass(frozen=True, slots=True)
class ViewPolicy:
    """What a site decides. `live`: who sees more than a mosaic live of a room whose case is armed, while the quick
    mask there is lifted; nobody unless it says so. Times in microseconds.
    """

    live: tuple[LiveRule, ...] = ()
    longest_lift_us: int = 30 * MINUTE_US
    view_us: int = 60 * MINUTE_US
    longest_grant_us: int = 7 * 24 * 60 * MINUTE_US


@dataclass(frozen=True, slots=True)
class MaskAct:
    """The newest act on the quick mask of one scope (a camera, or EVERYWHERE).

    `number` grows with every act of the site: which of two came later never hangs on a clock.
    `lifted_until_us` is None for an act that masked.
    """

    scope: str
    number: int
    lifted_until_us: int | None
    at_us: int
    by: str
    reason: str


def newest_act(acts: Iterable[MaskAct], camera_id: str) -> MaskAct | None:
    """The newest act on the quick mask that covers this camera; None: nobody ever touched it."""
    covering = [act for act in acts if act.scope in (camera_id, EVERYWHERE)]
    return max(covering, key=lambda act: act.number, default=None)


def lifted_until(acts: Iterable[MaskAct], camera_id: str, now_us: int) -> int | None:
    """Until when the quick mask of this camera is lifted now, by the newest act that covers it; None: it is not.

    A lift of a time to come is none: the clock was set back, and it would last for as much longer.
    """
    newest = newest_act(acts, camera_id)
    if newest is None or newest.lifted_until_us is None:
        return None
    return newest.lifted_until_us if newest.at_us <= now_us < newest.lifted_until_us else None


@dataclass(frozen=True, slots=True)
class ViewingGrant:
    """What one account may see of one camera under an approved request (`viewing_request`), from when until when.

    Of a case, always: live while it is armed, stored what was recorded in the footage's period. Another patient in
    the same room is another request.
    """

    grant_id: str
    account_id: str
    kind: ViewKind
    case_id: str
    camera_id: str
    showing: Showing
    from_us: int
    until_us: int
    footage_from_us: int | None = None
    footage_to_us: int | None = None


@dataclass(frozen=True, slots=True)
class View:
    """One view that was asked for: by whom, of what, how much of it at the most. Its link carries `view_id`.

    Live ones have neither case nor period. `client` is the address that the link is good for. `request_id`: what is
    watched is the masked result of this request (`result_view`), and not what was recorded.
    """

    view_id: str
    kind: ViewKind
    account_id: str
    session_id: str
    camera_id: str
    wanted: Showing
    client: str
    issued_us: int
    expires_us: int
    case_id: str | None = None
    from_us: int | None = None
    to_us: int | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is so at this moment, round one view: `in_operation` is the case that is armed in the camera's room ("":
    none), `place` where the camera is.
    """

    acts: Sequence[MaskAct]
    grants: Sequence[ViewingGrant]
    in_operation: str
    policy: ViewPolicy
    place: Place


@dataclass(frozen=True, slots=True)
class ViewDecision:
    """What a view shows, why, and until when that holds if nothing changes (UTC microseconds, exclusive).

    `grant_id`: the viewing grant by which it shows more than a mosaic; "" without one.
    """

    allowed: bool
    showing: Showing
    reason: str
    until_us: int
    grant_id: str = ""


def decide_view(account: Account, view: View, now: Circumstances, now_us: int) -> ViewDecision:
    """Decide a view at this moment. Raises nothing; asked again whenever anything may have changed.

    1. the role must include viewing of this kind, and a scope the camera, else it is denied; 2. a grant, or live the
    site's rule for a role, says how much may be shown at the most; 3. while the quick mask is on, everything is
    masked for everybody.
    """
    place = replace(now.place, at_us=now_us)
    right = may(account, VIEW_RIGHT[view.kind], place=place)
    if not right.allowed:
        return ViewDecision(False, Showing.MASKED, right.reason, now_us)
    if now_us >= view.expires_us:
        return ViewDecision(False, Showing.MASKED, "This view is over.", now_us)
    most, reason, ends_us, grant_id = _most(account, view, now, now_us)
    until_us = min(view.expires_us, ends_us)
    if most is Showing.MASKED:
        return ViewDecision(True, Showing.MASKED, reason, until_us)
    if view.wanted is Showing.MASKED:
        return ViewDecision(True, Showing.MASKED, "It was asked for masked.", until_us)
    lifted_us = lifted_until(now.acts, view.camera_id, now_us)
    if lifted_us is None:
        return ViewDecision(True, Showing.MASKED, "The quick mask of this camera is on.", until_us)
    return ViewDecision(True, least(most, view.wanted), reason, min(until_us, lifted_us), grant_id)


def _most(account: Account, view: View, now: Circumstances, now_us: int) -> tuple[Showing, str, int, str]:
    """The most that may be shown, the reason, until when, and the grant that it rests on.

    Of a grant and the site's rule, whichever shows more; the grant where both show the same.
    """
    if account.machine:
        return Showing.MASKED, "A machine sees masked pictures only.", view.expires_us, ""
    found = [
        (grant.showing, f"Viewing grant {grant.grant_id} covers this.", grant.until_us, grant.grant_id)
        for grant in now.grants
        if _covers(grant, account, view, now, now_us)
    ]
    if view.kind is ViewKind.LIVE and now.in_operation:
        place = replace(now.place, at_us=now_us)
        reason = f"The site shows the role {account.role.value} the room of an armed case."
        found += [
            (rule.showing, reason, view.expires_us, "")
            for rule in now.policy.live
            if rule.role is account.role and rule.scope.covers(place)
        ]
    if found:
        return max(found, key=lambda each: (_ORDER.index(each[0]), bool(each[3]), each[2]))
    return Showing.MASKED, "This account holds no viewing grant that covers this.", view.expires_us, ""


def _covers(grant: ViewingGrant, account: Account, view: View, now: Circumstances, now_us: int) -> bool:
    if not grant.from_us <= now_us < grant.until_us:
        return False
    if (grant.account_id, grant.kind, grant.camera_id) != (account.account_id, view.kind, view.camera_id):
        return False
    if view.kind is ViewKind.LIVE:
        return grant.case_id == now.in_operation
    begin, end = grant.footage_from_us, grant.footage_to_us
    if grant.case_id != view.case_id or begin is None or end is None:
        return False
    assert view.from_us is not None and view.to_us is not None, "a stored view has its period"
    return begin <= view.from_us and view.to_us <= end


def check_minutes(minutes: int, policy: ViewPolicy) -> int:
    """How long a lift lasts, in microseconds. Errors: BAD_REQUEST outside of 1 minute and the site's longest."""
    longest = policy.longest_lift_us // MINUTE_US
    if not 1 <= minutes <= longest:
        raise OrvaultError(
            ErrorKind.BAD_REQUEST,
            f"The quick mask is lifted for 1 to {longest} minutes at a time.",
            where="minutes",
            advice="Then it is on again by itself; lift it once more where the need goes on.",
        )
    return minutes * MINUTE_US


class MaskRows(Protocol):
    """The newest act on the quick mask of each scope."""

    def all(self) -> Sequence[MaskAct]: ...
    def put(self, act: MaskAct) -> None: ...


class ViewRows(Protocol):
    """Views that were asked for."""

    def add(self, view: View) -> None: ...
    def get(self, view_id: str) -> View | None: ...
    def of_case(self, case_id: str) -> Sequence[View]:
        """Every view of what was recorded of this case."""
        ...

    def end(self, account_id: str, session_id: str | None, at_us: int) -> None:
        """End the account's views, or only those of one of its sessions, for good."""
        ...

    def any_over(self, before_us: int, but: Collection[str]) -> bool:
        """Whether a view ended before this time, other than those of these ids."""
        ...

    def remove_over(self, before_us: int, but: Collection[str]) -> int:
        """Remove those; how many there were."""
        ...

    def end_results(self, request_id: str, at_us: int) -> None:
        """End every view of this request's result for good."""
        ...

    def end_of(self, account_id: str, case_id: str | None, camera_ids: Collection[str], at_us: int) -> None:
        """End the account's views of these cameras for good: those of this case's recordings, or (None) live ones."""
        ...

    def segments(self, view: View) -> Sequence[StoredSegment]:
        """What the camera recorded of the view's case in its period, in order of time."""
        ...

    def covered(self, view: View, segment_ids: Collection[str]) -> set[str]:
        """Those of the ids that belong to the view's case, camera and period."""
        ...
