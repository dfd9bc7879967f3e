"""A package of their own for each recipient."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Recipients of requests approved before share the one package that their request has.
    columns = (
        sa.Column(
            "package_id",
            sa.String(36),
            comment="UUIDv7 of their own copy; the first one's stands in requests; unique",
        ),
        sa.Column("package_path", sa.String(512), comment="its file below the packages folder, once ready"),
        sa.Column("package_bytes", sa.BigInteger(), comment="its size in bytes, once ready"),
        sa.Column("package_sha256", sa.String(64), comment="SHA-256 (hex) of its file, once ready"),
    )
    for column in columns:
        op.add_column("request_recipients", column)
    op.create_index("ix_request_recipients_package_id", "request_recipients", ["package_id"], unique=True)


def downgrade() -> None:
    op.drop_index("ix_request_recipients_package_id", "request_recipients")
    for name in ("package_sha256", "package_bytes", "package_path", "package_id"):
        op.drop_column("request_recipients", name)
