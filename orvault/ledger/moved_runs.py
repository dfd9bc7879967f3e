"""Runs that moved since their head was last anchored in history."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, select

from orvault.ledger.tables import moved_runs


class MovedRuns:
    """`MovedRunRows` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def note(self, run_id: str) -> None:
        """Keep it; writers take turns, so nobody inserts it in between."""
        known = select(moved_runs.c.run_id).where(moved_runs.c.run_id == run_id)
        if self._db.execute(known).first() is None:
            self._db.execute(insert(moved_runs).values(run_id=run_id))

    def some(self, limit: int) -> Sequence[str]:
        """The oldest of them (ids grow with time)."""
        query = select(moved_runs.c.run_id).order_by(moved_runs.c.run_id).limit(limit)
        return list(self._db.execute(query).scalars())

    def clear(self, run_ids: Sequence[str]) -> None:
        """They are anchored."""
        self._db.execute(delete(moved_runs).where(moved_runs.c.run_id.in_(run_ids)))
