"""The append-only history in the ledger."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection, func, insert, select, update

from orvault.custody.account import MachineActor
from orvault.custody.history import Act, Detail, Entry, make_entry
from orvault.errors import ErrorKind, OrvaultError
from orvault.ledger.events import Events
from orvault.ledger.rows import Row
from orvault.ledger.tables_exports import history, history_head


class History:
    """`HistoryRows` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def append(self, at_us: int, actor: str, act: Act, subject: str, detail: Detail) -> Entry:
        """Write the next entry; it becomes durable together with the act, when the transaction commits.

        Of what a machine does it says by which key.
        """
        if isinstance(actor, MachineActor):
            detail = {**detail, "by_key": actor.key_id}
        entry = make_entry(self.size(), at_us, str(actor), act, str(subject), detail)
        self._db.execute(
            insert(history).values(
                seq=entry.seq,
                at_us=entry.at_us,
                actor=entry.actor,
                act=entry.act,
                subject=entry.subject,
                detail=entry.detail,
                leaf_hash=entry.leaf_hash,
            )
        )
        self._db.execute(update(history_head).values(size=entry.seq + 1))
        Events(self._db).note(entry)
        return entry

    def size(self) -> int:
        """The number of entries."""
        size = self._db.execute(select(history_head.c.size)).scalar()
        if size is None:
            raise OrvaultError(ErrorKind.INTERNAL, "The ledger's history has no head.", where="history_head")
        return int(size)

    def page(
        self, before_seq: int | None, limit: int, *, subject: str | None, actor: str | None, act: str | None
    ) -> Sequence[Entry]:
        """The newest first, from before `before_seq`."""
        query = select(history).order_by(history.c.seq.desc()).limit(limit)
        wanted = ((history.c.subject, subject), (history.c.actor, actor), (history.c.act, act))
        for column, value in wanted:
            if value is not None:
                query = query.where(column == value)
        if before_seq is not None:
            query = query.where(history.c.seq < before_seq)
        return [_entry(row) for row in self._db.execute(query).mappings()]

    def newest(self, subjects: Collection[str]) -> Mapping[str, Entry]:
        """The newest entry about each of these, where there is one."""
        if not subjects:
            return {}
        c = history.c
        last = select(func.max(c.seq).label("seq")).where(c.subject.in_(sorted(subjects))).group_by(c.subject)
        chosen = last.subquery()
        query = select(history).join(chosen, c.seq == chosen.c.seq)
        return {row["subject"]: _entry(row) for row in self._db.execute(query).mappings()}

    def seq_at(self, at_us: int) -> int:
        """The number of the first entry that is not older than this; the size if all are. Reads some dozens of rows.

        Entries' times only grow, but for a clock that is set back: who asks allows for that.
        """
        low, high = 0, self.size()
        while low < high:
            middle = (low + high) // 2
            found = self._db.execute(select(history.c.at_us).where(history.c.seq == middle)).scalar()
            if found is not None and found < at_us:
                low = middle + 1
            else:
                high = middle
        return low

    def span(self, subject: str, begin: int, end: int) -> Sequence[Entry]:
        """Entries about an object from number `begin` up to, without, `end`; the oldest first."""
        c = history.c
        query = select(history).where(c.subject == subject, c.seq >= begin, c.seq < end).order_by(c.seq)
        return [_entry(row) for row in self._db.execute(query).mappings()]

    def run_through(
        self, from_seq: int, limit: int, *, acts: Collection[Act] | None = None
    ) -> Sequence[Entry]:
        """The oldest first, from `from_seq` on; of these acts, or of all."""
        query = select(history).where(history.c.seq >= from_seq).order_by(history.c.seq).limit(limit)
        if acts is not None:
            query = query.where(history.c.act.in_([act.value for act in acts]))
        return [_entry(row) for row in self._db.execute(query).mappings()]


def _entry(row: Row) -> Entry:
    return Entry(
        seq=row["seq"],
        at_us=row["at_us"],
        actor=row["actor"],
        act=row["act"],
        subject=row["subject"],
        detail=row["detail"],
        leaf_hash=row["leaf_hash"],
    )
