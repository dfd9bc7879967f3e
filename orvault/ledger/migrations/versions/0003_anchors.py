"""Anchors: which runs moved since their head was last written into history."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from orvault.ledger.migrations.columns import OPTIONS

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_INDEXED = "UTC microseconds since 1970; when the row was written"
_SEEN = "UTC microseconds since 1970; when the server first took it in, which revocations are held against"


def upgrade() -> None:
    op.create_table(
        "moved_runs",
        sa.Column("run_id", sa.String(36), nullable=False, comment="which run"),
        sa.PrimaryKeyConstraint("run_id", name="pk_moved_runs"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_moved_runs_run_id"),
        comment="Runs with segments that no anchor in history covers yet; owner: index actor",
        **OPTIONS,
    )
    # What was recorded before there were anchors gets its first one.
    op.execute("INSERT INTO moved_runs (run_id) SELECT DISTINCT run_id FROM segments")
    _explain_indexed(_SEEN, _INDEXED)


def downgrade() -> None:
    _explain_indexed(_INDEXED, _SEEN)
    op.drop_table("moved_runs")


def _explain_indexed(comment: str, before: str) -> None:
    if op.get_bind().dialect.name == "sqlite":
        return  # it keeps no comments
    op.alter_column(
        "segments",
        "indexed_us",
        existing_type=sa.BigInteger(),
        existing_nullable=False,
        existing_comment=before,
        comment=comment,
    )
