"""The schema, fifth part: scans of drafts, from which is chosen what is masked."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, Integer, String

from orvault.ledger.tables import ID, LONG, make_table, moment

scans = make_table(
    "scans",
    "Scans of drafts' footage for who is in it; no picture is kept; owner: custody scans desk",
    Column("id", ID, primary_key=True, comment="UUIDv7; named in history"),
    Column("request_id", ID, ForeignKey("requests.id"), nullable=False, comment="the draft"),
    Column("scope", LONG, nullable=False, comment="cameras, period and masking that are scanned for, JSON"),
    Column("state", String(16), nullable=False, comment="waiting, scanning, done or failed"),
    Column("ordered_by", ID, ForeignKey("accounts.id"), nullable=False, comment="account that ordered it"),
    moment("ordered_us", "when"),
    Column("stage", String(64), nullable=False, comment="what the worker does now, in words"),
    Column("done", BigInteger, nullable=False, comment="units of the work that are done"),
    Column("total", BigInteger, nullable=False, comment="units of the work; 0: not known"),
    Column("worker", String(64), comment="worker that has or had it"),
    Column("worker_epoch", Integer, nullable=False, comment="number of claims; fences replaced workers"),
    moment("worker_seen_us", "the worker's last sign of life", nullable=True),
    Column(
        "given_back",
        Integer,
        nullable=False,
        comment="claims that were given back: what the worker needed was away",
    ),
    moment("not_before_us", "when it is tried again after that; NULL: at once", nullable=True),
    Column("failure", String(500), comment="why it failed"),
    moment("ended_us", "when it was done or failed", nullable=True),
    Column("found", LONG, comment="by camera the tracks (times and boxes) and their digest, JSON; once done"),
    CheckConstraint("state IN ('waiting','scanning','done','failed')", "state"),
    CheckConstraint("state <> 'done' OR found IS NOT NULL", "done_has_found"),
    Index(None, "request_id"),
    Index(None, "ordered_by"),
    Index(None, "state"),
)
