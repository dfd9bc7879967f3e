"""Sign-in sessions in the ledger."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, select, update

from orvault.custody.session import Method, Session
from orvault.ledger import tables_accounts as t
from orvault.ledger.rows import Row


class Sessions:
    """`SessionRows` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def add(self, session: Session) -> None:
        """Insert an open session."""
        self._db.execute(
            insert(t.sessions).values(
                id=session.session_id,
                account_id=session.account_id,
                method=session.method.value,
                client=session.client,
                issued_us=session.issued_us,
                expires_us=session.expires_us,
                ended_us=session.ended_us,
            )
        )

    def get(self, session_id: str) -> Session | None:
        """The session with this id."""
        row = self._db.execute(select(t.sessions).where(t.sessions.c.id == session_id)).mappings().first()
        return None if row is None else session_of(row)

    def open_of(self, account_id: str, now_us: int) -> Sequence[Session]:
        """Those of the account that are open, the oldest first."""
        s = t.sessions.c
        still_open = (s.account_id == account_id, s.ended_us.is_(None), s.expires_us > now_us)
        query = select(t.sessions).where(*still_open).order_by(s.issued_us, s.id)
        return [session_of(row) for row in self._db.execute(query).mappings()]

    def end(self, session_id: str, at_us: int) -> None:
        """Mark it ended."""
        self._db.execute(update(t.sessions).where(t.sessions.c.id == session_id).values(ended_us=at_us))

    def end_all(self, account_id: str, at_us: int) -> int:
        """Mark every open one of the account ended; how many those were."""
        s = t.sessions.c
        still_open = (s.account_id == account_id, s.ended_us.is_(None), s.expires_us > at_us)
        return self._db.execute(update(t.sessions).where(*still_open).values(ended_us=at_us)).rowcount

    def drop(self, expired_before_us: int) -> None:
        """Drop sessions that are over anyway; the sign-ins themselves are in history."""
        s = t.sessions.c
        over = select(s.id).where(s.method == Method.KEY.value, s.expires_us < expired_before_us)
        self._db.execute(delete(t.api_keys).where(t.api_keys.c.session_id.in_(over)))
        self._db.execute(delete(t.sessions).where(s.expires_us < expired_before_us))


def session_of(row: Row) -> Session:
    """A session from its row, whatever else stands in it."""
    return Session(
        session_id=row["id"],
        account_id=row["account_id"],
        issued_us=row["issued_us"],
        expires_us=row["expires_us"],
        ended_us=row["ended_us"],
        method=Method(row["method"]),
        client=row["client"],
    )
