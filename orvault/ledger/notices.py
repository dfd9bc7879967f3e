"""How far each outside target has taken the events of history."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, delete, insert, select, update

from orvault.ledger.tables import notice_cursors


class Notices:
    """`NoticeRows` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def next_number(self, target: str) -> int | None:
        """The first number in history that it has not taken; None: not known."""
        c = notice_cursors.c
        found = self._db.execute(select(c.next_number).where(c.target == target)).scalar()
        return None if found is None else int(found)

    def put(self, target: str, number: int, at_us: int) -> None:
        """Insert or move it; writers take turns, so nobody inserts it in between."""
        values = {"next_number": number, "moved_us": at_us}
        known = notice_cursors.c.target == target
        if self.next_number(target) is None:
            self._db.execute(insert(notice_cursors).values(target=target, **values))
        else:
            self._db.execute(update(notice_cursors).where(known).values(**values))

    def keep(self, targets: Collection[str]) -> Sequence[str]:
        """Forget all others."""
        c = notice_cursors.c
        others = c.target.not_in(sorted(targets))
        gone = list(self._db.execute(select(c.target).where(others).order_by(c.target)).scalars())
        self._db.execute(delete(notice_cursors).where(others))
        return gone
