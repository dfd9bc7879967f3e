"""Segments in the ledger: an index over the nodes' disks."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, RowMapping, exists, func, insert, literal, select, update

from orvault.container.canonical import Fields
from orvault.container.keys import KeySlot
from orvault.container.segment import SegmentHeader
from orvault.custody.recorded import (
    RunSummary,
    SegmentLike,
    Span,
    StoredGap,
    StoredSegment,
    Volume,
    join_spans,
)
from orvault.custody.request import ExportRequest
from orvault.custody.scope import Reach
from orvault.errors import ErrorKind
from orvault.ledger import tables as t
from orvault.ledger.gaps import gap_of
from orvault.ledger.reaching import recorded_in
from orvault.ledger.rows import Row, from_text, list_from_text, to_text
from orvault.ledger.tables_retention import destructions

_IDS_AT_ONCE = 500


class Segments:
    """`SegmentRows` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def digest_of(self, segment_id: str) -> str | None:
        """The digest of the segment with this id."""
        return self._digest(t.segments.c.id == segment_id)

    def digest_at(self, run_id: str, sequence: int) -> str | None:
        """The digest of the segment at this place of a run."""
        return self._digest(t.segments.c.run_id == run_id, t.segments.c.sequence == sequence)

    def add(self, segment: SegmentLike, at_us: int) -> None:
        """Insert one that is not known."""
        meta = segment.header.meta
        self._db.execute(
            insert(t.segments).values(
                id=meta.segment_id,
                case_id=meta.case_id,
                camera_id=meta.camera_id,
                run_id=meta.run_id,
                sequence=meta.sequence,
                start_us=meta.start_us,
                end_us=meta.end_us,
                frames=meta.frames,
                bytes=segment.bytes,
                digest=segment.digest,
                path=segment.path,
                header=to_text(segment.header.to_json()),
                slots=_slots_text(segment.slots),
                indexed_us=at_us,
            )
        )

    def of(self, case_id: str, camera_id: str, from_us: int, to_us: int) -> Sequence[StoredSegment]:
        """Those that overlap from-to, in order of their start."""
        s = t.segments.c
        query = (
            select(t.segments)
            .where(s.case_id == case_id, s.camera_id == camera_id, s.start_us < to_us, s.end_us > from_us)
            .order_by(s.start_us, s.run_id, s.sequence)
        )
        return [_segment(row) for row in self._db.execute(query).mappings()]

    def sealed_to(self, case_id: str, thumbprint: str, after_id: str, limit: int) -> Sequence[StoredSegment]:
        """Segments of the case that have a slot for this key, by id, from behind `after_id` on."""
        s = t.segments.c
        query = (
            select(t.segments)
            .where(s.case_id == case_id, s.id > after_id, s.slots.contains(thumbprint, autoescape=True))
            .order_by(s.id)
            .limit(limit)
        )
        found = [_segment(row) for row in self._db.execute(query).mappings()]
        return [each for each in found if any(slot.key_thumbprint == thumbprint for slot in each.slots)]

    def put_slots(self, segment_id: str, slots: Sequence[KeySlot]) -> bool:
        """Give a segment other key slots; False if it is not known."""
        row = update(t.segments).where(t.segments.c.id == segment_id).values(slots=_slots_text(slots))
        return self._db.execute(row).rowcount == 1

    def last(
        self, run_id: str, *, below: int | None = None, before_us: int | None = None
    ) -> StoredSegment | None:
        """The run's segment with the highest number; `below` a number, or that begins `before_us`."""
        s = t.segments.c
        query = select(t.segments).where(s.run_id == run_id).order_by(s.sequence.desc()).limit(1)
        if below is not None:
            query = query.where(s.sequence < below)
        if before_us is not None:
            query = query.where(s.start_us < before_us)
        row = self._db.execute(query).mappings().first()
        return None if row is None else _segment(row)

    def following(self, run_id: str, after: int, upto: int | None = None) -> Sequence[StoredSegment]:
        """The run's segments behind the number `after`, as far as the number `upto`; None: the next one."""
        s = t.segments.c
        query = select(t.segments).where(s.run_id == run_id, s.sequence > after).order_by(s.sequence)
        query = query.limit(1) if upto is None else query.where(s.sequence <= upto)
        return [_segment(row) for row in self._db.execute(query).mappings()]

    def spans(self, case_id: str, camera_id: str) -> Sequence[Span]:
        """What the camera recorded under the case, joined to stretches."""
        s = t.segments.c
        query = select(s.start_us, s.end_us).where(s.case_id == case_id, s.camera_id == camera_id)
        return join_spans((int(a), int(b)) for a, b in self._db.execute(query.order_by(s.start_us)))

    def known_in(self, request: ExportRequest, segment_ids: Sequence[str]) -> set[str]:
        """Those of the ids that belong to the request's case, cameras and period."""
        s, wish = t.segments.c, request.wish
        found: set[str] = set()
        for start in range(0, len(segment_ids), _IDS_AT_ONCE):
            query = select(s.id).where(
                s.id.in_(segment_ids[start : start + _IDS_AT_ONCE]),
                s.case_id == wish.case_id,
                s.camera_id.in_(wish.camera_ids),
                s.start_us < wish.to_us,
                s.end_us > wish.from_us,
            )
            found.update(self._db.execute(query).scalars())
        return found

    def volumes(self, from_us: int) -> Sequence[Volume]:
        """How much each camera recorded from this time on, less what is destroyed: it lies on no disk any more."""
        s = t.segments.c
        gone = select(destructions.c.case_id).where(destructions.c.key_destroyed_us.is_not(None))
        query = (
            select(s.camera_id, func.min(s.start_us), func.sum(s.end_us - s.start_us), func.sum(s.bytes))
            .where(s.start_us >= from_us, s.case_id.not_in(gone))
            .group_by(s.camera_id)
            .order_by(s.camera_id)
        )
        # MariaDB sums integers as DECIMAL
        return [Volume(row[0], int(row[1]), int(row[2]), int(row[3])) for row in self._db.execute(query)]

    def summaries(
        self,
        reach: Reach,
        case_id: str | None,
        camera_id: str | None,
        from_us: int,
        to_us: int,
        limit: int,
    ) -> Sequence[RunSummary]:
        """Runs in reach with segments or gaps that overlap from-to, the newest first, summed up over those.

        A run that has gaps only is shown too: that nothing was recorded is what its reader most needs to know.
        """
        s, r = t.segments.c, t.runs.c
        first = func.min(s.start_us)
        query = (
            select(
                s.run_id,
                s.case_id,
                s.camera_id,
                r.stop_ordered_us,
                first.label("start_us"),
                func.max(s.end_us).label("end_us"),
                func.count().label("segments"),
                func.sum(s.frames).label("frames"),
                func.sum(s.bytes).label("bytes"),
                (func.max(s.sequence) - func.min(s.sequence) + 1 - func.count()).label("missing"),
            )
            .join(t.runs, r.id == s.run_id)
            .where(s.start_us < to_us, s.end_us > from_us, recorded_in(reach, s.case_id, s.camera_id))
            .group_by(s.run_id, s.case_id, s.camera_id, r.stop_ordered_us)
            .order_by(first.desc(), s.run_id)
            .limit(limit)
        )
        if case_id is not None:
            query = query.where(s.case_id == case_id)
        if camera_id is not None:
            query = query.where(s.camera_id == camera_id)
        rows = [
            *self._db.execute(query).mappings(),
            *self._empty(reach, case_id, camera_id, from_us, to_us, limit),
        ]
        rows.sort(key=lambda row: (-row["start_us"], row["run_id"]))
        gaps = self._gaps([row["run_id"] for row in rows[:limit]], from_us, to_us)
        return [_summary(row, gaps) for row in rows[:limit]]

    def _empty(
        self,
        reach: Reach,
        case_id: str | None,
        camera_id: str | None,
        from_us: int,
        to_us: int,
        limit: int,
    ) -> Sequence[RowMapping]:
        """Runs of which nothing but gaps is known."""
        g, r, s = t.gaps.c, t.runs.c, t.segments.c
        first = func.min(g.from_us)
        query = (
            select(
                g.run_id,
                g.case_id,
                g.camera_id,
                r.stop_ordered_us,
                first.label("start_us"),
                func.max(g.to_us).label("end_us"),
                *(literal(0).label(name) for name in ("segments", "frames", "bytes", "missing")),
            )
            .join(t.runs, r.id == g.run_id)
            .where(g.from_us < to_us, g.to_us > from_us, recorded_in(reach, g.case_id, g.camera_id))
            .where(~exists(select(s.id).where(s.run_id == g.run_id)))
            .group_by(g.run_id, g.case_id, g.camera_id, r.stop_ordered_us)
            .order_by(first.desc(), g.run_id)
            .limit(limit)
        )
        if case_id is not None:
            query = query.where(g.case_id == case_id)
        if camera_id is not None:
            query = query.where(g.camera_id == camera_id)
        return self._db.execute(query).mappings().all()

    def _gaps(self, run_ids: Sequence[str], from_us: int, to_us: int) -> list[StoredGap]:
        g = t.gaps.c
        query = select(t.gaps).where(g.run_id.in_(run_ids), g.from_us < to_us, g.to_us > from_us)
        return [gap_of(row) for row in self._db.execute(query.order_by(g.from_us)).mappings()]

    def _digest(self, *conditions: ColumnElement[bool]) -> str | None:
        return self._db.execute(select(t.segments.c.digest).where(*conditions)).scalar()


def _segment(row: Row) -> StoredSegment:
    where = f"segments {row['id']}"
    header = SegmentHeader.read(Fields(from_text(row["header"], where), where, ErrorKind.INTERNAL))
    slots = tuple(KeySlot.from_json(item) for item in list_from_text(row["slots"], where))
    return StoredSegment(header, row["digest"], row["bytes"], row["path"], slots, row["indexed_us"])


def _slots_text(slots: Sequence[KeySlot]) -> str:
    return to_text({"items": [slot.to_json() for slot in slots]})


def _summary(row: Row, gaps: Sequence[StoredGap]) -> RunSummary:
    return RunSummary(
        run_id=row["run_id"],
        case_id=row["case_id"],
        camera_id=row["camera_id"],
        start_us=row["start_us"],
        end_us=row["end_us"],
        segments=int(row["segments"]),
        frames=int(row["frames"]),  # MariaDB sums integers as DECIMAL
        bytes=int(row["bytes"]),
        missing_segments=int(row["missing"]),
        recording=row["stop_ordered_us"] is None,
        gaps=tuple(gap for gap in gaps if gap.run_id == row["run_id"]),
    )
