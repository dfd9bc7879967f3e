"""Holds, extensions, and what is recorded of cases that are not destroyed, in the ledger.

Destructions themselves are in `destructions`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import Connection, Select, case, func, insert, select, update

from orvault.custody.case import CaseState
from orvault.custody.retention import CaseFacts, Extension, Hold, Recorded
from orvault.custody.steps import PENDING
from orvault.custody.viewing import ViewKind
from orvault.custody.viewing_request import OPEN
from orvault.ledger import tables as base
from orvault.ledger import tables_retention as t
from orvault.ledger.rows import Row, Values
from orvault.ledger.tables_exports import requests
from orvault.ledger.tables_search import stretches
from orvault.ledger.tables_viewing import viewing_requests


class Retention:
    """`RetentionRows` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def recorded(self, case_id: str) -> Recorded | None:
        """What the ledger has of one case; None where nothing was ever recorded."""
        found = self._recorded(_cases_with_runs().where(base.cases.c.id == case_id))
        return found[0] if found else None

    def undestroyed(self, after: str, limit: int, ended_before_us: int | None = None) -> Sequence[Recorded]:
        """Recorded and not destroyed, by id; or those closed and stopped before a time."""
        # Which cases those are, the runs say by an index: a walk by all that is destroyed would grow with the years.
        c, r = base.cases.c, base.runs.c
        page = select(r.case_id).where(r.destroyed_us.is_(None), r.case_id > after)
        if ended_before_us is not None:
            page = page.join(base.cases, c.id == r.case_id).where(c.state == CaseState.CLOSED.value)
            page = page.having(func.max(r.stopped_us) <= ended_before_us)
        ids = self._db.execute(page.group_by(r.case_id).order_by(r.case_id).limit(limit)).scalars().all()
        return self._recorded(_cases_with_runs().where(c.id.in_(ids)).order_by(c.id))

    def add_hold(self, hold: Hold) -> None:
        """Insert a hold that stands."""
        self._db.execute(
            insert(t.legal_holds).values(
                id=hold.hold_id,
                case_id=hold.case_id,
                reason=hold.reason,
                document=hold.document,
                put_by=hold.put_by,
                put_us=hold.put_us,
            )
        )

    def put_lift(self, hold: Hold) -> None:
        """Write who lifted it, when and why."""
        values: Values = {"lifted_by": hold.lifted_by, "lifted_us": hold.lifted_us}
        values |= {"lift_reason": hold.lift_reason}
        self._db.execute(update(t.legal_holds).where(t.legal_holds.c.id == hold.hold_id).values(**values))

    def hold(self, hold_id: str) -> Hold | None:
        """The hold with this id."""
        found = self._holds(select(t.legal_holds).where(t.legal_holds.c.id == hold_id))
        return found[0] if found else None

    def holds(self, case_id: str) -> Sequence[Hold]:
        """The case's holds, the oldest first, also those that were lifted."""
        return self._holds_of([case_id])

    def add_extension(self, extension: Extension) -> None:
        """Insert one."""
        self._db.execute(
            insert(t.retention_extensions).values(
                id=extension.extension_id,
                case_id=extension.case_id,
                until_us=extension.until_us,
                reason=extension.reason,
                document=extension.document,
                extended_by=extension.extended_by,
                extended_us=extension.extended_us,
            )
        )

    def extension(self, case_id: str) -> Extension | None:
        """The one that reaches furthest."""
        return self._extensions_of([case_id]).get(case_id)

    def facts(self, recorded: Sequence[Recorded], now_us: int) -> Sequence[CaseFacts]:
        """All that the verdict over each of these cases goes by, in their order."""
        ids = [each.case_id for each in recorded]
        holds = defaultdict[str, list[Hold]](list)
        for hold in self._holds_of(ids):
            holds[hold.case_id].append(hold)
        extensions = self._extensions_of(ids)
        open_requests, open_grants = self._open_requests_of(ids), self._open_grants_of(ids, now_us)
        return [
            CaseFacts(
                each,
                tuple(holds[each.case_id]),
                extensions.get(each.case_id),
                tuple(open_requests[each.case_id]),
                tuple(open_grants[each.case_id]),
            )
            for each in recorded
        ]

    def _holds_of(self, case_ids: Sequence[str]) -> list[Hold]:
        h = t.legal_holds.c
        return self._holds(select(t.legal_holds).where(h.case_id.in_(case_ids)).order_by(h.id))

    def _extensions_of(self, case_ids: Sequence[str]) -> dict[str, Extension]:
        e = t.retention_extensions.c
        query = select(t.retention_extensions).where(e.case_id.in_(case_ids))
        rows = self._db.execute(query.order_by(e.until_us, e.id.desc())).mappings()
        return {row["case_id"]: _extension(row) for row in rows}  # the last one stays: it reaches furthest

    def _open_requests_of(self, case_ids: Sequence[str]) -> defaultdict[str, list[str]]:
        """Ids of requests that were submitted and have not ended; a draft keeps no footage."""
        r = requests.c
        pending = r.state.in_([state.value for state in PENDING])
        return self._ids_by_case(
            select(r.case_id, r.id).where(r.case_id.in_(case_ids), pending).order_by(r.id)
        )

    def _open_grants_of(self, case_ids: Sequence[str], now_us: int) -> defaultdict[str, list[str]]:
        """Ids of requests to view the recordings, granted ones too, whose time is not over."""
        v = viewing_requests.c
        states = [state.value for state in OPEN]
        here = (
            v.case_id.in_(case_ids),
            v.state.in_(states),
            v.kind == ViewKind.STORED.value,
            v.until_us > now_us,
        )
        return self._ids_by_case(select(v.case_id, v.id).where(*here).order_by(v.id))

    def _ids_by_case(self, query: Select[str, str]) -> defaultdict[str, list[str]]:
        found = defaultdict[str, list[str]](list)
        for case_id, object_id in self._db.execute(query):
            found[case_id].append(object_id)
        return found

    def _holds(self, query: Select[*tuple[object, ...]]) -> list[Hold]:
        return [_hold(row) for row in self._db.execute(query).mappings()]

    def _recorded(self, query: Select[*tuple[object, ...]]) -> list[Recorded]:
        rows = list(self._db.execute(query).mappings())
        s = stretches.c
        sums = (
            select(
                s.case_id,
                func.min(s.start_us).label("from_us"),
                func.max(s.end_us).label("to_us"),
                func.sum(s.last_sequence - s.first_sequence + 1).label("segments"),
                func.sum(s.bytes).label("bytes"),
            )
            .where(s.case_id.in_([row["id"] for row in rows]))
            .group_by(s.case_id)
        )
        summed = {row["case_id"]: row for row in self._db.execute(sums).mappings()}
        return [_recorded(row, summed.get(row["id"])) for row in rows]


def _cases_with_runs() -> Select[*tuple[object, ...]]:
    c, r = base.cases.c, base.runs.c
    return (
        select(
            c.id,
            c.number,
            c.room,
            c.closed_us,
            func.count().label("runs"),
            func.sum(case((r.stopped_us.is_(None), 1), else_=0)).label("open_runs"),
            func.max(func.coalesce(r.stopped_us, r.stop_ordered_us, r.started_us)).label("ended_us"),
        )
        .join(base.runs, r.case_id == c.id)
        .group_by(c.id, c.number, c.room, c.closed_us)
    )


def _recorded(row: Row, summed: Row | None) -> Recorded:
    # A recorder's clock may run ahead of the server's: the later of the two ends counts, so nothing goes too soon.
    last_us = 0 if summed is None else int(summed["to_us"])
    return Recorded(
        case_id=row["id"],
        number=row["number"],
        room=row["room"],
        closed_us=row["closed_us"],
        runs=int(row["runs"]),  # MariaDB sums integers as DECIMAL
        open_runs=int(row["open_runs"]),
        ended_us=max(int(row["ended_us"]), last_us),
        from_us=None if summed is None else int(summed["from_us"]),
        to_us=None if summed is None else last_us,
        segments=0 if summed is None else int(summed["segments"]),
        bytes=0 if summed is None else int(summed["bytes"]),
    )


def _extension(row: Row) -> Extension:
    return Extension(
        row["id"],
        row["case_id"],
        row["until_us"],
        row["reason"],
        row["document"],
        row["extended_by"],
        row["extended_us"],
    )


def _hold(row: Row) -> Hold:
    return Hold(
        row["id"],
        row["case_id"],
        row["reason"],
        row["document"],
        row["put_by"],
        row["put_us"],
        row["lifted_by"],
        row["lifted_us"],
        row["lift_reason"],
    )
