"""The schema, fifth part: what is searched instead of segments and history, so that no search grows with the years.

Both tables repeat what stands elsewhere, are written in the transaction of what they repeat, and could be made again.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, String, UniqueConstraint

from orvault.ledger.tables import BIG_KEY, EXTERNAL_ID, ID, make_table, moment

stretches = make_table(
    "stretches",
    "Unbroken stretches of segments, a day long at most, to search instead of them; owner: index actor",
    Column("run_id", ID, ForeignKey("runs.id"), primary_key=True, comment="the run of its segments"),
    Column(
        "first_sequence",
        BigInteger,
        primary_key=True,
        autoincrement=False,
        comment="number of its first segment in the run",
    ),
    Column(
        "last_sequence", BigInteger, nullable=False, comment="number of its last segment; none is missing"
    ),
    Column("case_id", ID, ForeignKey("cases.id"), nullable=False, comment="the run's case"),
    Column("camera_id", EXTERNAL_ID, ForeignKey("cameras.id"), nullable=False, comment="the run's camera"),
    Column("room", String(64), nullable=False, comment="the case's operating room"),
    moment("start_us", "first frame of its first segment"),
    moment("end_us", "end of the last frame of its last segment"),
    Column("frames", BigInteger, nullable=False, comment="number of pictures in it"),
    Column("bytes", BigInteger, nullable=False, comment="size of its sealed files in bytes"),
    CheckConstraint("last_sequence >= first_sequence", "sequences"),
    CheckConstraint("end_us >= start_us", "period"),
    Index(None, "case_id", "start_us"),
    Index(None, "camera_id", "start_us"),
    Index(None, "room", "start_us"),
    Index(None, "start_us"),
)

events = make_table(
    "events",
    "Signals, switches and alarms out of history, and gaps, to search by time; owner: history",
    Column("number", BIG_KEY, primary_key=True, autoincrement=True, comment="order of writing"),
    moment("at_us", "when it happened; of a gap its beginning"),
    moment("until_us", "end of a gap; NULL: it is none", nullable=True),
    Column("kind", String(8), nullable=False, comment="one of orvault.custody.search.EventKind"),
    Column("act", String(32), nullable=False, comment="history's act; of a gap the word gap"),
    Column("room", String(128), nullable=False, comment="operating room; empty: none, or every one"),
    Column("camera_id", EXTERNAL_ID, comment="the camera it is about; NULL: none in particular"),
    Column("case_id", ID, comment="the case it is about; NULL: none"),
    Column("words", String(500), nullable=False, comment="why, or what was wrong; may be empty"),
    Column("seq", BigInteger, comment="its entry in history; NULL: a gap, which stands in gaps"),
    UniqueConstraint("seq"),
    CheckConstraint("kind IN ('signal','switch','alarm','gap')", "kind"),
    CheckConstraint("(kind = 'gap') = (until_us IS NOT NULL)", "gaps_last"),
    CheckConstraint("(kind = 'gap') = (seq IS NULL)", "of_history"),
    Index(None, "kind", "at_us"),
    Index(None, "room", "kind", "at_us"),
    Index(None, "camera_id", "kind", "at_us"),
    Index(None, "case_id", "at_us"),
)
