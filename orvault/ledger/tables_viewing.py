"""The schema, fourth part: the quick mask, views, and requests to view."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
)

from orvault.ledger.tables import EXTERNAL_ID, ID, make_table, moment
from orvault.ledger.tables_exports import approvals_table, cameras_table, consents_table

quick_masks = make_table(
    "quick_masks",
    "The newest act on the quick mask of each scope; owner: custody viewing desk",
    Column("scope", EXTERNAL_ID, primary_key=True, comment="a camera's id, or * for all"),
    Column(
        "number",
        BigInteger,
        nullable=False,
        comment="grows with every act of the site: the newest that covers a camera counts",
    ),
    moment("lifted_until_us", "end of a lift, exclusive; NULL: the act masked", nullable=True),
    moment("at_us", "when it was done"),
    Column("by_actor", String(64), nullable=False, comment="history actor who did it"),
    Column("reason", String(500), nullable=False, comment="why; empty where nobody had the time to say"),
    UniqueConstraint("number"),
    CheckConstraint("lifted_until_us IS NULL OR lifted_until_us > at_us", "lift"),
)

views = make_table(
    "views",
    "Views that were asked for; who saw what of them stands in history; owner: custody viewing desk",
    Column("id", ID, primary_key=True, comment="UUIDv7; its link carries it"),
    Column("kind", String(8), nullable=False, comment="live or stored"),
    Column("account_id", ID, ForeignKey("accounts.id"), nullable=False, comment="who views"),
    Column("session_id", ID, nullable=False, comment="the sign-in it was asked in; signing out ends it"),
    Column("camera_id", EXTERNAL_ID, ForeignKey("cameras.id"), nullable=False, comment="what is viewed"),
    Column("case_id", ID, ForeignKey("cases.id"), comment="of stored video; NULL: live"),
    moment("from_us", "of stored video; NULL: live", nullable=True),
    moment("to_us", "of stored video, exclusive; NULL: live", nullable=True),
    Column("wanted", String(16), nullable=False, comment="the most that the viewer wishes to see"),
    Column("client", String(64), nullable=False, comment="the address that its link is good for"),
    moment("issued_us", "when it was asked for"),
    moment("expires_us", "when it ends at the latest"),
    Column(
        "request_id", ID, comment="export request whose masked result is watched; NULL: what was recorded"
    ),
    CheckConstraint("kind IN ('live','stored')", "kind"),
    CheckConstraint("wanted IN ('masked','people-masked','clear')", "wanted"),
    CheckConstraint(
        "(kind = 'stored') = (case_id IS NOT NULL AND from_us IS NOT NULL AND to_us IS NOT NULL)", "stored"
    ),
    CheckConstraint("expires_us > issued_us", "period"),
    Index(None, "account_id", "expires_us"),
    Index(None, "camera_id"),
    Index(None, "case_id"),
    Index(None, "request_id"),
)

viewing_requests = make_table(
    "viewing_requests",
    "Requests to see more than a mosaic; an approved one is a viewing grant; owner: custody grant desk",
    Column("id", ID, primary_key=True, comment="UUIDv7; named in history"),
    Column("viewer_id", ID, ForeignKey("accounts.id"), nullable=False, comment="who is to see"),
    Column("kind", String(8), nullable=False, comment="live or stored"),
    Column("case_id", ID, ForeignKey("cases.id"), nullable=False, comment="live: while it is armed"),
    moment("footage_from_us", "of stored video; NULL: live", nullable=True),
    moment("footage_to_us", "of stored video, exclusive; NULL: live", nullable=True),
    Column("showing", String(16), nullable=False, comment="how much of the picture: people-masked or clear"),
    Column("purpose", String(500), nullable=False, comment="why"),
    Column("basis_kind", String(16), nullable=False, comment="court, investigator, mediation or consent"),
    Column(
        "document_number", String(120), nullable=False, comment="of the court or investigator; may be empty"
    ),
    Column(
        "proceedings_number", String(120), nullable=False, comment="of the mediation agency; may be empty"
    ),
    moment("until_us", "until when it may be used, exclusive"),
    Column("state", String(16), nullable=False, comment="one of orvault.custody.steps.RequestState"),
    Column("requested_by", ID, ForeignKey("accounts.id"), nullable=False, comment="account that asked"),
    moment("requested_us", "when"),
    Column(
        "decided_by",
        ID,
        ForeignKey("accounts.id"),
        comment="account that approved last, or refused; never who asked or is to see",
    ),
    moment("decided_us", "when that was; an approved one may be used from then on", nullable=True),
    Column("reason", String(500), comment="why it was refused or withdrawn; kept 3 years"),
    Column("ended_by", ID, comment="account that refused or withdrew it; NULL: its time was over"),
    moment("ended_us", "when it was refused, withdrawn or expired", nullable=True),
    CheckConstraint("kind IN ('live','stored')", "kind"),
    CheckConstraint("showing IN ('people-masked','clear')", "showing"),
    CheckConstraint("basis_kind IN ('court','investigator','mediation','consent')", "basis_kind"),
    CheckConstraint("state IN ('submitted','satisfied','approved','refused','revoked','expired')", "state"),
    CheckConstraint(
        "decided_by IS NULL OR (decided_by <> requested_by AND decided_by <> viewer_id)", "four_eyes"
    ),
    CheckConstraint(
        "state <> 'approved' OR (decided_by IS NOT NULL AND decided_us IS NOT NULL)", "approved_by_somebody"
    ),
    CheckConstraint("state NOT IN ('refused','revoked') OR reason IS NOT NULL", "ended_has_reason"),
    CheckConstraint("until_us > requested_us", "period"),
    CheckConstraint(
        "(kind = 'stored') = (footage_from_us IS NOT NULL AND footage_to_us IS NOT NULL)", "stored"
    ),
    Index(None, "viewer_id", "state"),
    Index(None, "case_id", "state"),
    Index(None, "requested_by"),
    Index(None, "state", "until_us"),
)

viewing_request_cameras = cameras_table(
    "viewing_request_cameras", "viewing_requests", "request to view", "custody grant desk"
)
viewing_request_consents = consents_table(
    "viewing_request_consents", "viewing_requests", "custody grant desk"
)
viewing_request_approvals = approvals_table(
    "viewing_request_approvals", "viewing_requests", "custody grant desk"
)
