"""Scans of drafts, and the choice of what is masked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from orvault.ledger.migrations.columns import LONG, OPTIONS, column, moment

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    chosen = "who is left clear and what is covered besides, chosen by whom and when, JSON; NULL: all masked"
    op.add_column("requests", column("choice", LONG, chosen, nullable=True))
    op.create_table(
        "scans",
        column("id", sa.String(36), "UUIDv7; named in history"),
        column("request_id", sa.String(36), "the draft"),
        column("scope", LONG, "cameras, period and masking that are scanned for, JSON"),
        column("state", sa.String(16), "waiting, scanning, done or failed"),
        column("ordered_by", sa.String(36), "account that ordered it"),
        moment("ordered_us", "when"),
        column("stage", sa.String(64), "what the worker does now, in words"),
        column("done", sa.BigInteger(), "units of the work that are done"),
        column("total", sa.BigInteger(), "units of the work; 0: not known"),
        column("worker", sa.String(64), "worker that has or had it", nullable=True),
        column("worker_epoch", sa.Integer(), "number of claims; fences replaced workers"),
        moment("worker_seen_us", "the worker's last sign of life", nullable=True),
        column("given_back", sa.Integer(), "claims that were given back: what the worker needed was away"),
        moment("not_before_us", "when it is tried again after that; NULL: at once", nullable=True),
        column("failure", sa.String(500), "why it failed", nullable=True),
        moment("ended_us", "when it was done or failed", nullable=True),
        column(
            "found",
            LONG,
            "by camera the tracks (times and boxes) and their digest, JSON; once done",
            nullable=True,
        ),
        sa.PrimaryKeyConstraint("id", name="pk_scans"),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"], name="fk_scans_request_id"),
        sa.ForeignKeyConstraint(["ordered_by"], ["accounts.id"], name="fk_scans_ordered_by"),
        sa.CheckConstraint("state IN ('waiting','scanning','done','failed')", name=op.f("ck_scans_state")),
        sa.CheckConstraint("state <> 'done' OR found IS NOT NULL", name=op.f("ck_scans_done_has_found")),
        comment="Scans of drafts' footage for who is in it; no picture is kept; owner: custody scans desk",
        **OPTIONS,
    )
    for name in ("request_id", "ordered_by", "state"):
        op.create_index(f"ix_scans_{name}", "scans", [name])


def downgrade() -> None:
    op.drop_table("scans")
    op.drop_column("requests", "choice")
