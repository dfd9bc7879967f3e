"""The schema, ninth part: second factors of accounts with a password."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, String

from orvault.ledger.tables import DIGEST, ID, make_table, moment

second_factors = make_table(
    "second_factors",
    "What accounts show beside their password; owner: custody second factors desk",
    Column("account_id", ID, ForeignKey("accounts.id"), primary_key=True, comment="whose"),
    Column(
        "sealed",
        String(128),
        nullable=False,
        comment="the secret: nonce and AES-256-GCM ciphertext (base64), bound to the account",
    ),
    moment("begun_us", "when it was made and shown"),
    moment("confirmed_us", "since when it counts; NULL: no code of it has come", nullable=True),
    Column("last_step", BigInteger, comment="last step of 30 s since 1970 whose code was used; NULL: none"),
    CheckConstraint("confirmed_us IS NULL OR last_step IS NOT NULL", "used"),
)

recovery_codes = make_table(
    "recovery_codes",
    "Codes that sign in once without the device; a used one is gone; owner: custody second factors desk",
    Column("account_id", ID, ForeignKey("accounts.id"), primary_key=True, comment="whose"),
    Column("digest", DIGEST, primary_key=True, comment="SHA-256 (hex) of account and code, 80 random bits"),
)
