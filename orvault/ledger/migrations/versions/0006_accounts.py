"""Accounts whose password somebody else set."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "accounts",
        sa.Column(
            "reset_us",
            sa.BigInteger(),
            nullable=True,
            comment="UTC microseconds since 1970; when somebody else set its password; NULL: it is its own",
        ),
    )


def downgrade() -> None:
    op.drop_column("accounts", "reset_us")
