"""The quick mask and views in the ledger; what grants open is viewing_requests.py's."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, Connection, case, delete, insert, select, update

from orvault.custody.recorded import StoredSegment
from orvault.custody.viewing import MaskAct, Showing, View, ViewKind
from orvault.ledger import tables as base
from orvault.ledger import tables_viewing as t
from orvault.ledger.recordings import Segments
from orvault.ledger.rows import Row

_IDS_AT_ONCE = 500


class Masks:
    """`MaskRows` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def all(self) -> Sequence[MaskAct]:
        """The newest act of each scope."""
        return [
            MaskAct(
                scope=row["scope"],
                number=row["number"],
                lifted_until_us=row["lifted_until_us"],
                at_us=row["at_us"],
                by=row["by_actor"],
                reason=row["reason"],
            )
            for row in self._db.execute(select(t.quick_masks)).mappings()
        ]

    def put(self, act: MaskAct) -> None:
        """Write it in place of the scope's last one."""
        self._db.execute(delete(t.quick_masks).where(t.quick_masks.c.scope == act.scope))
        self._db.execute(
            insert(t.quick_masks).values(
                scope=act.scope,
                number=act.number,
                lifted_until_us=act.lifted_until_us,
                at_us=act.at_us,
                by_actor=act.by,
                reason=act.reason,
            )
        )


class Views:
    """`ViewRows` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def add(self, view: View) -> None:
        """Insert a view; its id must be new."""
        self._db.execute(
            insert(t.views).values(
                id=view.view_id,
                kind=view.kind.value,
                account_id=view.account_id,
                session_id=view.session_id,
                camera_id=view.camera_id,
                case_id=view.case_id,
                from_us=view.from_us,
                to_us=view.to_us,
                wanted=view.wanted.value,
                client=view.client,
                issued_us=view.issued_us,
                expires_us=view.expires_us,
                request_id=view.request_id,
            )
        )

    def get(self, view_id: str) -> View | None:
        """The view with this id."""
        row = self._db.execute(select(t.views).where(t.views.c.id == view_id)).mappings().first()
        return None if row is None else _view(row)

    def of_case(self, case_id: str) -> Sequence[View]:
        """Every view of what was recorded of this case."""
        query = select(t.views).where(t.views.c.case_id == case_id)
        return [_view(row) for row in self._db.execute(query).mappings()]

    def end(self, account_id: str, session_id: str | None, at_us: int) -> None:
        """Have the account's views, or those of one session, be over at `at_us`."""
        v = t.views.c
        theirs = v.account_id == account_id if session_id is None else v.session_id == session_id
        self._end(at_us, theirs, v.account_id == account_id)

    def _end(self, at_us: int, *which: ColumnElement[bool]) -> None:
        v = t.views.c
        over = case((v.issued_us >= at_us, v.issued_us + 1), else_=at_us)
        self._db.execute(update(t.views).where(*which, v.expires_us > at_us).values(expires_us=over))

    def any_over(self, before_us: int, but: Collection[str]) -> bool:
        """Whether a view ended before this time, other than those of these ids."""
        query = select(t.views.c.id).where(*_over(before_us, but)).limit(1)
        return self._db.execute(query).first() is not None

    def remove_over(self, before_us: int, but: Collection[str]) -> int:
        """Delete those; how many there were."""
        return int(self._db.execute(delete(t.views).where(*_over(before_us, but))).rowcount)

    def end_results(self, request_id: str, at_us: int) -> None:
        """Have every view of this request's result be over at `at_us`."""
        self._end(at_us, t.views.c.request_id == request_id)

    def end_of(self, account_id: str, case_id: str | None, camera_ids: Collection[str], at_us: int) -> None:
        """Have the account's views of these cameras be over at `at_us`: of this case's recordings, or live ones."""
        v = t.views.c
        here = (v.account_id == account_id, v.camera_id.in_(sorted(camera_ids)))
        kind = v.case_id.is_(None) if case_id is None else v.case_id == case_id
        self._end(at_us, *here, kind)

    def segments(self, view: View) -> Sequence[StoredSegment]:
        """What a stored view is made of."""
        case_id, from_us, to_us = _period(view)
        return Segments(self._db).of(case_id, view.camera_id, from_us, to_us)

    def covered(self, view: View, segment_ids: Collection[str]) -> set[str]:
        """Those of the ids that belong to it."""
        s, (case_id, from_us, to_us) = base.segments.c, _period(view)
        ids, found = sorted(segment_ids), set[str]()
        for start in range(0, len(ids), _IDS_AT_ONCE):
            query = select(s.id).where(
                s.id.in_(ids[start : start + _IDS_AT_ONCE]),
                s.case_id == case_id,
                s.camera_id == view.camera_id,
                s.start_us < to_us,
                s.end_us > from_us,
            )
            found.update(self._db.execute(query).scalars())
        return found


def _over(before_us: int, but: Collection[str]) -> tuple[ColumnElement[bool], ...]:
    """Live ones only: by the rows of stored views it is found who has seen a case, years later too."""
    v = t.views.c
    return v.case_id.is_(None), v.expires_us < before_us, v.id.not_in(sorted(but))


def _period(view: View) -> tuple[str, int, int]:
    assert view.case_id is not None and view.from_us is not None and view.to_us is not None, "of stored ones"
    return view.case_id, view.from_us, view.to_us


def _view(row: Row) -> View:
    return View(
        view_id=row["id"],
        kind=ViewKind(row["kind"]),
        account_id=row["account_id"],
        session_id=row["session_id"],
        camera_id=row["camera_id"],
        wanted=Showing(row["wanted"]),
        client=row["client"],
        issued_us=row["issued_us"],
        expires_us=row["expires_us"],
        case_id=row["case_id"],
        from_us=row["from_us"],
        to_us=row["to_us"],
        request_id=row["request_id"],
    )
