"""Export requests and download links in the ledger."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

from sqlalchemy import Connection, Select, Table, delete, exists, func, insert, not_, or_, select, update

from orvault.custody.participants import Answer
from orvault.custody.request import Approval, ExportRequest
from orvault.custody.request_rows import Link, RegisteredCopy
from orvault.custody.scope import Reach
from orvault.custody.steps import ENDED, UNDECIDED, RequestState
from orvault.ledger import tables_exports as t
from orvault.ledger import tables_participants as p
from orvault.ledger.reaching import of_cases
from orvault.ledger.request_rows import (
    Parts,
    answer_values,
    asked_values,
    consent_values,
    request_of,
    state_values,
    wish_values,
)
from orvault.ledger.rows import Row, Values, to_text
from orvault.ledger.tables_scans import scans

_ENDED = tuple(state.value for state in ENDED)
_PARTS = (  # as `Parts` has them
    t.request_cameras,
    t.request_recipients,
    t.request_consents,
    t.request_approvals,
    p.request_answers,
    p.request_participants,
)
# Named, and not "none of those that ended": an index leads to these alone, and the ended are nearly all.
_OPEN = tuple(state.value for state in RequestState if state.value not in _ENDED)


class Requests:
    """`RequestRows` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def add(self, request: ExportRequest) -> None:
        """Insert a request with cameras, recipients and consents."""
        self._db.execute(insert(t.requests).values(**wish_values(request), **state_values(request)))
        self._add_wish_parts(request)

    def put_wish(self, request: ExportRequest) -> None:
        """Write what a draft asks for now."""
        here = t.requests.c.id == request.request_id
        self._db.execute(update(t.requests).where(here).values(**wish_values(request)))
        for table in (t.request_cameras, t.request_recipients, t.request_consents):
            self._db.execute(delete(table).where(table.c.request_id == request.request_id))
        self._add_wish_parts(request)

    def _add_wish_parts(self, request: ExportRequest) -> None:
        wish = request.wish
        self._add_parts(request, t.request_cameras, [dict(camera_id=c) for c in wish.camera_ids])
        recipients: list[Values] = [
            {"name": r.name, "recipient": to_text(r.to_json())} for r in wish.recipients
        ]
        self._add_parts(request, t.request_recipients, recipients)
        self._add_parts(request, t.request_consents, [consent_values(c) for c in wish.basis.consents])

    def put_consents(self, request: ExportRequest) -> None:
        """Write its consents as they are now."""
        table = t.request_consents
        self._db.execute(delete(table).where(table.c.request_id == request.request_id))
        self._add_parts(request, table, [consent_values(c) for c in request.wish.basis.consents])

    def add_approval(self, request_id: str, approval: Approval) -> None:
        """Insert an approval behind those that there are."""
        values: Values = {"account_id": approval.account_id, "at_us": approval.at_us}
        self._append(t.request_approvals, request_id, values)

    def void_approvals(self, request_id: str, at_us: int) -> None:
        """Let those that counted count no more."""
        c = t.request_approvals.c
        here = (c.request_id == request_id, c.voided_us.is_(None))
        self._db.execute(update(t.request_approvals).where(*here).values(voided_us=at_us))

    def put_asked(self, request: ExportRequest) -> None:
        """Write who is to answer to its result, and what was waived, as it is now."""
        table = p.request_participants
        self._db.execute(delete(table).where(table.c.request_id == request.request_id))
        self._add_parts(request, table, [asked_values(each) for each in request.asked])

    def add_answer(self, request_id: str, answer: Answer) -> None:
        """Insert a participant's answer behind those that there are."""
        self._append(p.request_answers, request_id, answer_values(answer))

    def drop_answers(self, request_id: str) -> None:
        """Forget what was said of a result that is made anew; history keeps it."""
        self._db.execute(delete(p.request_answers).where(p.request_answers.c.request_id == request_id))

    def mark_delivered(self, request: ExportRequest, package_id: str, at_us: int) -> None:
        """Write when this copy was first fetched."""
        r = t.request_recipients.c
        first = package_id == request.package_id  # whose id stands in the request
        theirs = r.package_id.is_(None) if first else r.package_id == package_id
        here = (r.request_id == request.request_id, theirs, r.delivered_us.is_(None))
        self._db.execute(update(t.request_recipients).where(*here).values(delivered_us=at_us))

    def drop_deliveries(self, request_id: str) -> None:
        """Forget who fetched a result that is made anew; history keeps it."""
        r = t.request_recipients.c
        self._db.execute(
            update(t.request_recipients).where(r.request_id == request_id).values(delivered_us=None)
        )

    def in_states(self, states: Collection[RequestState], case_id: str) -> Sequence[ExportRequest]:
        """Those of a case that stand so, the oldest first."""
        r = t.requests.c
        words = [state.value for state in states]
        query = select(t.requests).where(r.case_id == case_id, r.state.in_(words)).order_by(r.id)
        return self._read(query)

    def _append(self, table: Table, request_id: str, values: Values) -> None:
        count = select(func.count()).select_from(table).where(table.c.request_id == request_id)
        number = int(self._db.execute(count).scalar() or 0)
        self._db.execute(insert(table).values(request_id=request_id, number=number, **values))

    def get(self, request_id: str) -> ExportRequest | None:
        """The request with this id."""
        found = self._read(select(t.requests).where(t.requests.c.id == request_id))
        return found[0] if found else None

    def put_state(self, request: ExportRequest) -> None:
        """Write what was decided or done."""
        self._db.execute(
            update(t.requests).where(t.requests.c.id == request.request_id).values(**state_values(request))
        )

    def put_copies(self, request: ExportRequest) -> None:
        """Write the ids and packages of the further recipients' copies."""
        c = t.request_recipients.c
        for position, copy in enumerate(request.copies[1:], 1):
            package = copy.package
            values: Values = {"package_id": copy.package_id}
            if package is not None:
                values |= {"package_path": package.path, "package_bytes": package.bytes}
                values |= {"package_sha256": package.sha256}
            here = (c.request_id == request.request_id, c.position == position)
            self._db.execute(update(t.request_recipients).where(*here).values(**values))

    def copies(self) -> Sequence[RegisteredCopy]:
        """Every copy that was ever approved, for tracing."""
        r, c = t.requests.c, t.request_recipients.c
        query = (
            select(r.id, r.package_id, c.position, c.name, c.package_id.label("own_id"))
            .join_from(t.requests, t.request_recipients)
            .where(r.package_id.is_not(None))
            .order_by(r.id, c.position)
        )
        cameras: dict[str, list[str]] = defaultdict(list)
        for row in self._db.execute(select(t.request_cameras)).mappings():
            cameras[row["request_id"]].append(row["camera_id"])
        names: dict[tuple[str, str], list[str]] = defaultdict(list)
        for row in self._db.execute(query).mappings():
            # A recipient without a copy of their own shares the first one's.
            names[row["id"], row["own_id"] or row["package_id"]].append(row["name"])
        for row in self._db.execute(self._shown()).mappings():
            names[row["id"], row["id"]].append(row["participant"])
        return [
            RegisteredCopy(package_id, request_id, tuple(recipients), tuple(cameras[request_id]))
            for (request_id, package_id), recipients in names.items()
        ]

    def _shown(self) -> Select[*tuple[object, ...]]:
        """Who could look at which result; their copy goes by the request's own id."""
        r, c = t.requests.c, p.request_participants.c
        query = select(r.id, c.participant).join_from(t.requests, p.request_participants)
        return query.where(r.answers_due_us.is_not(None)).order_by(r.id, c.position)

    def page(
        self,
        reach: Reach,
        state: RequestState | None,
        owner: str | None,
        case_id: str | None,
        limit: int,
        before: str,
    ) -> Sequence[ExportRequest]:
        """Those of cases in reach, the newest first, from before the id `before`; `owner` narrows to an account's."""
        r = t.requests.c
        query = select(t.requests).where(of_cases(reach, r.case_id)).order_by(r.id.desc()).limit(limit)
        if state is not None:
            query = query.where(r.state == state.value)
        if owner is not None:
            query = query.where(r.requested_by == owner)
        if case_id is not None:
            query = query.where(r.case_id == case_id)
        if before:
            query = query.where(r.id < before)
        return self._read(query)

    def waiting(self, now_us: int) -> Sequence[ExportRequest]:
        """Approved ones whose time to be tried has come, and rendering ones, the oldest decision first."""
        r = t.requests.c
        due = or_(r.not_before_us.is_(None), r.not_before_us <= now_us)
        query = select(t.requests).where(r.state.in_(("approved", "rendering")), due)
        return self._read(query.order_by(r.decided_us, r.id).limit(100))

    def spent(self) -> Sequence[ExportRequest]:
        """Ended ones whose files were not removed yet, at most 100."""
        r, own = t.requests.c, scans.c.request_id == t.requests.c.id
        begun = or_(r.package_id.is_not(None), exists().where(own))  # else there never was a file
        scanned_now = exists().where(own, scans.c.state == "scanning")  # which would leave files behind
        query = select(t.requests).where(
            r.state.in_(_ENDED), r.removed_us.is_(None), begun, not_(scanned_now)
        )
        return self._read(query.order_by(r.id).limit(100))

    def submitted(
        self, reach: Reach, from_us: int, to_us: int, owner: str | None, limit: int
    ) -> Sequence[ExportRequest]:
        """Those submitted in this period, the oldest first; drafts are none."""
        r = t.requests.c
        here = (r.requested_us >= from_us, r.requested_us < to_us, r.due_us.is_not(None))
        query = (
            select(t.requests)
            .where(of_cases(reach, r.case_id), *here)
            .order_by(r.requested_us, r.id)
            .limit(limit)
        )
        return self._read(query if owner is None else query.where(r.requested_by == owner))

    def due(self, by_us: int) -> Sequence[ExportRequest]:
        """Undecided ones that are to be answered by then, the most urgent first, at most 500."""
        r = t.requests.c
        states = [state.value for state in UNDECIDED]
        query = select(t.requests).where(r.state.in_(states), r.due_us <= by_us)
        return self._read(query.order_by(r.due_us, r.id).limit(500))

    def outlived(self, now_us: int) -> Sequence[ExportRequest]:
        """Those whose validity is over and that have not ended, at most 500."""
        r = t.requests.c
        query = select(t.requests).where(r.valid_until_us <= now_us, r.state.in_(_OPEN))
        return self._read(query.order_by(r.id).limit(500))

    def add_link(self, link: Link) -> None:
        """Insert a link that was handed out."""
        self._db.execute(
            insert(t.download_links).values(
                id=link.link_id,
                request_id=link.request_id,
                issued_to=link.issued_to,
                issued_us=link.issued_us,
                expires_us=link.expires_us,
                first_used_us=link.first_used_us,
            )
        )

    def link(self, link_id: str) -> Link | None:
        """The link with this id."""
        d = t.download_links
        row = self._db.execute(select(d).where(d.c.id == link_id)).mappings().first()
        if row is None:
            return None
        return Link(
            row["id"],
            row["request_id"],
            row["issued_to"],
            row["issued_us"],
            row["expires_us"],
            row["first_used_us"],
        )

    def mark_link_used(self, link_id: str, at_us: int) -> None:
        """Write its first use."""
        d = t.download_links
        self._db.execute(update(d).where(d.c.id == link_id).values(first_used_us=at_us))

    def _add_parts(self, request: ExportRequest, table: Table, parts: Sequence[Values]) -> None:
        for position, values in enumerate(parts):
            self._db.execute(insert(table).values(request_id=request.request_id, position=position, **values))

    def _read(self, query: Select[*tuple[object, ...]]) -> list[ExportRequest]:
        rows = list(self._db.execute(query).mappings())
        ids = [row["id"] for row in rows]
        found = [self._parts(table, ids) for table in _PARTS]
        return [request_of(row, Parts(*(parts[row["id"]] for parts in found))) for row in rows]

    def _parts(self, table: Table, ids: Sequence[str]) -> dict[str, list[Row]]:
        query = select(table).where(table.c.request_id.in_(ids)).order_by(*table.primary_key.columns)
        parts: dict[str, list[Row]] = defaultdict(list)
        for row in self._db.execute(query).mappings():
            parts[row["request_id"]].append(row)
        return parts
