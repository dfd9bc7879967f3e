"""Searching cases, recordings and events: one right each, narrowed to what the asker may see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from orvault.custody.access import Right, require
from orvault.custody.account import Account
from orvault.custody.case import Case
from orvault.custody.desks.base import Desk, page_size
from orvault.custody.rows import UnitOfWork
from orvault.custody.scope import Reach
from orvault.custody.search import (
    MOST_CASES,
    FoundEvent,
    FoundRecording,
    Page,
    Wanted,
    parts_of,
    rooms_of,
    too_many_cases,
)


class SearchDesk(Desk):
    """Searches; none costs more because the ledger is old."""

    def search_cases(self, by: Account, wanted: Wanted) -> Page[Case]:
        """Cases by the beginning of their number (and in its order), by room and planned time; else the newest first.

        Errors: BAD_REQUEST, FORBIDDEN.
        """
        require(by, Right.CASE_VIEW)
        wanted = _bounded(wanted)
        with self._uow(read_only=True) as uow:
            return uow.search.cases(wanted, rooms_of(wanted, self._reach(by)))

    def search_recordings(self, by: Account, wanted: Wanted) -> Page[FoundRecording]:
        """What was recorded in the period, in unbroken stretches, the newest first; `limit` counts stretches.

        Errors: BAD_REQUEST (also for a number with which too many cases begin), FORBIDDEN.
        """
        require(by, Right.RECORDING_LIST)
        wanted, reach = _bounded(wanted), self._reach(by)
        with self._uow(read_only=True) as uow:
            return uow.search.recordings(wanted, parts_of(wanted, reach), _cases_of(uow, wanted, reach))

    def search_events(self, by: Account, wanted: Wanted) -> Page[FoundEvent]:
        """Signals, switches, alarms, and gaps that overlap the period; the newest first. Errors as for recordings."""
        require(by, Right.CASE_VIEW)
        wanted, reach = _bounded(wanted), self._reach(by)
        with self._uow(read_only=True) as uow:
            return uow.search.events(wanted, parts_of(wanted, reach), _cases_of(uow, wanted, reach))


def _bounded(wanted: Wanted) -> Wanted:
    return replace(wanted.checked(), limit=page_size(wanted.limit))


def _cases_of(uow: UnitOfWork, wanted: Wanted, reach: Reach) -> Sequence[str]:
    """The cases whose recordings or events are asked for; empty where no number is named."""
    if not wanted.number:
        return ()
    # Where single cameras are in reach, their recordings are, whatever the case's room: the parts narrow those.
    rooms = None if reach.cameras else rooms_of(wanted, reach)
    found = uow.search.case_ids(wanted.number, rooms, MOST_CASES)
    if found is None:
        raise too_many_cases(wanted.number)
    return found
