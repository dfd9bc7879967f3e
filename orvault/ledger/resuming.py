"""Has a migration that was cut off go on behind its last statement, where the database commits each by itself.

MariaDB commits at every DDL statement, so a migration that dies leaves a schema between two versions. Each statement
is noted in a table of its own, before and after it; what an earlier try carried out is passed over (docs/adr/0027).
SQLite needs none of it: there, all of a migration is one transaction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pymysql
from sqlalchemy import Connection, event, text

from orvault.errors import ErrorKind, OrvaultError

TABLE = "orvault_migration"
_READING = frozenset({"SELECT", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "SET"})
# What MariaDB answers when a statement was carried out before: there already (tables, columns, keys, triggers,
# constraints), or gone already.
_ALREADY = frozenset({1050, 1060, 1061, 1359, 1826, 1051, 1091, 1360})
_CANNOT_CREATE, _DUPLICATE_KEY = 1005, "errno: 121"  # how it says that a foreign key is there already


@contextmanager
def resumable(connection: Connection) -> Iterator[None]:
    """In this block every statement that changes something is carried out once, over all tries of a migration.

    One try at a time: the caller holds a lock. Errors: BAD_SETTINGS when the earlier try was another migration's.
    """
    if connection.dialect.name == "sqlite":
        yield
        return
    steps = _Steps(connection)
    event.listen(connection.engine, "do_execute", steps.execute)
    event.listen(connection.engine, "do_executemany", steps.execute_many)
    try:
        yield
    finally:
        event.remove(connection.engine, "do_execute", steps.execute)
        event.remove(connection.engine, "do_executemany", steps.execute_many)
    connection.execute(text(f"DROP TABLE {TABLE}"))


class _Steps:
    """The statements since the version that stands in `alembic_version`, by their digests."""

    def __init__(self, connection: Connection) -> None:
        columns = "number INT PRIMARY KEY, digest CHAR(64) NOT NULL, done BOOL NOT NULL"
        connection.execute(text(f"CREATE TABLE IF NOT EXISTS {TABLE} ({columns})"))
        found = connection.execute(text(f"SELECT digest, done FROM {TABLE} ORDER BY number"))  # noqa: S608 - a constant's name
        self._noted = [(digest, bool(done)) for digest, done in found]
        self._number = 0

    def execute(self, cursor: Any, statement: str, parameters: Any, _context: object) -> bool:
        """SQLAlchemy's event: carry out, or pass over, and say that this is done."""
        return self._take(cursor, statement, partial(cursor.execute, statement, parameters))

    def execute_many(self, cursor: Any, statement: str, parameters: Any, _context: object) -> bool:
        """The same of one with several rows."""
        return self._take(cursor, statement, partial(cursor.executemany, statement, parameters))

    def _take(self, cursor: Any, statement: str, run: Callable[[], object]) -> bool:
        if statement.split(None, 1)[0].upper() in _READING:
            return False  # SQLAlchemy carries it out
        if "alembic_version" in statement:
            run()
            # Another version stands: that, and the end of its notes, are committed together.
            _write(cursor, f"DELETE FROM {TABLE}")  # noqa: S608 - a constant's name
            self._noted, self._number = [], 0
            return True
        noted = self._noted[self._number] if self._number < len(self._noted) else None
        if noted is not None and noted[0] != _digest(statement):
            raise OrvaultError(
                ErrorKind.BAD_SETTINGS,
                "A migration of the ledger was cut off, and this is not the same one.",
                advice="Finish it first with the version of this program that began it.",
            )
        self._number += 1
        if noted is None or not noted[1]:
            self._run_once(cursor, statement, run, in_doubt=noted is not None)
        return True

    def _run_once(self, cursor: Any, statement: str, run: Callable[[], object], *, in_doubt: bool) -> None:
        """1. note that it begins; 2. carry it out; 3. note that it is done, committed with the rows it changed."""
        if not in_doubt:
            row = (self._number, _digest(statement))
            _write(cursor, f"INSERT INTO {TABLE} VALUES (%s, %s, FALSE)", row)  # noqa: S608 - a constant's name
        try:
            run()
        except pymysql.err.MySQLError as error:
            if not (in_doubt and _says_already(error)):
                cursor.connection.rollback()
                _write(cursor, f"DELETE FROM {TABLE} WHERE number = %s", (self._number,))  # noqa: S608 - a constant's name
                raise
        _write(cursor, f"UPDATE {TABLE} SET done = TRUE WHERE number = %s", (self._number,))  # noqa: S608 - a constant's name


def _write(cursor: Any, statement: str, parameters: tuple[object, ...] = ()) -> None:
    """Beside the cursor that SQLAlchemy reads from, and committed."""
    with cursor.connection.cursor() as own:
        own.execute(statement, parameters)
    cursor.connection.commit()


def _says_already(error: pymysql.err.MySQLError) -> bool:
    code, words = (*error.args, "", "")[:2]
    return code in _ALREADY or (code == _CANNOT_CREATE and _DUPLICATE_KEY in str(words))


def _digest(statement: str) -> str:
    return hashlib.sha256(statement.encode()).hexdigest()
