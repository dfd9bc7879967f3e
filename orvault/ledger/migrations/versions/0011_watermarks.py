"""Watermarks with fields, layout and images."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import LONGBLOB, LONGTEXT

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

LONG = sa.Text().with_variant(LONGTEXT(), "mysql")
PICTURE = sa.LargeBinary().with_variant(LONGBLOB(), "mysql")
OPTIONS: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_nopad_bin",
}


def column(name: str, kind: Any, comment: str) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False, comment=comment)


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
