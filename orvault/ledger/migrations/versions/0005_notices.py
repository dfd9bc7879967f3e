"""How far each outside target has taken the events of history."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notice_cursors",
        sa.Column("target", sa.String(64), nullable=False, comment="name of the target in the settings"),
        sa.Column(
            "next_number",
            sa.BigInteger(),
            nullable=False,
            comment="seq in history of the first entry whose event it has not taken",
        ),
        sa.Column(
            "moved_us",
            sa.BigInteger(),
            nullable=False,
            comment="UTC microseconds since 1970; when it took the last one, or began to follow",
        ),
        sa.PrimaryKeyConstraint("target", name="pk_notice_cursors"),
        sa.CheckConstraint("next_number >= 0", name=op.f("ck_notice_cursors_number")),
        comment="How far each outside target has taken the events of history; owner: custody notice desk",
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_nopad_bin",
    )


def downgrade() -> None:
    op.drop_table("notice_cursors")
