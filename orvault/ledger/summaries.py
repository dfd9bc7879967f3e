"""Runs summed up for lists, from their stretches and gaps: as cheap for a ledger of ten years as for one of a day."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, Select, Table, exists, func, literal, select

from orvault.custody.recorded import LONGEST_STRETCH_US, RunSummary, StoredGap
from orvault.custody.scope import Reach
from orvault.custody.search import LONGEST_GAP_US
from orvault.ledger.gaps import gap_of
from orvault.ledger.reaching import recorded_in
from orvault.ledger.rows import Row
from orvault.ledger.tables import gaps, runs
from orvault.ledger.tables_search import stretches

_LOOKED_AT = 10  # stretches, and gaps, for each run that a list may show


def summaries(
    db: Connection,
    reach: Reach,
    case_id: str | None,
    camera_id: str | None,
    from_us: int,
    to_us: int,
    limit: int,
) -> Sequence[RunSummary]:
    """Runs in reach with stretches or gaps that overlap from-to, the newest first, summed up over those.

    A run that has gaps only is shown too: that nothing was recorded is what its reader most needs to know. It is
    looked for among the newest gaps, a multiple of `limit`; those behind them are found by a shorter period.
    """
    s, g = stretches.c, gaps.c
    in_stretches = (
        s.start_us < to_us,
        s.start_us > from_us - LONGEST_STRETCH_US,
        s.end_us > from_us,
        recorded_in(reach, s.case_id, s.camera_id),
    )
    in_gaps = (
        g.from_us < to_us,
        g.from_us > from_us - LONGEST_GAP_US,
        g.to_us > from_us,
        recorded_in(reach, g.case_id, g.camera_id),
    )
    recorded = _newest(stretches, case_id, camera_id, in_stretches, limit)
    empty = _newest(gaps, case_id, camera_id, in_gaps, limit, bare=True)
    rows = [
        *db.execute(_sums(recorded, in_stretches)).mappings(),
        *db.execute(_nothing(empty, in_gaps)).mappings(),
    ]
    rows.sort(key=lambda row: (-row["start_us"], row["run_id"]))
    found = gaps_of(db, [row["run_id"] for row in rows[:limit]], from_us, to_us)
    return [_summary(row, found) for row in rows[:limit]]


def gaps_of(db: Connection, run_ids: Sequence[str], from_us: int, to_us: int) -> list[StoredGap]:
    """The gaps of these runs that overlap from-to, in order of time."""
    g = gaps.c
    query = select(gaps).where(g.run_id.in_(run_ids), g.from_us < to_us, g.to_us > from_us)
    return [gap_of(row) for row in db.execute(query.order_by(g.from_us)).mappings()]


def _newest(
    table: Table,
    case_id: str | None,
    camera_id: str | None,
    within: Sequence[ColumnElement[bool]],
    limit: int,
    *,
    bare: bool = False,
) -> Select[tuple[str]]:
    """The runs of the newest rows; `bare`: those among them that have no stretch.

    MariaDB is told the index: by estimates it may choose to read everything.
    """
    start = table.c.start_us if table is stretches else table.c.from_us
    narrowed = {"case_id": case_id, "camera_id": camera_id}
    wanted = [table.c[name] == value for name, value in narrowed.items() if value is not None]
    first = next((f"{name}_" for name, value in narrowed.items() if value is not None), "")
    index = f"ix_{table.name}_{first}{start.name}"
    rows = (
        select(table.c.run_id, start.label("start_us"))
        .with_hint(table, f"FORCE INDEX ({index})", "mysql")
        .where(*wanted, *within)
        .order_by(start.desc())
        .limit(_LOOKED_AT * limit)
        .subquery()
    )
    # After the limit: nearly every gap is of a run that recorded, and a search for others would read all of them.
    kept = [~exists().where(stretches.c.run_id == rows.c.run_id)] if bare else []
    return (
        select(rows.c.run_id)
        .where(*kept)
        .group_by(rows.c.run_id)
        .order_by(func.min(rows.c.start_us).desc(), rows.c.run_id)
        .limit(limit)
    )


def _sums(of: Select[tuple[str]], within: Sequence[ColumnElement[bool]]) -> Select[tuple[object, ...]]:
    s, r, chosen = stretches.c, runs.c, of.subquery()
    count = func.sum(s.last_sequence - s.first_sequence + 1)
    return (
        select(
            s.run_id,
            s.case_id,
            s.camera_id,
            r.stop_ordered_us,
            func.min(s.start_us).label("start_us"),
            func.max(s.end_us).label("end_us"),
            count.label("segments"),
            func.sum(s.frames).label("frames"),
            func.sum(s.bytes).label("bytes"),
            (func.max(s.last_sequence) - func.min(s.first_sequence) + 1 - count).label("missing"),
        )
        .join_from(chosen, stretches, s.run_id == chosen.c.run_id)
        .join(runs, r.id == s.run_id)
        .where(*within)
        .group_by(s.run_id, s.case_id, s.camera_id, r.stop_ordered_us)
    )


def _nothing(of: Select[tuple[str]], within: Sequence[ColumnElement[bool]]) -> Select[tuple[object, ...]]:
    g, r, chosen = gaps.c, runs.c, of.subquery()
    return (
        select(
            g.run_id,
            g.case_id,
            g.camera_id,
            r.stop_ordered_us,
            func.min(g.from_us).label("start_us"),
            func.max(g.to_us).label("end_us"),
            *(literal(0).label(name) for name in ("segments", "frames", "bytes", "missing")),
        )
        .join_from(chosen, gaps, g.run_id == chosen.c.run_id)
        .join(runs, r.id == g.run_id)
        .where(*within)
        .group_by(g.run_id, g.case_id, g.camera_id, r.stop_ordered_us)
    )


def _summary(row: Row, found: Sequence[StoredGap]) -> RunSummary:
    return RunSummary(
        run_id=row["run_id"],
        case_id=row["case_id"],
        camera_id=row["camera_id"],
        start_us=row["start_us"],
        end_us=row["end_us"],
        segments=int(row["segments"]),
        frames=int(row["frames"]),  # MariaDB sums integers as DECIMAL
        bytes=int(row["bytes"]),
        missing_segments=int(row["missing"]),
        recording=row["stop_ordered_us"] is None,
        gaps=tuple(gap for gap in found if gap.run_id == row["run_id"]),
    )
