"""Accounts, cameras, cases and what was recorded under them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from orvault.ledger.migrations.columns import BIG_KEY, LONG, OPTIONS, column, moment

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "accounts",
        column("id", sa.String(36), "UUIDv7; named in history, so never reused"),
        column("name", sa.String(64), "sign-in name, NFKC and case-folded; unique"),
        column("display_name", sa.String(80), "as people read it"),
        column("role", sa.String(32), "one of orvault.custody.account.Role"),
        column("password_phc", sa.String(255), "Argon2id PHC string; never shown or logged"),
        moment("created_us", "when it was made"),
        column("created_by", sa.String(64), "history actor who made it, or console"),
        moment("disabled_us", "since when signing in is off; NULL: in use", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_accounts"),
        sa.CheckConstraint(
            "role IN ('system-administrator','records-manager','privacy-officer','clinical-staff','auditor')",
            name=op.f("ck_accounts_role"),
        ),
        sa.UniqueConstraint("name", name="uq_accounts_name"),
        comment="People and machines that sign in; owner: custody accounts desk",
        **OPTIONS,
    )
    op.create_table(
        "cameras",
        column("id", sa.String(128), "from the settings; part of paths and signed headers"),
        column("title", sa.String(128), "as people read it"),
        column("room", sa.String(128), "operating room; a case records its own room only"),
        column("node_id", sa.String(128), "client node that records it"),
        column("codec", sa.String(16), "h264 or hevc once seen; NULL: not yet", nullable=True),
        moment("registered_us", "first seen in the settings"),
        moment("updated_us", "last seen in the settings"),
        sa.PrimaryKeyConstraint("id", name="pk_cameras"),
        comment="Cameras that the settings name or named; owner: index actor",
        **OPTIONS,
    )
    op.create_table(
        "sign_in_failures",
        column("id", BIG_KEY, "row number without meaning", autoincrement=True),
        column("name_key", sa.String(64), "SHA-256 (hex) of the name typed: it may be a password"),
        moment("at_us", "when"),
        sa.PrimaryKeyConstraint("id", name="pk_sign_in_failures"),
        comment="Failed sign-ins of the last minutes, for the throttle; owner: custody accounts desk",
        **OPTIONS,
    )
    op.create_index("ix_sign_in_failures_at_us", "sign_in_failures", ["at_us"])
    op.create_index("ix_sign_in_failures_name_key_at_us", "sign_in_failures", ["name_key", "at_us"])
    op.create_table(
        "cases",
        column("id", sa.String(36), "UUIDv7"),
        column("number", sa.String(64), "the hospital's case number; unique"),
        column("room", sa.String(64), "operating room"),
        moment("planned_us", "planned beginning"),
        column("recording_request", sa.String(200), "paper that asks for the recording (art. 38-2)"),
        column("state", sa.String(16), "planned, armed, recording or closed"),
        moment("created_us", "when it was planned"),
        column("created_by", sa.String(36), "account that planned it"),
        column("case_key", LONG, "public HPKE key of the case, JSON; from the arming on", nullable=True),
        moment("armed_us", "when it was armed; NULL: not yet", nullable=True),
        column("armed_by", sa.String(36), "account that armed it", nullable=True),
        moment("closed_us", "when it was closed; NULL: open", nullable=True),
        column("closed_by", sa.String(36), "account that closed it", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_cases"),
        sa.CheckConstraint(
            "state NOT IN ('armed','recording') OR case_key IS NOT NULL", name=op.f("ck_cases_armed_has_key")
        ),
        sa.CheckConstraint("(state = 'closed') = (closed_us IS NOT NULL)", name=op.f("ck_cases_closed_when")),
        sa.CheckConstraint("state IN ('planned','armed','recording','closed')", name=op.f("ck_cases_state")),
        sa.ForeignKeyConstraint(["armed_by"], ["accounts.id"], name="fk_cases_armed_by"),
        sa.ForeignKeyConstraint(["closed_by"], ["accounts.id"], name="fk_cases_closed_by"),
        sa.ForeignKeyConstraint(["created_by"], ["accounts.id"], name="fk_cases_created_by"),
        sa.UniqueConstraint("number", name="uq_cases_number"),
        comment="Operations under which recording is lawful; owner: custody cases desk",
        **OPTIONS,
    )
    op.create_index("ix_cases_room_planned_us", "cases", ["room", "planned_us"])
    op.create_index("ix_cases_state", "cases", ["state"])
    op.create_table(
        "sessions",
        column("id", sa.String(36), "UUIDv7; the token's jti"),
        column("account_id", sa.String(36), "whose sign-in"),
        moment("issued_us", "sign-in"),
        moment("expires_us", "end without signing out; old rows are dropped after it"),
        moment("ended_us", "signed out; NULL: not", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        sa.CheckConstraint("expires_us > issued_us", name=op.f("ck_sessions_period")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_sessions_account_id"),
        comment="Open sign-ins; a token is good only while its row is; owner: custody accounts desk",
        **OPTIONS,
    )
    op.create_index("ix_sessions_account_id", "sessions", ["account_id"])
    op.create_index("ix_sessions_expires_us", "sessions", ["expires_us"])
    op.create_table(
        "case_participants",
        column("case_id", sa.String(36), "the case"),
        column("position", sa.Integer(), "place in the list, from 0", autoincrement=False),
        column("name", sa.String(80), "as on the consent form"),
        sa.PrimaryKeyConstraint("case_id", "position", name="pk_case_participants"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_case_participants_case_id"),
        sa.UniqueConstraint("case_id", "name", name="uq_case_participants_case_id_name"),
        comment="Staff who take part in a case; exports by consent need each; owner: custody cases desk",
        **OPTIONS,
    )
    op.create_table(
        "runs",
        column("id", sa.String(36), "UUIDv7; part of signed headers"),
        column("case_id", sa.String(36), "what makes it lawful"),
        column("camera_id", sa.String(128), "which camera"),
        column("epoch", sa.Integer(), "number of the camera's run, from 1; fences replaced recorders"),
        column(
            "open_camera_id",
            sa.String(128),
            "camera_id until the stop is confirmed, then NULL; unique: one open",
            nullable=True,
        ),
        moment("started_us", "when the start was ordered"),
        column("started_by", sa.String(36), "account that ordered the start"),
        moment("stop_ordered_us", "when the stop was ordered; NULL: records", nullable=True),
        column("stop_ordered_by", sa.String(64), "history actor who ordered the stop", nullable=True),
        column(
            "stop_reason",
            sa.String(500),
            "why; the law asks for it when it is before the end of the case",
            nullable=True,
        ),
        moment("stopped_us", "when the recorder confirmed; NULL: not yet", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
        sa.CheckConstraint("epoch >= 1", name=op.f("ck_runs_epoch")),
        sa.CheckConstraint("(stopped_us IS NULL) = (open_camera_id IS NOT NULL)", name=op.f("ck_runs_open")),
        sa.CheckConstraint(
            "open_camera_id IS NULL OR open_camera_id = camera_id", name=op.f("ck_runs_open_camera")
        ),
        sa.CheckConstraint(
            "(stop_ordered_us IS NULL) = (stop_reason IS NULL)", name=op.f("ck_runs_stop_has_reason")
        ),
        sa.CheckConstraint(
            "stopped_us IS NULL OR stop_ordered_us IS NOT NULL", name=op.f("ck_runs_stop_was_ordered")
        ),
        sa.ForeignKeyConstraint(["camera_id"], ["cameras.id"], name="fk_runs_camera_id"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_runs_case_id"),
        sa.ForeignKeyConstraint(["started_by"], ["accounts.id"], name="fk_runs_started_by"),
        sa.UniqueConstraint("camera_id", "epoch", name="uq_runs_camera_id_epoch"),
        sa.UniqueConstraint("open_camera_id", name="uq_runs_open_camera_id"),
        comment="One camera recording under one case from start to stop; owner: custody switching desk",
        **OPTIONS,
    )
    op.create_index("ix_runs_case_id", "runs", ["case_id"])
    op.create_table(
        "gaps",
        column("id", BIG_KEY, "row number without meaning", autoincrement=True),
        column("run_id", sa.String(36), "which run"),
        column("case_id", sa.String(36), "the run's case, to search by"),
        column("camera_id", sa.String(128), "the run's camera"),
        moment("from_us", "end of the last frame before"),
        moment("to_us", "first frame after"),
        column("reason", sa.String(500), "why, in words"),
        moment("recorded_us", "when the row was written"),
        sa.PrimaryKeyConstraint("id", name="pk_gaps"),
        sa.CheckConstraint("to_us > from_us", name=op.f("ck_gaps_period")),
        sa.ForeignKeyConstraint(["camera_id"], ["cameras.id"], name="fk_gaps_camera_id"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_gaps_case_id"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_gaps_run_id"),
        sa.UniqueConstraint("run_id", "from_us", "to_us", name="uq_gaps_run_id_from_us_to_us"),
        comment="Times in which a run should have recorded and did not, kept for ever; owner: index actor",
        **OPTIONS,
    )
    op.create_index("ix_gaps_case_id_camera_id_from_us", "gaps", ["case_id", "camera_id", "from_us"])
    op.create_table(
        "segments",
        column("id", sa.String(128), "segment id of the signed header"),
        column("case_id", sa.String(36), "from the signed header"),
        column("camera_id", sa.String(128), "from the signed header"),
        column("run_id", sa.String(36), "from the signed header"),
        column("sequence", sa.BigInteger(), "place in the run, from 0; a hole is a lost segment"),
        moment("start_us", "first frame"),
        moment("end_us", "end of the last frame"),
        column("frames", sa.Integer(), "number of pictures"),
        column("bytes", sa.BigInteger(), "size of the sealed file in bytes"),
        column("digest", sa.String(64), "SHA-256 (hex) over header and signature; the chain's link"),
        column("path", sa.String(512), "file below the node's store root"),
        column("header", LONG, "signed header, JSON; the columns above are copies to search by"),
        column("slots", LONG, "wrapped DEKs, JSON; replaced when keys rotate, dropped to destroy"),
        moment("indexed_us", "when the row was written"),
        sa.PrimaryKeyConstraint("id", name="pk_segments"),
        sa.CheckConstraint("end_us >= start_us", name=op.f("ck_segments_period")),
        sa.CheckConstraint("sequence >= 0", name=op.f("ck_segments_sequence")),
        sa.ForeignKeyConstraint(["camera_id"], ["cameras.id"], name="fk_segments_camera_id"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_segments_case_id"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_segments_run_id"),
        sa.UniqueConstraint("run_id", "sequence", name="uq_segments_run_id_sequence"),
        comment="Index of sealed segments on the nodes' disks, rebuilt from them if lost; owner: index actor",
        **OPTIONS,
    )
    op.create_index("ix_segments_camera_id_start_us", "segments", ["camera_id", "start_us"])
    op.create_index(
        "ix_segments_case_id_camera_id_start_us", "segments", ["case_id", "camera_id", "start_us"]
    )


def downgrade() -> None:
    op.drop_table("segments")
    op.drop_table("gaps")
    op.drop_table("runs")
    op.drop_table("case_participants")
    op.drop_table("sessions")
    op.drop_table("cases")
    op.drop_table("sign_in_failures")
    op.drop_table("cameras")
    op.drop_table("accounts")
