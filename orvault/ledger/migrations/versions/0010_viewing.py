"""The quick mask, views, and viewing grants."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from orvault.ledger.migrations.columns import OPTIONS, column, moment

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _make_masks()
    _make_views()
    _make_grants()


def downgrade() -> None:
    op.drop_table("viewing_grants")
    op.drop_table("views")
    op.drop_table("quick_masks")


def _make_masks() -> None:
    op.create_table(
        "quick_masks",
        column("scope", sa.String(128), "a camera's id, or * for all"),
        column(
            "number",
            sa.BigInteger(),
            "grows with every act of the site: the newest that covers a camera counts",
        ),
        moment("lifted_until_us", "end of a lift, exclusive; NULL: the act masked", nullable=True),
        moment("at_us", "when it was done"),
        column("by_actor", sa.String(64), "history actor who did it"),
        column("reason", sa.String(500), "why; empty where nobody had the time to say"),
        sa.PrimaryKeyConstraint("scope", name="pk_quick_masks"),
        sa.CheckConstraint(
            "lifted_until_us IS NULL OR lifted_until_us > at_us", name=op.f("ck_quick_masks_lift")
        ),
        sa.UniqueConstraint("number", name="uq_quick_masks_number"),
        comment="The newest act on the quick mask of each scope; owner: custody viewing desk",
        **OPTIONS,
    )


def _make_views() -> None:
    op.create_table(
        "views",
        column("id", sa.String(36), "UUIDv7; its link carries it"),
        column("kind", sa.String(8), "live or stored"),
        column("account_id", sa.String(36), "who views"),
        column("session_id", sa.String(36), "the sign-in it was asked in; signing out ends it"),
        column("camera_id", sa.String(128), "what is viewed"),
        column("case_id", sa.String(36), "of stored video; NULL: live", nullable=True),
        moment("from_us", "of stored video; NULL: live", nullable=True),
        moment("to_us", "of stored video, exclusive; NULL: live", nullable=True),
        column("wanted", sa.String(16), "the most that the viewer wishes to see"),
        column("client", sa.String(64), "the address that its link is good for"),
        moment("issued_us", "when it was asked for"),
        moment("expires_us", "when it ends at the latest"),
        sa.PrimaryKeyConstraint("id", name="pk_views"),
        sa.CheckConstraint("kind IN ('live','stored')", name=op.f("ck_views_kind")),
        sa.CheckConstraint("expires_us > issued_us", name=op.f("ck_views_period")),
        sa.CheckConstraint(
            "(kind = 'stored') = (case_id IS NOT NULL AND from_us IS NOT NULL AND to_us IS NOT NULL)",
            name=op.f("ck_views_stored"),
        ),
        sa.CheckConstraint("wanted IN ('masked','people-masked','clear')", name=op.f("ck_views_wanted")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_views_account_id"),
        sa.ForeignKeyConstraint(["camera_id"], ["cameras.id"], name="fk_views_camera_id"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_views_case_id"),
        comment="Views that were asked for; who saw what of them stands in history; owner: custody viewing desk",
        **OPTIONS,
    )
    op.create_index("ix_views_account_id", "views", ["account_id"])
    op.create_index("ix_views_camera_id", "views", ["camera_id"])
    op.create_index("ix_views_case_id", "views", ["case_id"])


def _make_grants() -> None:
    op.create_table(
        "viewing_grants",
        column("id", sa.String(36), "UUIDv7; named in history"),
        column("account_id", sa.String(36), "who may view"),
        column("kind", sa.String(8), "live or stored"),
        column("camera_id", sa.String(128), "which camera"),
        column("case_id", sa.String(36), "of stored video; NULL: live", nullable=True),
        moment("footage_from_us", "of stored video; NULL: live", nullable=True),
        moment("footage_to_us", "of stored video, exclusive; NULL: live", nullable=True),
        column("showing", sa.String(16), "how much of the picture: people-masked or clear"),
        column("basis", sa.String(500), "the legal basis, in words"),
        moment("from_us", "from when on it may be used"),
        moment("until_us", "until when, exclusive"),
        column("granted_by", sa.String(36), "who asked for it"),
        column("approved_by", sa.String(36), "who approved it"),
        moment("revoked_us", "when it was taken back; NULL: it was not", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_viewing_grants"),
        sa.CheckConstraint(
            "granted_by <> approved_by AND account_id <> approved_by",
            name=op.f("ck_viewing_grants_four_eyes"),
        ),
        sa.CheckConstraint("kind IN ('live','stored')", name=op.f("ck_viewing_grants_kind")),
        sa.CheckConstraint("until_us > from_us", name=op.f("ck_viewing_grants_period")),
        sa.CheckConstraint("showing IN ('people-masked','clear')", name=op.f("ck_viewing_grants_showing")),
        sa.CheckConstraint(
            "(kind = 'stored') = (case_id IS NOT NULL AND footage_from_us IS NOT NULL AND footage_to_us IS NOT NULL)",
            name=op.f("ck_viewing_grants_stored"),
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_viewing_grants_account_id"),
        sa.ForeignKeyConstraint(["approved_by"], ["accounts.id"], name="fk_viewing_grants_approved_by"),
        sa.ForeignKeyConstraint(["camera_id"], ["cameras.id"], name="fk_viewing_grants_camera_id"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_viewing_grants_case_id"),
        sa.ForeignKeyConstraint(["granted_by"], ["accounts.id"], name="fk_viewing_grants_granted_by"),
        comment="Who may see more than a mosaic, by the decision of two others; owner: custody viewing desk",
        **OPTIONS,
    )
    op.create_index("ix_viewing_grants_account_id_camera_id", "viewing_grants", ["account_id", "camera_id"])
    op.create_index("ix_viewing_grants_approved_by", "viewing_grants", ["approved_by"])
    op.create_index("ix_viewing_grants_camera_id", "viewing_grants", ["camera_id"])
    op.create_index("ix_viewing_grants_case_id", "viewing_grants", ["case_id"])
    op.create_index("ix_viewing_grants_granted_by", "viewing_grants", ["granted_by"])
