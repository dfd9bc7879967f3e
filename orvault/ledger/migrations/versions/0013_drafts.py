"""States of a request: drafts before the submit, the basis satisfied, delivered and revoked packages."""

from __future__ import annotations

from alembic import op

from orvault.ledger.migrations.checks import exchange_checks

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# Each constraint as it was and as it is.
CHECKS = {
    "state": (
        "state IN ('submitted','approved','rendering','review','ready','refused','failed','expired')",
        "state IN ('draft','submitted','satisfied','approved','rendering','review','ready','delivered',"
        "'refused','revoked','failed','expired')",
    ),
    "approved_by_somebody": (
        "state NOT IN ('approved','rendering','review','ready','failed') OR decided_by IS NOT NULL",
        "state NOT IN ('approved','rendering','review','ready','delivered','failed') OR decided_by IS NOT NULL",
    ),
    "approved_names_package": (
        "state NOT IN ('approved','rendering','review','ready','failed') OR package_id IS NOT NULL",
        "state NOT IN ('approved','rendering','review','ready','delivered','failed') OR package_id IS NOT NULL",
    ),
    "refused_has_reason": (
        "state <> 'refused' OR refusal_reason IS NOT NULL",
        "state NOT IN ('refused','revoked') OR refusal_reason IS NOT NULL",
    ),
    "ready_has_package": (
        "state NOT IN ('review','ready') OR package_sha256 IS NOT NULL",
        "state NOT IN ('review','ready','delivered') OR package_sha256 IS NOT NULL",
    ),
}
# What an earlier version calls each: a draft asks for nothing yet, a revoked package is not handed out any more.
EARLIER = (
    "UPDATE requests SET state = 'expired', ended_us = requested_us WHERE state = 'draft'",
    "UPDATE requests SET state = 'submitted' WHERE state = 'satisfied'",
    "UPDATE requests SET state = 'ready' WHERE state = 'delivered'",
    "UPDATE requests SET state = 'refused' WHERE state = 'revoked'",
)


def upgrade() -> None:
    exchange_checks("requests", CHECKS)


def downgrade() -> None:
    for statement in EARLIER:
        op.execute(statement)
    exchange_checks("requests", {name: (new, old) for name, (old, new) in CHECKS.items()})
