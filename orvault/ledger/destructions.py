"""Destructions and what each node has removed for them, in the ledger."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, insert, select, update
from sqlalchemy import delete as remove

from orvault.custody.destruction import Destruction, NodeFiles, Step
from orvault.ledger import tables as base
from orvault.ledger import tables_retention as t
from orvault.ledger.rows import Row, Values, to_text
from orvault.ledger.tables_exports import requests
from orvault.ledger.tables_scans import scans

_NO_SLOTS = to_text({"items": []})


class Destructions:
    """`DestructionRows` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def add(self, destruction: Destruction) -> None:
        """Insert one."""
        self._db.execute(insert(t.destructions).values(case_id=destruction.case_id, **_values(destruction)))

    def put(self, destruction: Destruction) -> None:
        """Write how far it is."""
        here = t.destructions.c.case_id == destruction.case_id
        self._db.execute(update(t.destructions).where(here).values(**_values(destruction)))
        if destruction.destroyed_us is not None:
            # So that what is kept is found without a walk by all that ever was (`Retention.undestroyed`).
            of_case = base.runs.c.case_id == destruction.case_id
            gone: Values = {"destroyed_us": destruction.destroyed_us}
            self._db.execute(update(base.runs).where(of_case).values(**gone))

    def withdraw(self, case_id: str) -> None:
        """Forget one that has not begun."""
        d = t.destructions.c
        self._db.execute(remove(t.destructions).where(d.case_id == case_id, d.begun_us.is_(None)))

    def get(self, case_id: str) -> Destruction | None:
        """That of this case."""
        query = select(t.destructions).where(t.destructions.c.case_id == case_id)
        row = self._db.execute(query).mappings().first()
        return None if row is None else _destruction(row)

    def of(self, case_ids: Collection[str]) -> Sequence[Destruction]:
        """Those of these cases, in no order."""
        query = select(t.destructions).where(t.destructions.c.case_id.in_(list(case_ids)))
        return [_destruction(row) for row in self._db.execute(query).mappings()]

    def at(self, steps: Sequence[Step], limit: int = 1000) -> Sequence[Destruction]:
        """Those at one of these steps, the longest noticed first."""
        d = t.destructions.c
        query = select(t.destructions).where(d.step.in_([step.value for step in steps]))
        query = query.order_by(d.noticed_us, d.case_id).limit(limit)
        return [_destruction(row) for row in self._db.execute(query).mappings()]

    def add_nodes(self, case_id: str, node_ids: Sequence[str]) -> None:
        """Nodes that may have files of the case; those that are named already stay as they are."""
        known = {node.node_id for node in self.nodes(case_id)}
        for node_id in sorted(set(node_ids) - known):
            values: Values = {"case_id": case_id, "node_id": node_id, "files": 0, "bytes": 0}
            self._db.execute(insert(t.destruction_nodes).values(**values))

    def nodes(self, case_id: str) -> Sequence[NodeFiles]:
        """The nodes of one case, by name."""
        n = t.destruction_nodes.c
        query = select(t.destruction_nodes).where(n.case_id == case_id).order_by(n.node_id)
        rows = self._db.execute(query).mappings()
        return [NodeFiles(row["node_id"], row["removed_us"], row["files"], row["bytes"]) for row in rows]

    def put_node(self, case_id: str, node: NodeFiles) -> None:
        """Write what a node confirmed."""
        n = t.destruction_nodes.c
        values: Values = {"removed_us": node.removed_us, "files": node.files, "bytes": node.bytes}
        here = (n.case_id == case_id, n.node_id == node.node_id)
        self._db.execute(update(t.destruction_nodes).where(*here).values(**values))

    def outstanding(self) -> Sequence[tuple[str, str]]:
        """(case, node) whose files are not confirmed to be gone though the case is destroyed, at most 1000."""
        n, d = t.destruction_nodes.c, t.destructions.c
        query = (
            select(n.case_id, n.node_id)
            .join(t.destructions, d.case_id == n.case_id)
            .where(n.removed_us.is_(None), d.step == Step.DESTROYED.value)
            .order_by(n.case_id, n.node_id)
            .limit(1000)
        )
        return [(row[0], row[1]) for row in self._db.execute(query)]

    def among(self, case_ids: Collection[str]) -> dict[str, int]:
        """Those of these cases whose key is destroyed, with when it was."""
        d = t.destructions.c
        query = select(d.case_id, d.key_destroyed_us)
        query = query.where(d.case_id.in_(list(case_ids)), d.key_destroyed_us.is_not(None))
        return {row[0]: row[1] for row in self._db.execute(query)}

    def drop_slots(self, case_id: str) -> None:
        """Empty the key slots in the segments' rows."""
        s = base.segments.c
        self._db.execute(update(base.segments).where(s.case_id == case_id).values(slots=_NO_SLOTS))

    def drop_scans(self, case_id: str) -> None:
        """Forget what scans of the case's footage found."""
        over = select(requests.c.id).where(requests.c.case_id == case_id)
        values: Values = {"state": "failed", "failure": "The recordings are destroyed.", "found": None}
        self._db.execute(update(scans).where(scans.c.request_id.in_(over)).values(**values))


def _values(destruction: Destruction) -> Values:
    return {
        "step": destruction.step.value,
        "due_us": destruction.due_us,
        "rule": destruction.rule,
        "noticed_us": destruction.noticed_us,
        "approved_by": destruction.approved_by,
        "approved_us": destruction.approved_us,
        "begun_us": destruction.begun_us,
        "key_destroyed_us": destruction.key_destroyed_us,
        "packages_removed_us": destruction.packages_removed_us,
        "destroyed_us": destruction.destroyed_us,
        "epoch": destruction.epoch,
        "receipt": None if destruction.receipt is None else destruction.receipt.decode("utf-8"),
    }


def _destruction(row: Row) -> Destruction:
    return Destruction(
        case_id=row["case_id"],
        step=Step(row["step"]),
        due_us=row["due_us"],
        rule=row["rule"],
        noticed_us=row["noticed_us"],
        approved_by=row["approved_by"],
        approved_us=row["approved_us"],
        begun_us=row["begun_us"],
        key_destroyed_us=row["key_destroyed_us"],
        packages_removed_us=row["packages_removed_us"],
        destroyed_us=row["destroyed_us"],
        epoch=row["epoch"],
        receipt=None if row["receipt"] is None else row["receipt"].encode("utf-8"),
    )
