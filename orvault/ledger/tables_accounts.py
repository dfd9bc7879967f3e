"""Tables of who signs in: accounts and their reach, sessions, keys of machines, and failures for the throttle."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
    false,
)

from orvault.ledger.tables import BIG_KEY, DIGEST, EXTERNAL_ID, ID, make_table, moment, place_in_list

accounts = make_table(
    "accounts",
    "People and machines that sign in; owner: custody accounts desk",
    Column("id", ID, primary_key=True, comment="UUIDv7; named in history, so never reused"),
    Column("name", String(64), nullable=False, comment="sign-in name, NFKC and case-folded; unique"),
    Column("display_name", String(80), nullable=False, comment="as people read it"),
    Column("role", String(32), nullable=False, comment="one of orvault.custody.account.Role"),
    Column("password_phc", String(255), nullable=False, comment="Argon2id PHC string; never shown or logged"),
    moment("created_us", "when it was made"),
    Column("created_by", String(64), nullable=False, comment="history actor who made it, or console"),
    moment("disabled_us", "since when signing in is off; NULL: in use", nullable=True),
    moment("reset_us", "when somebody else set its password; NULL: it is its own", nullable=True),
    Column(
        "machine",
        Boolean,
        nullable=False,
        server_default=false(),
        comment="it has no password, and comes by keys",
    ),
    UniqueConstraint("name"),
    CheckConstraint(
        "role IN ('system-administrator','records-manager','privacy-officer','clinical-staff','auditor')",
        "role",
    ),
)

account_scopes = make_table(
    "account_scopes",
    "How far each account reaches; without a row it sees nothing; owner: custody accounts desk",
    Column("account_id", ID, ForeignKey("accounts.id"), primary_key=True, comment="whose"),
    place_in_list(),
    Column("kind", String(16), nullable=False, comment="one of orvault.custody.scope.ScopeKind"),
    Column(
        "name",
        EXTERNAL_ID,
        nullable=False,
        comment="department, room, or the camera's id; empty for the site",
    ),
    moment("from_us", "from when on it counts; NULL: always", nullable=True),
    moment("until_us", "until when, exclusive; NULL: always", nullable=True),
    CheckConstraint("kind IN ('site','department','room','camera')", "kind"),
    CheckConstraint("(kind = 'site') = (name = '')", "name"),
    CheckConstraint("from_us IS NULL OR until_us IS NULL OR until_us > from_us", "period"),
)

sessions = make_table(
    "sessions",
    "Open sign-ins; a token is good only while its row is; owner: custody accounts desk",
    Column("id", ID, primary_key=True, comment="UUIDv7; the token's jti"),
    Column("account_id", ID, ForeignKey("accounts.id"), nullable=False, comment="whose sign-in"),
    Column("method", String(16), nullable=False, comment="one of orvault.custody.account.Method"),
    Column("client", String(64), nullable=False, comment="address that it was opened from; empty: not known"),
    moment("issued_us", "sign-in"),
    moment("expires_us", "end without signing out; old rows are dropped after it"),
    moment("ended_us", "signed out; NULL: not", nullable=True),
    CheckConstraint("method IN ('password','password+code','directory','key')", "method"),
    CheckConstraint("expires_us > issued_us", "period"),
    Index(None, "account_id"),
    Index(None, "expires_us"),
)

api_keys = make_table(
    "api_keys",
    "What a session of the method key is opened by, again and again; owner: custody machines desk",
    Column(
        "session_id", ID, ForeignKey("sessions.id"), primary_key=True, comment="its session, with its end"
    ),
    Column("digest", DIGEST, nullable=False, comment="SHA-256 (hex) of the key, 256 random bits"),
    Column("name", String(80), nullable=False, comment="what it is for, as people call it"),
    moment("used_us", "when it was last used, give or take a minute; NULL: never", nullable=True),
    Column(
        "used_from", String(64), nullable=False, comment="address that it came from then; empty: not known"
    ),
    UniqueConstraint("digest"),
)

sign_in_failures = make_table(
    "sign_in_failures",
    "Failed sign-ins of the last minutes, for the throttle; owner: custody accounts desk",
    Column("id", BIG_KEY, primary_key=True, autoincrement=True, comment="row number without meaning"),
    Column(
        "name_key", DIGEST, nullable=False, comment="SHA-256 (hex) of the name typed: it may be a password"
    ),
    moment("at_us", "when"),
    Index(None, "name_key", "at_us"),
    Index(None, "at_us"),
)

sign_in_homes = make_table(
    "sign_in_homes",
    "Where accounts have signed in of late: others' failures do not slow them there; owner: custody sessions desk",
    Column("pair_key", DIGEST, primary_key=True, comment="SHA-256 (hex) of account name and address"),
    moment("at_us", "when it last did"),
    Index(None, "at_us"),
)
