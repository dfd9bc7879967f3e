"""What the request form and the statutory register of requests print."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orvault.custody.access import Right, require, sees_only_own
from orvault.custody.account import Account
from orvault.custody.case import Case
from orvault.custody.desks.base import Desk
from orvault.custody.request import ExportRequest
from orvault.custody.text import check_range
from orvault.errors import ErrorKind, OrvaultError

MOST_ROWS = 2000


@dataclass(frozen=True, slots=True)
class RequestForm:
    """One request with its case; `asked_us` is when it was read (UTC microseconds)."""

    request: ExportRequest
    case: Case
    hospital: str
    asked_us: int


@dataclass(frozen=True, slots=True)
class Register:
    """The requests submitted from-to (UTC microseconds), the oldest first, with their cases' numbers by case id."""

    requests: tuple[ExportRequest, ...]
    case_numbers: dict[str, str]
    from_us: int
    to_us: int
    hospital: str
    asked_us: int


class RegisterDesk(Desk):
    """Papers about requests."""

    def request_form(self, by: Account, request_id: str) -> RequestForm:
        """One request to be printed. Errors: FORBIDDEN, NOT_FOUND."""
        require(by, Right.EXPORT_VIEW)
        with self._uow(read_only=True) as uow:
            request = self._visible(uow, by, request_id)
            case = uow.cases.get(request.wish.case_id)
            assert case is not None, "a foreign key holds the case"
        return RequestForm(request, case, self._hospital, self._clock.now_us())

    def request_register(self, by: Account, from_us: int | None, to_us: int | None) -> Register:
        """The requests of a period that the account may see; None: from the first, until now.

        Errors: FORBIDDEN, BAD_REQUEST (too many, no period).
        """
        require(by, Right.EXPORT_VIEW)
        now = self._clock.now_us()
        from_us, to_us = from_us or 0, now + 1 if to_us is None else to_us
        check_range(from_us, to_us)
        owner = by.account_id if sees_only_own(by, Right.EXPORT_VIEW) else None
        with self._uow(read_only=True) as uow:
            found = uow.requests.submitted(self._reach(by), from_us, to_us, owner, MOST_ROWS + 1)
            if len(found) > MOST_ROWS:
                message = f"More than {MOST_ROWS} requests were submitted in this period."
                raise OrvaultError(
                    ErrorKind.BAD_REQUEST, message, where="from, to", advice="Print a shorter one."
                )
            cases = {request.wish.case_id for request in found}
            numbers = {case_id: case.number for case_id in cases if (case := uow.cases.get(case_id))}
        return Register(tuple(found), numbers, from_us, to_us, self._hospital, now)


def accounts_in(requests: Sequence[ExportRequest]) -> set[str]:
    """The accounts that a paper about these names."""
    named = {request.requested_by for request in requests}
    for request in requests:
        named |= {approval.account_id for approval in request.approvals}
        named |= {each.waived_by for each in request.asked if each.waived_by}
        named |= {each for each in (request.decided_by, request.reviewed_by, request.revoked_by) if each}
    return named
