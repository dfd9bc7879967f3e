"""Reading and checking the history of acts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orvault.custody.access import Right, require
from orvault.custody.account import Account
from orvault.custody.desks.base import Desk, page_size
from orvault.custody.history import Entry, entry_holds

_CHECK_PAGE = 1000


@dataclass(frozen=True, slots=True)
class HistoryVerdict:
    """Whether the rows stand as they were written; `broken_seq` is the first place that does not."""

    size: int
    broken_seq: int | None

    @property
    def intact(self) -> bool:
        """Whether nothing was changed, removed or put in between."""
        return self.broken_seq is None


class HistoryDesk(Desk):
    """The history."""

    def history(
        self,
        by: Account,
        before_seq: int | None = None,
        limit: int = 100,
        *,
        subject: str | None = None,
        actor: str | None = None,
        act: str | None = None,
    ) -> Sequence[Entry]:
        """Entries, the newest first, from before `before_seq`, narrowed to a subject, actor or act."""
        require(by, Right.HISTORY_VIEW)
        with self._uow(read_only=True) as uow:
            return uow.history.page(before_seq, page_size(limit), subject=subject, actor=actor, act=act)

    def verify_history(self) -> HistoryVerdict:
        """Recompute every leaf: 1 numbers without a hole from 0, 2 each hash over its row, 3 the size on
        record.

        That the whole was not rewritten with fresh hashes shows only against a checkpoint kept elsewhere.
        """
        expected = 0
        with self._uow(read_only=True) as uow:
            size = uow.history.size()
            while page := uow.history.run_through(expected, _CHECK_PAGE):
                for entry in page:
                    if not entry_holds(entry, expected):
                        return HistoryVerdict(size, expected)
                    expected += 1
        return HistoryVerdict(size, None if expected == size else min(expected, size))

    def check_ledger(self) -> int:
        """The number of history entries, as a sign that the ledger answers; UNAVAILABLE otherwise."""
        with self._uow(read_only=True) as uow:
            return uow.history.size()
