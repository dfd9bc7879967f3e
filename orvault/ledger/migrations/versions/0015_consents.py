"""Consents with scope and paper, approvals and answers as rows, due dates, deliveries of each copy."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from orvault.ledger.migrations.columns import OPTIONS

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

ID, DIGEST = sa.String(36), sa.String(64)
US = "UTC microseconds since 1970; "
COLUMNS = {
    "requests": (
        sa.Column(
            "due_us",
            sa.BigInteger(),
            comment=US + "until when it is to be answered; NULL: a draft, or older than this",
        ),
        sa.Column("revoked_by", ID, comment="account that revoked or withdrew it"),
    ),
    "request_recipients": (
        sa.Column(
            "delivered_us", sa.BigInteger(), comment=US + "when their copy was first fetched; NULL: not yet"
        ),
    ),
    "request_consents": (
        sa.Column(
            "document_sha256",
            DIGEST,
            nullable=False,
            server_default="",
            comment="SHA-256 (hex) of the paper's scan",
        ),
        sa.Column(
            "scope",
            sa.String(16),
            nullable=False,
            server_default="masked",
            comment="how far it goes: masked or clear",
        ),
        sa.Column("taken_by", ID, comment="account that took it in; NULL: older than this"),
        sa.Column("taken_us", sa.BigInteger(), comment=US + "when that was"),
        sa.Column("withdrawn_by", ID, comment="account that took the withdrawal in; NULL: it stands"),
        sa.Column("withdrawn_us", sa.BigInteger(), comment=US + "when that was"),
        sa.Column(
            "withdrawal_reason",
            sa.String(500),
            nullable=False,
            server_default="",
            comment="as it was given",
        ),
    ),
}


def upgrade() -> None:
    for table, columns in COLUMNS.items():
        for column in columns:
            op.add_column(table, column)
    op.create_index("ix_requests_state_due_us", "requests", ["state", "due_us"])
    _make_approvals()
    _make_answers()


def downgrade() -> None:
    op.drop_table("request_answers")
    op.drop_table("request_approvals")
    op.drop_index("ix_requests_state_due_us", "requests")
    for table, columns in COLUMNS.items():
        for column in reversed(columns):
            op.drop_column(table, column.name)


def _make_approvals() -> None:
    op.create_table(
        "request_approvals",
        sa.Column("request_id", ID, nullable=False, comment="the request"),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False, comment="from 0"),
        sa.Column("account_id", ID, nullable=False, comment="never the requester"),
        sa.Column("at_us", sa.BigInteger(), nullable=False, comment=US + "when"),
        sa.Column(
            "voided_us",
            sa.BigInteger(),
            comment=US + "since when it does not count: the basis broke; NULL: it counts",
        ),
        sa.PrimaryKeyConstraint("request_id", "number", name=op.f("pk_request_approvals")),
        sa.ForeignKeyConstraint(
            ["request_id"], ["requests.id"], name=op.f("fk_request_approvals_request_id")
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_request_approvals_account_id")
        ),
        comment="Who approved a request when, voided ones too; owner: custody exports desk",
        **OPTIONS,
    )
    # What was approved before there were rows was approved by one account.
    op.execute(
        "INSERT INTO request_approvals (request_id, number, account_id, at_us) "
        "SELECT id, 0, decided_by, decided_us FROM requests "
        "WHERE decided_by IS NOT NULL AND state IN ('approved','rendering','review','ready','failed')"
    )


def _make_answers() -> None:
    op.create_table(
        "request_answers",
        sa.Column("request_id", ID, nullable=False, comment="the request"),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False, comment="from 0"),
        sa.Column("participant", sa.String(80), nullable=False, comment="as in the case's list"),
        sa.Column("answer", sa.String(8), nullable=False, comment="yes or no"),
        sa.Column("remark", sa.String(500), nullable=False, comment="what they said; may be empty"),
        sa.Column(
            "document_sha256",
            DIGEST,
            nullable=False,
            comment="of the paper, if it was no account of theirs",
        ),
        sa.Column("taken_by", ID, nullable=False, comment="account that gave or took it"),
        sa.Column("at_us", sa.BigInteger(), nullable=False, comment=US + "when"),
        sa.PrimaryKeyConstraint("request_id", "number", name=op.f("pk_request_answers")),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"], name=op.f("fk_request_answers_request_id")),
        sa.ForeignKeyConstraint(["taken_by"], ["accounts.id"], name=op.f("fk_request_answers_taken_by")),
        sa.CheckConstraint("answer IN ('yes','no')", name=op.f("ck_request_answers_answer")),
        comment="What participants said of the masked result, the last one counts; owner: custody review desk",
        **OPTIONS,
    )
