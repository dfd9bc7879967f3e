"""The schema, second part: export requests, download links, and the history of acts."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
)
from sqlalchemy.dialects.mysql import LONGBLOB

from orvault.ledger.tables import DIGEST, EXTERNAL_ID, ID, LONG, make_table, moment, place_in_list

PICTURE = LargeBinary().with_variant(LONGBLOB(), "mysql")

requests = make_table(
    "requests",
    "Export requests and what became of them; owner: custody exports and renders desks",
    Column("id", ID, primary_key=True, comment="UUIDv7"),
    Column("case_id", ID, ForeignKey("cases.id"), nullable=False, comment="whose recordings"),
    moment("from_us", "beginning of the period asked for"),
    moment("to_us", "end of the period asked for"),
    Column("purpose", String(500), nullable=False, comment="why; binds the recipients"),
    Column("basis_kind", String(16), nullable=False, comment="court, investigator, mediation or consent"),
    Column(
        "document_number", String(120), nullable=False, comment="of the court or investigator; may be empty"
    ),
    Column(
        "proceedings_number", String(120), nullable=False, comment="of the mediation agency; may be empty"
    ),
    Column("masking", String(16), nullable=False, comment="face, head, body or picture"),
    Column("style", String(16), nullable=False, comment="solid, mosaic or frost"),
    Column("watermark", String(64), nullable=False, comment="text in the picture"),
    Column("watermark_position", String(16), nullable=False, comment="corner or centre"),
    Column(
        "watermark_more",
        LONG,
        comment="the watermark's filled-in text, layout and image, JSON; NULL: older than these",
    ),
    Column(
        "choice",
        LONG,
        comment="who is left clear and what is covered besides, chosen by whom and when, JSON; NULL: all masked",
    ),
    Column(
        "activation",
        String(64),
        comment="how its copies are activated on line, JSON; NULL: they open without asking",
    ),
    Column("terms", LONG, nullable=False, comment="terms of use that travel in the package"),
    moment("valid_from_us", "the package opens from"),
    moment("valid_until_us", "the package opens until; the request expires then"),
    Column("state", String(16), nullable=False, comment="one of orvault.custody.request.RequestState"),
    Column(
        "requested_by", ID, ForeignKey("accounts.id"), nullable=False, comment="account that submitted it"
    ),
    moment("requested_us", "when it was submitted"),
    Column(
        "decided_by",
        ID,
        ForeignKey("accounts.id"),
        comment="account that approved or refused; never the requester",
    ),
    moment("decided_us", "when that was", nullable=True),
    Column("refusal_reason", String(500), comment="why it was refused; kept 3 years"),
    Column("package_id", ID, comment="UUIDv7 given at the approval; unique"),
    Column("stage", String(64), nullable=False, comment="what the worker does now, in words"),
    Column("done", BigInteger, nullable=False, comment="units of the stage that are done"),
    Column("total", BigInteger, nullable=False, comment="units of the stage; 0: not known"),
    Column("worker", String(64), comment="export worker that has or had it"),
    Column("worker_epoch", Integer, nullable=False, comment="number of claims; fences replaced workers"),
    moment("worker_seen_us", "the worker's last sign of life", nullable=True),
    Column(
        "given_back",
        Integer,
        nullable=False,
        server_default="0",
        comment="claims that were given back: what the worker needed was away",
    ),
    moment("not_before_us", "when it is tried again after that; NULL: at once", nullable=True),
    Column("package_path", String(512), comment="file below the packages folder, once ready"),
    Column("package_bytes", BigInteger, comment="size of the package in bytes, once ready"),
    Column("package_sha256", DIGEST, comment="SHA-256 (hex) of the package file, once ready"),
    Column("failure", String(500), comment="why the rendering failed"),
    moment("ended_us", "when it became ready, refused, failed or expired", nullable=True),
    Column(
        "advanced_epoch",
        Integer,
        nullable=False,
        server_default="0",
        comment="last claim whose worker finished a piece; 0: none",
    ),
    Column("second_look", LONG, comment="what was looked for and found in what would leave, JSON"),
    Column("reviewed_by", ID, comment="account that released or refused it after that; never the requester"),
    moment("reviewed_us", "when that was", nullable=True),
    moment("due_us", "until when it is to be answered; NULL: a draft, or older than this", nullable=True),
    Column(
        "reminders",
        Integer,
        nullable=False,
        server_default="0",
        comment="how often its due date was reminded of",
    ),
    Column("revoked_by", ID, comment="account that revoked or withdrew it"),
    moment(
        "answers_due_us",
        "until when participants are to answer to its result; NULL: none was asked about a result",
        nullable=True,
    ),
    moment("removed_us", "when the files of an ended one were removed; NULL: not yet", nullable=True),
    UniqueConstraint("package_id"),
    CheckConstraint(
        "state IN ('draft','submitted','satisfied','approved','rendering','review','ready','delivered',"
        "'refused','revoked','failed','expired')",
        "state",
    ),
    CheckConstraint("basis_kind IN ('court','investigator','mediation','consent')", "basis_kind"),
    CheckConstraint("masking IN ('face','head','body','picture')", "masking"),
    CheckConstraint("style IN ('solid','mosaic','frost')", "style"),
    CheckConstraint("to_us > from_us", "period"),
    CheckConstraint("valid_until_us > valid_from_us", "validity"),
    # Four eyes stand in the schema too: no code path can let a request be decided by who made it.
    CheckConstraint("decided_by IS NULL OR decided_by <> requested_by", "four_eyes"),
    CheckConstraint(
        "state NOT IN ('approved','rendering','review','ready','delivered','failed') OR decided_by IS NOT NULL",
        "approved_by_somebody",
    ),
    CheckConstraint(
        "state NOT IN ('approved','rendering','review','ready','delivered','failed') OR package_id IS NOT NULL",
        "approved_names_package",
    ),
    CheckConstraint("state NOT IN ('refused','revoked') OR refusal_reason IS NOT NULL", "refused_has_reason"),
    CheckConstraint(
        "state NOT IN ('review','ready','delivered') OR package_sha256 IS NOT NULL", "ready_has_package"
    ),
    Index(None, "case_id"),
    Index(None, "state", "decided_us"),
    Index(None, "requested_by"),
    Index(None, "state", "due_us"),
    Index(None, "state", "valid_until_us"),
    Index(None, "state", "removed_us", "package_id"),
)


def cameras_table(name: str, of: str, what: str, owner: str) -> Table:
    """The cameras that requests of the table `of` name."""
    return make_table(
        name,
        f"Cameras of a {what}; owner: {owner}",
        Column("request_id", ID, ForeignKey(f"{of}.id"), primary_key=True, comment="the request"),
        place_in_list(),
        Column("camera_id", EXTERNAL_ID, ForeignKey("cameras.id"), nullable=False, comment="the camera"),
        UniqueConstraint("request_id", "camera_id"),
    )


request_cameras = cameras_table("request_cameras", "requests", "request", "custody exports desk")

request_recipients = make_table(
    "request_recipients",
    "Who can open the package; nothing here opens anything; owner: custody exports desk",
    Column("request_id", ID, ForeignKey("requests.id"), primary_key=True, comment="the request"),
    place_in_list(),
    Column("name", String(80), nullable=False, comment="the recipient; leaks are traced by it"),
    Column("recipient", LONG, nullable=False, comment="public key, and salt for a password recipient, JSON"),
    Column("package_id", ID, comment="UUIDv7 of their own copy; the first one's stands in requests; unique"),
    Column("package_path", String(512), comment="its file below the packages folder, once ready"),
    Column("package_bytes", BigInteger, comment="its size in bytes, once ready"),
    Column("package_sha256", DIGEST, comment="SHA-256 (hex) of its file, once ready"),
    moment("delivered_us", "when their copy was first fetched; NULL: not yet", nullable=True),
    UniqueConstraint("request_id", "name"),
    Index(None, "package_id", unique=True),
)


def consents_table(name: str, of: str, owner: str) -> Table:
    """The consents that the requests of the table `of` name."""
    return make_table(
        name,
        f"Consents that a request names; owner: {owner}",
        Column("request_id", ID, ForeignKey(f"{of}.id"), primary_key=True, comment="the request"),
        place_in_list(),
        Column("subject", String(16), nullable=False, comment="patient or staff"),
        Column("name", String(80), nullable=False, comment="whose consent"),
        Column("document", String(120), nullable=False, comment="paper it stands on; may be empty"),
        Column(
            "document_sha256",
            DIGEST,
            nullable=False,
            server_default="",
            comment="SHA-256 (hex) of the paper's scan",
        ),
        Column(
            "scope",
            String(16),
            nullable=False,
            server_default="masked",
            comment="how far it goes: masked or clear",
        ),
        Column("taken_by", ID, comment="account that took it in; NULL: older than this"),
        moment("taken_us", "when that was", nullable=True),
        Column("withdrawn_by", ID, comment="account that took the withdrawal in; NULL: it stands"),
        moment("withdrawn_us", "when that was", nullable=True),
        Column(
            "withdrawal_reason", String(500), nullable=False, server_default="", comment="as it was given"
        ),
        CheckConstraint("subject IN ('patient','staff')", "subject"),
    )


def approvals_table(name: str, of: str, owner: str) -> Table:
    """Who approved requests of the table `of`."""
    return make_table(
        name,
        f"Who approved a request when, voided ones too; owner: {owner}",
        Column("request_id", ID, ForeignKey(f"{of}.id"), primary_key=True, comment="the request"),
        Column("number", Integer, primary_key=True, autoincrement=False, comment="from 0"),
        Column("account_id", ID, ForeignKey("accounts.id"), nullable=False, comment="never the requester"),
        moment("at_us", "when"),
        moment("voided_us", "since when it does not count: the basis broke; NULL: it counts", nullable=True),
    )


request_consents = consents_table("request_consents", "requests", "custody exports desk")
request_approvals = approvals_table("request_approvals", "requests", "custody exports desk")

watermark_images = make_table(
    "watermark_images",
    "Images for visible watermarks, never changed; owner: custody watermark desk",
    Column("digest", DIGEST, primary_key=True, comment="SHA-256 (hex) of png; requests name it"),
    Column("name", String(80), nullable=False, comment="what people call it"),
    Column("width", Integer, nullable=False, comment="pixels"),
    Column("height", Integer, nullable=False, comment="pixels"),
    Column("png", PICTURE, nullable=False, comment="8-bit PNG with alpha, as this system wrote it"),
    Column("added_by", ID, ForeignKey("accounts.id"), nullable=False, comment="account that sent it"),
    moment("added_us", "when"),
)

download_links = make_table(
    "download_links",
    "Download links handed out; owner: custody exports desk",
    Column("id", ID, primary_key=True, comment="UUIDv7; the signed URL's jti"),
    Column("request_id", ID, ForeignKey("requests.id"), nullable=False, comment="whose package"),
    Column("issued_to", ID, ForeignKey("accounts.id"), nullable=False, comment="account it was given to"),
    moment("issued_us", "when"),
    moment("expires_us", "end of its life"),
    moment("first_used_us", "first use, which is in history; NULL: never used", nullable=True),
    CheckConstraint("expires_us > issued_us", "period"),
    Index(None, "request_id"),
)

history = make_table(
    "history",
    "Every act, append-only (triggers refuse UPDATE and DELETE); owner: all custody desks",
    Column(
        "seq",
        BigInteger,
        primary_key=True,
        autoincrement=False,
        comment="place, from 0 without holes; Merkle leaf",
    ),
    moment("at_us", "when"),
    Column(
        "actor", String(80), nullable=False, comment="account:ID, worker:NAME, console, system or anonymous"
    ),
    Column("act", String(32), nullable=False, comment="one of orvault.custody.history.Act"),
    Column("subject", String(160), nullable=False, comment="about what, KIND:ID"),
    Column("detail", LONG, nullable=False, comment="particulars, canonical JSON as it was hashed"),
    Column("leaf_hash", DIGEST, nullable=False, comment="RFC 6962 leaf hash (hex) over the canonical entry"),
    CheckConstraint("seq >= 0", "seq"),
    Index(None, "subject", "seq"),
    Index(None, "actor", "seq"),
    Index(None, "act", "seq"),
)

history_head = make_table(
    "history_head",
    "One row: the size of history; writers take turns by locking it; owner: ledger unit of work",
    Column("id", Integer, primary_key=True, autoincrement=False, comment="always 1"),
    Column(
        "size", BigInteger, nullable=False, comment="number of history rows; a cut-off end shows against it"
    ),
    CheckConstraint("id = 1", "one_row"),
    CheckConstraint("size >= 0", "size"),
)
