"""Legal holds, extensions, and destructions of cases."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from orvault.ledger.migrations.columns import LONG, OPTIONS, column, moment

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def foreign(table: str, name: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([name], [target], name=f"fk_{table}_{name}")


def upgrade() -> None:
    _make_holds()
    _make_extensions()
    _make_destructions()
    _make_nodes()


def downgrade() -> None:
    for table in ("destruction_nodes", "destructions", "retention_extensions", "legal_holds"):
        op.drop_table(table)


def _make_holds() -> None:
    op.create_table(
        "legal_holds",
        column("id", sa.String(36), "UUIDv7"),
        column("case_id", sa.String(36), "what must not be destroyed"),
        column("reason", sa.String(500), "why"),
        column("document", sa.String(200), "paper it stands on"),
        column("put_by", sa.String(36), "account that put it"),
        moment("put_us", "when"),
        column("lifted_by", sa.String(36), "account that lifted it; NULL: it stands", nullable=True),
        moment("lifted_us", "when it was lifted; NULL: it stands", nullable=True),
        column("lift_reason", sa.String(500), "why it was lifted", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_legal_holds"),
        sa.CheckConstraint(
            "(lifted_us IS NULL) = (lifted_by IS NULL)", name=op.f("ck_legal_holds_lifted_by_somebody")
        ),
        sa.CheckConstraint(
            "(lifted_us IS NULL) = (lift_reason IS NULL)", name=op.f("ck_legal_holds_lifted_with_reason")
        ),
        foreign("legal_holds", "case_id", "cases.id"),
        foreign("legal_holds", "put_by", "accounts.id"),
        foreign("legal_holds", "lifted_by", "accounts.id"),
        comment="Legal holds on cases, kept after they are lifted; owner: custody retention desk",
        **OPTIONS,
    )
    for name in ("case_id", "put_by", "lifted_by"):
        op.create_index(f"ix_legal_holds_{name}", "legal_holds", [name])


def _make_extensions() -> None:
    op.create_table(
        "retention_extensions",
        column("id", sa.String(36), "UUIDv7"),
        column("case_id", sa.String(36), "what is kept"),
        moment("until_us", "until when"),
        column("reason", sa.String(500), "why"),
        column("document", sa.String(200), "paper it stands on"),
        column("extended_by", sa.String(36), "account that did it"),
        moment("extended_us", "when"),
        sa.PrimaryKeyConstraint("id", name="pk_retention_extensions"),
        foreign("retention_extensions", "case_id", "cases.id"),
        foreign("retention_extensions", "extended_by", "accounts.id"),
        comment="Cases that are kept longer on request; the latest end counts; owner: custody retention desk",
        **OPTIONS,
    )
    for name in ("case_id", "extended_by"):
        op.create_index(f"ix_retention_extensions_{name}", "retention_extensions", [name])


def _make_destructions() -> None:
    op.create_table(
        "destructions",
        column("case_id", sa.String(36), "whose recordings"),
        column("step", sa.String(24), "one of orvault.custody.destruction.Step"),
        moment("due_us", "since when they were due"),
        column("rule", sa.String(500), "why they were due, in words"),
        moment("noticed_us", "when it was noticed that they are due"),
        column("approved_by", sa.String(36), "account that approved the plan; NULL: nobody", nullable=True),
        moment("approved_us", "when that was", nullable=True),
        moment("begun_us", "from then on it is finished; NULL: it can be withdrawn", nullable=True),
        moment("key_destroyed_us", "from then on nothing opens", nullable=True),
        moment(
            "packages_removed_us", "packages that were made of it are off the export server", nullable=True
        ),
        moment("destroyed_us", "when the receipt was signed", nullable=True),
        column("epoch", sa.Integer(), "how often it was taken up; fences replaced workers"),
        column(
            "receipt", LONG, "the signed receipt (docs/format/receipt-v1.md); NULL: not yet", nullable=True
        ),
        sa.PrimaryKeyConstraint("case_id", name="pk_destructions"),
        *_checks(),
        foreign("destructions", "case_id", "cases.id"),
        foreign("destructions", "approved_by", "accounts.id"),
        comment="How far the destruction of a case's recordings is; owner: custody destruction desk",
        **OPTIONS,
    )
    for name in ("step", "approved_by"):
        op.create_index(f"ix_destructions_{name}", "destructions", [name])


def _checks() -> list[sa.CheckConstraint]:
    steps = "'noticed','approved','begun','key-destroyed','packages-removed','destroyed'"
    return [
        sa.CheckConstraint(rule, name=op.f(f"ck_destructions_{name}"))
        for name, rule in {
            "step": f"step IN ({steps})",
            "approved_by_somebody": "(approved_us IS NULL) = (approved_by IS NULL)",
            "begun": "(step IN ('noticed','approved')) = (begun_us IS NULL)",
            "key_destroyed": "(step IN ('noticed','approved','begun')) = (key_destroyed_us IS NULL)",
            "destroyed_has_receipt": "(step = 'destroyed') = (receipt IS NOT NULL)",
            "destroyed_when": "(step = 'destroyed') = (destroyed_us IS NOT NULL)",
        }.items()
    ]


def _make_nodes() -> None:
    op.create_table(
        "destruction_nodes",
        column("case_id", sa.String(36), "which case"),
        column("node_id", sa.String(128), "node on whose disk they lie"),
        moment("removed_us", "when it confirmed that they are gone; NULL: not yet", nullable=True),
        column("files", sa.BigInteger(), "how many files it removed"),
        column("bytes", sa.BigInteger(), "how many bytes those had"),
        sa.PrimaryKeyConstraint("case_id", "node_id", name="pk_destruction_nodes"),
        foreign("destruction_nodes", "case_id", "destructions.case_id"),
        comment="Nodes that have files of a case that is destroyed; owner: custody destruction desk",
        **OPTIONS,
    )
    op.create_index("ix_destruction_nodes_removed_us", "destruction_nodes", ["removed_us"])
