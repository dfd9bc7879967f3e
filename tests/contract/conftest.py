"""Each contract test runs over both databases, each time on an empty one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from orvault.custody.account import Account, Role
from orvault.ledger.engine import open_ledger
from tests.contract.mariadb import MariaDb, missing_program, running_mariadb
from tests.fakes import World, make_world, sqlite_url, world_as_begun
from tests.in_memory import Folders, tmp_path, tmp_path_factory

__all__ = ["tmp_path", "tmp_path_factory"]

_number = count()


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDb]:
    missing = missing_program()
    if missing:
        pytest.skip(f"not installed: {missing}")
    with running_mariadb() as server:
        yield server


@pytest.fixture(params=["sqlite", "mariadb"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return sqlite_url(tmp_path)
    server: MariaDb = request.getfixturevalue("mariadb")
    return server.fresh(f"ledger_{next(_number)}")


@pytest.fixture(scope="session")
def beginning(mariadb: MariaDb) -> tuple[bytes, dict[Role, Account]]:
    """A MariaDB ledger as every world begins, and its accounts: made once, for its migrations take seconds."""
    made = make_world(mariadb.fresh("ledger_beginning"))
    made.ledger.close()
    return mariadb.dump("ledger_beginning"), made.accounts


Worlds = Callable[[], World]


@pytest.fixture(scope="module", params=["sqlite", "mariadb"])
def worlds(request: pytest.FixtureRequest, tmp_path_factory: Folders) -> Iterator[Worlds]:
    """Makes worlds that a module's tests share, for tests that only read what lies in one."""
    made: list[World] = []

    def make() -> World:
        if request.param == "sqlite":
            url = sqlite_url(tmp_path_factory.mktemp("shared"))
        else:
            url = request.getfixturevalue("mariadb").fresh(f"shared_{next(_number)}")
        made.append(_begun(request, url))
        return made[-1]

    yield make
    for world in made:
        world.ledger.close()


@pytest.fixture
def world(request: pytest.FixtureRequest, url: str) -> Iterator[World]:
    made = _begun(request, url)
    yield made
    made.ledger.close()


def _begun(request: pytest.FixtureRequest, url: str) -> World:
    if url.startswith("sqlite"):
        return make_world(url)
    dump, accounts = request.getfixturevalue("beginning")
    request.getfixturevalue("mariadb").fill(url.rpartition("/")[2], dump)
    return world_as_begun(open_ledger(url), accounts)
