"""Machines, which have no password, and the keys that they come by."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from orvault.ledger.migrations.columns import OPTIONS, column

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "accounts",
        sa.Column(
            "machine",
            sa.Boolean(),
            nullable=False,
            server_default=sa.false(),
            comment="it has no password, and comes by keys",
        ),
    )
    op.create_table(
        "api_keys",
        column("session_id", sa.String(36), "its session, with its end"),
        column("digest", sa.String(64), "SHA-256 (hex) of the key, 256 random bits"),
        column("name", sa.String(80), "what it is for, as people call it"),
        column(
            "used_us",
            sa.BigInteger(),
            "UTC microseconds since 1970; when it was last used, give or take a minute; NULL: never",
            nullable=True,
        ),
        column("used_from", sa.String(64), "address that it came from then; empty: not known"),
        sa.PrimaryKeyConstraint("session_id", name="pk_api_keys"),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], name="fk_api_keys_session_id"),
        sa.UniqueConstraint("digest", name="uq_api_keys_digest"),
        comment="What a session of the method key is opened by, again and again; owner: custody machines desk",
        **OPTIONS,
    )


def downgrade() -> None:
    op.drop_table("api_keys")
    op.drop_column("accounts", "machine")
