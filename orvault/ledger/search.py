"""Searches in the ledger. Each reads one index per room, camera or kind, from the page's beginning to its end."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from sqlalchemy import ColumnElement, Connection, Select, func, or_, select

from orvault.custody.case import Case
from orvault.custody.recorded import LONGEST_STRETCH_US, StoredGap
from orvault.custody.search import (
    LONGEST_GAP_US,
    EventKind,
    FoundEvent,
    FoundRecording,
    Page,
    Part,
    Wanted,
    place_parts,
    place_text,
)
from orvault.ledger.cases import Cases
from orvault.ledger.paging import Branch, Order, branches_of
from orvault.ledger.rows import Row
from orvault.ledger.stretches import STRETCHES, stretch_of
from orvault.ledger.summaries import gaps_of
from orvault.ledger.tables import cases, runs
from orvault.ledger.tables_search import events, stretches

_LOOKED_AT = 1000  # cases whose number fits, looked at for one page where room or time narrow them further
_BEHIND_ALL = "\U0010ffff"
_CASES = Order(cases, (cases.c.planned_us, cases.c.id), (cases.c.id,))
_EVENTS = Order(events, (events.c.at_us, events.c.number), (events.c.number,))


class Searches:
    """`SearchRows` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def cases(self, wanted: Wanted, rooms: Sequence[str] | None) -> Page[Case]:
        """By number where one is asked for, else the newest first."""
        if rooms is not None and not rooms:
            return Page(())
        return self._by_number(wanted, rooms) if wanted.number else self._newest_cases(wanted, rooms)

    def case_ids(self, number: str, rooms: Sequence[str] | None, limit: int) -> Sequence[str] | None:
        """The case of this number in these rooms; without one, those that begin with it. None: too many."""
        found = self._db.execute(_fitting(number, "", _LOOKED_AT)).all()
        here = [row for row in found if rooms is None or row.room in rooms]
        if here and here[0].number == number:
            return [here[0].id]
        return None if len(here) > limit or len(found) == _LOOKED_AT else [row.id for row in here]

    def recordings(
        self, wanted: Wanted, parts: Sequence[Part], case_ids: Sequence[str]
    ) -> Page[FoundRecording]:
        """Stretches, the newest first, put together by run."""
        s = stretches.c
        within = (
            s.start_us < wanted.to_us,
            s.start_us > wanted.from_us - LONGEST_STRETCH_US,
            s.end_us > wanted.from_us,
        )
        after = place_parts(wanted.after, int, str, int) if wanted.after else ()
        branches = branches_of(stretches, "start_us", parts, case_ids if wanted.number else None)
        if not branches:
            return Page(())
        keys = STRETCHES.keys(branches, within, after, wanted.limit + 1)
        query = STRETCHES.rows(keys, runs.c.stop_ordered_us, cases.c.number.label("case_number"))
        query = query.join(runs, runs.c.id == s.run_id).join(cases, cases.c.id == s.case_id)
        rows = list(self._db.execute(query).mappings())
        shown = rows[: wanted.limit]
        return Page(tuple(self._recordings(shown)), _next(STRETCHES, rows, wanted.limit))

    def events(self, wanted: Wanted, parts: Sequence[Part], case_ids: Sequence[str]) -> Page[FoundEvent]:
        """Events, the newest first."""
        after = place_parts(wanted.after, int, int) if wanted.after else ()
        branches = _event_branches(wanted, parts, case_ids)
        if not branches:
            return Page(())
        keys = _EVENTS.keys(branches, (), after, wanted.limit + 1)
        query = _EVENTS.rows(keys, cases.c.number.label("case_number"))
        query = query.outerjoin(cases, cases.c.id == events.c.case_id)
        rows = list(self._db.execute(query).mappings())
        found = tuple(_event(row) for row in rows[: wanted.limit])
        return Page(found, _next(_EVENTS, rows, wanted.limit))

    def _newest_cases(self, wanted: Wanted, rooms: Sequence[str] | None) -> Page[Case]:
        c = cases.c
        within = (c.planned_us >= wanted.from_us, c.planned_us < wanted.to_us)
        branches = [Branch("ix_cases_room_planned_us", (c.room == room,)) for room in rooms or ()]
        after = place_parts(wanted.after, int, str) if wanted.after else ()
        keys = _CASES.keys(branches or [Branch("ix_cases_planned_us")], within, after, wanted.limit + 1)
        rows = list(self._db.execute(_CASES.rows(keys)).mappings())
        found = Cases(self._db).with_participants(rows[: wanted.limit])
        return Page(tuple(found), _next(_CASES, rows, wanted.limit))

    def _by_number(self, wanted: Wanted, rooms: Sequence[str] | None) -> Page[Case]:
        after = str(place_parts(wanted.after, str)[0]) if wanted.after else ""
        narrowed = rooms is not None or wanted.timed
        looked_at = max(_LOOKED_AT, wanted.limit + 1) if narrowed else wanted.limit + 1
        fitting = _fitting(wanted.number, after, looked_at).subquery()
        planned = fitting.c.planned_us
        query = select(cases).join_from(fitting, cases, cases.c.id == fitting.c.id)
        query = query.where(planned >= wanted.from_us, planned < wanted.to_us).order_by(fitting.c.number)
        if rooms is not None:
            query = query.where(fitting.c.room.in_(rooms))
        rows = list(self._db.execute(query.limit(wanted.limit + 1)).mappings())
        found = tuple(Cases(self._db).with_participants(rows[: wanted.limit]))
        if len(rows) > wanted.limit:
            return Page(found, place_text(found[-1].number))
        if not narrowed:
            return Page(found)
        # Numbers that fit while nothing else does must not make a page cost more: the next one looks further.
        count, last = self._db.execute(select(func.count(), func.max(fitting.c.number))).one()
        return Page(found, place_text(last) if count == looked_at else "")

    def _recordings(self, rows: Sequence[Row]) -> list[FoundRecording]:
        by_run = sorted(rows, key=lambda row: row["run_id"])  # stable: the newest first within each
        parts = {run_id: list(part) for run_id, part in groupby(by_run, key=lambda row: row["run_id"])}
        gaps = self._gaps_around(rows)
        return [_recording(parts[run_id], gaps) for run_id in dict.fromkeys(row["run_id"] for row in rows)]

    def _gaps_around(self, rows: Sequence[Row]) -> list[StoredGap]:
        if not rows:
            return []
        first, last = min(row["start_us"] for row in rows), max(row["end_us"] for row in rows)
        return gaps_of(self._db, sorted({row["run_id"] for row in rows}), first - 1, last + 1)


def _fitting(number: str, after: str, limit: int) -> Select[tuple[str, str, str, int]]:
    """Cases whose numbers begin so, in their order."""
    c = cases.c
    return (
        select(c.id, c.number, c.room, c.planned_us)
        .with_hint(cases, "FORCE INDEX (ix_cases_number_room_planned_us)", "mysql")
        .where(c.number >= number, c.number < number + _BEHIND_ALL, c.number > after)
        .order_by(c.number)
        .limit(limit)
    )


def _event_branches(wanted: Wanted, parts: Sequence[Part], case_ids: Sequence[str]) -> list[Branch]:
    e = events.c
    if wanted.number:
        of_kinds = (e.kind.in_([kind.value for kind in wanted.kinds]),) if wanted.kinds else ()
        begins = (e.at_us > wanted.from_us - LONGEST_GAP_US, e.at_us < wanted.to_us)
        lasts = or_(e.at_us >= wanted.from_us, e.until_us > wanted.from_us)
        return [
            branch.narrowed(*begins, lasts, *of_kinds)
            for branch in branches_of(events, "at_us", parts, case_ids)
        ]
    return [
        branch.narrowed(e.kind == kind.value, *_within(kind, wanted))
        for kind in wanted.kinds or tuple(EventKind)
        for branch in branches_of(events, "kind_at_us", parts)
    ]


def _within(kind: EventKind, wanted: Wanted) -> tuple[ColumnElement[bool], ...]:
    e = events.c
    if kind is EventKind.GAP:  # one that began before may last into the period
        return (
            e.at_us < wanted.to_us,
            e.at_us > wanted.from_us - LONGEST_GAP_US,
            e.until_us > wanted.from_us,
        )
    return (e.at_us < wanted.to_us, e.at_us >= wanted.from_us)


def _next(order: Order, rows: Sequence[Row], limit: int) -> str:
    return place_text(*order.place(rows[limit - 1])) if len(rows) > limit else ""


def _recording(rows: Sequence[Row], gaps: Sequence[StoredGap]) -> FoundRecording:
    first, last = rows[-1], rows[0]
    around = [gap for gap in gaps if gap.run_id == first["run_id"]]
    return FoundRecording(
        run_id=first["run_id"],
        case_id=first["case_id"],
        case_number=first["case_number"],
        room=first["room"],
        camera_id=first["camera_id"],
        recording=first["stop_ordered_us"] is None,
        stretches=tuple(stretch_of(row) for row in rows),
        gaps=tuple(gap for gap in around if gap.to_us >= first["start_us"] and gap.from_us <= last["end_us"]),
    )


def _event(row: Row) -> FoundEvent:
    return FoundEvent(
        kind=EventKind(row["kind"]),
        act=row["act"],
        at_us=row["at_us"],
        until_us=row["until_us"],
        room=row["room"],
        camera_id=row["camera_id"],
        case_id=row["case_id"],
        case_number=row["case_number"],
        words=row["words"],
        seq=row["seq"],
    )
