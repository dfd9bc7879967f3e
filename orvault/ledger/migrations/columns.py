"""What steps of the schema write columns and tables with.

A step that has gone out never changes, so neither does what stands here: one that needs another form brings its own.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.mysql import LONGBLOB, LONGTEXT

# nopad_bin: text is equal only where its bytes are, as on SQLite.
OPTIONS: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_nopad_bin",
}
LONG = sa.Text().with_variant(LONGTEXT(), "mysql")
PICTURE = sa.LargeBinary().with_variant(LONGBLOB(), "mysql")
BIG_KEY = sa.BigInteger().with_variant(
    sa.Integer(), "sqlite"
)  # SQLite numbers rows by itself in INTEGER keys only


def column(name: str, kind: Any, comment: str, *, nullable: bool = False, **more: Any) -> sa.Column[Any]:
    """A column with its comment; `kind` and `more` as `sqlalchemy.Column` takes them."""
    return sa.Column(name, kind, nullable=nullable, comment=comment, **more)


def moment(name: str, comment: str, *, nullable: bool = False) -> sa.Column[Any]:
    """A column holding a time."""
    return column(name, sa.BigInteger(), f"UTC microseconds since 1970; {comment}", nullable=nullable)
