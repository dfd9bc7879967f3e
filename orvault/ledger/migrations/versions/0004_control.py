"""Start and stop signals, and the reasons that stops owe."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from orvault.ledger.migrations.columns import OPTIONS, column, moment

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


_STARTED_BY = "account that ordered the start"
_STARTED_BY_NOW = "account that ordered the start, or armed the case that a device started"


def upgrade() -> None:
    _make_signals()
    _make_reasons()
    _explain_started_by(_STARTED_BY_NOW, _STARTED_BY)


def downgrade() -> None:
    _explain_started_by(_STARTED_BY, _STARTED_BY_NOW)
    op.drop_table("stop_reason_runs")
    op.drop_table("stop_reasons")
    op.drop_table("signals")


def _explain_started_by(comment: str, before: str) -> None:
    if op.get_bind().dialect.name == "sqlite":
        return  # it keeps no comments
    op.alter_column(
        "runs",
        "started_by",
        existing_type=sa.String(36),
        existing_nullable=False,
        existing_comment=before,
        comment=comment,
    )


def _make_signals() -> None:
    op.create_table(
        "signals",
        column("id", sa.String(64), "made by its source; the same when sent again"),
        column("room", sa.String(128), "operating room it was given in"),
        column("case_id", sa.String(36), "the room's case then; NULL: it had none", nullable=True),
        column("kind", sa.String(8), "start or stop"),
        column("source", sa.String(16), "gesture, pedal or person"),
        column("device", sa.String(64), "camera or pedal; of a person the account"),
        moment("at_us", "when it was given; heard_us, if its device's clock is ahead"),
        moment("heard_us", "when it was decided on"),
        column("confidence_permille", sa.Integer(), "its source's confidence, 0 to 1000"),
        column("action", sa.String(24), "what it did: one of orvault.custody.control.Action"),
        column("standing", sa.String(16), "one of orvault.custody.signals.Standing"),
        column("why", sa.String(200), "the decision in words"),
        sa.PrimaryKeyConstraint("id", name="pk_signals"),
        sa.CheckConstraint("kind IN ('start','stop')", name=op.f("ck_signals_kind")),
        sa.CheckConstraint("source IN ('gesture','pedal','person')", name=op.f("ck_signals_source")),
        sa.CheckConstraint(
            "action IN ('none','start','stop','await-confirmation')", name=op.f("ck_signals_action")
        ),
        sa.CheckConstraint(
            "standing IN ('refused','heard','waiting','lapsed','taken-back','effective','failed')",
            name=op.f("ck_signals_standing"),
        ),
        sa.CheckConstraint("standing <> 'waiting' OR kind = 'stop'", name=op.f("ck_signals_stops_wait")),
        sa.CheckConstraint(
            "standing = 'refused' OR case_id IS NOT NULL", name=op.f("ck_signals_heard_under_case")
        ),
        sa.CheckConstraint("at_us <= heard_us", name=op.f("ck_signals_given_before_heard")),
        sa.CheckConstraint("confidence_permille BETWEEN 0 AND 1000", name=op.f("ck_signals_confidence")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_signals_case_id"),
        comment="Start and stop signals, kept for ever so that none counts twice; owner: custody control desk",
        **OPTIONS,
    )
    op.create_index("ix_signals_case_id_kind_at_us", "signals", ["case_id", "kind", "at_us"])
    op.create_index("ix_signals_standing", "signals", ["standing"])


def _make_reasons() -> None:
    op.create_table(
        "stop_reasons",
        column("id", sa.String(36), "UUIDv7"),
        column("case_id", sa.String(36), "whose recording was stopped"),
        column("signal_id", sa.String(64), "the stop that it explains"),
        moment("since_us", "when the stop was ordered"),
        column("reason", sa.String(500), "why it was stopped; NULL: due", nullable=True),
        moment("given_us", "when the reason was given; NULL: due", nullable=True),
        column("given_by", sa.String(36), "account that gave it", nullable=True),
        column("reminders", sa.Integer(), "how often it was asked for since"),
        moment("reminded_us", "the last reminder; NULL: none yet", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_stop_reasons"),
        sa.CheckConstraint(
            "(reason IS NULL) = (given_us IS NULL) AND (reason IS NULL) = (given_by IS NULL)",
            name=op.f("ck_stop_reasons_given_whole"),
        ),
        sa.CheckConstraint(
            "(reminders = 0) = (reminded_us IS NULL)", name=op.f("ck_stop_reasons_reminded_when")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_stop_reasons_case_id"),
        sa.ForeignKeyConstraint(["given_by"], ["accounts.id"], name="fk_stop_reasons_given_by"),
        sa.ForeignKeyConstraint(["signal_id"], ["signals.id"], name="fk_stop_reasons_signal_id"),
        sa.UniqueConstraint("signal_id", name="uq_stop_reasons_signal_id"),
        comment="Reasons that hands-free stops owe, asked for until given; owner: custody control desk",
        **OPTIONS,
    )
    op.create_index("ix_stop_reasons_case_id", "stop_reasons", ["case_id"])
    op.create_index("ix_stop_reasons_given_us", "stop_reasons", ["given_us"])
    op.create_table(
        "stop_reason_runs",
        column("run_id", sa.String(36), "a run ends once, so it stands once"),
        column("reason_id", sa.String(36), "the reason it waits for"),
        sa.PrimaryKeyConstraint("run_id", name="pk_stop_reason_runs"),
        sa.ForeignKeyConstraint(["reason_id"], ["stop_reasons.id"], name="fk_stop_reason_runs_reason_id"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_stop_reason_runs_run_id"),
        comment="Runs that ended with such a stop; owner: custody control desk",
        **OPTIONS,
    )
    op.create_index("ix_stop_reason_runs_reason_id", "stop_reason_runs", ["reason_id"])
