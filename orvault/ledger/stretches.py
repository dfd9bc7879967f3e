"""Stretches in the ledger: segments joined as they come in, so that nobody has to read them one by one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, delete, func, insert, select, update

from orvault.custody.recorded import SegmentLike, Span, Stretch, Volume, join_spans
from orvault.ledger.paging import Order
from orvault.ledger.rows import Row
from orvault.ledger.tables import cases
from orvault.ledger.tables_retention import destructions
from orvault.ledger.tables_search import stretches

STRETCHES = Order(
    stretches,
    (stretches.c.start_us, stretches.c.run_id, stretches.c.first_sequence),
    (stretches.c.run_id, stretches.c.first_sequence),
)


class Stretches:
    """The stretches over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def take_in(self, segment: SegmentLike) -> None:
        """Join a new segment to what lies before and behind it, in whatever order they come.

        One whose row was lost and is written again stands in its stretch already.
        """
        new = Stretch.of(segment)
        before, after = self._neighbours(new)
        if before is not None and before.last_sequence >= new.last_sequence:
            return
        if after is not None and new.goes_on_as(after):
            self._drop(after)
            new = new.joined(after)
        if before is not None and before.goes_on_as(new):
            self._extend(before.joined(new))
        else:
            self._add(new, segment)

    def of_run(self, run_id: str) -> list[Stretch]:
        """The run's stretches, by number."""
        s = stretches.c
        query = select(stretches).where(s.run_id == run_id).order_by(s.first_sequence)
        return [stretch_of(row) for row in self._db.execute(query).mappings()]

    def make_anew(self, run_id: str, segments: Iterable[SegmentLike]) -> None:
        """The run's stretches from its segments, given by number, in place of those that are there."""
        self._db.execute(delete(stretches).where(stretches.c.run_id == run_id))
        for segment in segments:
            self.take_in(segment)

    def spans(self, case_id: str, camera_id: str) -> Sequence[Span]:
        """What the camera recorded under the case, joined over runs."""
        s = stretches.c
        query = select(s.start_us, s.end_us).where(s.case_id == case_id, s.camera_id == camera_id)
        return join_spans((int(a), int(b)) for a, b in self._db.execute(query.order_by(s.start_us)))

    def volumes(self, from_us: int) -> Sequence[Volume]:
        """How much each camera recorded in stretches that begin from this time on, less what is destroyed: it lies on
        no disk any more.
        """
        s = stretches.c
        gone = select(destructions.c.case_id).where(destructions.c.key_destroyed_us.is_not(None))
        query = (
            select(s.camera_id, func.min(s.start_us), func.sum(s.end_us - s.start_us), func.sum(s.bytes))
            .where(s.start_us >= from_us, s.case_id.not_in(gone))
            .group_by(s.camera_id)
            .order_by(s.camera_id)
        )
        # MariaDB sums integers as DECIMAL
        return [Volume(row[0], int(row[1]), int(row[2]), int(row[3])) for row in self._db.execute(query)]

    def _neighbours(self, new: Stretch) -> tuple[Stretch | None, Stretch | None]:
        """The nearest stretch of the run that begins before `new`, and the one that begins right behind it."""
        s, behind = stretches.c, new.last_sequence + 1
        query = (
            select(stretches)
            .where(s.run_id == new.run_id, s.first_sequence <= behind)
            .order_by(s.first_sequence.desc())
            .limit(2)
        )
        found = [stretch_of(row) for row in self._db.execute(query).mappings()]
        after = next((one for one in found if one.first_sequence == behind), None)
        return next((one for one in found if one is not after), None), after

    def _add(self, new: Stretch, segment: SegmentLike) -> None:
        meta = segment.header.meta
        room = select(cases.c.room).where(cases.c.id == meta.case_id).scalar_subquery()
        self._db.execute(
            insert(stretches).values(
                run_id=new.run_id,
                first_sequence=new.first_sequence,
                case_id=meta.case_id,
                camera_id=meta.camera_id,
                room=room,
                **_extent(new),
            )
        )

    def _extend(self, joined: Stretch) -> None:
        s = stretches.c
        here = (s.run_id == joined.run_id, s.first_sequence == joined.first_sequence)
        self._db.execute(update(stretches).where(*here).values(**_extent(joined)))

    def _drop(self, one: Stretch) -> None:
        s = stretches.c
        here = (s.run_id == one.run_id, s.first_sequence == one.first_sequence)
        self._db.execute(delete(stretches).where(*here))


def stretch_of(row: Row) -> Stretch:
    """A row as a value."""
    return Stretch(
        row["run_id"],
        row["first_sequence"],
        row["last_sequence"],
        row["start_us"],
        row["end_us"],
        row["frames"],
        row["bytes"],
    )


def _extent(one: Stretch) -> dict[str, int]:
    return {
        "last_sequence": one.last_sequence,
        "start_us": one.start_us,
        "end_us": one.end_us,
        "frames": one.frames,
        "bytes": one.bytes,
    }
