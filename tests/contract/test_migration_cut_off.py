"""Migrations of a MariaDB ledger whose process is killed in the middle, again and again, end where others do."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from itertools import count

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from pymysql.cursors import Cursor
from sqlalchemy import inspect, text

from orvault.errors import ErrorKind, OrvaultError
from orvault.ledger import tables
from orvault.ledger.engine import open_engine, open_ledger
from orvault.ledger.migrate import downgrade, migrate
from orvault.ledger.resuming import TABLE
from tests.contract.mariadb import MariaDb
from tests.contract.old_grants import check_carried_over, go_back
from tests.fakes import make_world

_number = count()


@pytest.fixture
def url(mariadb: MariaDb) -> Iterator[str]:
    yield mariadb.fresh(f"cut_off_{next(_number)}")


def killed(act: Callable[[str, str], None], url: str, after: int, revision: str) -> bool:
    """Whether a process that migrates was killed; if not, it has come to the end."""
    child = os.fork()
    if child == 0:
        try:
            die_behind(after)
            act(url, revision)
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    ended = os.waitstatus_to_exitcode(status)
    assert ended in {0, -signal.SIGKILL}, "it failed for another reason"
    return ended != 0


def die_behind(statements: int) -> None:
    """This process dies by its own SIGKILL behind so many statements that change something, notes of the migration
    included.
    """
    left, execute = statements, Cursor.execute

    def dying(cursor: Cursor, query: str, args: object = None) -> int:
        nonlocal left
        result = execute(cursor, query, args)
        if query.split(None, 1)[0].upper() not in ("SELECT", "SHOW", "DESCRIBE", "SET", "ROLLBACK"):
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)
        return int(result)

    Cursor.execute = dying


def is_whole(url: str) -> None:
    """Tables, columns, keys and comments are the declared ones; what a migration writes is there once."""
    engine = open_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, tables.metadata) == []
        assert connection.execute(text("SELECT COUNT(*) FROM history_head")).scalar_one() == 1
        triggers = connection.execute(text("SHOW TRIGGERS")).all()
        assert {row[0] for row in triggers} >= {"history_no_update", "history_no_delete"}
        assert TABLE not in inspect(connection).get_table_names()
    engine.dispose()
    open_ledger(url).close()


def test_a_migration_that_is_killed_again_and_again_ends_whole(url: str) -> None:
    """Each statement is three with its notes: it is killed before one, behind one, and behind the notes."""
    tries = 1
    while killed(migrate, url, 96, "head"):
        tries += 1
    assert tries > 2
    is_whole(url)
    make_world(url)  # it works


def test_grants_are_carried_over_once_however_often_that_is_cut_off(url: str) -> None:
    world = make_world(url)
    case = go_back(world, url)
    tries = 1
    while killed(migrate, url, 16, "head"):
        tries += 1
    assert tries > 2
    is_whole(url)
    check_carried_over(world, case)
    world.ledger.close()


def test_the_way_down_goes_on_as_well(url: str) -> None:
    migrate(url)
    while killed(downgrade, url, 97, "base"):
        continue
    migrate(url)
    is_whole(url)


def test_another_migration_than_the_one_that_was_cut_off_is_refused(url: str) -> None:
    migrate(url, "0002")
    assert killed(migrate, url, 9, "head")
    with pytest.raises(OrvaultError) as caught:
        downgrade(url, "base")
    assert caught.value.kind is ErrorKind.BAD_SETTINGS and "cut off" in caught.value.message
    migrate(url)
    is_whole(url)


def test_a_table_that_somebody_else_made_is_still_an_error(url: str) -> None:
    migrate(url, "0002")
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE moved_runs (id INT)"))
    engine.dispose()
    for _ in range(2):  # the second time as well, when notes of the first are there
        with pytest.raises(OrvaultError):
            migrate(url)
