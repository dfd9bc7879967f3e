"""Who asked for a recording, why one is refused, and whose operation a case is (sealed, with a keyed hash)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

COLUMNS = (
    sa.Column("asked_by", sa.String(16), comment="who asked for the recording: patient or guardian"),
    sa.Column("asked_us", sa.BigInteger(), comment="UTC microseconds since 1970; when"),
    sa.Column("request_sha256", sa.String(64), comment="SHA-256 (hex) of the signed form's scan"),
    sa.Column(
        "refusal_reason", sa.String(32), comment="why it is not recorded, of the law's list; kept 3 years"
    ),
    sa.Column("refusal_note", sa.String(500), comment="the same in words"),
    sa.Column(
        "patient_sealed",
        sa.String(512),
        comment="patient reference, AES-256-GCM under the site's secret, base64",
    ),
    sa.Column("patient_hash", sa.String(64), comment="HMAC-SHA-256 (hex) of the reference under that secret"),
)


def upgrade() -> None:
    for column in COLUMNS:
        op.add_column("cases", column)
    op.create_index("ix_cases_patient_hash", "cases", ["patient_hash"])


def downgrade() -> None:
    op.drop_index("ix_cases_patient_hash", "cases")
    for column in reversed(COLUMNS):
        op.drop_column("cases", column.name)
