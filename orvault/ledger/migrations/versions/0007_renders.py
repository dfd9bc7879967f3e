"""Exports that are put off until what they need is back, and packages that were removed when they expired."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "requests",
        sa.Column(
            "given_back",
            sa.Integer(),
            nullable=False,
            server_default="0",
            comment="claims that were given back: what the worker needed was away",
        ),
    )
    op.add_column(
        "requests",
        sa.Column(
            "not_before_us",
            sa.BigInteger(),
            nullable=True,
            comment="UTC microseconds since 1970; when it is tried again after that; NULL: at once",
        ),
    )
    op.add_column(
        "requests",
        sa.Column(
            "removed_us",
            sa.BigInteger(),
            nullable=True,
            comment="UTC microseconds since 1970; when the files of an ended one were removed; NULL: not yet",
        ),
    )


def downgrade() -> None:
    for name in ("removed_us", "not_before_us", "given_back"):
        op.drop_column("requests", name)
