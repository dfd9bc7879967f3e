"""The schema, part five: what makes history checkable elsewhere: kept subtrees, checkpoints, who took them."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Integer, PrimaryKeyConstraint, String

from orvault.ledger.tables import DIGEST, LONG, make_table, moment

history_nodes = make_table(
    "history_nodes",
    "Hashes of history's complete subtrees, a cache that is computed anew from history; owner: checkpoint desk",
    Column("level", Integer, autoincrement=False, comment="2^level entries are under it; 8 and more"),
    Column("number", BigInteger, autoincrement=False, comment="its first entry is number * 2^level; from 0"),
    Column("hash", DIGEST, nullable=False, comment="RFC 6962 node hash (hex)"),
    PrimaryKeyConstraint("level", "number"),
    CheckConstraint("level >= 8 AND number >= 0", "place"),
)

checkpoints = make_table(
    "checkpoints",
    "Signed sizes and roots of history, append-only (triggers refuse UPDATE and DELETE); owner: checkpoint desk",
    Column("size", BigInteger, primary_key=True, autoincrement=False, comment="number of entries it covers"),
    moment("at_us", "when it was made"),
    Column("root", DIGEST, nullable=False, comment="RFC 6962 tree hash (hex) of these entries"),
    Column("note", LONG, nullable=False, comment="signed note (docs/format/history-v1.md, section 2)"),
    CheckConstraint("size > 0", "size"),
)

checkpoint_receipts = make_table(
    "checkpoint_receipts",
    "Which place outside has taken which checkpoint; owner: checkpoint desk",
    Column("place", String(64), comment="folder, witness:NAME or time-stamp"),
    Column(
        "size", BigInteger, ForeignKey("checkpoints.size"), autoincrement=False, comment="which checkpoint"
    ),
    moment("at_us", "when it was taken"),
    Column("receipt", LONG, nullable=False, comment="the witness's signature line, or empty"),
    PrimaryKeyConstraint("place", "size"),
)

checkpoint_keys = make_table(
    "checkpoint_keys",
    "Certificates of those that signed checkpoints; the root says which count; owner: checkpoint desk",
    Column("fingerprint", DIGEST, primary_key=True, comment="SHA-256 (hex) of the certificate's DER"),
    Column("chain", LONG, nullable=False, comment="the certificate and those above it, base64 DER, JSON"),
    moment("first_us", "when it first signed"),
)
