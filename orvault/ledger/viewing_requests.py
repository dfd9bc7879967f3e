"""Requests to view in the ledger, and the viewing grants that approved ones are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from orvault.custody.basis import BasisKind, LegalBasis
from orvault.custody.request import Approval
from orvault.custody.scope import Reach
from orvault.custody.steps import RequestState
from orvault.custody.viewing import Showing, ViewingGrant, ViewKind
from orvault.custody.viewing_request import OPEN, ViewingRequest, ViewingWish
from orvault.ledger import tables_viewing as t
from orvault.ledger.reaching import of_cases
from orvault.ledger.request_rows import approvals_of, consent_of, consent_values
from orvault.ledger.rows import Row, Values


class ViewingRequests:
    """`ViewingRequestRows` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def add(self, request: ViewingRequest) -> None:
        """Insert a request with its cameras and consents."""
        self._db.execute(insert(t.viewing_requests).values(**_wish_values(request), **_state_values(request)))
        cameras: list[Values] = [{"camera_id": camera_id} for camera_id in request.wish.camera_ids]
        self._add_parts(t.viewing_request_cameras, request.request_id, cameras)
        self._add_consents(request)

    def get(self, request_id: str) -> ViewingRequest | None:
        """The request with this id."""
        found = self._read(select(t.viewing_requests).where(t.viewing_requests.c.id == request_id))
        return found[0] if found else None

    def put_state(self, request: ViewingRequest) -> None:
        """Write what was decided."""
        here = t.viewing_requests.c.id == request.request_id
        self._db.execute(update(t.viewing_requests).where(here).values(**_state_values(request)))

    def put_consents(self, request: ViewingRequest) -> None:
        """Write its consents as they are now."""
        table = t.viewing_request_consents
        self._db.execute(delete(table).where(table.c.request_id == request.request_id))
        self._add_consents(request)

    def add_approval(self, request_id: str, approval: Approval) -> None:
        """Insert an approval behind those that there are."""
        table = t.viewing_request_approvals
        count = select(func.count()).select_from(table).where(table.c.request_id == request_id)
        values: Values = {"number": int(self._db.execute(count).scalar() or 0)}
        values |= {"account_id": approval.account_id, "at_us": approval.at_us}
        self._db.execute(insert(table).values(request_id=request_id, **values))

    def void_approvals(self, request_id: str, at_us: int) -> None:
        """Let those that counted count no more."""
        c = t.viewing_request_approvals.c
        here = (c.request_id == request_id, c.voided_us.is_(None))
        self._db.execute(update(t.viewing_request_approvals).where(*here).values(voided_us=at_us))

    def page(
        self,
        reach: Reach,
        states: Collection[RequestState],
        account_id: str,
        case_id: str | None,
        limit: int,
        before: str,
        *,
        own_only: bool,
        to_decide: bool,
    ) -> Sequence[ViewingRequest]:
        """The newest first, from before the id `before`."""
        v = t.viewing_requests.c
        asked = of_cases(reach, v.case_id)
        if own_only:
            asked = and_(asked, v.requested_by == account_id)
        query = select(t.viewing_requests).where(
            or_(asked, v.viewer_id == account_id), v.state.in_(_words(states))
        )
        if to_decide:
            query = query.where(
                v.requested_by != account_id, v.viewer_id != account_id, v.id.not_in(_approved_by(account_id))
            )
        if case_id is not None:
            query = query.where(v.case_id == case_id)
        if before:
            query = query.where(v.id < before)
        return self._read(query.order_by(v.id.desc()).limit(limit))

    def of_case(self, case_id: str, states: Collection[RequestState]) -> Sequence[ViewingRequest]:
        """Those over a case that stand so, the oldest first."""
        v = t.viewing_requests.c
        here = (v.case_id == case_id, v.state.in_(_words(states)))
        return self._read(select(t.viewing_requests).where(*here).order_by(v.id))

    def grants(self, account_id: str, camera_id: str) -> Sequence[ViewingGrant]:
        """What approved ones open of this camera to this account: one query, for it is asked all the time."""
        v, c = t.viewing_requests.c, t.viewing_request_cameras.c
        query = (
            select(t.viewing_requests)
            .join(t.viewing_request_cameras, c.request_id == v.id)
            .where(
                v.viewer_id == account_id,
                v.state == RequestState.APPROVED.value,
                c.camera_id == camera_id,
            )
        )
        return [_grant(row, camera_id) for row in self._db.execute(query).mappings()]

    def outlived(self, now_us: int) -> Sequence[ViewingRequest]:
        """Those whose time is over and that have not ended, at most 500."""
        v = t.viewing_requests.c
        query = select(t.viewing_requests).where(v.state.in_(_words(OPEN)), v.until_us <= now_us)
        return self._read(query.order_by(v.id).limit(500))

    def _add_consents(self, request: ViewingRequest) -> None:
        consents = [consent_values(consent) for consent in request.wish.basis.consents]
        self._add_parts(t.viewing_request_consents, request.request_id, consents)

    def _add_parts(self, table: Table, request_id: str, parts: Sequence[Values]) -> None:
        for position, values in enumerate(parts):
            self._db.execute(insert(table).values(request_id=request_id, position=position, **values))

    def _read(self, query: Select[*tuple[object, ...]]) -> list[ViewingRequest]:
        rows = list(self._db.execute(query).mappings())
        ids = [row["id"] for row in rows]
        cameras, consents, approvals = (
            self._parts(table, table.c.request_id.in_(ids))
            for table in (t.viewing_request_cameras, t.viewing_request_consents, t.viewing_request_approvals)
        )
        return [_request(row, cameras[row["id"]], consents[row["id"]], approvals[row["id"]]) for row in rows]

    def _parts(self, table: Table, which: ColumnElement[bool]) -> dict[str, list[Row]]:
        found: dict[str, list[Row]] = defaultdict(list)
        query = select(table).where(which).order_by(*table.primary_key.columns)
        for row in self._db.execute(query).mappings():
            found[row["request_id"]].append(row)
        return found


def _approved_by(account_id: str) -> Select[str]:
    c = t.viewing_request_approvals.c
    return select(c.request_id).where(c.account_id == account_id, c.voided_us.is_(None))


def _words(states: Collection[RequestState]) -> list[str]:
    return sorted(state.value for state in states)


def _wish_values(request: ViewingRequest) -> Values:
    wish = request.wish
    return {
        "id": request.request_id,
        "viewer_id": wish.viewer_id,
        "kind": wish.kind.value,
        "case_id": wish.case_id,
        "footage_from_us": wish.from_us,
        "footage_to_us": wish.to_us,
        "showing": wish.showing.value,
        "purpose": wish.purpose,
        "basis_kind": wish.basis.kind.value,
        "document_number": wish.basis.document_number,
        "proceedings_number": wish.basis.proceedings_number,
        "until_us": wish.until_us,
        "requested_by": request.requested_by,
        "requested_us": request.requested_us,
    }


def _state_values(request: ViewingRequest) -> Values:
    return {
        "state": request.state.value,
        "decided_by": request.decided_by,
        "decided_us": request.decided_us,
        "reason": request.reason,
        "ended_by": request.ended_by,
        "ended_us": request.ended_us,
    }


def _request(
    row: Row, cameras: Sequence[Row], consents: Sequence[Row], approvals: Sequence[Row]
) -> ViewingRequest:
    basis = LegalBasis(
        BasisKind(row["basis_kind"]),
        row["document_number"],
        row["proceedings_number"],
        tuple(consent_of(part) for part in consents),
    )
    wish = ViewingWish(
        viewer_id=row["viewer_id"],
        kind=ViewKind(row["kind"]),
        case_id=row["case_id"],
        camera_ids=tuple(part["camera_id"] for part in cameras),
        showing=Showing(row["showing"]),
        purpose=row["purpose"],
        basis=basis,
        until_us=row["until_us"],
        from_us=row["footage_from_us"],
        to_us=row["footage_to_us"],
    )
    return ViewingRequest(
        request_id=row["id"],
        wish=wish,
        state=RequestState(row["state"]),
        requested_by=row["requested_by"],
        requested_us=row["requested_us"],
        approvals=approvals_of(approvals),
        decided_by=row["decided_by"],
        decided_us=row["decided_us"],
        reason=row["reason"],
        ended_by=row["ended_by"],
        ended_us=row["ended_us"],
    )


def _grant(row: Row, camera_id: str) -> ViewingGrant:
    return ViewingGrant(
        grant_id=row["id"],
        account_id=row["viewer_id"],
        kind=ViewKind(row["kind"]),
        case_id=row["case_id"],
        camera_id=camera_id,
        showing=Showing(row["showing"]),
        from_us=row["decided_us"],
        until_us=row["until_us"],
        footage_from_us=row["footage_from_us"],
        footage_to_us=row["footage_to_us"],
    )
