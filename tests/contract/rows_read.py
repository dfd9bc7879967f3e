"""How many rows MariaDB reads for an act: what a plan really costs, whatever EXPLAIN says of it."""

from __future__ import annotations

from collections.abc import Callable

import pymysql
from sqlalchemy import event

from orvault.ledger.engine import Ledger


def rows_read(ledger: Ledger, act: Callable[[], object]) -> int:
    """The rows read by key, in order, by scan and for sorting while `act` ran, by the server's own count."""
    counts: list[int] = []

    def begin(connection: pymysql.Connection, *_rest: object) -> None:
        counts.append(-_handled(connection))

    def end(connection: pymysql.Connection, *_rest: object) -> None:
        counts.append(_handled(connection))

    event.listen(ledger.engine, "checkout", begin)
    event.listen(ledger.engine, "checkin", end)
    try:
        act()
    finally:
        event.remove(ledger.engine, "checkout", begin)
        event.remove(ledger.engine, "checkin", end)
    return sum(counts)


def _handled(connection: pymysql.Connection) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read%'")
        return sum(int(value) for _, value in cursor.fetchall())
