"""Second factors of accounts with a password, and their recovery codes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from orvault.ledger.migrations.columns import OPTIONS, column, moment

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "second_factors",
        column("account_id", sa.String(36), "whose"),
        column(
            "sealed",
            sa.String(128),
            "the secret: nonce and AES-256-GCM ciphertext (base64), bound to the account",
        ),
        moment("begun_us", "when it was made and shown"),
        moment("confirmed_us", "since when it counts; NULL: no code of it has come", nullable=True),
        column(
            "last_step",
            sa.BigInteger(),
            "last step of 30 s since 1970 whose code was used; NULL: none",
            nullable=True,
        ),
        sa.PrimaryKeyConstraint("account_id", name="pk_second_factors"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_second_factors_account_id"),
        sa.CheckConstraint(
            "confirmed_us IS NULL OR last_step IS NOT NULL", name=op.f("ck_second_factors_used")
        ),
        comment="What accounts show beside their password; owner: custody second factors desk",
        **OPTIONS,
    )
    op.create_table(
        "recovery_codes",
        column("account_id", sa.String(36), "whose"),
        column("digest", sa.String(64), "SHA-256 (hex) of account and code, 80 random bits"),
        sa.PrimaryKeyConstraint("account_id", "digest", name="pk_recovery_codes"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_recovery_codes_account_id"),
        comment="Codes that sign in once without the device; a used one is gone; owner: custody second factors desk",
        **OPTIONS,
    )


def downgrade() -> None:
    op.drop_table("recovery_codes")
    op.drop_table("second_factors")
