"""Checkpoints as custody keeps them, and the act of making one; the format is container/checkpoint.py's.

Bringing them outside is actors/witnessing.py's, holding history against them history_check.py's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from orvault.container.checkpoint import Checkpoint, log_key, sign_checkpoint
from orvault.container.tree import BLOCK, Subtrees, nodes_of_block, root_at
from orvault.container.trust import Identity
from orvault.custody.history import HistorySize
from orvault.errors import ErrorKind, OrvaultError

BLOCKS_AT_ONCE = 64  # per transaction, so that a history of years does not hold up other writers


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """A checkpoint in the ledger: `root` in hex, `note` with its signature, none of it believed yet."""

    size: int
    at_us: int
    root: str
    note: str

    def parsed(self) -> Checkpoint:
        """What its note says, if its columns say the same. Errors: ALTERED (somebody changed the row)."""
        said = Checkpoint.parse(self.note)
        if (said.size, said.root.hex()) != (self.size, self.root):
            message = f"The checkpoint of {self.size} entries is not as it was signed."
            raise OrvaultError(
                ErrorKind.ALTERED, message, where="history", advice="Run orvault history verify."
            )
        return said


@dataclass(frozen=True, slots=True)
class Receipt:
    """A place outside has taken the checkpoint of this size; `receipt` is what it gave for it."""

    place: str
    size: int
    at_us: int
    receipt: str = ""


class CheckpointRows(Protocol):
    """Checkpoints, the kept subtrees under them, receipts, and certificates of signers."""

    def newest(self) -> StoredCheckpoint | None: ...
    def after(self, size: int, limit: int) -> Sequence[StoredCheckpoint]: ...
    def add(self, made: StoredCheckpoint) -> None: ...
    def blocks(self) -> int:
        """How many blocks of entries have their nodes."""
        ...

    def put_nodes(self, nodes: Sequence[tuple[int, int, bytes]]) -> None: ...
    def tree(self) -> Subtrees: ...
    def newest_receipt(self, place: str) -> Receipt | None: ...
    def receipts_of(self, size: int) -> Sequence[Receipt]: ...
    def add_receipt(self, receipt: Receipt) -> None: ...
    def chains(self) -> Sequence[tuple[bytes, ...]]: ...
    def put_chain(self, chain: Sequence[bytes], at_us: int) -> None: ...


class _Transaction(Protocol):
    @property
    def history(self) -> HistorySize: ...
    @property
    def checkpoints(self) -> CheckpointRows: ...


@dataclass(frozen=True)
class LogSigner:
    """The export server's identity as the signer of the history named `origin`."""

    origin: str
    identity: Identity

    def sign(self, size: int, root: bytes) -> Checkpoint:
        """A checkpoint of the tree of so many entries."""
        key = log_key(self.origin, self.identity.certificate_der)
        return sign_checkpoint(self.origin, size, root, key, self.identity)

    @property
    def chain(self) -> tuple[bytes, ...]:
        """The certificate and those above it (DER)."""
        return (self.identity.certificate_der, *self.identity.chain_ders)


def keep_nodes(uow: _Transaction, most: int) -> bool:
    """Keep the nodes of up to `most` complete blocks that have none yet; whether that were all."""
    done, complete = uow.checkpoints.blocks(), uow.history.size() // BLOCK
    for block in range(done, min(complete, done + most)):
        uow.checkpoints.put_nodes(nodes_of_block(uow.checkpoints.tree(), block))
    return complete <= done + most


def sign_now(uow: _Transaction, signer: LogSigner, at_us: int) -> StoredCheckpoint | None:
    """The checkpoint of history as it is in this transaction; None if it has no entry.

    One of this size that is there stays. Errors: ALTERED if history is shorter than one that was signed.
    """
    size, newest = uow.history.size(), uow.checkpoints.newest()
    if newest is not None and newest.size > size:
        message = f"History holds {size} entries; a checkpoint of {newest.size} was signed."
        raise OrvaultError(ErrorKind.ALTERED, message, where="history", advice="Run orvault history verify.")
    if size == 0 or (newest is not None and newest.size == size):
        return newest
    keep_nodes(uow, size)
    root = root_at(uow.checkpoints.tree(), size)
    made = StoredCheckpoint(size, at_us, root.hex(), signer.sign(size, root).whole)
    uow.checkpoints.add(made)
    uow.checkpoints.put_chain(signer.chain, at_us)
    return made
