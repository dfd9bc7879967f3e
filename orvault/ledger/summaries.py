"""Runs summed up for lists, from their stretches and gaps: as cheap for a ledger of ten years as for one of a day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, Select, exists, func, literal, select

from orvault.custody.recorded import LONGEST_STRETCH_US, RunSummary, RunsWanted, StoredGap
from orvault.custody.scope import Reach
from orvault.custody.search import LONGEST_GAP_US, Wanted, parts_of
from orvault.ledger.gaps import gap_of
from orvault.ledger.paging import Keys, Order, branches_of
from orvault.ledger.rows import Row
from orvault.ledger.stretches import STRETCHES
from orvault.ledger.tables import gaps, runs
from orvault.ledger.tables_search import stretches

_LOOKED_AT = 10  # stretches, and gaps, for each run that a list may show
_GAPS = Order(gaps, (gaps.c.from_us, gaps.c.id), (gaps.c.id,))


def summaries(db: Connection, reach: Reach, wanted: RunsWanted) -> Sequence[RunSummary]:
    """Runs in reach with stretches or gaps that overlap the period, the newest first, summed up over those.

    A run that has gaps only is shown too: that nothing was recorded is what its reader most needs to know. It is
    looked for among the newest gaps, a multiple of its `limit`; those behind them are found by a shorter period.
    """
    case_id, camera_id, from_us, to_us = wanted.case_id, wanted.camera_id, wanted.from_us, wanted.to_us
    limit = wanted.limit
    s, g = stretches.c, gaps.c
    parts = parts_of(Wanted(camera_ids=() if camera_id is None else (camera_id,)), reach)
    if not parts:
        return []
    case_ids = None if case_id is None else [case_id]
    in_stretches = (s.start_us < to_us, s.start_us > from_us - LONGEST_STRETCH_US, s.end_us > from_us)
    in_gaps = (g.from_us < to_us, g.from_us > from_us - LONGEST_GAP_US, g.to_us > from_us)
    looked_at = _LOOKED_AT * limit
    newest = STRETCHES.keys(branches_of(stretches, "start_us", parts, case_ids), in_stretches, (), looked_at)
    holes = _GAPS.keys(branches_of(gaps, "from_us", parts, case_ids), in_gaps, (), looked_at, g.run_id)
    rows = [
        *db.execute(_sums(_runs_of(newest, limit), in_stretches)).mappings(),
        *db.execute(_nothing(_runs_of(holes, limit, bare=True), in_gaps)).mappings(),
    ]
    rows.sort(key=lambda row: (-row["start_us"], row["run_id"]))
    found: defaultdict[str, list[StoredGap]] = defaultdict(list)
    for gap in gaps_of(db, [row["run_id"] for row in rows[:limit]], from_us, to_us):
        found[gap.run_id].append(gap)
    return [_summary(row, found[row["run_id"]]) for row in rows[:limit]]


def gaps_of(db: Connection, run_ids: Sequence[str], from_us: int, to_us: int) -> list[StoredGap]:
    """The gaps of these runs that overlap from-to, in order of time."""
    g = gaps.c
    query = select(gaps).where(g.run_id.in_(run_ids), g.from_us < to_us, g.to_us > from_us)
    return [gap_of(row) for row in db.execute(query.order_by(g.from_us)).mappings()]


def _runs_of(keys: Keys, limit: int, *, bare: bool = False) -> Select[tuple[str]]:
    """The runs of these rows, the newest first; `bare`: those among them that have no stretch."""
    rows = keys.subquery()
    begin = next(iter(rows.c))
    # After the limit: nearly every gap is of a run that recorded, and a search for others would read all of them.
    kept = [~exists().where(stretches.c.run_id == rows.c.run_id)] if bare else []
    query = select(rows.c.run_id).where(*kept).group_by(rows.c.run_id)
    return query.order_by(func.min(begin).desc(), rows.c.run_id).limit(limit)


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
        gaps=tuple(found),
    )
