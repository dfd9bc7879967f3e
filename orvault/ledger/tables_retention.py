"""The schema, fifth part: legal holds, extensions, and destructions."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, Integer, String

from orvault.ledger.tables import EXTERNAL_ID, ID, LONG, make_table, moment

legal_holds = make_table(
    "legal_holds",
    "Legal holds on cases, kept after they are lifted; owner: custody retention desk",
    Column("id", ID, primary_key=True, comment="UUIDv7"),
    Column("case_id", ID, ForeignKey("cases.id"), nullable=False, comment="what must not be destroyed"),
    Column("reason", String(500), nullable=False, comment="why"),
    Column("document", String(200), nullable=False, comment="paper it stands on"),
    Column("put_by", ID, ForeignKey("accounts.id"), nullable=False, comment="account that put it"),
    moment("put_us", "when"),
    Column("lifted_by", ID, ForeignKey("accounts.id"), comment="account that lifted it; NULL: it stands"),
    moment("lifted_us", "when it was lifted; NULL: it stands", nullable=True),
    Column("lift_reason", String(500), comment="why it was lifted"),
    CheckConstraint("(lifted_us IS NULL) = (lifted_by IS NULL)", "lifted_by_somebody"),
    CheckConstraint("(lifted_us IS NULL) = (lift_reason IS NULL)", "lifted_with_reason"),
    Index(None, "case_id"),
    Index(None, "put_by"),
    Index(None, "lifted_by"),
)

retention_extensions = make_table(
    "retention_extensions",
    "Cases that are kept longer on request; the latest end counts; owner: custody retention desk",
    Column("id", ID, primary_key=True, comment="UUIDv7"),
    Column("case_id", ID, ForeignKey("cases.id"), nullable=False, comment="what is kept"),
    moment("until_us", "until when"),
    Column("reason", String(500), nullable=False, comment="why"),
    Column("document", String(200), nullable=False, comment="paper it stands on"),
    Column("extended_by", ID, ForeignKey("accounts.id"), nullable=False, comment="account that did it"),
    moment("extended_us", "when"),
    Index(None, "case_id"),
    Index(None, "extended_by"),
)

destructions = make_table(
    "destructions",
    "How far the destruction of a case's recordings is; owner: custody destruction desk",
    Column("case_id", ID, ForeignKey("cases.id"), primary_key=True, comment="whose recordings"),
    Column("step", String(24), nullable=False, comment="one of orvault.custody.destruction.Step"),
    moment("due_us", "since when they were due"),
    Column("rule", String(500), nullable=False, comment="why they were due, in words"),
    moment("noticed_us", "when it was noticed that they are due"),
    Column(
        "approved_by", ID, ForeignKey("accounts.id"), comment="account that approved the plan; NULL: nobody"
    ),
    moment("approved_us", "when that was", nullable=True),
    moment("begun_us", "from then on it is finished; NULL: it can be withdrawn", nullable=True),
    moment("key_destroyed_us", "from then on nothing opens", nullable=True),
    moment("packages_removed_us", "packages that were made of it are off the export server", nullable=True),
    moment("destroyed_us", "when the receipt was signed", nullable=True),
    Column("epoch", Integer, nullable=False, comment="how often it was taken up; fences replaced workers"),
    Column("receipt", LONG, comment="the signed receipt (docs/format/receipt-v1.md); NULL: not yet"),
    CheckConstraint(
        "step IN ('noticed','approved','begun','key-destroyed','packages-removed','destroyed')", "step"
    ),
    CheckConstraint("(approved_us IS NULL) = (approved_by IS NULL)", "approved_by_somebody"),
    CheckConstraint("(step IN ('noticed','approved')) = (begun_us IS NULL)", "begun"),
    CheckConstraint("(step IN ('noticed','approved','begun')) = (key_destroyed_us IS NULL)", "key_destroyed"),
    CheckConstraint("(step = 'destroyed') = (receipt IS NOT NULL)", "destroyed_has_receipt"),
    CheckConstraint("(step = 'destroyed') = (destroyed_us IS NOT NULL)", "destroyed_when"),
    Index(None, "step"),
    Index(None, "approved_by"),
)

destruction_nodes = make_table(
    "destruction_nodes",
    "Nodes that have files of a case that is destroyed; owner: custody destruction desk",
    Column("case_id", ID, ForeignKey("destructions.case_id"), primary_key=True, comment="which case"),
    Column("node_id", EXTERNAL_ID, primary_key=True, comment="node on whose disk they lie"),
    moment("removed_us", "when it confirmed that they are gone; NULL: not yet", nullable=True),
    Column("files", BigInteger, nullable=False, comment="how many files it removed"),
    Column("bytes", BigInteger, nullable=False, comment="how many bytes those had"),
    Index(None, "removed_us"),
)
