"""Gaps in the ledger: kept for ever, because a hole in the evidence must stay explainable."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, insert, select

from orvault.container.gap import Gap
from orvault.custody.recorded import StoredGap
from orvault.ledger import tables as t
from orvault.ledger.events import Events
from orvault.ledger.rows import Row


class Gaps:
    """`GapRows` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def add(self, gap: Gap, at_us: int) -> bool:
        """Insert it, and the event that it is; False when it is there already."""
        g = t.gaps.c
        known = select(g.id).where(g.run_id == gap.run_id, g.from_us == gap.from_us, g.to_us == gap.to_us)
        if self._db.execute(known).first() is not None:
            return False
        room = select(t.cases.c.room).where(t.cases.c.id == gap.case_id).scalar_subquery()
        self._db.execute(
            insert(t.gaps).values(
                run_id=gap.run_id,
                case_id=gap.case_id,
                camera_id=gap.camera_id,
                room=room,
                from_us=gap.from_us,
                to_us=gap.to_us,
                reason=gap.reason[:500],
                envelope=gap.envelope.decode("ascii") or None,  # JSON and base64
                recorded_us=at_us,
            )
        )
        Events(self._db).note_gap(gap)
        return True

    def of(self, case_id: str, camera_id: str, from_us: int, to_us: int) -> Sequence[StoredGap]:
        """Those that overlap from-to, in order of time."""
        g = t.gaps.c
        query = select(t.gaps).where(
            g.case_id == case_id, g.camera_id == camera_id, g.from_us < to_us, g.to_us > from_us
        )
        return [gap_of(row) for row in self._db.execute(query.order_by(g.from_us)).mappings()]


def gap_of(row: Row) -> StoredGap:
    """The gap of a row."""
    return StoredGap(
        row["camera_id"],
        row["case_id"],
        row["run_id"],
        row["from_us"],
        row["to_us"],
        row["reason"],
        (row["envelope"] or "").encode("ascii"),
        row["recorded_us"],
    )
