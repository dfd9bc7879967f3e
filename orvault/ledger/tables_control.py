"""The schema, third part: signals, and the reasons that stops owe."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, String, UniqueConstraint

from orvault.ledger.tables import ID, make_table, moment

signals = make_table(
    "signals",
    "Start and stop signals, kept for ever so that none counts twice; owner: custody control desk",
    Column("id", String(64), primary_key=True, comment="made by its source; the same when sent again"),
    Column("room", String(128), nullable=False, comment="operating room it was given in"),
    Column("case_id", ID, ForeignKey("cases.id"), comment="the room's case then; NULL: it had none"),
    Column("kind", String(8), nullable=False, comment="start or stop"),
    Column("source", String(16), nullable=False, comment="gesture, pedal or person"),
    Column("device", String(64), nullable=False, comment="camera or pedal; of a person the account"),
    moment("at_us", "when it was given; heard_us, if its device's clock is ahead"),
    moment("heard_us", "when it was decided on"),
    Column("confidence_permille", Integer, nullable=False, comment="its source's confidence, 0 to 1000"),
    Column(
        "action", String(24), nullable=False, comment="what it did: one of orvault.custody.control.Action"
    ),
    Column("standing", String(16), nullable=False, comment="one of orvault.custody.signals.Standing"),
    Column("why", String(200), nullable=False, comment="the decision in words"),
    CheckConstraint("kind IN ('start','stop')", "kind"),
    CheckConstraint("source IN ('gesture','pedal','person')", "source"),
    CheckConstraint("action IN ('none','start','stop','await-confirmation')", "action"),
    CheckConstraint(
        "standing IN ('refused','heard','waiting','lapsed','taken-back','effective','failed')", "standing"
    ),
    CheckConstraint("standing <> 'waiting' OR kind = 'stop'", "stops_wait"),
    CheckConstraint("standing = 'refused' OR case_id IS NOT NULL", "heard_under_case"),
    CheckConstraint("at_us <= heard_us", "given_before_heard"),
    CheckConstraint("confidence_permille BETWEEN 0 AND 1000", "confidence"),
    Index(None, "case_id", "kind", "at_us"),
    Index(None, "standing"),
)

stop_reasons = make_table(
    "stop_reasons",
    "Reasons that hands-free stops owe, asked for until given; owner: custody control desk",
    Column("id", ID, primary_key=True, comment="UUIDv7"),
    Column("case_id", ID, ForeignKey("cases.id"), nullable=False, comment="whose recording was stopped"),
    Column(
        "signal_id", String(64), ForeignKey("signals.id"), nullable=False, comment="the stop that it explains"
    ),
    moment("since_us", "when the stop was ordered"),
    Column("reason", String(500), comment="why it was stopped; NULL: due"),
    moment("given_us", "when the reason was given; NULL: due", nullable=True),
    Column("given_by", ID, ForeignKey("accounts.id"), comment="account that gave it"),
    Column("reminders", Integer, nullable=False, comment="how often it was asked for since"),
    moment("reminded_us", "the last reminder; NULL: none yet", nullable=True),
    UniqueConstraint("signal_id"),
    CheckConstraint(
        "(reason IS NULL) = (given_us IS NULL) AND (reason IS NULL) = (given_by IS NULL)", "given_whole"
    ),
    CheckConstraint("(reminders = 0) = (reminded_us IS NULL)", "reminded_when"),
    Index(None, "case_id"),
    Index(None, "given_us"),
)

stop_reason_runs = make_table(
    "stop_reason_runs",
    "Runs that ended with such a stop; owner: custody control desk",
    Column(
        "run_id", ID, ForeignKey("runs.id"), primary_key=True, comment="a run ends once, so it stands once"
    ),
    Column("reason_id", ID, ForeignKey("stop_reasons.id"), nullable=False, comment="the reason it waits for"),
    Index(None, "reason_id"),
)
