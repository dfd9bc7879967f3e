"""How and from where a session was opened. Those that are open end: nobody noted it of them; they live minutes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from orvault.ledger.migrations.columns import OPTIONS

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

TIME = "UTC microseconds since 1970; "


def upgrade() -> None:
    _make_again(
        sa.Column("method", sa.String(16), nullable=False, comment="one of orvault.custody.account.Method"),
        sa.Column(
            "client",
            sa.String(64),
            nullable=False,
            comment="address that it was opened from; empty: not known",
        ),
        sa.CheckConstraint(
            "method IN ('password','password+code','directory','key')", name=op.f("ck_sessions_method")
        ),
    )


def downgrade() -> None:
    _make_again()


def _make_again(*parts: sa.schema.SchemaItem) -> None:
    op.drop_table("sessions")
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(36), nullable=False, comment="UUIDv7; the token's jti"),
        sa.Column("account_id", sa.String(36), nullable=False, comment="whose sign-in"),
        sa.Column("issued_us", sa.BigInteger(), nullable=False, comment=f"{TIME}sign-in"),
        sa.Column(
            "expires_us",
            sa.BigInteger(),
            nullable=False,
            comment=f"{TIME}end without signing out; old rows are dropped after it",
        ),
        sa.Column("ended_us", sa.BigInteger(), comment=f"{TIME}signed out; NULL: not"),
        *parts,
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        sa.CheckConstraint("expires_us > issued_us", name=op.f("ck_sessions_period")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_sessions_account_id"),
        comment="Open sign-ins; a token is good only while its row is; owner: custody accounts desk",
        **OPTIONS,
    )
    op.create_index("ix_sessions_account_id", "sessions", ["account_id"])
    op.create_index("ix_sessions_expires_us", "sessions", ["expires_us"])
