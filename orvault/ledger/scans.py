"""Scans in the ledger, and choices of masking as they are kept with a request."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, func, insert, or_, select, update

from orvault.container.canonical import Fields
from orvault.custody.choice import MaskingChoice
from orvault.custody.request import Progress
from orvault.custody.scan import CameraScan, Scan, ScanScope, ScanState
from orvault.custody.terms import Masking
from orvault.errors import ErrorKind
from orvault.ledger import tables_scans as t
from orvault.ledger.rows import Row, Values, from_text, list_from_text, to_text

_AT_ONCE = 100


class Scans:
    """`ScanRows` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def add(self, scan: Scan) -> None:
        """Insert one."""
        scope = scan.scope
        fixed: Values = {
            "id": scan.scan_id,
            "request_id": scan.request_id,
            "scope": to_text(
                {
                    "camera_ids": list(scope.camera_ids),
                    "from_us": scope.from_us,
                    "masking": scope.masking.value,
                    "to_us": scope.to_us,
                }
            ),
            "ordered_by": scan.ordered_by,
            "ordered_us": scan.ordered_us,
        }
        self._db.execute(insert(t.scans).values(**fixed, **_state_values(scan)))

    def get(self, scan_id: str) -> Scan | None:
        """The one with this id."""
        row = self._db.execute(select(t.scans).where(t.scans.c.id == scan_id)).mappings().first()
        return None if row is None else _scan(row)

    def put_state(self, scan: Scan) -> None:
        """Write what was done."""
        self._db.execute(update(t.scans).where(t.scans.c.id == scan.scan_id).values(**_state_values(scan)))

    def latest(self, request_id: str) -> Scan | None:
        """The request's newest."""
        c = t.scans.c
        query = select(t.scans).where(c.request_id == request_id).order_by(c.id.desc()).limit(1)
        row = self._db.execute(query).mappings().first()
        return None if row is None else _scan(row)

    def count(self, request_id: str) -> int:
        """How many the request had."""
        query = select(func.count()).select_from(t.scans).where(t.scans.c.request_id == request_id)
        return int(self._db.execute(query).scalar_one())

    def waiting(self, now_us: int) -> Sequence[Scan]:
        """Those whose time to be tried has come, and those under way, the oldest first, at most 100."""
        c = t.scans.c
        due = or_(c.not_before_us.is_(None), c.not_before_us <= now_us)
        query = select(t.scans).where(c.state.in_(("waiting", "scanning")), due)
        return [_scan(row) for row in self._db.execute(query.order_by(c.id).limit(_AT_ONCE)).mappings()]


def _state_values(scan: Scan) -> Values:
    found = {"items": [camera.to_json() for camera in scan.cameras]}
    return {
        "state": scan.state.value,
        "stage": scan.progress.stage,
        "done": scan.progress.done,
        "total": scan.progress.total,
        "worker": scan.worker,
        "worker_epoch": scan.worker_epoch,
        "worker_seen_us": scan.worker_seen_us,
        "given_back": scan.given_back,
        "not_before_us": scan.not_before_us,
        "failure": scan.failure,
        "ended_us": scan.ended_us,
        "found": to_text(found) if scan.state is ScanState.DONE else None,
    }


def _scan(row: Row) -> Scan:
    where = f"scans {row['id']}"
    found = [] if row["found"] is None else list_from_text(row["found"], where)
    return Scan(
        scan_id=row["id"],
        request_id=row["request_id"],
        scope=_scope(_fields(row["scope"], where)),
        state=ScanState(row["state"]),
        ordered_by=row["ordered_by"],
        ordered_us=row["ordered_us"],
        progress=Progress(row["stage"], row["done"], row["total"]),
        worker=row["worker"],
        worker_epoch=row["worker_epoch"],
        worker_seen_us=row["worker_seen_us"],
        given_back=row["given_back"],
        not_before_us=row["not_before_us"],
        failure=row["failure"],
        ended_us=row["ended_us"],
        cameras=tuple(CameraScan.read(Fields(each, where, ErrorKind.INTERNAL)) for each in found),
    )


def _scope(fields: Fields) -> ScanScope:
    scope = ScanScope(
        camera_ids=fields.texts("camera_ids", 1, 64),
        from_us=fields.integer("from_us"),
        to_us=fields.integer("to_us"),
        masking=Masking(fields.text("masking")),
    )
    fields.end()
    return scope


def _fields(text: str, where: str) -> Fields:
    return Fields(from_text(text, where), where, ErrorKind.INTERNAL)


def choice_to_text(choice: MaskingChoice | None) -> str | None:
    """What `choice_of` reads back."""
    return None if choice is None else to_text(choice.to_json())


def choice_of(text: str | None, where: str) -> MaskingChoice | None:
    """A request's choice; INTERNAL for a row that is not readable."""
    return None if text is None else MaskingChoice.read(_fields(text, where))
