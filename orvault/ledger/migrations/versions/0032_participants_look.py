"""Participants who are asked to look at a masked result, what was waived, and views of results."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from orvault.ledger.migrations.columns import OPTIONS, column, moment

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "requests",
        moment(
            "answers_due_us",
            "until when participants are to answer to its result; NULL: none was asked about a result",
            nullable=True,
        ),
    )
    watched = "export request whose masked result is watched; NULL: what was recorded"
    op.add_column("views", column("request_id", sa.String(36), watched, nullable=True))
    op.create_index("ix_views_request_id", "views", ["request_id"])
    op.create_table(
        "request_participants",
        column("request_id", sa.String(36), "the request"),
        column("position", sa.Integer(), "place in the list, from 0", autoincrement=False),
        column("participant", sa.String(80), "as in the case's list"),
        column("asked_by", sa.String(36), "account that named them; NULL: the site asks all", nullable=True),
        moment("asked_us", "when"),
        column("mail", sa.String(255), "where they are told of it; may be empty"),
        column(
            "account_id", sa.String(36), "theirs, where it was named; NULL: by display name", nullable=True
        ),
        column("waived_by", sa.String(36), "account that waived it, never the requester", nullable=True),
        moment("waived_us", "when that was; NULL: it is waited for", nullable=True),
        column("waiver_reason", sa.String(500), "why; empty where it is waited for"),
        sa.PrimaryKeyConstraint("request_id", "position", name="pk_request_participants"),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"], name="fk_request_participants_request_id"),
        sa.ForeignKeyConstraint(["asked_by"], ["accounts.id"], name="fk_request_participants_asked_by"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_request_participants_account_id"),
        sa.ForeignKeyConstraint(["waived_by"], ["accounts.id"], name="fk_request_participants_waived_by"),
        sa.CheckConstraint(
            "(waived_us IS NULL) = (waived_by IS NULL)",
            name=op.f("ck_request_participants_waived_by_somebody"),
        ),
        sa.CheckConstraint(
            "waived_us IS NULL OR waiver_reason <> ''", name=op.f("ck_request_participants_waived_has_reason")
        ),
        comment="Participants whose answer to the masked result is wanted; owner: custody review desk",
        **OPTIONS,
    )


def downgrade() -> None:
    op.execute("DELETE FROM views WHERE request_id IS NOT NULL")  # they would be of what was recorded
    op.drop_table("request_participants")
    op.drop_index("ix_views_request_id", "views")
    op.drop_column("views", "request_id")
    op.drop_column("requests", "answers_due_us")
