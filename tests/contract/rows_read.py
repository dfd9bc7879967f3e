"""How many rows MariaDB reads for an act: what a plan really costs, whatever EXPLAIN says of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import pymysql
from sqlalchemy import event

from orvault.ledger.engine import Ledger


@dataclass(frozen=True, slots=True)
class Work:
    """What an act took of the database: rows by its own count, and statements, each a journey there and back."""

    rows: int
    statements: int


def rows_read(ledger: Ledger, act: Callable[[], object]) -> int:
    """The rows read by key, in order, by scan and for sorting while `act` ran, by the server's own count."""
    return work_of(ledger, act).rows


def statements_of(ledger: Ledger, act: Callable[[], object]) -> int:
    """How many statements `act` made; on any database."""
    statements: list[str] = []
    with _listening(ledger, {"before_cursor_execute": _noting(statements)}):
        act()
    return len(statements)


def work_of(ledger: Ledger, act: Callable[[], object]) -> Work:
    """The rows as `rows_read` has them, and how many statements were made."""
    counts: list[int] = []
    statements: list[str] = []

    def begin(connection: pymysql.Connection, *_rest: object) -> None:
        counts.append(-_handled(connection))

    def end(connection: pymysql.Connection, *_rest: object) -> None:
        counts.append(_handled(connection))

    with _listening(
        ledger, {"checkout": begin, "checkin": end, "before_cursor_execute": _noting(statements)}
    ):
        act()
    return Work(sum(counts), len(statements))


def _noting(statements: list[str]) -> Callable[..., None]:
    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(statement)

    return note


@contextmanager
def _listening(ledger: Ledger, listeners: Mapping[str, Callable[..., None]]) -> Iterator[None]:
    for name, listener in listeners.items():
        event.listen(ledger.engine, name, listener)
    try:
        yield
    finally:
        for name, listener in listeners.items():
            event.remove(ledger.engine, name, listener)


def _handled(connection: pymysql.Connection) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read%'")
        return sum(int(value) for _, value in cursor.fetchall())
