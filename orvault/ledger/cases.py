"""Cameras, cases and runs in the ledger."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Select, func, insert, select, union_all, update

from orvault.custody.case import Case, CaseState, Run
from orvault.custody.ports import CameraInfo
from orvault.custody.scope import Reach
from orvault.ledger import tables as t
from orvault.ledger.case_rows import case_of, case_state, intake_values
from orvault.ledger.paging import Branch, Order
from orvault.ledger.reaching import in_rooms
from orvault.ledger.rows import Row, Values

_PAGES = Order(t.cases, (t.cases.c.id,), (t.cases.c.id,))
_ROOMS_AT_ONCE = 100  # SQLite takes 500 parts of a union
_ARMED = (CaseState.ARMED.value, CaseState.RECORDING.value)


class Cameras:
    """`CameraRows` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def put(self, camera: CameraInfo, at_us: int) -> None:
        """Insert or update; a codec once seen is kept until another is."""
        values: Values = {
            "title": camera.title,
            "room": camera.room,
            "node_id": camera.node_id,
            "updated_us": at_us,
        }
        if camera.codec is not None:
            values["codec"] = camera.codec
        if self.get(camera.camera_id) is None:
            self._db.execute(insert(t.cameras).values(id=camera.camera_id, registered_us=at_us, **values))
        else:
            self._db.execute(update(t.cameras).where(t.cameras.c.id == camera.camera_id).values(**values))

    def remove(self, camera_id: str) -> None:
        """Take its room away."""
        self._db.execute(update(t.cameras).where(t.cameras.c.id == camera_id).values(room=""))

    def get(self, camera_id: str) -> CameraInfo | None:
        """The camera with this id."""
        row = self._db.execute(select(t.cameras).where(t.cameras.c.id == camera_id)).mappings().first()
        return None if row is None else _camera(row)

    def all(self) -> Sequence[CameraInfo]:
        """Every camera, by room and title."""
        query = select(t.cameras).order_by(t.cameras.c.room, t.cameras.c.title, t.cameras.c.id)
        return [_camera(row) for row in self._db.execute(query).mappings()]


class Cases:
    """`CaseRows` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def add(self, case: Case) -> None:
        """Insert a case with its participants."""
        self._db.execute(
            insert(t.cases).values(
                id=case.case_id,
                number=case.number,
                room=case.room,
                planned_us=case.planned_us,
                recording_request=case.recording_request,
                created_us=case.created_us,
                created_by=case.created_by,
                **intake_values(case),
                **case_state(case),
            )
        )
        self._add_participants(case.case_id, 0, case.participants)

    def get(self, case_id: str) -> Case | None:
        """The case with this id."""
        row = self._db.execute(select(t.cases).where(t.cases.c.id == case_id)).mappings().first()
        return None if row is None else self.with_participants([row])[0]

    def by_number(self, number: str) -> Case | None:
        """The case with this hospital number."""
        row = self._db.execute(select(t.cases).where(t.cases.c.number == number)).mappings().first()
        return None if row is None else self.with_participants([row])[0]

    def put_state(self, case: Case) -> None:
        """Write the state and what came with it."""
        self._db.execute(update(t.cases).where(t.cases.c.id == case.case_id).values(**case_state(case)))

    def add_participants(self, case: Case, names: Sequence[str]) -> None:
        """Insert these behind those that the case has."""
        self._add_participants(case.case_id, len(case.participants), names)

    def _add_participants(self, case_id: str, first: int, names: Sequence[str]) -> None:
        for position, name in enumerate(names, first):
            values = {"case_id": case_id, "position": position, "name": name}
            self._db.execute(insert(t.case_participants).values(values))

    def page(self, reach: Reach, state: CaseState | None, limit: int, before: str) -> Sequence[Case]:
        """Those in reach, the newest first, from before the id `before` ("" for the newest)."""
        c = t.cases.c
        behind = (before,) if before else ()
        if state is not None and state is not CaseState.CLOSED:  # few at any time, wherever they are
            branches = [Branch("ix_cases_state", (c.state == state.value, in_rooms(reach, c.room)))]
        else:
            closed = () if state is None else (c.state == state.value,)
            rooms = [Branch("ix_cases_room_id", (c.room == room, *closed)) for room in sorted(reach.rooms)]
            branches = [Branch("PRIMARY", closed)] if reach.site else rooms
        if not branches:
            return []
        rows = _PAGES.rows(_PAGES.keys(branches, (), behind, limit))
        return self.with_participants(list(self._db.execute(rows).mappings()))

    def those(self, case_ids: Collection[str]) -> Mapping[str, Case]:
        """The cases with these ids, by id."""
        if not case_ids:
            return {}
        rows = self._db.execute(select(t.cases).where(t.cases.c.id.in_(sorted(case_ids)))).mappings()
        return {case.case_id: case for case in self.with_participants(list(rows))}

    def in_room(self, room: str) -> Case | None:
        """As `in_rooms`, of one."""
        return self.in_rooms([room]).get(room)

    def in_rooms(self, rooms: Sequence[str]) -> Mapping[str, Case]:
        """By room: its armed or recording case; without one, the case closed there last."""
        c = t.cases.c
        armed = select(t.cases).where(c.room.in_(rooms), c.state.in_(_ARMED))
        found: dict[str, Row] = {}
        # A ledger from before a room had one armed case at most may hold two: the one that records goes first.
        for row in self._db.execute(armed.order_by(c.state.desc(), c.armed_us.desc())).mappings():
            found.setdefault(row["room"], row)
        idle = [room for room in rooms if room not in found]
        for first in range(0, len(idle), _ROOMS_AT_ONCE):
            closed = _closed_last(idle[first : first + _ROOMS_AT_ONCE])
            found |= {row["room"]: row for row in self._db.execute(closed).mappings()}
        return {case.room: case for case in self.with_participants(list(found.values()))} if found else {}

    def of_patient(self, reach: Reach, digest: str) -> Sequence[Case]:
        """Those in reach with this hash of the patient reference, the newest first, at most 200."""
        c = t.cases.c
        query = select(t.cases).where(c.patient_hash == digest, in_rooms(reach, c.room))
        query = query.order_by(c.id.desc()).limit(200)
        return self.with_participants(list(self._db.execute(query).mappings()))

    def armed(self) -> Sequence[Case]:
        """Every armed or recording case, by its arming."""
        query = select(t.cases).where(t.cases.c.state.in_(_ARMED)).order_by(t.cases.c.armed_us, t.cases.c.id)
        return self.with_participants(list(self._db.execute(query).mappings()))

    def with_participants(self, rows: Sequence[Row]) -> list[Case]:
        """Rows of cases as whole cases."""
        p = t.case_participants.c
        ids = [row["id"] for row in rows]
        query = select(p.case_id, p.name).where(p.case_id.in_(ids)).order_by(p.case_id, p.position)
        names: dict[str, list[str]] = {case_id: [] for case_id in ids}
        for case_id, name in self._db.execute(query):
            names[case_id].append(name)
        return [case_of(row, tuple(names[row["id"]])) for row in rows]


class Runs:
    """`RunRows` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def add(self, run: Run) -> None:
        """Insert a run; its camera must have no open one."""
        self._db.execute(
            insert(t.runs).values(
                id=run.run_id,
                case_id=run.case_id,
                camera_id=run.camera_id,
                epoch=run.epoch,
                started_us=run.started_us,
                started_by=run.started_by,
                **_run_state(run),
            )
        )

    def get(self, run_id: str) -> Run | None:
        """The run with this id."""
        row = self._db.execute(select(t.runs).where(t.runs.c.id == run_id)).mappings().first()
        return None if row is None else _run(row)

    def put(self, run: Run) -> None:
        """Write how far the stop is."""
        self._db.execute(update(t.runs).where(t.runs.c.id == run.run_id).values(**_run_state(run)))

    def of_case(self, case_id: str) -> Sequence[Run]:
        """The case's runs in order of their start."""
        query = select(t.runs).where(t.runs.c.case_id == case_id).order_by(t.runs.c.id)
        return [_run(row) for row in self._db.execute(query).mappings()]

    def of_cases(self, case_ids: Collection[str]) -> Mapping[str, Sequence[Run]]:
        """The runs of each of these cases in order of their start."""
        found: dict[str, list[Run]] = {case_id: [] for case_id in case_ids}
        if case_ids:
            query = select(t.runs).where(t.runs.c.case_id.in_(sorted(case_ids))).order_by(t.runs.c.id)
            for row in self._db.execute(query).mappings():
                found[row["case_id"]].append(_run(row))
        return found

    def open_on(self, camera_id: str) -> Run | None:
        """The camera's run that is not confirmed to have stopped."""
        row = self._db.execute(select(t.runs).where(t.runs.c.open_camera_id == camera_id)).mappings().first()
        return None if row is None else _run(row)

    def recording(self) -> Sequence[Run]:
        """Runs that nobody ordered to stop."""
        r = t.runs.c
        query = select(t.runs).where(r.open_camera_id.is_not(None), r.stop_ordered_us.is_(None))
        return [_run(row) for row in self._db.execute(query).mappings()]

    def stopping(self) -> Sequence[Run]:
        """Runs whose stop is ordered and not confirmed."""
        r = t.runs.c
        # open_camera_id is indexed and NULL for nearly all rows
        query = select(t.runs).where(r.open_camera_id.is_not(None), r.stop_ordered_us.is_not(None))
        return [_run(row) for row in self._db.execute(query).mappings()]

    def at_epoch(self, camera_id: str, epoch: int) -> Run | None:
        """The camera's run with this epoch."""
        query = select(t.runs).where(t.runs.c.camera_id == camera_id, t.runs.c.epoch == epoch)
        row = self._db.execute(query).mappings().first()
        return None if row is None else _run(row)

    def last_epoch(self, camera_id: str) -> int:
        """The camera's highest epoch, 0 before its first run."""
        query = select(func.max(t.runs.c.epoch)).where(t.runs.c.camera_id == camera_id)
        return int(self._db.execute(query).scalar() or 0)


def _closed_last(rooms: Sequence[str]) -> Select[*tuple[Any, ...]]:
    """The case closed last in each of these rooms; one step into the index for each."""
    c = t.cases.c
    last = (
        select(c.id)
        .where(c.room == room, c.state == CaseState.CLOSED.value)
        .order_by(c.closed_us.desc())
        .limit(1)
        .subquery()
        for room in rooms
    )
    ids = union_all(*(select(one) for one in last)).subquery()
    return select(t.cases).join(ids, c.id == ids.c.id)


def _camera(row: Row) -> CameraInfo:
    return CameraInfo(row["id"], row["title"], row["room"], row["node_id"], row["codec"])


def _run_state(run: Run) -> Values:
    return {
        "open_camera_id": run.camera_id if run.open else None,
        "stop_ordered_us": run.stop_ordered_us,
        "stop_ordered_by": run.stop_ordered_by,
        "stop_reason": run.stop_reason,
        "stopped_us": run.stopped_us,
    }


def _run(row: Row) -> Run:
    return Run(
        run_id=row["id"],
        case_id=row["case_id"],
        camera_id=row["camera_id"],
        epoch=row["epoch"],
        started_us=row["started_us"],
        started_by=row["started_by"],
        stop_ordered_us=row["stop_ordered_us"],
        stop_ordered_by=row["stop_ordered_by"],
        stop_reason=row["stop_reason"],
        stopped_us=row["stopped_us"],
    )
