"""Signing in through the hospital's directory: links of accounts, and sign-ins that wait for their program."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from orvault.ledger.migrations.columns import OPTIONS, column, moment

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "directory_links",
        column("account_id", sa.String(36), "whose"),
        column("issuer", sa.String(255), "the directory, by its issuer identifier"),
        column("subject", sa.String(255), "who it is there, for ever; NULL: not come yet", nullable=True),
        column(
            "awaits",
            sa.String(255),
            "user name that the subject is taken from once; NULL: it was",
            nullable=True,
        ),
        column("follows", sa.Boolean(), "role and scopes are what the groups say"),
        moment("linked_us", "when"),
        column("linked_by", sa.String(64), "history actor who did, or directory"),
        sa.PrimaryKeyConstraint("account_id", name="pk_directory_links"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_directory_links_account_id"),
        sa.UniqueConstraint("issuer", "subject", name="uq_directory_links_issuer_subject"),
        sa.UniqueConstraint("issuer", "awaits", name="uq_directory_links_issuer_awaits"),
        sa.CheckConstraint("(subject IS NULL) <> (awaits IS NULL)", name=op.f("ck_directory_links_one")),
        comment="Which identity of the directory signs in as which account; owner: custody directory desk",
        **OPTIONS,
    )
    op.create_table(
        "directory_codes",
        column("code_digest", sa.String(64), "SHA-256 (hex) of the code for the program"),
        column("state_digest", sa.String(64), "SHA-256 (hex) of its state: it comes back once"),
        column("account_id", sa.String(36), "who was let in"),
        column("challenge", sa.String(64), "the program's, RFC 7636 S256"),
        moment("made_us", "when; the row is dropped once the sign-in could not come back any more"),
        moment("used_us", "when a program brought the code; NULL: not yet", nullable=True),
        sa.PrimaryKeyConstraint("code_digest", name="pk_directory_codes"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_directory_codes_account_id"),
        sa.UniqueConstraint("state_digest", name="uq_directory_codes_state_digest"),
        comment="Sign-ins of the last minutes that the directory has proven; owner: custody directory desk",
        **OPTIONS,
    )
    op.create_index("ix_directory_codes_account_id_made_us", "directory_codes", ["account_id", "made_us"])
    op.create_index("ix_directory_codes_made_us", "directory_codes", ["made_us"])


def downgrade() -> None:
    op.drop_table("directory_codes")
    op.drop_table("directory_links")
