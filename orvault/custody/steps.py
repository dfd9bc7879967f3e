"""The states of an export request and every step between them, in one table.

Who may take a step, and what has to be true before, is decided in `access` and by the desks.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from orvault.errors import ErrorKind, OrvaultError


class RequestState(StrEnum):
    """Where a request stands. A new request takes the place of one that ended."""

    DRAFT = "draft"  # its owner still works on it; nobody decides on it and it keeps no footage
    SUBMITTED = "submitted"  # consents may still be lacking
    SATISFIED = "satisfied"  # the basis lacks nothing; it waits for its approvers
    APPROVED = "approved"
    RENDERING = "rendering"
    REVIEW = "review"  # made, but somebody has to look before it may leave
    READY = "ready"
    DELIVERED = "delivered"  # every copy was fetched at least once
    REFUSED = "refused"
    REVOKED = "revoked"  # taken back after its approval, or withdrawn by who asked
    FAILED = "failed"
    EXPIRED = "expired"


_S = RequestState
_CUT_OFF = frozenset({_S.REFUSED, _S.REVOKED, _S.EXPIRED})
# A step back to `submitted`: a consent was withdrawn, or somebody joined whose consent is lacking.
STEPS: Mapping[RequestState, frozenset[RequestState]] = MappingProxyType(
    {
        _S.DRAFT: frozenset({_S.SUBMITTED, _S.REVOKED, _S.EXPIRED}),
        _S.SUBMITTED: _CUT_OFF | {_S.SATISFIED},
        _S.SATISFIED: _CUT_OFF | {_S.SUBMITTED, _S.APPROVED},
        # failed: it is not what history says was approved
        _S.APPROVED: _CUT_OFF | {_S.SUBMITTED, _S.RENDERING, _S.FAILED},
        # rendering again: the worker that had it is gone and another takes over; approved: what it needs is away
        _S.RENDERING: _CUT_OFF | {_S.SUBMITTED, _S.RENDERING, _S.APPROVED, _S.REVIEW, _S.READY, _S.FAILED},
        _S.REVIEW: _CUT_OFF | {_S.SUBMITTED, _S.READY},
        # What could be fetched is not refused any more: it is revoked.
        _S.READY: frozenset({_S.SUBMITTED, _S.DELIVERED, _S.REVOKED, _S.EXPIRED}),
        _S.DELIVERED: frozenset({_S.REVOKED, _S.EXPIRED}),
        _S.REFUSED: frozenset(),
        _S.REVOKED: frozenset(),
        _S.FAILED: frozenset(),
        _S.EXPIRED: frozenset(),
    }
)
ENDED = frozenset(state for state, steps in STEPS.items() if not steps)
# Decided or to be decided, and nothing has left yet: what such a request asks for is not destroyed meanwhile.
PENDING = frozenset({_S.SUBMITTED, _S.SATISFIED, _S.APPROVED, _S.RENDERING, _S.REVIEW, _S.READY})
# Those whose basis is complete and still may break: consents can be withdrawn until the copies are delivered.
RESTS_ON_BASIS = PENDING - {_S.SUBMITTED}
UNDECIDED = frozenset({_S.SUBMITTED, _S.SATISFIED})


def check_step(state: RequestState, to: RequestState) -> None:
    """Raise, saying how the request stands, when it may not take this step (CONFLICT, NOT_APPROVED for rendering)."""
    if to in STEPS[state]:
        return
    if to is RequestState.RENDERING and state in UNDECIDED:
        raise OrvaultError(ErrorKind.NOT_APPROVED, "This request has not been approved.")
    message = f"This request is {state.value} and cannot become {to.value}."
    raise OrvaultError(ErrorKind.CONFLICT, message, advice="Look at the request before the next step.")
