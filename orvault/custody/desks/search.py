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
        """Cases by the beginning of their number (and in its order), by room, department and planned time; else
        the newest first.

        Errors: BAD_REQUEST, FORBIDDEN.
        """
        require(by, Right.CASE_VIEW)
        bounded = self._bounded(wanted)
        if bounded is None:
            return Page(())
        with self._uow(read_only=True) as uow:
            return uow.search.cases(bounded, rooms_of(bounded, self._reach(by)))

    def search_recordings(self, by: Account, wanted: Wanted) -> Page[FoundRecording]:
        """What was recorded in the period, in unbroken stretches, the newest first; `limit` counts stretches.

        Errors: BAD_REQUEST (also for a number with which too many cases begin), FORBIDDEN.
        """
        require(by, Right.RECORDING_LIST)
        bounded, reach = self._bounded(wanted), self._reach(by)
        if bounded is None:
            return Page(())
        with self._uow(read_only=True) as uow:
            return uow.search.recordings(bounded, parts_of(bounded, reach), _cases_of(uow, bounded, reach))

    def search_events(self, by: Account, wanted: Wanted) -> Page[FoundEvent]:
        """Signals, switches, alarms, and gaps that overlap the period; the newest first. Errors as for recordings."""
        require(by, Right.CASE_VIEW)
        bounded, reach = self._bounded(wanted), self._reach(by)
        if bounded is None:
            return Page(())
        with self._uow(read_only=True) as uow:
            return uow.search.events(bounded, parts_of(bounded, reach), _cases_of(uow, bounded, reach))

    def _bounded(self, wanted: Wanted) -> Wanted | None:
        """Checked, with departments as their rooms; None where those leave nothing to look in."""
        bounded = replace(wanted.checked(), limit=page_size(wanted.limit))
        return bounded.in_rooms_of(self._access.departments)


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
