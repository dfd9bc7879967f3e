"""Requests to view; approved ones take the place of viewing grants.

Grants over a case's recordings go on as approved requests, what they say of their legal basis as a court's document:
it was kept in words. Live ones named no case, and nothing shows by them any more. The way back ends every grant.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from orvault.ledger.migrations.columns import OPTIONS, column, moment

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

CARRIED = "FROM viewing_grants WHERE revoked_us IS NULL AND case_id IS NOT NULL"


def upgrade() -> None:
    _make_requests()
    _make_cameras()
    _make_consents()
    _make_approvals()
    _carry_over()
    op.drop_table("viewing_grants")


def downgrade() -> None:
    for table in ("approvals", "consents", "cameras"):
        op.drop_table(f"viewing_request_{table}")
    op.drop_table("viewing_requests")
    _make_grants()


def _carry_over() -> None:
    op.execute(
        "INSERT INTO viewing_requests (id, viewer_id, kind, case_id, footage_from_us, footage_to_us, showing, "
        "purpose, basis_kind, document_number, proceedings_number, until_us, state, requested_by, requested_us, "
        "decided_by, decided_us) SELECT id, account_id, kind, case_id, footage_from_us, footage_to_us, showing, "
        "basis, 'court', SUBSTR(basis, 1, 120), '', until_us, 'approved', granted_by, from_us, approved_by, "
        f"from_us {CARRIED}"
    )
    op.execute(
        "INSERT INTO viewing_request_cameras (request_id, position, camera_id) "
        f"SELECT id, 0, camera_id {CARRIED}"
    )
    op.execute(
        "INSERT INTO viewing_request_approvals (request_id, number, account_id, at_us) "
        f"SELECT id, 0, approved_by, from_us {CARRIED}"
    )


def _make_requests() -> None:
    op.create_table(
        "viewing_requests",
        column("id", sa.String(36), "UUIDv7; named in history"),
        column("viewer_id", sa.String(36), "who is to see"),
        column("kind", sa.String(8), "live or stored"),
        column("case_id", sa.String(36), "live: while it is armed"),
        moment("footage_from_us", "of stored video; NULL: live", nullable=True),
        moment("footage_to_us", "of stored video, exclusive; NULL: live", nullable=True),
        column("showing", sa.String(16), "how much of the picture: people-masked or clear"),
        column("purpose", sa.String(500), "why"),
        column("basis_kind", sa.String(16), "court, investigator, mediation or consent"),
        column("document_number", sa.String(120), "of the court or investigator; may be empty"),
        column("proceedings_number", sa.String(120), "of the mediation agency; may be empty"),
        moment("until_us", "until when it may be used, exclusive"),
        column("state", sa.String(16), "one of orvault.custody.steps.RequestState"),
        column("requested_by", sa.String(36), "account that asked"),
        moment("requested_us", "when"),
        column(
            "decided_by",
            sa.String(36),
            "account that approved last, or refused; never who asked or is to see",
            nullable=True,
        ),
        moment("decided_us", "when that was; an approved one may be used from then on", nullable=True),
        column("reason", sa.String(500), "why it was refused or withdrawn; kept 3 years", nullable=True),
        column(
            "ended_by",
            sa.String(36),
            "account that refused or withdrew it; NULL: its time was over",
            nullable=True,
        ),
        moment("ended_us", "when it was refused, withdrawn or expired", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_viewing_requests"),
        sa.CheckConstraint(
            "state <> 'approved' OR (decided_by IS NOT NULL AND decided_us IS NOT NULL)",
            name=op.f("ck_viewing_requests_approved_by_somebody"),
        ),
        sa.CheckConstraint(
            "basis_kind IN ('court','investigator','mediation','consent')",
            name=op.f("ck_viewing_requests_basis_kind"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('refused','revoked') OR reason IS NOT NULL",
            name=op.f("ck_viewing_requests_ended_has_reason"),
        ),
        sa.CheckConstraint(
            "decided_by IS NULL OR (decided_by <> requested_by AND decided_by <> viewer_id)",
            name=op.f("ck_viewing_requests_four_eyes"),
        ),
        sa.CheckConstraint("kind IN ('live','stored')", name=op.f("ck_viewing_requests_kind")),
        sa.CheckConstraint("until_us > requested_us", name=op.f("ck_viewing_requests_period")),
        sa.CheckConstraint("showing IN ('people-masked','clear')", name=op.f("ck_viewing_requests_showing")),
        sa.CheckConstraint(
            "state IN ('submitted','satisfied','approved','refused','revoked','expired')",
            name=op.f("ck_viewing_requests_state"),
        ),
        sa.CheckConstraint(
            "(kind = 'stored') = (footage_from_us IS NOT NULL AND footage_to_us IS NOT NULL)",
            name=op.f("ck_viewing_requests_stored"),
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_viewing_requests_case_id"),
        sa.ForeignKeyConstraint(["decided_by"], ["accounts.id"], name="fk_viewing_requests_decided_by"),
        sa.ForeignKeyConstraint(["requested_by"], ["accounts.id"], name="fk_viewing_requests_requested_by"),
        sa.ForeignKeyConstraint(["viewer_id"], ["accounts.id"], name="fk_viewing_requests_viewer_id"),
        comment="Requests to see more than a mosaic; an approved one is a viewing grant; owner: custody grant desk",
        **OPTIONS,
    )
    op.create_index("ix_viewing_requests_case_id_state", "viewing_requests", ["case_id", "state"])
    op.create_index("ix_viewing_requests_requested_by", "viewing_requests", ["requested_by"])
    op.create_index("ix_viewing_requests_state_until_us", "viewing_requests", ["state", "until_us"])
    op.create_index("ix_viewing_requests_viewer_id_state", "viewing_requests", ["viewer_id", "state"])


def _make_cameras() -> None:
    op.create_table(
        "viewing_request_cameras",
        column("request_id", sa.String(36), "the request"),
        column("position", sa.Integer(), "place in the list, from 0", autoincrement=False),
        column("camera_id", sa.String(128), "the camera"),
        sa.PrimaryKeyConstraint("request_id", "position", name="pk_viewing_request_cameras"),
        sa.ForeignKeyConstraint(["camera_id"], ["cameras.id"], name="fk_viewing_request_cameras_camera_id"),
        sa.ForeignKeyConstraint(
            ["request_id"], ["viewing_requests.id"], name="fk_viewing_request_cameras_request_id"
        ),
        sa.UniqueConstraint(
            "request_id", "camera_id", name="uq_viewing_request_cameras_request_id_camera_id"
        ),
        comment="Cameras of a request to view; owner: custody grant desk",
        **OPTIONS,
    )


def _make_consents() -> None:
    op.create_table(
        "viewing_request_consents",
        column("request_id", sa.String(36), "the request"),
        column("position", sa.Integer(), "place in the list, from 0", autoincrement=False),
        column("subject", sa.String(16), "patient or staff"),
        column("name", sa.String(80), "whose consent"),
        column("document", sa.String(120), "paper it stands on; may be empty"),
        column("document_sha256", sa.String(64), "SHA-256 (hex) of the paper's scan", server_default=""),
        column("scope", sa.String(16), "how far it goes: masked or clear", server_default="masked"),
        column("taken_by", sa.String(36), "account that took it in; NULL: older than this", nullable=True),
        moment("taken_us", "when that was", nullable=True),
        column(
            "withdrawn_by",
            sa.String(36),
            "account that took the withdrawal in; NULL: it stands",
            nullable=True,
        ),
        moment("withdrawn_us", "when that was", nullable=True),
        column("withdrawal_reason", sa.String(500), "as it was given", server_default=""),
        sa.PrimaryKeyConstraint("request_id", "position", name="pk_viewing_request_consents"),
        sa.CheckConstraint(
            "subject IN ('patient','staff')", name=op.f("ck_viewing_request_consents_subject")
        ),
        sa.ForeignKeyConstraint(
            ["request_id"], ["viewing_requests.id"], name="fk_viewing_request_consents_request_id"
        ),
        comment="Consents that a request names; owner: custody grant desk",
        **OPTIONS,
    )


def _make_approvals() -> None:
    op.create_table(
        "viewing_request_approvals",
        column("request_id", sa.String(36), "the request"),
        column("number", sa.Integer(), "from 0", autoincrement=False),
        column("account_id", sa.String(36), "never the requester"),
        moment("at_us", "when"),
        moment("voided_us", "since when it does not count: the basis broke; NULL: it counts", nullable=True),
        sa.PrimaryKeyConstraint("request_id", "number", name="pk_viewing_request_approvals"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name="fk_viewing_request_approvals_account_id"
        ),
        sa.ForeignKeyConstraint(
            ["request_id"], ["viewing_requests.id"], name="fk_viewing_request_approvals_request_id"
        ),
        comment="Who approved a request when, voided ones too; owner: custody grant desk",
        **OPTIONS,
    )


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
