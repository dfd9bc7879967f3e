"""Export requests, download links, and the append-only history."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from orvault.ledger.migrations.columns import LONG, OPTIONS, column, moment

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_REFUSAL = "history is append-only"


def upgrade() -> None:
    op.create_table(
        "history",
        column("seq", sa.BigInteger(), "place, from 0 without holes; Merkle leaf", autoincrement=False),
        moment("at_us", "when"),
        column("actor", sa.String(80), "account:ID, worker:NAME, console, system or anonymous"),
        column("act", sa.String(32), "one of orvault.custody.history.Act"),
        column("subject", sa.String(160), "about what, KIND:ID"),
        column("detail", LONG, "particulars, canonical JSON as it was hashed"),
        column("leaf_hash", sa.String(64), "RFC 6962 leaf hash (hex) over the canonical entry"),
        sa.PrimaryKeyConstraint("seq", name="pk_history"),
        sa.CheckConstraint("seq >= 0", name=op.f("ck_history_seq")),
        comment="Every act, append-only (triggers refuse UPDATE and DELETE); owner: all custody desks",
        **OPTIONS,
    )
    op.create_index("ix_history_act_seq", "history", ["act", "seq"])
    op.create_index("ix_history_actor_seq", "history", ["actor", "seq"])
    op.create_index("ix_history_subject_seq", "history", ["subject", "seq"])
    op.create_table(
        "history_head",
        column("id", sa.Integer(), "always 1", autoincrement=False),
        column("size", sa.BigInteger(), "number of history rows; a cut-off end shows against it"),
        sa.PrimaryKeyConstraint("id", name="pk_history_head"),
        sa.CheckConstraint("id = 1", name=op.f("ck_history_head_one_row")),
        sa.CheckConstraint("size >= 0", name=op.f("ck_history_head_size")),
        comment="One row: the size of history; writers take turns by locking it; owner: ledger unit of work",
        **OPTIONS,
    )
    op.create_table(
        "requests",
        column("id", sa.String(36), "UUIDv7"),
        column("case_id", sa.String(36), "whose recordings"),
        moment("from_us", "beginning of the period asked for"),
        moment("to_us", "end of the period asked for"),
        column("purpose", sa.String(500), "why; binds the recipients"),
        column("basis_kind", sa.String(16), "court, investigator, mediation or consent"),
        column("document_number", sa.String(120), "of the court or investigator; may be empty"),
        column("proceedings_number", sa.String(120), "of the mediation agency; may be empty"),
        column("masking", sa.String(16), "face, head, body or picture"),
        column("style", sa.String(16), "solid, mosaic or frost"),
        column("watermark", sa.String(64), "text in the picture"),
        column("watermark_position", sa.String(16), "corner or centre"),
        column("terms", LONG, "terms of use that travel in the package"),
        moment("valid_from_us", "the package opens from"),
        moment("valid_until_us", "the package opens until; the request expires then"),
        column("state", sa.String(16), "one of orvault.custody.request.RequestState"),
        column("requested_by", sa.String(36), "account that submitted it"),
        moment("requested_us", "when it was submitted"),
        column(
            "decided_by",
            sa.String(36),
            "account that approved or refused; never the requester",
            nullable=True,
        ),
        moment("decided_us", "when that was", nullable=True),
        column("refusal_reason", sa.String(500), "why it was refused; kept 3 years", nullable=True),
        column("package_id", sa.String(36), "UUIDv7 given at the approval; unique", nullable=True),
        column("stage", sa.String(64), "what the worker does now, in words"),
        column("done", sa.BigInteger(), "units of the stage that are done"),
        column("total", sa.BigInteger(), "units of the stage; 0: not known"),
        column("worker", sa.String(64), "export worker that has or had it", nullable=True),
        column("worker_epoch", sa.Integer(), "number of claims; fences replaced workers"),
        moment("worker_seen_us", "the worker's last sign of life", nullable=True),
        column("package_path", sa.String(512), "file below the packages folder, once ready", nullable=True),
        column("package_bytes", sa.BigInteger(), "size of the package in bytes, once ready", nullable=True),
        column(
            "package_sha256", sa.String(64), "SHA-256 (hex) of the package file, once ready", nullable=True
        ),
        column("failure", sa.String(500), "why the rendering failed", nullable=True),
        moment("ended_us", "when it became ready, refused, failed or expired", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_requests"),
        sa.CheckConstraint(
            "state NOT IN ('approved','rendering','ready','failed') OR decided_by IS NOT NULL",
            name=op.f("ck_requests_approved_by_somebody"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('approved','rendering','ready','failed') OR package_id IS NOT NULL",
            name=op.f("ck_requests_approved_names_package"),
        ),
        sa.CheckConstraint(
            "basis_kind IN ('court','investigator','mediation','consent')",
            name=op.f("ck_requests_basis_kind"),
        ),
        sa.CheckConstraint(
            "decided_by IS NULL OR decided_by <> requested_by", name=op.f("ck_requests_four_eyes")
        ),
        sa.CheckConstraint("masking IN ('face','head','body','picture')", name=op.f("ck_requests_masking")),
        sa.CheckConstraint("to_us > from_us", name=op.f("ck_requests_period")),
        sa.CheckConstraint(
            "state <> 'ready' OR package_sha256 IS NOT NULL", name=op.f("ck_requests_ready_has_package")
        ),
        sa.CheckConstraint(
            "state <> 'refused' OR refusal_reason IS NOT NULL", name=op.f("ck_requests_refused_has_reason")
        ),
        sa.CheckConstraint(
            "state IN ('submitted','approved','rendering','ready','refused','failed','expired')",
            name=op.f("ck_requests_state"),
        ),
        sa.CheckConstraint("style IN ('solid','mosaic','frost')", name=op.f("ck_requests_style")),
        sa.CheckConstraint("valid_until_us > valid_from_us", name=op.f("ck_requests_validity")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_requests_case_id"),
        sa.ForeignKeyConstraint(["decided_by"], ["accounts.id"], name="fk_requests_decided_by"),
        sa.ForeignKeyConstraint(["requested_by"], ["accounts.id"], name="fk_requests_requested_by"),
        sa.UniqueConstraint("package_id", name="uq_requests_package_id"),
        comment="Export requests and what became of them; owner: custody exports and renders desks",
        **OPTIONS,
    )
    op.create_index("ix_requests_case_id", "requests", ["case_id"])
    op.create_index("ix_requests_requested_by", "requests", ["requested_by"])
    op.create_index("ix_requests_state_decided_us", "requests", ["state", "decided_us"])
    op.create_index("ix_requests_valid_until_us", "requests", ["valid_until_us"])
    op.create_table(
        "download_links",
        column("id", sa.String(36), "UUIDv7; the signed URL's jti"),
        column("request_id", sa.String(36), "whose package"),
        column("issued_to", sa.String(36), "account it was given to"),
        moment("issued_us", "when"),
        moment("expires_us", "end of its life"),
        moment("first_used_us", "first use, which is in history; NULL: never used", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_download_links"),
        sa.CheckConstraint("expires_us > issued_us", name=op.f("ck_download_links_period")),
        sa.ForeignKeyConstraint(["issued_to"], ["accounts.id"], name="fk_download_links_issued_to"),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"], name="fk_download_links_request_id"),
        comment="Download links handed out; owner: custody exports desk",
        **OPTIONS,
    )
    op.create_index("ix_download_links_request_id", "download_links", ["request_id"])
    op.create_table(
        "request_cameras",
        column("request_id", sa.String(36), "the request"),
        column("position", sa.Integer(), "place in the list, from 0", autoincrement=False),
        column("camera_id", sa.String(128), "the camera"),
        sa.PrimaryKeyConstraint("request_id", "position", name="pk_request_cameras"),
        sa.ForeignKeyConstraint(["camera_id"], ["cameras.id"], name="fk_request_cameras_camera_id"),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"], name="fk_request_cameras_request_id"),
        sa.UniqueConstraint("request_id", "camera_id", name="uq_request_cameras_request_id_camera_id"),
        comment="Cameras of a request; owner: custody exports desk",
        **OPTIONS,
    )
    op.create_table(
        "request_consents",
        column("request_id", sa.String(36), "the request"),
        column("position", sa.Integer(), "place in the list, from 0", autoincrement=False),
        column("subject", sa.String(16), "patient or staff"),
        column("name", sa.String(80), "whose consent"),
        column("document", sa.String(120), "paper it stands on; may be empty"),
        sa.PrimaryKeyConstraint("request_id", "position", name="pk_request_consents"),
        sa.CheckConstraint("subject IN ('patient','staff')", name=op.f("ck_request_consents_subject")),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"], name="fk_request_consents_request_id"),
        comment="Consents that a request names; owner: custody exports desk",
        **OPTIONS,
    )
    op.create_table(
        "request_recipients",
        column("request_id", sa.String(36), "the request"),
        column("position", sa.Integer(), "place in the list, from 0", autoincrement=False),
        column("name", sa.String(80), "the recipient; leaks are traced by it"),
        column("recipient", LONG, "public key, and salt for a password recipient, JSON"),
        sa.PrimaryKeyConstraint("request_id", "position", name="pk_request_recipients"),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"], name="fk_request_recipients_request_id"),
        sa.UniqueConstraint("request_id", "name", name="uq_request_recipients_request_id_name"),
        comment="Who can open the package; nothing here opens anything; owner: custody exports desk",
        **OPTIONS,
    )
    op.execute("INSERT INTO history_head (id, size) VALUES (1, 0)")
    _make_append_only()


def downgrade() -> None:
    op.execute("DROP TRIGGER history_no_update")
    op.execute("DROP TRIGGER history_no_delete")
    op.drop_table("request_recipients")
    op.drop_table("request_consents")
    op.drop_table("request_cameras")
    op.drop_table("download_links")
    op.drop_table("requests")
    op.drop_table("history_head")
    op.drop_table("history")


def _make_append_only() -> None:
    # What can delete these triggers can also rewrite history; they stop mistakes. Tampering shows in the
    # hashes.
    for act in ("UPDATE", "DELETE"):
        name = f"history_no_{act.lower()}"
        if op.get_bind().dialect.name == "sqlite":
            body = f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
        else:
            body = f"FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{_REFUSAL}'"
        op.execute(f"CREATE TRIGGER {name} BEFORE {act} ON history {body}")
