"""The schema as it is now: every table, column (with unit, owner, reason) and constraint of the ledger.

Here are cameras, cases and what was recorded; the tables_* beside it hold the rest. How a database gets here, step by
step, is in `migrations`; a test holds the two together.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.mysql import LONGTEXT
from sqlalchemy.schema import SchemaItem

# Names of constraints are fixed, so that later migrations can name what they change.
metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
# nopad_bin: text is equal only where its bytes are, as on SQLite ("Cam1" is not "cam1", "a" is not "a ").
OPTIONS: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_nopad_bin",
}

ID = String(36)
EXTERNAL_ID = String(128)
DIGEST = String(64)
LONG = Text().with_variant(LONGTEXT(), "mysql")
BIG_KEY = BigInteger().with_variant(Integer(), "sqlite")  # SQLite numbers rows by itself in INTEGER keys only


def make_table(name: str, comment: str, *parts: SchemaItem) -> Table:
    """A table of the ledger with the options that make both databases compare text alike."""
    return Table(name, metadata, *parts, comment=comment, **OPTIONS)


def moment(name: str, comment: str, *, nullable: bool = False) -> Column[Any]:
    """A column holding a time."""
    return Column(name, BigInteger, nullable=nullable, comment=f"UTC microseconds since 1970; {comment}")


def place_in_list() -> Column[int]:
    """The part of a key that keeps the rows of one owner in their order."""
    comment = "place in the list, from 0"
    return Column("position", Integer, primary_key=True, autoincrement=False, comment=comment)


cameras = make_table(
    "cameras",
    "Cameras that the settings name or named; owner: index actor",
    Column(
        "id", EXTERNAL_ID, primary_key=True, comment="from the settings; part of paths and signed headers"
    ),
    Column("title", String(128), nullable=False, comment="as people read it"),
    Column("room", String(128), nullable=False, comment="operating room; a case records its own room only"),
    Column("node_id", EXTERNAL_ID, nullable=False, comment="client node that records it"),
    Column("codec", String(16), comment="h264 or hevc once seen; NULL: not yet"),
    moment("registered_us", "first seen in the settings"),
    moment("updated_us", "last seen in the settings"),
)

cases = make_table(
    "cases",
    "Operations under which recording is lawful; owner: custody cases desk",
    Column("id", ID, primary_key=True, comment="UUIDv7"),
    Column("number", String(64), nullable=False, comment="the hospital's case number; unique"),
    Column("room", String(64), nullable=False, comment="operating room"),
    moment("planned_us", "planned beginning"),
    Column(
        "recording_request",
        String(200),
        nullable=False,
        comment="paper that asks for the recording (art. 38-2)",
    ),
    Column("state", String(16), nullable=False, comment="planned, armed, recording or closed"),
    moment("created_us", "when it was planned"),
    Column("created_by", ID, ForeignKey("accounts.id"), nullable=False, comment="account that planned it"),
    Column("case_key", LONG, comment="public HPKE key of the case, JSON; from the arming on"),
    moment("armed_us", "when it was armed; NULL: not yet", nullable=True),
    Column("armed_by", ID, ForeignKey("accounts.id"), comment="account that armed it"),
    moment("closed_us", "when it was closed; NULL: open", nullable=True),
    Column("closed_by", ID, ForeignKey("accounts.id"), comment="account that closed it"),
    Column("asked_by", String(16), comment="who asked for the recording: patient or guardian"),
    moment("asked_us", "when", nullable=True),
    Column("request_sha256", DIGEST, comment="SHA-256 (hex) of the signed form's scan"),
    Column("refusal_reason", String(32), comment="why it is not recorded, of the law's list; kept 3 years"),
    Column("refusal_note", String(500), comment="the same in words"),
    Column(
        "patient_sealed",
        String(512),
        comment="patient reference, AES-256-GCM under the site's secret, base64",
    ),
    Column("patient_hash", DIGEST, comment="HMAC-SHA-256 (hex) of the reference under that secret"),
    UniqueConstraint("number"),
    CheckConstraint("state IN ('planned','armed','recording','closed')", "state"),
    CheckConstraint("state NOT IN ('armed','recording') OR case_key IS NOT NULL", "armed_has_key"),
    CheckConstraint("(state = 'closed') = (closed_us IS NOT NULL)", "closed_when"),
    Index(None, "state"),
    Index(None, "planned_us"),
    Index(None, "room", "planned_us"),
    Index(None, "room", "id"),
    Index(None, "patient_hash"),
    Index(None, "number", "room", "planned_us"),
    Index(None, "room", "state", "closed_us"),
)

case_participants = make_table(
    "case_participants",
    "Staff who take part in a case; exports by consent need each; owner: custody cases desk",
    Column("case_id", ID, ForeignKey("cases.id"), primary_key=True, comment="the case"),
    place_in_list(),
    Column("name", String(80), nullable=False, comment="as on the consent form"),
    UniqueConstraint("case_id", "name"),
)

runs = make_table(
    "runs",
    "One camera recording under one case from start to stop; owner: custody switching desk",
    Column("id", ID, primary_key=True, comment="UUIDv7; part of signed headers"),
    Column("case_id", ID, ForeignKey("cases.id"), nullable=False, comment="what makes it lawful"),
    Column("camera_id", EXTERNAL_ID, ForeignKey("cameras.id"), nullable=False, comment="which camera"),
    Column(
        "epoch",
        Integer,
        nullable=False,
        comment="number of the camera's run, from 1; fences replaced recorders",
    ),
    Column(
        "open_camera_id",
        EXTERNAL_ID,
        comment="camera_id until the stop is confirmed, then NULL; unique: one open",
    ),
    moment("started_us", "when the start was ordered"),
    Column(
        "started_by",
        ID,
        ForeignKey("accounts.id"),
        nullable=False,
        comment="account that ordered the start, or armed the case that a device started",
    ),
    moment("stop_ordered_us", "when the stop was ordered; NULL: records", nullable=True),
    Column("stop_ordered_by", String(64), comment="history actor who ordered the stop"),
    Column(
        "stop_reason", String(500), comment="why; the law asks for it when it is before the end of the case"
    ),
    moment("stopped_us", "when the recorder confirmed; NULL: not yet", nullable=True),
    moment("destroyed_us", "when the case's destruction was certified; NULL: kept", nullable=True),
    UniqueConstraint("camera_id", "epoch"),
    UniqueConstraint("open_camera_id"),
    CheckConstraint("epoch >= 1", "epoch"),
    CheckConstraint("(stopped_us IS NULL) = (open_camera_id IS NOT NULL)", "open"),
    CheckConstraint("open_camera_id IS NULL OR open_camera_id = camera_id", "open_camera"),
    CheckConstraint("(stop_ordered_us IS NULL) = (stop_reason IS NULL)", "stop_has_reason"),
    CheckConstraint("stopped_us IS NULL OR stop_ordered_us IS NOT NULL", "stop_was_ordered"),
    Index(None, "case_id"),
    Index(None, "destroyed_us", "case_id"),
)

segments = make_table(
    "segments",
    "Index of sealed segments on the nodes' disks, rebuilt from them if lost; owner: index actor",
    Column("id", EXTERNAL_ID, primary_key=True, comment="segment id of the signed header"),
    Column("case_id", ID, ForeignKey("cases.id"), nullable=False, comment="from the signed header"),
    Column(
        "camera_id", EXTERNAL_ID, ForeignKey("cameras.id"), nullable=False, comment="from the signed header"
    ),
    Column("run_id", ID, ForeignKey("runs.id"), nullable=False, comment="from the signed header"),
    Column(
        "sequence", BigInteger, nullable=False, comment="place in the run, from 0; a hole is a lost segment"
    ),
    moment("start_us", "first frame"),
    moment("end_us", "end of the last frame"),
    Column("frames", Integer, nullable=False, comment="number of pictures"),
    Column("bytes", BigInteger, nullable=False, comment="size of the sealed file in bytes"),
    Column(
        "digest", DIGEST, nullable=False, comment="SHA-256 (hex) over header and signature; the chain's link"
    ),
    Column("path", String(512), nullable=False, comment="file below the node's store root"),
    Column(
        "header",
        LONG,
        nullable=False,
        comment="signed header, JSON; the columns above are copies to search by",
    ),
    Column(
        "slots",
        LONG,
        nullable=False,
        comment="wrapped DEKs, JSON; replaced when keys rotate, dropped to destroy",
    ),
    moment("indexed_us", "when the server first took it in, which revocations are held against"),
    UniqueConstraint("run_id", "sequence"),
    CheckConstraint("end_us >= start_us", "period"),
    CheckConstraint("sequence >= 0", "sequence"),
    Index(None, "case_id", "camera_id", "start_us"),
    Index(None, "camera_id", "start_us"),
)

moved_runs = make_table(
    "moved_runs",
    "Runs with segments that no anchor in history covers yet; owner: index actor",
    Column("run_id", ID, ForeignKey("runs.id"), primary_key=True, comment="which run"),
)

gaps = make_table(
    "gaps",
    "Times in which a run should have recorded and did not, kept for ever; owner: index actor",
    Column("id", BIG_KEY, primary_key=True, autoincrement=True, comment="row number without meaning"),
    Column("run_id", ID, ForeignKey("runs.id"), nullable=False, comment="which run"),
    Column("case_id", ID, ForeignKey("cases.id"), nullable=False, comment="the run's case, to search by"),
    Column("camera_id", EXTERNAL_ID, ForeignKey("cameras.id"), nullable=False, comment="the run's camera"),
    Column("room", String(64), nullable=False, comment="the case's operating room"),
    moment("from_us", "end of the last frame before"),
    moment("to_us", "first frame after"),
    Column("reason", String(500), nullable=False, comment="why, in words"),
    Column(
        "envelope",
        Text(),
        comment="the record as its node signed it (docs/format/gap-v1.md); NULL: not signed",
    ),
    moment("recorded_us", "when the row was written"),
    UniqueConstraint("run_id", "from_us", "to_us"),
    CheckConstraint("to_us > from_us", "period"),
    Index(None, "case_id", "camera_id", "from_us"),
    Index(None, "case_id", "from_us"),
    Index(None, "camera_id", "from_us"),
    Index(None, "room", "from_us"),
    Index(None, "from_us"),
)

notice_cursors = make_table(
    "notice_cursors",
    "How far each outside target has taken the events of history; owner: custody notice desk",
    Column("target", String(64), primary_key=True, comment="name of the target in the settings"),
    Column(
        "next_number",
        BigInteger,
        nullable=False,
        comment="seq in history of the first entry whose event it has not taken",
    ),
    moment("moved_us", "when it took the last one, or began to follow"),
    CheckConstraint("next_number >= 0", "number"),
)
