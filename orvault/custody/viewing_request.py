"""Requests to see more than a mosaic: what is asked for, on which ground, and the grant that approval makes of it.

Its steps, basis and approvals are those of export requests (`steps`, `basis`, `export_policy`): the law knows
one kind of looking. What a grant opens at a moment, `viewing.decide_view` says.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from orvault.custody.basis import LegalBasis
from orvault.custody.case import MAX_CAMERAS
from orvault.custody.request import Approval
from orvault.custody.scope import Reach
from orvault.custody.steps import RequestState
from orvault.custody.text import check_range, clean_text, show_time
from orvault.custody.viewing import (
    LONGEST_PERIOD_US,
    Showing,
    ViewingGrant,
    ViewKind,
    ViewPolicy,
)
from orvault.errors import ErrorKind, OrvaultError

# Those that may still come to show something: a stored one keeps its case's footage meanwhile.
OPEN = frozenset({RequestState.SUBMITTED, RequestState.SATISFIED, RequestState.APPROVED})


@dataclass(frozen=True, slots=True)
class ViewingWish:
    """Who is to see what: cameras of a case, live while it is armed, or what they recorded in from-to (UTC us).

    Live ones have no from-to. `until_us`: until when, exclusive.
    """

    viewer_id: str
    kind: ViewKind
    case_id: str
    camera_ids: tuple[str, ...]
    showing: Showing
    purpose: str
    basis: LegalBasis
    until_us: int
    from_us: int | None = None
    to_us: int | None = None

    @property
    def clear(self) -> bool:
        """Whether people can be recognised in what is asked for."""
        return self.showing is Showing.CLEAR

    def checked(self, policy: ViewPolicy, now_us: int) -> ViewingWish:
        """The wish with texts cleaned and sizes bounded; BAD_REQUEST says which field is wrong."""
        if not 1 <= len(self.camera_ids) <= MAX_CAMERAS or len(set(self.camera_ids)) != len(self.camera_ids):
            raise _wrong(f"Name 1 to {MAX_CAMERAS} cameras, each once.", "camera_ids")
        self._check_period()
        self._check_showing()
        longest_us = now_us + policy.longest_grant_us
        if not now_us < self.until_us <= longest_us:
            message = f"A viewing grant ends after now and not after {show_time(longest_us)}."
            raise _wrong(message, "until", "Ask anew where it is needed for longer.")
        purpose = clean_text(self.purpose, "purpose", longest=500)
        return replace(self, purpose=purpose, basis=self.basis.checked())

    def _check_period(self) -> None:
        if self.kind is ViewKind.LIVE:
            if self.from_us is not None or self.to_us is not None:
                raise _wrong("Live pictures have no period of recording.", "from, to", "Leave it out.")
            return
        if self.from_us is None or self.to_us is None:
            message = "What was recorded is asked for with its period."
            raise _wrong(message, "from, to", "Give both times.")
        check_range(self.from_us, self.to_us)
        if self.to_us - self.from_us > LONGEST_PERIOD_US:
            raise _wrong("One request to view covers at most 24 hours.", "from, to", "Ask for less at once.")

    def _check_showing(self) -> None:
        if self.showing is Showing.MASKED:
            raise _wrong("A mosaic takes no grant.", "showing", "Ask for people-masked or clear pictures.")
        if self.kind is ViewKind.STORED and self.showing is Showing.PEOPLE:
            message = "Recordings are shown as a mosaic or clear; copies with people masked are exports."
            raise _wrong(message, "showing", "Submit an export request.")


@dataclass(frozen=True, slots=True)
class ViewingRequest:
    """One request with everything decided about it so far; approved, it is the grant. Times are UTC microseconds.

    `reason`: why it was refused or withdrawn, `ended_by` by whom (None: nobody, its time was over).
    """

    request_id: str
    wish: ViewingWish
    state: RequestState
    requested_by: str
    requested_us: int
    approvals: tuple[Approval, ...] = ()
    decided_by: str | None = None
    decided_us: int | None = None
    reason: str | None = None
    ended_by: str | None = None
    ended_us: int | None = None

    @property
    def subject(self) -> str:
        """How history names it."""
        return f"viewing:{self.request_id}"

    @property
    def account_ids(self) -> frozenset[str]:
        """Those for whom it is their own: who asked, and who is to see."""
        return frozenset({self.requested_by, self.wish.viewer_id})

    def due_to_expire(self, now_us: int) -> bool:
        """Whether its time is over and nobody has said so yet."""
        return self.state in OPEN and now_us >= self.wish.until_us


class ViewingRequestRows(Protocol):
    """Requests to view, with cameras, consents and approvals."""

    def add(self, request: ViewingRequest) -> None: ...
    def get(self, request_id: str) -> ViewingRequest | None: ...
    def put_state(self, request: ViewingRequest) -> None:
        """Write what was decided; the wish stays, but for its consents (`put_consents`)."""
        ...

    def put_consents(self, request: ViewingRequest) -> None: ...
    def add_approval(self, request_id: str, approval: Approval) -> None: ...
    def void_approvals(self, request_id: str, at_us: int) -> None:
        """Let those that counted count no more."""
        ...

    def page(
        self,
        reach: Reach,
        states: Collection[RequestState],
        account_id: str,
        case_id: str | None,
        limit: int,
        before: str,
        *,
        own_only: bool,
        to_decide: bool,
    ) -> Sequence[ViewingRequest]:
        """The newest first: of cases in reach (those alone that the account made, if `own_only`), and, wherever,
        those by which it is to see. `to_decide`: none that is its own, or that it approved.
        """
        ...

    def of_case(self, case_id: str, states: Collection[RequestState]) -> Sequence[ViewingRequest]: ...
    def grants(self, account_id: str, camera_id: str) -> Sequence[ViewingGrant]:
        """What approved ones open of this camera to this account, also those whose time is over."""
        ...

    def outlived(self, now_us: int) -> Sequence[ViewingRequest]:
        """Those whose time is over and that have not ended."""
        ...


def _wrong(message: str, where: str, advice: str = "") -> OrvaultError:
    return OrvaultError(ErrorKind.BAD_REQUEST, message, where=where, advice=advice)
