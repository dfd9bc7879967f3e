"""Reading and checking the history of acts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from orvault.container.checkpoint import Checkpoint, CheckpointCheck, HistoryTrust
from orvault.custody.access import Right, require
from orvault.custody.account import Account
from orvault.custody.checkpoints import Receipt, StoredCheckpoint
from orvault.custody.desks.base import CONSOLE, SYSTEM, Desk, page_size
from orvault.custody.history import Act, Entry
from orvault.custody.history_check import LEDGER, HistoryCheck, Stamps, Witnessed, merged
from orvault.custody.history_verdict import HistoryVerdict
from orvault.errors import ErrorKind, OrvaultError

_CHECK_PAGE = 1000
Progress = Callable[[int, int], None]


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
        require(by, Right.HISTORY_VIEW, place=self._place())
        with self._uow(read_only=True) as uow:
            return uow.history.page(before_seq, page_size(limit), subject=subject, actor=actor, act=act)

    def verify_history(
        self,
        outside: Iterable[Iterable[Witnessed]] = (),
        trust: HistoryTrust | None = None,
        stamps: Stamps | None = None,
        progress: Progress = lambda done, total: None,
    ) -> HistoryVerdict:
        """Hold every entry against its number and hash, and all of them against every checkpoint there is.

        `outside`: what other places keep, each the oldest first. `trust`: whose signatures are believed,
        `stamps` whose time stamps; without them none is looked at. Reads page by page, in transactions of their own:
        history goes on meanwhile, and memory does not grow with it. `progress(entries done, entries in all)`.
        """
        signers = None if trust is None else CheckpointCheck(trust, self._signers())
        check, total = HistoryCheck(signers, stamps), self.check_ledger()
        waiting = merged([self._kept(), *outside])
        due = next(waiting, None)
        while True:
            with self._uow(read_only=True) as uow:
                page = uow.history.run_through(check.expected, _CHECK_PAGE)
                size = uow.history.size()
            for entry in page:
                check.entry(entry)
                while due is not None and due.size <= check.expected:
                    check.checkpoint(due)
                    due = next(waiting, None)
            progress(check.expected, max(total, check.expected))
            if not page:
                break
        while due is not None:  # beyond what there is
            check.checkpoint(due)
            due = next(waiting, None)
        return check.end(size)

    def _kept(self) -> Iterator[Witnessed]:
        """The ledger's own checkpoints, the smallest first."""
        after = 0
        while True:
            with self._uow(read_only=True) as uow:
                page = uow.checkpoints.after(after, _CHECK_PAGE)
            yield from map(_witnessed, page)
            if not page:
                return
            after = page[-1].size

    def _signers(self) -> Sequence[tuple[bytes, ...]]:
        with self._uow(read_only=True) as uow:
            return uow.checkpoints.chains()

    def history_verdict(self, by: Account) -> HistoryVerdict:
        """`verify_history` for an account that may read history, against what the site keeps outside the ledger.

        TOO_MANY_ATTEMPTS while another is under way: it reads all of history, and others wait for the same threads.
        """
        require(by, Right.HISTORY_VIEW, place=self._place())
        evidence = self._evidence
        with self._checks.place():
            if evidence is None:
                return self.verify_history()
            return self.verify_history([evidence.kept()], evidence.trust(), evidence.stamps())

    def checkpoint_state(self, by: Account) -> tuple[StoredCheckpoint, Sequence[Receipt]]:
        """The newest checkpoint, and which places outside have taken it. NOT_FOUND before the first."""
        require(by, Right.HISTORY_VIEW, place=self._place())
        with self._uow(read_only=True) as uow:
            newest = uow.checkpoints.newest()
            if newest is None:
                raise OrvaultError(ErrorKind.NOT_FOUND, "History was not signed yet.")
            return newest, uow.checkpoints.receipts_of(newest.size)

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

    def note_key_store(self, act: Act, *, by_itself: bool) -> None:
        """Write into history that the key store was opened, refused a secret, or was rolled.

        `by_itself`: from a file at its start; else by a person at the console.
        """
        with self._uow() as uow:
            uow.history.append(self._clock.now_us(), SYSTEM if by_itself else CONSOLE, act, "key-store", {})
            uow.commit()

    def check_ledger(self) -> int:
        """The number of history entries, as a sign that the ledger answers; UNAVAILABLE otherwise."""
        with self._uow(read_only=True) as uow:
            return uow.history.size()


def _witnessed(stored: StoredCheckpoint) -> Witnessed:
    """A row as the check takes it; one whose columns do not say what its note says was changed."""
    try:
        checkpoint = Checkpoint.parse(stored.note)
    except OrvaultError:
        checkpoint = None
    if checkpoint is None or (checkpoint.size, checkpoint.root.hex()) != (stored.size, stored.root):
        problem = f"the checkpoint of {stored.size} entries is not as it was signed."
        return Witnessed(LEDGER, stored.at_us, None, problem, breaks=True)
    return Witnessed(LEDGER, stored.at_us, checkpoint)
