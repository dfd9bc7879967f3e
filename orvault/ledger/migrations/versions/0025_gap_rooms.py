"""Gaps by room, so that what an account of one room is shown of them is read by an index, as stretches are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    comment = "the case's operating room"
    op.add_column(
        "gaps", sa.Column("room", sa.String(64), nullable=False, server_default="", comment=comment)
    )
    op.execute("UPDATE gaps SET room = (SELECT cases.room FROM cases WHERE cases.id = gaps.case_id)")
    op.create_index("ix_gaps_room_from_us", "gaps", ["room", "from_us"])
    op.create_index("ix_cases_room_id", "cases", ["room", "id"])


def downgrade() -> None:
    op.drop_index("ix_cases_room_id", "cases")
    op.drop_index("ix_gaps_room_from_us", "gaps")
    op.drop_column("gaps", "room")
