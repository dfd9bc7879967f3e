"""Segments in the ledger: an index over the nodes' disks."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, insert, select, update

from orvault.container.canonical import Fields
from orvault.container.keys import KeySlot
from orvault.container.segment import SegmentHeader
from orvault.custody.recorded import RunSummary, RunsWanted, SegmentLike, Span, StoredSegment, Stretch, Volume
from orvault.custody.request import ExportRequest
from orvault.custody.scope import Reach
from orvault.errors import ErrorKind
from orvault.ledger import tables as t
from orvault.ledger.rows import Row, from_text, list_from_text, to_text
from orvault.ledger.stretches import Stretches
from orvault.ledger.summaries import summaries

_IDS_AT_ONCE = 500
_LAST_NUMBER = (1 << 63) - 1


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
        """Insert one that is not known, and join it to its stretch."""
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
        Stretches(self._db).take_in(segment)

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
        return Stretches(self._db).spans(case_id, camera_id)

    def stretches_of(self, run_id: str) -> Sequence[Stretch]:
        """The run's stretches, by number."""
        return Stretches(self._db).of_run(run_id)

    def join_anew(self, run_id: str) -> None:
        """Make the run's stretches anew, from its segments."""
        every = self.following(run_id, -1, _LAST_NUMBER)
        Stretches(self._db).make_anew(run_id, every)

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
        """How much each camera recorded from this time on, less what is destroyed."""
        return Stretches(self._db).volumes(from_us)

    def summaries(self, reach: Reach, wanted: RunsWanted) -> Sequence[RunSummary]:
        """Runs in reach with stretches or gaps that overlap the period, the newest first, summed up over those."""
        return summaries(self._db, reach, wanted)

    def _digest(self, *conditions: ColumnElement[bool]) -> str | None:
        return self._db.execute(select(t.segments.c.digest).where(*conditions)).scalar()


def _segment(row: Row) -> StoredSegment:
    where = f"segments {row['id']}"
    header = SegmentHeader.read(Fields(from_text(row["header"], where), where, ErrorKind.INTERNAL))
    slots = tuple(KeySlot.from_json(item) for item in list_from_text(row["slots"], where))
    return StoredSegment(header, row["digest"], row["bytes"], row["path"], slots, row["indexed_us"])


def _slots_text(slots: Sequence[KeySlot]) -> str:
    return to_text({"items": [slot.to_json() for slot in slots]})
