"""Where accounts have signed in of late. Failures count under other keys from here on; old ones fade."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from orvault.ledger.migrations.columns import OPTIONS

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sign_in_homes",
        sa.Column(
            "pair_key", sa.String(64), nullable=False, comment="SHA-256 (hex) of account name and address"
        ),
        sa.Column(
            "at_us",
            sa.BigInteger(),
            nullable=False,
            comment="UTC microseconds since 1970; when it last did",
        ),
        sa.PrimaryKeyConstraint("pair_key", name="pk_sign_in_homes"),
        comment="Where accounts have signed in of late: others' failures do not slow them there;"
        " owner: custody sessions desk",
        **OPTIONS,
    )
    op.create_index("ix_sign_in_homes_at_us", "sign_in_homes", ["at_us"])


def downgrade() -> None:
    op.drop_table("sign_in_homes")
