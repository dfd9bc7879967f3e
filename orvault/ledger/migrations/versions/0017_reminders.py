"""How often a request's due date was reminded of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "requests",
        sa.Column(
            "reminders",
            sa.Integer(),
            nullable=False,
            server_default="0",
            comment="how often its due date was reminded of",
        ),
    )


def downgrade() -> None:
    op.drop_column("requests", "reminders")
