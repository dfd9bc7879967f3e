"""Making checkpoints of history, and following what has been brought outside."""

from __future__ import annotations

from collections.abc import Sequence

from orvault.container.proof import verify_consistency
from orvault.container.tree import consistency_path, root_at
from orvault.custody.checkpoints import (
    BLOCKS_AT_ONCE,
    LogSigner,
    Receipt,
    StoredCheckpoint,
    keep_nodes,
    sign_now,
)
from orvault.custody.desks.base import SYSTEM, Desk
from orvault.custody.history import Act
from orvault.custody.rows import UnitOfWork
from orvault.errors import ErrorKind, OrvaultError

_PAGE = 200


class CheckpointDesk(Desk):
    """What the witnessing actor calls."""

    def make_checkpoint(self, signer: LogSigner) -> StoredCheckpoint | None:
        """The checkpoint of history as it is now; None while it has no entry. Errors: ALTERED, if it shrank.

        Nodes are kept first, some at a time: a history of years does not hold up who arms a case.
        """
        whole = False
        while not whole:
            with self._uow() as uow:
                whole = keep_nodes(uow, BLOCKS_AT_ONCE)
                uow.commit()
        with self._uow() as uow:
            made = sign_now(uow, signer, self._clock.now_us())
            uow.commit()
        return made

    def checkpoints_after(self, size: int) -> Sequence[StoredCheckpoint]:
        """Those of more entries, the oldest first; at most 200."""
        with self._uow(read_only=True) as uow:
            return uow.checkpoints.after(size, _PAGE)

    def newest_checkpoint(self) -> StoredCheckpoint | None:
        """The newest; None before the first."""
        with self._uow(read_only=True) as uow:
            return uow.checkpoints.newest()

    def newest_taken(self, place: str) -> Receipt | None:
        """What this place took last."""
        with self._uow(read_only=True) as uow:
            return uow.checkpoints.newest_receipt(place)

    def checkpoint_taken(self, place: str, size: int, receipt: str = "") -> None:
        """The place took the checkpoint of this size; a second word of it changes nothing."""
        with self._uow() as uow:
            known = uow.checkpoints.newest_receipt(place)
            if known is None or known.size < size:
                uow.checkpoints.add_receipt(Receipt(place, size, self._clock.now_us(), receipt))
                uow.commit()

    def grown_from(self, old_size: int, new_size: int) -> list[bytes]:
        """What proves that history at `new_size` begins with what it was at `old_size`.

        Both lie at or below the newest checkpoint. Errors: ALTERED if history is shorter.
        """
        with self._uow(read_only=True) as uow:
            _check_known(uow, old_size)
            return consistency_path(uow.checkpoints.tree(), old_size, new_size)

    def check_outside(self, size: int, root: bytes) -> None:
        """Raise ALTERED unless history begins with what somebody outside knows of it: so many entries, this root.

        Asked after `make_checkpoint`, so that every node below is kept.
        """
        with self._uow(read_only=True) as uow:
            _check_known(uow, size)
            own = root_at(uow.checkpoints.tree(), size)
        if not verify_consistency(size, own, size, root, []):
            raise _altered(f"Of {size} entries that were signed, some have been rewritten since.")

    def note_place(self, place: str, detail: str, *, lost: bool) -> None:
        """Write into history that a place outside has taken nothing for too long, or takes again."""
        act = Act.CHECKPOINTS_STUCK if lost else Act.CHECKPOINTS_TAKEN
        with self._uow() as uow:
            uow.history.append(self._clock.now_us(), SYSTEM, act, f"place:{place}", {"detail": detail[:500]})
            uow.commit()


def _check_known(uow: UnitOfWork, known: int) -> None:
    """What is known outside was signed here first: a ledger without it is not the one that signed."""
    newest = uow.checkpoints.newest()
    own = 0 if newest is None else newest.size
    if own < known:
        message = (
            f"{known} entries were signed, {own} are known: the end was cut off, or an older state restored."
        )
        raise _altered(message)


def _altered(message: str) -> OrvaultError:
    return OrvaultError(ErrorKind.ALTERED, message, where="history", advice="Run orvault history verify.")
