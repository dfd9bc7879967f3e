"""Each contract test runs over both databases, each time on an empty one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.contract.mariadb import MariaDb, missing_program, running_mariadb
from tests.fakes import World, make_world, sqlite_url

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


@pytest.fixture
def world(url: str) -> Iterator[World]:
    made = make_world(url)
    yield made
    made.ledger.close()
