"""Events in the ledger: what history and gaps say of rooms, written down once more to be searched by time."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select

from orvault.container.gap import Gap
from orvault.custody.history import Entry
from orvault.custody.search import GAP, EventFacts, EventKind, event_of
from orvault.ledger.rows import Values
from orvault.ledger.tables import cameras, cases, runs
from orvault.ledger.tables_search import events


class Events:
    """The events over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def note(self, entry: Entry) -> None:
        """Write down an entry of history, if it is an event."""
        facts = event_of(entry)
        if facts is not None:
            values: Values = {"at_us": entry.at_us, "act": entry.act, "seq": entry.seq}
            self._add(facts, values)

    def note_gap(self, gap: Gap) -> None:
        """Write down a gap."""
        facts = EventFacts(EventKind.GAP, gap.reason[:500], camera_id=gap.camera_id, case_id=gap.case_id)
        self._add(facts, {"at_us": gap.from_us, "until_us": gap.to_us, "act": GAP})

    def _add(self, facts: EventFacts, values: Values) -> None:
        case_id, camera_id = facts.case_id, facts.camera_id
        if facts.run_id is not None:
            query = select(runs.c.case_id, runs.c.camera_id).where(runs.c.id == facts.run_id)
            run = self._db.execute(query).first()
            case_id, camera_id = (case_id, camera_id) if run is None else (run[0], run[1])
        self._db.execute(
            insert(events).values(
                kind=facts.kind.value,
                room=self._room(facts.room, case_id, camera_id),
                camera_id=camera_id,
                case_id=case_id,
                words=facts.words,
                **values,
            )
        )

    def _room(self, room: str | None, case_id: str | None, camera_id: str | None) -> str:
        """The room as it was called then; a case says more of it than a camera, which may have moved."""
        if room is not None:
            return room
        for table, key in ((cases, case_id), (cameras, camera_id)):
            found = self._db.execute(select(table.c.room).where(table.c.id == key)).scalar() if key else None
            if found is not None:
                return str(found)
        return ""
