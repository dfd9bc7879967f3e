"""The schema, fourth part: the quick mask, views, and viewing grants."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, String, UniqueConstraint

from orvault.ledger.tables import EXTERNAL_ID, ID, make_table, moment

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
    CheckConstraint("kind IN ('live','stored')", "kind"),
    CheckConstraint("wanted IN ('masked','people-masked','clear')", "wanted"),
    CheckConstraint(
        "(kind = 'stored') = (case_id IS NOT NULL AND from_us IS NOT NULL AND to_us IS NOT NULL)", "stored"
    ),
    CheckConstraint("expires_us > issued_us", "period"),
    Index(None, "account_id", "expires_us"),
    Index(None, "camera_id"),
    Index(None, "case_id"),
)

viewing_grants = make_table(
    "viewing_grants",
    "Who may see more than a mosaic, by the decision of two others; owner: custody viewing desk",
    Column("id", ID, primary_key=True, comment="UUIDv7; named in history"),
    Column("account_id", ID, ForeignKey("accounts.id"), nullable=False, comment="who may view"),
    Column("kind", String(8), nullable=False, comment="live or stored"),
    Column("camera_id", EXTERNAL_ID, ForeignKey("cameras.id"), nullable=False, comment="which camera"),
    Column("case_id", ID, ForeignKey("cases.id"), comment="of stored video; NULL: live"),
    moment("footage_from_us", "of stored video; NULL: live", nullable=True),
    moment("footage_to_us", "of stored video, exclusive; NULL: live", nullable=True),
    Column("showing", String(16), nullable=False, comment="how much of the picture: people-masked or clear"),
    Column("basis", String(500), nullable=False, comment="the legal basis, in words"),
    moment("from_us", "from when on it may be used"),
    moment("until_us", "until when, exclusive"),
    Column("granted_by", ID, ForeignKey("accounts.id"), nullable=False, comment="who asked for it"),
    Column("approved_by", ID, ForeignKey("accounts.id"), nullable=False, comment="who approved it"),
    moment("revoked_us", "when it was taken back; NULL: it was not", nullable=True),
    CheckConstraint("kind IN ('live','stored')", "kind"),
    CheckConstraint("showing IN ('people-masked','clear')", "showing"),
    CheckConstraint("granted_by <> approved_by AND account_id <> approved_by", "four_eyes"),
    CheckConstraint("until_us > from_us", "period"),
    CheckConstraint(
        "(kind = 'stored') = (case_id IS NOT NULL AND footage_from_us IS NOT NULL AND footage_to_us IS NOT NULL)",
        "stored",
    ),
    Index(None, "account_id", "camera_id"),
    Index(None, "camera_id"),
    Index(None, "case_id"),
    Index(None, "granted_by"),
    Index(None, "approved_by"),
)
