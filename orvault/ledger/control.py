"""Signals and stop reasons in the ledger."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection, and_, func, insert, or_, select, update

from orvault.custody.control import Action, SignalKind, SignalSource
from orvault.custody.signals import UNCOUNTED, KeptSignal, Standing, StopReason
from orvault.ledger import tables_control as t
from orvault.ledger.rows import Row


class Signals:
    """`SignalRows` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def add(self, signal: KeptSignal) -> None:
        """Insert a signal; its id must be new."""
        self._db.execute(
            insert(t.signals).values(
                id=signal.signal_id,
                room=signal.room,
                case_id=signal.case_id,
                kind=signal.kind.value,
                source=signal.source.value,
                device=signal.device,
                at_us=signal.at_us,
                heard_us=signal.heard_us,
                confidence_permille=signal.confidence_permille,
                action=signal.action.value,
                standing=signal.standing.value,
                why=signal.why,
            )
        )

    def get(self, signal_id: str) -> KeptSignal | None:
        """The signal with this id."""
        row = self._db.execute(select(t.signals).where(t.signals.c.id == signal_id)).mappings().first()
        return None if row is None else _signal(row)

    def newest_starts(self, case_ids: Collection[str]) -> Mapping[str, int]:
        """When the newest start that counts was given under each of these cases."""
        if not case_ids:
            return {}
        s = t.signals.c
        query = select(s.case_id, func.max(s.at_us)).where(
            s.case_id.in_(sorted(case_ids)), s.kind == SignalKind.START.value, s.standing.not_in(UNCOUNTED)
        )
        return {case_id: int(at_us) for case_id, at_us in self._db.execute(query.group_by(s.case_id))}

    def stops(self, after_us: Mapping[str, int], since_us: int) -> Sequence[KeptSignal]:
        """Stops that count, each given after its case's time: from `since_us` on, and older ones that wait or took
        effect.
        """
        if not after_us:
            return []
        s = t.signals.c
        lasting = [Standing.WAITING.value, Standing.EFFECTIVE.value]
        later = or_(*(and_(s.case_id == case_id, s.at_us > at) for case_id, at in after_us.items()))
        query = (
            select(t.signals)
            .where(later, s.kind == SignalKind.STOP.value)
            .where(s.standing.not_in(UNCOUNTED), or_(s.at_us >= since_us, s.standing.in_(lasting)))
            .order_by(s.at_us, s.id)
        )
        return [_signal(row) for row in self._db.execute(query).mappings()]

    def waiting(self) -> Sequence[KeptSignal]:
        """Every stop that awaits its confirmation."""
        query = select(t.signals).where(t.signals.c.standing == Standing.WAITING.value)
        return [_signal(row) for row in self._db.execute(query).mappings()]

    def settle(self, signal_ids: Collection[str], standing: Standing) -> None:
        """Write what became of these signals."""
        if signal_ids:
            of_these = t.signals.c.id.in_(sorted(signal_ids))
            self._db.execute(update(t.signals).where(of_these).values(standing=standing.value))


class Reasons:
    """`ReasonRows` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def add(self, reason: StopReason) -> None:
        """Insert a reason with the runs that it is about."""
        self._db.execute(
            insert(t.stop_reasons).values(
                id=reason.reason_id,
                case_id=reason.case_id,
                signal_id=reason.signal_id,
                since_us=reason.since_us,
                reason=reason.reason,
                given_us=reason.given_us,
                given_by=reason.given_by,
                reminders=reason.reminders,
                reminded_us=reason.reminded_us,
            )
        )
        for run_id in reason.run_ids:
            values = {"run_id": run_id, "reason_id": reason.reason_id}
            self._db.execute(insert(t.stop_reason_runs).values(values))

    def get(self, reason_id: str) -> StopReason | None:
        """The reason with this id."""
        query = select(t.stop_reasons).where(t.stop_reasons.c.id == reason_id)
        row = self._db.execute(query).mappings().first()
        return None if row is None else self._with_runs([row])[0]

    def put(self, reason: StopReason) -> None:
        """Write the reason itself, or that it was asked for."""
        self._db.execute(
            update(t.stop_reasons)
            .where(t.stop_reasons.c.id == reason.reason_id)
            .values(
                reason=reason.reason,
                given_us=reason.given_us,
                given_by=reason.given_by,
                reminders=reason.reminders,
                reminded_us=reason.reminded_us,
            )
        )

    def due(self) -> Sequence[StopReason]:
        """Those not given yet, the oldest first."""
        r = t.stop_reasons.c
        query = select(t.stop_reasons).where(r.given_us.is_(None)).order_by(r.since_us, r.id)
        return self._with_runs(list(self._db.execute(query).mappings()))

    def _with_runs(self, rows: Sequence[Row]) -> list[StopReason]:
        r = t.stop_reason_runs.c
        runs: dict[str, list[str]] = {row["id"]: [] for row in rows}
        query = select(r.reason_id, r.run_id).where(r.reason_id.in_(list(runs))).order_by(r.run_id)
        for reason_id, run_id in self._db.execute(query):
            runs[reason_id].append(run_id)
        return [_reason(row, tuple(runs[row["id"]])) for row in rows]


def _signal(row: Row) -> KeptSignal:
    return KeptSignal(
        signal_id=row["id"],
        room=row["room"],
        case_id=row["case_id"],
        kind=SignalKind(row["kind"]),
        source=SignalSource(row["source"]),
        device=row["device"],
        at_us=row["at_us"],
        heard_us=row["heard_us"],
        confidence_permille=row["confidence_permille"],
        action=Action(row["action"]),
        standing=Standing(row["standing"]),
        why=row["why"],
    )


def _reason(row: Row, run_ids: tuple[str, ...]) -> StopReason:
    return StopReason(
        reason_id=row["id"],
        case_id=row["case_id"],
        signal_id=row["signal_id"],
        since_us=row["since_us"],
        run_ids=run_ids,
        reason=row["reason"],
        given_us=row["given_us"],
        given_by=row["given_by"],
        reminders=row["reminders"],
        reminded_us=row["reminded_us"],
    )
