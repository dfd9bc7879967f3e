"""Opens the ledger's database: SQLite (WAL) as the embedded default, MariaDB by its URL.

Errors and logs name the database without its password. The schema itself is brought up by `migrate`.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from orvault.errors import ErrorKind, OrvaultError
from orvault.ledger.unit_of_work import SqlUnitOfWork, translate

SQLITE_WAIT_MS = 30_000
MARIADB_WAIT_S = 30


class _Cursor(Protocol):
    def execute(self, sql: str) -> object: ...
    def close(self) -> None: ...


class _DbApi(Protocol):
    def cursor(self) -> _Cursor: ...


@dataclass(frozen=True)
class Ledger:
    """An open ledger; `uow` opens transactions in the form that custody asks for (`UnitsOfWork`)."""

    engine: Engine = field(repr=False)
    name: str  # the URL without its password

    def uow(self, *, read_only: bool = False) -> SqlUnitOfWork:
        """A transaction, not begun yet: `with ledger.uow() as uow`."""
        return SqlUnitOfWork(self.engine, read_only=read_only)

    def close(self) -> None:
        """Give back every connection."""
        self.engine.dispose()


def parse_url(url: str) -> URL:
    """The URL of a ledger; BAD_SETTINGS for anything but SQLite or MariaDB, not showing what was given."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise _bad_url("is not readable as a URL") from None  # the cause holds the text with its password
    if parsed.drivername in {"sqlite", "sqlite+pysqlite"}:
        if parsed.database in {None, "", ":memory:"}:
            raise _bad_url("names no SQLite file; several processes need one they can all open")
        return parsed.set(drivername="sqlite+pysqlite")
    if parsed.drivername in {"mariadb", "mysql", "mariadb+pymysql", "mysql+pymysql"}:
        if not parsed.database:
            raise _bad_url("names no database")
        # Table options are written for one dialect name; both names mean MariaDB here.
        return parsed.set(drivername="mysql+pymysql").update_query_dict({"charset": "utf8mb4"})
    raise _bad_url(f"is for {parsed.drivername!r}")


def with_password(url: str, password: str) -> str:
    """The URL with the account's password in it: a secret from here on. Errors: BAD_SETTINGS."""
    return parse_url(url).set(password=password).render_as_string(hide_password=False)


def open_engine(url: str) -> Engine:
    """An engine with the ledger's rules for transactions; connects at first use."""
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite":
        engine = create_engine(parsed, hide_parameters=True, connect_args={"timeout": SQLITE_WAIT_MS / 1000})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    # READ COMMITTED: writers take turns by a lock, so a writer must see what the one before it committed.
    engine = create_engine(
        parsed,
        hide_parameters=True,
        pool_pre_ping=True,
        pool_recycle=1800,
        isolation_level="READ COMMITTED",
        connect_args={"connect_timeout": 10},
    )
    event.listen(engine, "connect", _prepare_mariadb)
    return engine


def open_ledger(url: str) -> Ledger:
    """The ledger at this URL, its schema checked to be the one this version was written for.

    Errors: BAD_SETTINGS (URL, no such file, schema not migrated), UNAVAILABLE (no answer, access refused).
    """
    from orvault.ledger.migrate import check_revision  # Alembic is heavy, and workers open ledgers often

    engine = open_engine(url)
    name = engine.url.render_as_string(hide_password=True)
    if engine.dialect.name == "sqlite" and not Path(engine.url.database or "").exists():
        # SQLite would make an empty one.
        raise OrvaultError(
            ErrorKind.BAD_SETTINGS,
            "There is no ledger here yet.",
            where=name,
            advice="Run `orvault init`, which makes it; or correct ledger.url.",
        )
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
            check_revision(connection, name)
    except SQLAlchemyError as error:
        engine.dispose()
        raise translate(error, name) from error
    return Ledger(engine, name)


def _bad_url(problem: str) -> OrvaultError:
    return OrvaultError(
        ErrorKind.BAD_SETTINGS,
        f"The ledger's database address {problem}.",
        where="ledger.url",
        advice="Use sqlite:////FOLDER/ledger.sqlite, or mysql+pymysql://USER@HOST/DB with ledger.password_file.",
    )


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # The driver would begin transactions by itself, and only before some statements; here SQLAlchemy does it.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={SQLITE_WAIT_MS}")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")  # NORMAL may lose committed acts at a power cut
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes the write lock at once: one that began as a reader could not wait for it later.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _prepare_mariadb(connection: _DbApi, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute(f"SET SESSION innodb_lock_wait_timeout={MARIADB_WAIT_S}")
    cursor.execute("SET SESSION time_zone='+00:00'")
    cursor.execute(
        "SET SESSION sql_mode='STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO'"
    )
    cursor.close()
