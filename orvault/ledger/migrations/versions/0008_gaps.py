"""Gaps keep the record that their node signed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A gap from before records were signed has none, and is told as not signed.
    op.add_column(
        "gaps",
        sa.Column(
            "envelope",
            sa.Text(),
            nullable=True,
            comment="the record as its node signed it (docs/format/gap-v1.md); NULL: not signed",
        ),
    )


def downgrade() -> None:
    op.drop_column("gaps", "envelope")
