"""The schema: which participants are asked about a masked result, and what they said of it."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKey, Integer, String

from orvault.ledger.tables import DIGEST, ID, make_table, moment, place_in_list

request_answers = make_table(
    "request_answers",
    "What participants said of the masked result, the last one counts; owner: custody review desk",
    Column("request_id", ID, ForeignKey("requests.id"), primary_key=True, comment="the request"),
    Column("number", Integer, primary_key=True, autoincrement=False, comment="from 0"),
    Column("participant", String(80), nullable=False, comment="as in the case's list"),
    Column("answer", String(8), nullable=False, comment="yes or no"),
    Column("remark", String(500), nullable=False, comment="what they said; may be empty"),
    Column("document_sha256", DIGEST, nullable=False, comment="of the paper, if it was no account of theirs"),
    Column("taken_by", ID, ForeignKey("accounts.id"), nullable=False, comment="account that gave or took it"),
    moment("at_us", "when"),
    CheckConstraint("answer IN ('yes','no')", "answer"),
)

request_participants = make_table(
    "request_participants",
    "Participants whose answer to the masked result is wanted; owner: custody review desk",
    Column("request_id", ID, ForeignKey("requests.id"), primary_key=True, comment="the request"),
    place_in_list(),
    Column("participant", String(80), nullable=False, comment="as in the case's list"),
    Column(
        "asked_by", ID, ForeignKey("accounts.id"), comment="account that named them; NULL: the site asks all"
    ),
    moment("asked_us", "when"),
    Column("mail", String(255), nullable=False, comment="where they are told of it; may be empty"),
    Column(
        "account_id",
        ID,
        ForeignKey("accounts.id"),
        comment="theirs, where it was named; NULL: by display name",
    ),
    Column("waived_by", ID, ForeignKey("accounts.id"), comment="account that waived it, never the requester"),
    moment("waived_us", "when that was; NULL: it is waited for", nullable=True),
    Column("waiver_reason", String(500), nullable=False, comment="why; empty where it is waited for"),
    CheckConstraint("(waived_us IS NULL) = (waived_by IS NULL)", "waived_by_somebody"),
    CheckConstraint("waived_us IS NULL OR waiver_reason <> ''", "waived_has_reason"),
)
