"""Exchanges check constraints of a table, on both databases, without a stored row being touched."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa
from alembic import op


def exchange_checks(table: str, checks: Mapping[str, tuple[str, str]]) -> None:
    """Replace constraints: their names (as in the metadata) with the condition as it was and as it is to be.

    RuntimeError where SQLite's table is not as it was.
    """
    if op.get_bind().dialect.name != "sqlite":
        for name, (_, new) in checks.items():
            op.drop_constraint(op.f(f"ck_{table}_{name}"), table, type_="check")
            op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, new)
        return
    _exchange_in_sqlite(table, checks)


def _exchange_in_sqlite(table: str, checks: Mapping[str, tuple[str, str]]) -> None:
    """SQLite cannot change a constraint: the table's text is changed in place, as its manual says for those changes
    that touch no stored row ("Making Other Kinds Of Table Schema Changes").
    """
    bind = op.get_bind()
    read = sa.text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :table")
    text = str(bind.execute(read, {"table": table}).scalar_one())
    for old, new in checks.values():
        if text.count(f"({old})") != 1:
            raise RuntimeError(f"the table {table!r} is not as an earlier version left it")
        text = text.replace(f"({old})", f"({new})")
    version = int(bind.execute(sa.text("PRAGMA schema_version")).scalar_one())
    bind.execute(sa.text("PRAGMA writable_schema = ON"))
    write = sa.text("UPDATE sqlite_master SET sql = :sql WHERE type = 'table' AND name = :table")
    bind.execute(write, {"sql": text, "table": table})
    bind.execute(sa.text(f"PRAGMA schema_version = {version + 1}"))
    bind.execute(sa.text("PRAGMA writable_schema = OFF"))
