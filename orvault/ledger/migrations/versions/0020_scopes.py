"""How far accounts reach. Those that are there reach the whole site, as they did."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from orvault.ledger.migrations.columns import OPTIONS

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

TIME = "UTC microseconds since 1970; "


def upgrade() -> None:
    op.create_table(
        "account_scopes",
        sa.Column("account_id", sa.String(36), nullable=False, comment="whose"),
        sa.Column(
            "position", sa.Integer, autoincrement=False, nullable=False, comment="place in the list, from 0"
        ),
        sa.Column("kind", sa.String(16), nullable=False, comment="one of orvault.custody.scope.ScopeKind"),
        sa.Column(
            "name",
            sa.String(128),
            nullable=False,
            comment="department, room, or the camera's id; empty for the site",
        ),
        sa.Column("from_us", sa.BigInteger, comment=f"{TIME}from when on it counts; NULL: always"),
        sa.Column("until_us", sa.BigInteger, comment=f"{TIME}until when, exclusive; NULL: always"),
        sa.PrimaryKeyConstraint("account_id", "position", name=op.f("pk_account_scopes")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_account_scopes_account_id")),
        sa.CheckConstraint(
            "kind IN ('site','department','room','camera')", name=op.f("ck_account_scopes_kind")
        ),
        sa.CheckConstraint("(kind = 'site') = (name = '')", name=op.f("ck_account_scopes_name")),
        sa.CheckConstraint(
            "from_us IS NULL OR until_us IS NULL OR until_us > from_us", name=op.f("ck_account_scopes_period")
        ),
        comment="How far each account reaches; without a row it sees nothing; owner: custody accounts desk",
        **OPTIONS,
    )
    op.execute(
        "INSERT INTO account_scopes (account_id, position, kind, name) SELECT id, 0, 'site', '' FROM accounts"
    )


def downgrade() -> None:
    # A version that does not know of scopes would show everything to accounts that reach a part.
    op.execute(
        "UPDATE accounts SET disabled_us = created_us WHERE disabled_us IS NULL AND id NOT IN ("
        "SELECT account_id FROM account_scopes WHERE kind = 'site' AND from_us IS NULL AND until_us IS NULL)"
    )
    op.drop_table("account_scopes")
