"""Watermarks with fields, layout and images."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from orvault.ledger.migrations.columns import LONG, OPTIONS, PICTURE, column

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A request from before has none: its text is drawn as it stands, where it always stood.
    comment = "the watermark's filled-in text, layout and image, JSON; NULL: older than these"
    op.add_column("requests", sa.Column("watermark_more", LONG, nullable=True, comment=comment))
    op.create_table(
        "watermark_images",
        column("digest", sa.String(64), "SHA-256 (hex) of png; requests name it"),
        column("name", sa.String(80), "what people call it"),
        column("width", sa.Integer(), "pixels"),
        column("height", sa.Integer(), "pixels"),
        column("png", PICTURE, "8-bit PNG with alpha, as this system wrote it"),
        column("added_by", sa.String(36), "account that sent it"),
        column("added_us", sa.BigInteger(), "UTC microseconds since 1970; when"),
        sa.PrimaryKeyConstraint("digest", name="pk_watermark_images"),
        sa.ForeignKeyConstraint(["added_by"], ["accounts.id"], name="fk_watermark_images_added_by"),
        comment="Images for visible watermarks, never changed; owner: custody watermark desk",
        **OPTIONS,
    )


def downgrade() -> None:
    op.drop_table("watermark_images")
    op.drop_column("requests", "watermark_more")
