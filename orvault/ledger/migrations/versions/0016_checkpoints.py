"""History can be checked elsewhere: kept subtrees, signed checkpoints, who has taken them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from orvault.ledger.migrations.columns import LONG, OPTIONS, column

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

DIGEST = sa.String(64)
TIME = "UTC microseconds since 1970; "
_REFUSAL = "checkpoints are append-only"


def upgrade() -> None:
    # No node is computed here: the first checkpoint does it, in pieces that hold up nobody.
    op.create_table(
        "history_nodes",
        column("level", sa.Integer(), "2^level entries are under it; 8 and more", autoincrement=False),
        column("number", sa.BigInteger(), "its first entry is number * 2^level; from 0", autoincrement=False),
        column("hash", DIGEST, "RFC 6962 node hash (hex)"),
        sa.PrimaryKeyConstraint("level", "number", name="pk_history_nodes"),
        sa.CheckConstraint("level >= 8 AND number >= 0", name=op.f("ck_history_nodes_place")),
        comment="Hashes of history's complete subtrees, a cache that is computed anew from history;"
        " owner: checkpoint desk",
        **OPTIONS,
    )
    op.create_table(
        "checkpoints",
        column("size", sa.BigInteger(), "number of entries it covers", autoincrement=False),
        column("at_us", sa.BigInteger(), TIME + "when it was made"),
        column("root", DIGEST, "RFC 6962 tree hash (hex) of these entries"),
        column("note", LONG, "signed note (docs/format/history-v1.md, section 2)"),
        sa.PrimaryKeyConstraint("size", name="pk_checkpoints"),
        sa.CheckConstraint("size > 0", name=op.f("ck_checkpoints_size")),
        comment="Signed sizes and roots of history, append-only (triggers refuse UPDATE and DELETE);"
        " owner: checkpoint desk",
        **OPTIONS,
    )
    op.create_table(
        "checkpoint_receipts",
        column("place", sa.String(64), "folder, witness:NAME or time-stamp"),
        column("size", sa.BigInteger(), "which checkpoint", autoincrement=False),
        column("at_us", sa.BigInteger(), TIME + "when it was taken"),
        column("receipt", LONG, "the witness's signature line, or empty"),
        sa.ForeignKeyConstraint(["size"], ["checkpoints.size"], name="fk_checkpoint_receipts_size"),
        sa.PrimaryKeyConstraint("place", "size", name="pk_checkpoint_receipts"),
        comment="Which place outside has taken which checkpoint; owner: checkpoint desk",
        **OPTIONS,
    )
    op.create_table(
        "checkpoint_keys",
        column("fingerprint", DIGEST, "SHA-256 (hex) of the certificate's DER"),
        column("chain", LONG, "the certificate and those above it, base64 DER, JSON"),
        column("first_us", sa.BigInteger(), TIME + "when it first signed"),
        sa.PrimaryKeyConstraint("fingerprint", name="pk_checkpoint_keys"),
        comment="Certificates of those that signed checkpoints; the root says which count; owner: checkpoint desk",
        **OPTIONS,
    )
    for act in ("UPDATE", "DELETE"):
        name = f"checkpoints_no_{act.lower()}"
        if op.get_bind().dialect.name == "sqlite":
            body = f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
        else:
            body = f"FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{_REFUSAL}'"
        op.execute(f"CREATE TRIGGER {name} BEFORE {act} ON checkpoints {body}")


def downgrade() -> None:
    op.execute("DROP TRIGGER checkpoints_no_update")
    op.execute("DROP TRIGGER checkpoints_no_delete")
    for table in ("checkpoint_keys", "checkpoint_receipts", "checkpoints", "history_nodes"):
        op.drop_table(table)
