"""The schema, eighth part: signing in through the hospital's directory."""

from __future__ import annotations

from sqlalchemy import Boolean, CheckConstraint, Column, ForeignKey, Index, String, UniqueConstraint

from orvault.ledger.tables import DIGEST, ID, make_table, moment

_NAMED = String(255)  # OpenID Connect Core 1.0, section 2: a subject has no more

directory_links = make_table(
    "directory_links",
    "Which identity of the directory signs in as which account; owner: custody directory desk",
    Column("account_id", ID, ForeignKey("accounts.id"), primary_key=True, comment="whose"),
    Column("issuer", _NAMED, nullable=False, comment="the directory, by its issuer identifier"),
    Column("subject", _NAMED, comment="who it is there, for ever; NULL: not come yet"),
    Column("awaits", _NAMED, comment="user name that the subject is taken from once; NULL: it was"),
    Column("follows", Boolean, nullable=False, comment="role and scopes are what the groups say"),
    moment("linked_us", "when"),
    Column("linked_by", String(64), nullable=False, comment="history actor who did, or directory"),
    UniqueConstraint("issuer", "subject"),
    UniqueConstraint("issuer", "awaits"),
    CheckConstraint("(subject IS NULL) <> (awaits IS NULL)", "one"),
)

directory_codes = make_table(
    "directory_codes",
    "Sign-ins of the last minutes that the directory has proven; owner: custody directory desk",
    Column("code_digest", DIGEST, primary_key=True, comment="SHA-256 (hex) of the code for the program"),
    Column("state_digest", DIGEST, nullable=False, comment="SHA-256 (hex) of its state: it comes back once"),
    Column("account_id", ID, ForeignKey("accounts.id"), nullable=False, comment="who was let in"),
    Column("challenge", String(64), nullable=False, comment="the program's, RFC 7636 S256"),
    moment("made_us", "when; the row is dropped once the sign-in could not come back any more"),
    moment("used_us", "when a program brought the code; NULL: not yet", nullable=True),
    UniqueConstraint("state_digest"),
    Index(None, "account_id", "made_us"),
    Index(None, "made_us"),
)
