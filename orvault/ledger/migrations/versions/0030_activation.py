"""On-line activation: what requests ask for, the hospital's halves of keys, and counted activations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from orvault.ledger.migrations.columns import OPTIONS, column, moment

revision = "0030"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "requests",
        column(
            "activation",
            sa.String(64),
            "how its copies are activated on line, JSON; NULL: they open without asking",
            nullable=True,
        ),
    )
    op.create_table(
        "package_shares",
        column("package_id", sa.String(36), "whose key"),
        column("request_id", sa.String(36), "the request it was made for"),
        column(
            "sealed",
            sa.String(160),
            "the half: nonce and AES-256-GCM ciphertext (base64), bound to the package; NULL: deleted for good",
            nullable=True,
        ),
        column(
            "proof_key",
            sa.String(64),
            "what a holder of the recipients' half is known by (hex); opens nothing",
        ),
        column("plays", sa.Integer(), "how often it may be activated; NULL: any number", nullable=True),
        column("used", sa.Integer(), "how often it was", server_default="0"),
        sa.PrimaryKeyConstraint("package_id", name="pk_package_shares"),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"], name="fk_package_shares_request_id"),
        sa.CheckConstraint("plays IS NULL OR used <= plays", name=op.f("ck_package_shares_plays")),
        comment="The hospital's halves of packages' keys; owner: custody activation desk",
        **OPTIONS,
    )
    op.create_index("ix_package_shares_request_id", "package_shares", ["request_id"])
    op.create_table(
        "package_plays",
        column("package_id", sa.String(36), "what was opened"),
        column("request_digest", sa.String(64), "SHA-256 (hex) of the player's question"),
        moment("at_us", "when it was answered first"),
        moment("until_us", "end of what was lent; the same question is answered until then"),
        column("plays_left", sa.Integer(), "as it was answered; NULL: any number", nullable=True),
        sa.PrimaryKeyConstraint("package_id", "request_digest", name="pk_package_plays"),
        sa.ForeignKeyConstraint(
            ["package_id"], ["package_shares.package_id"], name="fk_package_plays_package_id"
        ),
        comment="Activations that were counted; the same question again is not; owner: custody activation desk",
        **OPTIONS,
    )


def downgrade() -> None:
    op.drop_table("package_plays")
    op.drop_table("package_shares")
    op.drop_column("requests", "activation")
