"""Keys of machines in the ledger."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, insert, select, update

from orvault.custody.api_key import ApiKey
from orvault.ledger.rows import Row
from orvault.ledger.sessions import session_of
from orvault.ledger.tables_accounts import api_keys, sessions

_BOTH = select(sessions, api_keys).join(api_keys, api_keys.c.session_id == sessions.c.id)


class ApiKeys:
    """`ApiKeyRows` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def add(self, key: ApiKey) -> None:
        """Insert one; its session is there."""
        self._db.execute(
            insert(api_keys).values(
                session_id=key.session.session_id,
                digest=key.digest,
                name=key.name,
                used_us=key.used_us,
                used_from=key.used_from,
            )
        )

    def by_digest(self, digest: str) -> ApiKey | None:
        """The one with this digest."""
        row = self._db.execute(_BOTH.where(api_keys.c.digest == digest)).mappings().first()
        return None if row is None else _key(row)

    def open_of(self, account_id: str, now_us: int) -> Sequence[ApiKey]:
        """Those of the account that are open, the oldest first."""
        s = sessions.c
        still_open = (s.account_id == account_id, s.ended_us.is_(None), s.expires_us > now_us)
        query = _BOTH.where(*still_open).order_by(s.issued_us, s.id)
        return [_key(row) for row in self._db.execute(query).mappings()]

    def note_use(self, session_id: str, at_us: int, client: str) -> None:
        """Write its last use."""
        c = api_keys.c
        changes = {"used_us": at_us, "used_from": client}
        self._db.execute(update(api_keys).where(c.session_id == session_id).values(changes))


def _key(row: Row) -> ApiKey:
    return ApiKey(session_of(row), row["digest"], row["name"], row["used_us"], row["used_from"])
