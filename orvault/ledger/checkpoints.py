"""Checkpoints of history in the ledger, the kept subtrees under them, and who outside has taken which."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, func, insert, select

from orvault.container.canonical import from_base64, to_base64
from orvault.container.certificates import MAX_CERTIFICATE_BYTES, fingerprint
from orvault.container.tree import BLOCK, BLOCK_LEVEL, Subtrees
from orvault.custody.checkpoints import Receipt, StoredCheckpoint
from orvault.errors import ErrorKind, OrvaultError
from orvault.ledger.rows import Row, from_text, to_text, unreadable
from orvault.ledger.tables_exports import history
from orvault.ledger.tables_history import checkpoint_keys, checkpoint_receipts, checkpoints, history_nodes


class Checkpoints:
    """`CheckpointRows` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def newest(self) -> StoredCheckpoint | None:
        """The largest."""
        found = (
            self._db.execute(select(checkpoints).order_by(checkpoints.c.size.desc()).limit(1))
            .mappings()
            .first()
        )
        return None if found is None else _checkpoint(found)

    def after(self, size: int, limit: int) -> Sequence[StoredCheckpoint]:
        """Those larger than `size`, the smallest first."""
        query = select(checkpoints).where(checkpoints.c.size > size).order_by(checkpoints.c.size).limit(limit)
        return [_checkpoint(row) for row in self._db.execute(query).mappings()]

    def add(self, made: StoredCheckpoint) -> None:
        """Keep one more."""
        values = {"size": made.size, "at_us": made.at_us, "root": made.root, "note": made.note}
        self._db.execute(insert(checkpoints).values(**values))

    def blocks(self) -> int:
        """How many blocks of entries have their nodes."""
        number = func.max(history_nodes.c.number)
        last = self._db.execute(select(number).where(history_nodes.c.level == BLOCK_LEVEL)).scalar()
        return 0 if last is None else int(last) + 1

    def put_nodes(self, nodes: Sequence[tuple[int, int, bytes]]) -> None:
        """Keep nodes: (level, number, hash)."""
        rows = [{"level": level, "number": number, "hash": node.hex()} for level, number, node in nodes]
        self._db.execute(insert(history_nodes), rows)

    def tree(self) -> Subtrees:
        """History's tree as it is kept."""
        return _Tree(self._db)

    def newest_receipt(self, place: str) -> Receipt | None:
        """Of the largest checkpoint that this place has taken."""
        c = checkpoint_receipts.c
        query = select(checkpoint_receipts).where(c.place == place).order_by(c.size.desc()).limit(1)
        row = self._db.execute(query).mappings().first()
        return None if row is None else Receipt(row["place"], row["size"], row["at_us"], row["receipt"])

    def receipts_of(self, size: int) -> Sequence[Receipt]:
        """Of all places that have taken the checkpoint of this size."""
        c = checkpoint_receipts.c
        rows = self._db.execute(
            select(checkpoint_receipts).where(c.size == size).order_by(c.place)
        ).mappings()
        return [Receipt(row["place"], row["size"], row["at_us"], row["receipt"]) for row in rows]

    def add_receipt(self, receipt: Receipt) -> None:
        """A place has taken a checkpoint."""
        values = {
            "place": receipt.place,
            "size": receipt.size,
            "at_us": receipt.at_us,
            "receipt": receipt.receipt,
        }
        self._db.execute(insert(checkpoint_receipts).values(**values))

    def chains(self) -> Sequence[tuple[bytes, ...]]:
        """Certificates that signed checkpoints, each with those above it (DER); none is believed yet."""
        rows = self._db.execute(select(checkpoint_keys).order_by(checkpoint_keys.c.first_us)).mappings()
        return [_chain(row["chain"], f"checkpoint_keys {row['fingerprint']}") for row in rows]

    def put_chain(self, chain: Sequence[bytes], at_us: int) -> None:
        """Know this certificate; one that is known stays as it is."""
        name = fingerprint(chain[0])
        c = checkpoint_keys.c
        if self._db.execute(select(c.fingerprint).where(c.fingerprint == name)).scalar() is None:
            text = to_text({"chain": [to_base64(each) for each in chain]})
            self._db.execute(insert(checkpoint_keys).values(fingerprint=name, chain=text, first_us=at_us))


class _Tree:
    """`Subtrees` over one connection; keeps the block it read last, of which a proof needs several parts."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection
        self._block: tuple[int, list[bytes]] = (-1, [])

    def leaves(self, begin: int, end: int) -> Sequence[bytes]:
        """Leaf hashes of one block."""
        if begin == end:
            return []
        first = begin - begin % BLOCK
        number, known = self._block
        if number != first or len(known) < end - first:
            c = history.c
            query = select(c.leaf_hash).where(c.seq >= first, c.seq < first + BLOCK).order_by(c.seq)
            known = [_hash(text, f"history {first}") for text in self._db.execute(query).scalars()]
            self._block = first, known
        found = known[begin - first : end - first]
        if len(found) != end - begin:
            raise _broken(f"history {begin}")
        return found

    def node(self, level: int, index: int) -> bytes:
        """One kept node."""
        c = history_nodes.c
        text = self._db.execute(select(c.hash).where(c.level == level, c.number == index)).scalar()
        if text is None:
            raise _broken(f"history_nodes {level}, {index}")
        return _hash(text, f"history_nodes {level}, {index}")


def _hash(text: str, where: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise unreadable(where) from None


def _broken(where: str) -> OrvaultError:
    message = "A part of history is missing: an entry, or a hash over entries."
    return OrvaultError(ErrorKind.ALTERED, message, where=where, advice="Run orvault history verify.")


def _checkpoint(row: Row) -> StoredCheckpoint:
    return StoredCheckpoint(row["size"], row["at_us"], row["root"], row["note"])


def _chain(text: str, where: str) -> tuple[bytes, ...]:
    found = from_text(text, where).get("chain")
    if not isinstance(found, list) or not found or not all(isinstance(each, str) for each in found):
        raise unreadable(where)
    return tuple(from_base64(each, MAX_CERTIFICATE_BYTES, unreadable(where)) for each in found)
