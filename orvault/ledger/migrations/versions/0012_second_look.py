"""Packages that wait for a reviewer after a second look, and workers that got further before they died."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from orvault.ledger.migrations.checks import exchange_checks
from orvault.ledger.migrations.columns import LONG

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

# Each constraint as it was and as it is.
CHECKS = {
    "state": (
        "state IN ('submitted','approved','rendering','ready','refused','failed','expired')",
        "state IN ('submitted','approved','rendering','review','ready','refused','failed','expired')",
    ),
    "approved_by_somebody": (
        "state NOT IN ('approved','rendering','ready','failed') OR decided_by IS NOT NULL",
        "state NOT IN ('approved','rendering','review','ready','failed') OR decided_by IS NOT NULL",
    ),
    "approved_names_package": (
        "state NOT IN ('approved','rendering','ready','failed') OR package_id IS NOT NULL",
        "state NOT IN ('approved','rendering','review','ready','failed') OR package_id IS NOT NULL",
    ),
    "ready_has_package": (
        "state <> 'ready' OR package_sha256 IS NOT NULL",
        "state NOT IN ('review','ready') OR package_sha256 IS NOT NULL",
    ),
}


def upgrade() -> None:
    claim = "last claim whose worker finished a piece; 0: none"
    columns = (
        sa.Column("advanced_epoch", sa.Integer(), nullable=False, server_default="0", comment=claim),
        sa.Column("second_look", LONG, comment="what was looked for and found in what would leave, JSON"),
        sa.Column(
            "reviewed_by",
            sa.String(36),
            comment="account that released or refused it after that; never the requester",
        ),
        sa.Column("reviewed_us", sa.BigInteger(), comment="UTC microseconds since 1970; when that was"),
    )
    for column in columns:
        op.add_column("requests", column)
    exchange_checks("requests", CHECKS)


def downgrade() -> None:
    # What waits for a reviewer would be handed out by a version that does not know of it.
    op.execute(
        "UPDATE requests SET state = 'failed', failure = 'It waited for a reviewer.' WHERE state = 'review'"
    )
    exchange_checks("requests", {name: (new, old) for name, (old, new) in CHECKS.items()})
    for name in ("reviewed_us", "reviewed_by", "second_look", "advanced_epoch"):
        op.drop_column("requests", name)
