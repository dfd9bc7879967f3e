"""Failed sign-ins, and where accounts are at home, in the ledger; under digests only."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, func, insert, select

from orvault.ledger import tables_accounts as t


class SignIns:
    """`SignInRows` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def add_failure(self, key: str, at_us: int) -> None:
        """Count one attempt under this key."""
        self._db.execute(insert(t.sign_in_failures).values(name_key=key, at_us=at_us))

    def drop_failure(self, key: str, at_us: int) -> None:
        """Take back one attempt."""
        f = t.sign_in_failures.c
        one = select(func.min(f.id)).where(f.name_key == key, f.at_us == at_us).scalar_subquery()
        found = self._db.execute(select(one)).scalar_one_or_none()
        self._db.execute(delete(t.sign_in_failures).where(f.id == found))

    def failures(self, key: str, since_us: int) -> Sequence[int]:
        """Times of this key's failures after `since_us`, oldest first."""
        f = t.sign_in_failures.c
        query = select(f.at_us).where(f.name_key == key, f.at_us > since_us).order_by(f.at_us)
        return [int(at) for at in self._db.execute(query).scalars()]

    def clear_failures(self, key: str) -> None:
        """Forget this key's failures."""
        self._db.execute(delete(t.sign_in_failures).where(t.sign_in_failures.c.name_key == key))

    def note_home(self, pair: str, at_us: int) -> None:
        """Keep that the account signed in there at this time."""
        self._db.execute(delete(t.sign_in_homes).where(t.sign_in_homes.c.pair_key == pair))
        self._db.execute(insert(t.sign_in_homes).values(pair_key=pair, at_us=at_us))

    def at_home(self, pair: str, since_us: int) -> bool:
        """Whether it signed in there after `since_us`."""
        h = t.sign_in_homes.c
        return (
            self._db.execute(select(h.at_us).where(h.pair_key == pair, h.at_us > since_us)).first()
            is not None
        )

    def forget(self, failures_before_us: int, homes_before_us: int) -> None:
        """Drop everybody's that are older."""
        self._db.execute(delete(t.sign_in_failures).where(t.sign_in_failures.c.at_us < failures_before_us))
        self._db.execute(delete(t.sign_in_homes).where(t.sign_in_homes.c.at_us < homes_before_us))
