"""Reading and checking the history of acts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orvault.custody.access import Right, require
from orvault.custody.account import Account
from orvault.custody.desks.base import Desk, page_size
from orvault.custody.history import Entry, entry_holds
from orvault.custody.text import show_time

_CHECK_PAGE = 1000


@dataclass(frozen=True, slots=True)
class HistoryVerdict:
    """Whether the rows stand as they were written; `broken_seq` is the first place that does not.

    `first_us`, `last_us`: when the first and the last entry that hold were written; None if there are none.
    """

    size: int
    broken_seq: int | None
    first_us: int | None = None
    last_us: int | None = None

    @property
    def intact(self) -> bool:
        """Whether nothing was changed, removed or put in between."""
        return self.broken_seq is None

    @property
    def words(self) -> str:
        """What was checked, from where to where, and what is wrong, for a person."""
        if self.first_us is None or self.last_us is None:
            checked = "No entry holds." if not self.intact else "History has no entry yet."
        else:
            upto = (self.size if self.broken_seq is None else self.broken_seq) - 1
            period = f"{show_time(self.first_us)} to {show_time(self.last_us)}"
            checked = f"Entries 0 to {upto} ({period}) stand in their places, and each has the hash of what it says."
        if self.intact:
            return f"{checked} That nobody wrote all anew, hashes and all, shows only against a copy kept elsewhere."
        return (
            f"{checked} Entry {self.broken_seq} is not what was written there: it was changed, removed, or put in"
            f" between. What stands from there on, of {self.size} entries on record, proves nothing. Keep the ledger"
            " as it is, and compare it with the newest back-up from before."
        )


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
        first_us = last_us = None
        with self._uow(read_only=True) as uow:
            size = uow.history.size()
            while page := uow.history.run_through(expected, _CHECK_PAGE):
                for entry in page:
                    if not entry_holds(entry, expected):
                        return HistoryVerdict(size, expected, first_us, last_us)
                    first_us, last_us = entry.at_us if first_us is None else first_us, entry.at_us
                    expected += 1
        return HistoryVerdict(size, None if expected == size else min(expected, size), first_us, last_us)

    def history_verdict(self, by: Account) -> HistoryVerdict:
        """`verify_history` for an account that may read history."""
        require(by, Right.HISTORY_VIEW)
        return self.verify_history()

    def newest_entry(self) -> Entry | None:
        """The entry with the highest number, for the actors; None in an empty history."""
        with self._uow(read_only=True) as uow:
            return next(iter(uow.history.page(None, 1, subject=None, actor=None, act=None)), None)

    def has_entry(self, seq: int, leaf_hash: str) -> bool:
        """Whether history holds this very entry; -1 and "" stand for none, which every history holds."""
        if seq < 0:
            return not leaf_hash
        with self._uow(read_only=True) as uow:
            found = uow.history.page(seq + 1, 1, subject=None, actor=None, act=None)
        return bool(found) and (found[0].seq, found[0].leaf_hash) == (seq, leaf_hash)

    def check_ledger(self) -> int:
        """The number of history entries, as a sign that the ledger answers; UNAVAILABLE otherwise."""
        with self._uow(read_only=True) as uow:
            return uow.history.size()
