"""Runs of destroyed cases say so: what is kept is found by an index, and not by a walk by all that ever was."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    comment = "UTC microseconds since 1970; when the case's destruction was certified; NULL: kept"
    op.add_column("runs", sa.Column("destroyed_us", sa.BigInteger, nullable=True, comment=comment))
    op.execute(
        "UPDATE runs SET destroyed_us ="
        " (SELECT destructions.destroyed_us FROM destructions WHERE destructions.case_id = runs.case_id)"
    )
    op.create_index("ix_runs_destroyed_us_case_id", "runs", ["destroyed_us", "case_id"])


def downgrade() -> None:
    op.drop_index("ix_runs_destroyed_us_case_id", "runs")
    op.drop_column("runs", "destroyed_us")
