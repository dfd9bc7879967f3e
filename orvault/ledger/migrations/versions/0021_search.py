"""What is searched instead of segments and history: stretches and events; indexes of the usual lists."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

from orvault.ledger.migrations.columns import OPTIONS, column, moment

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

RUNS_AT_ONCE = ENTRIES_AT_ONCE = 1000
KINDS = {
    "signal-heard": "signal",
    "signal-lapsed": "signal",
    "case-armed": "switch",
    "case-closed": "switch",
    "recording-started": "switch",
    "recording-stop-ordered": "switch",
    "recording-stopped": "switch",
    "mask-set": "switch",
    "mask-lifted": "switch",
    "recording-start-failed": "alarm",
    "recording-late": "alarm",
    "recording-stray": "alarm",
    "camera-lost": "alarm",
    "camera-back": "alarm",
    "triggers-lost": "alarm",
    "triggers-back": "alarm",
    "segments-refused": "alarm",
    "gaps-refused": "alarm",
}
INDEXES = (
    ("cases", ["planned_us"]),
    ("cases", ["number", "room", "planned_us"]),
    ("cases", ["room", "state", "closed_us"]),
    ("gaps", ["case_id", "from_us"]),
    ("gaps", ["camera_id", "from_us"]),
    ("gaps", ["from_us"]),
    ("requests", ["state", "valid_until_us"]),
    ("requests", ["state", "removed_us", "package_id"]),
    ("views", ["account_id", "expires_us"]),
    ("stretches", ["case_id", "start_us"]),
    ("stretches", ["camera_id", "start_us"]),
    ("stretches", ["room", "start_us"]),
    ("stretches", ["start_us"]),
    ("events", ["kind", "at_us"]),
    ("events", ["room", "kind", "at_us"]),
    ("events", ["camera_id", "kind", "at_us"]),
    ("events", ["case_id", "at_us"]),
)
REPLACED = (("requests", ["valid_until_us"]), ("views", ["account_id"]))
# A stretch ends before a missing number and before a hole of a second; 23 hours keep it below a day, whatever its
# last segment adds.
STRETCHES = """
INSERT INTO stretches
    (run_id, first_sequence, last_sequence, case_id, camera_id, room, start_us, end_us, frames, bytes)
SELECT pieces.run_id, MIN(sequence), MAX(sequence), pieces.case_id, camera_id, room,
       MIN(start_us), MAX(end_us), SUM(frames), SUM(bytes)
FROM (
    SELECT stretched.*, start_us - MIN(start_us) OVER (PARTITION BY run_id, stretch) AS into_us
    FROM (
        SELECT marked.*, SUM(begins) OVER (PARTITION BY run_id ORDER BY sequence) AS stretch
        FROM (
            SELECT run_id, sequence, case_id, camera_id, start_us, end_us, frames, bytes,
                   CASE WHEN sequence = LAG(sequence) OVER (PARTITION BY run_id ORDER BY sequence) + 1
                         AND start_us - LAG(end_us) OVER (PARTITION BY run_id ORDER BY sequence) < 1000000
                        THEN 0 ELSE 1 END AS begins
            FROM segments WHERE run_id >= :first AND run_id <= :last
        ) AS marked
    ) AS stretched
) AS pieces
JOIN cases ON cases.id = pieces.case_id
GROUP BY pieces.run_id, stretch, into_us - into_us % 82800000000, pieces.case_id, camera_id, room
"""


def upgrade() -> None:
    _make_stretches()
    _make_events()
    for table, columns in INDEXES:
        op.create_index(_index(table, columns), table, columns)
    for table, columns in REPLACED:
        op.drop_index(_index(table, columns), table)
    _fill_stretches()
    _fill_events()


def downgrade() -> None:
    mariadb = op.get_bind().dialect.name != "sqlite"
    if mariadb:  # a foreign key wants an index, and took over the one that goes
        op.drop_constraint("fk_gaps_camera_id", "gaps", type_="foreignkey")
    for table, columns in REPLACED:
        op.create_index(_index(table, columns), table, columns)
    for table, columns in INDEXES:
        if table not in {"stretches", "events"}:
            op.drop_index(_index(table, columns), table)
    if mariadb:
        op.create_foreign_key("fk_gaps_camera_id", "gaps", "cameras", ["camera_id"], ["id"])
    op.drop_table("events")
    op.drop_table("stretches")


def _make_stretches() -> None:
    op.create_table(
        "stretches",
        column("run_id", sa.String(36), "the run of its segments"),
        sa.Column(
            "first_sequence",
            sa.BigInteger(),
            nullable=False,
            autoincrement=False,
            comment="number of its first segment in the run",
        ),
        column("last_sequence", sa.BigInteger(), "number of its last segment; none is missing"),
        column("case_id", sa.String(36), "the run's case"),
        column("camera_id", sa.String(128), "the run's camera"),
        column("room", sa.String(64), "the case's operating room"),
        moment("start_us", "first frame of its first segment"),
        moment("end_us", "end of the last frame of its last segment"),
        column("frames", sa.BigInteger(), "number of pictures in it"),
        column("bytes", sa.BigInteger(), "size of its sealed files in bytes"),
        sa.PrimaryKeyConstraint("run_id", "first_sequence", name="pk_stretches"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_stretches_run_id"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_stretches_case_id"),
        sa.ForeignKeyConstraint(["camera_id"], ["cameras.id"], name="fk_stretches_camera_id"),
        sa.CheckConstraint("last_sequence >= first_sequence", name=op.f("ck_stretches_sequences")),
        sa.CheckConstraint("end_us >= start_us", name=op.f("ck_stretches_period")),
        comment="Unbroken stretches of segments, a day long at most, to search instead of them; owner: index actor",
        **OPTIONS,
    )


def _make_events() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "events",
        sa.Column("number", number, autoincrement=True, nullable=False, comment="order of writing"),
        moment("at_us", "when it happened; of a gap its beginning"),
        moment("until_us", "end of a gap; NULL: it is none", nullable=True),
        column("kind", sa.String(8), "one of orvault.custody.search.EventKind"),
        column("act", sa.String(32), "history's act; of a gap the word gap"),
        column("room", sa.String(128), "operating room; empty: none, or every one"),
        column(
            "camera_id", sa.String(128), "the camera it is about; NULL: none in particular", nullable=True
        ),
        column("case_id", sa.String(36), "the case it is about; NULL: none", nullable=True),
        column("words", sa.String(500), "why, or what was wrong; may be empty"),
        column(
            "seq", sa.BigInteger(), "its entry in history; NULL: a gap, which stands in gaps", nullable=True
        ),
        sa.PrimaryKeyConstraint("number", name="pk_events"),
        sa.UniqueConstraint("seq", name="uq_events_seq"),
        sa.CheckConstraint("kind IN ('signal','switch','alarm','gap')", name=op.f("ck_events_kind")),
        sa.CheckConstraint("(kind = 'gap') = (until_us IS NOT NULL)", name=op.f("ck_events_gaps_last")),
        sa.CheckConstraint("(kind = 'gap') = (seq IS NULL)", name=op.f("ck_events_of_history")),
        comment="Signals, switches and alarms out of history, and gaps, to search by time; owner: history",
        **OPTIONS,
    )


def _index(table: str, columns: list[str]) -> str:
    return f"ix_{table}_{'_'.join(columns)}"


def _fill_stretches() -> None:
    bind, last = op.get_bind(), ""
    page = sa.text("SELECT id FROM runs WHERE id > :last ORDER BY id LIMIT :limit")
    while ids := list(bind.execute(page, {"last": last, "limit": RUNS_AT_ONCE}).scalars()):
        bind.execute(sa.text(STRETCHES), {"first": ids[0], "last": ids[-1]})
        last = ids[-1]


def _fill_events() -> None:
    bind = op.get_bind()
    bind.execute(
        sa.text(
            "INSERT INTO events (at_us, until_us, kind, act, room, camera_id, case_id, words)"
            " SELECT from_us, to_us, 'gap', 'gap', room, camera_id, case_id, reason"
            " FROM gaps JOIN cases ON cases.id = gaps.case_id ORDER BY gaps.id"
        )
    )
    case_rooms = {row[0]: row[1] for row in bind.execute(sa.text("SELECT id, room FROM cases"))}
    camera_rooms = {row[0]: row[1] for row in bind.execute(sa.text("SELECT id, room FROM cameras"))}
    read = sa.text(
        "SELECT seq, at_us, act, subject, detail FROM history WHERE seq > :last AND act IN :acts"
        " ORDER BY seq LIMIT :limit"
    ).bindparams(sa.bindparam("acts", sorted(KINDS), expanding=True))
    write = sa.text(
        "INSERT INTO events (at_us, kind, act, room, camera_id, case_id, words, seq)"
        " VALUES (:at_us, :kind, :act, :room, :camera_id, :case_id, :words, :seq)"
    )
    last = -1
    while entries := bind.execute(read, {"last": last, "limit": ENTRIES_AT_ONCE}).mappings().all():
        bind.execute(write, [_event(bind, entry, case_rooms, camera_rooms) for entry in entries])
        last = entries[-1]["seq"]


def _event(
    bind: sa.Connection, entry: Any, case_rooms: dict[str, str], camera_rooms: dict[str, str]
) -> dict[str, Any]:
    """As `orvault.custody.search.event_of` and `orvault.ledger.events` had it when this was written."""
    detail = json.loads(entry["detail"])
    about, _, name = entry["subject"].partition(":")
    case_id = name if about == "case" else None
    camera_id = name if about in {"camera", "recorder"} else detail.get("camera")
    if about == "run":
        run = bind.execute(
            sa.text("SELECT case_id, camera_id FROM runs WHERE id = :id"), {"id": name}
        ).first()
        case_id, camera_id = (None, camera_id) if run is None else run
    room = name if about in {"room", "triggers"} else case_rooms.get(case_id or "")
    words = detail.get("why") or detail.get("reason") or detail.get("state") or ""
    if entry["act"] == "signal-heard":
        words = f"{detail['kind']} by {detail['source']}: {words}"
    return {
        "at_us": entry["at_us"],
        "kind": KINDS[entry["act"]],
        "act": entry["act"],
        "room": camera_rooms.get(camera_id or "", "") if room is None else room,
        "camera_id": camera_id,
        "case_id": case_id,
        "words": words[:500],
        "seq": entry["seq"],
    }
