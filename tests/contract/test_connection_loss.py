"""A MariaDB connection that is lost in a transaction takes all of that transaction with it, and no more."""

from __future__ import annotations

from collections.abc import Iterator

import pymysql
import pytest

from orvault.custody.history import Act
from orvault.custody.ports import CameraInfo
from orvault.errors import ErrorKind, OrvaultError
from tests.contract.mariadb import PASSWORD, USER, MariaDb
from tests.fakes import World, make_world

KOREAN = "수술실 3 천장 카메라 · 김지원 🏥"


@pytest.fixture
def world(mariadb: MariaDb) -> Iterator[World]:
    made = make_world(mariadb.fresh("ledger_lost"))
    yield made
    made.ledger.close()


def cut_connections(mariadb: MariaDb) -> int:
    """End every connection of the ledger's account at the server, as a failing switch would; how many there were."""
    with pymysql.connect(unix_socket=str(mariadb.socket), user="root") as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT id FROM information_schema.processlist WHERE user = %s", (USER,))
        ids = [row[0] for row in cursor.fetchall()]
        for number in ids:
            cursor.execute(f"KILL CONNECTION {int(number)}")
    return len(ids)


@pytest.mark.parametrize("step", ["before the commit", "between two statements"])
def test_a_lost_connection_undoes_the_whole_act(world: World, mariadb: MariaDb, step: str) -> None:
    before = world.custody.check_ledger()
    with pytest.raises(OrvaultError) as lost, world.ledger.uow() as uow:
        uow.cameras.put(CameraInfo("lost", KOREAN, "OR-1", "node-1"), 1)
        uow.history.append(1, "system", Act.CASE_CLOSED, "case:lost", {})
        assert cut_connections(mariadb) >= 1
        if step == "between two statements":
            uow.history.append(2, "system", Act.CASE_CLOSED, "case:lost", {})
        uow.commit()
    assert lost.value.kind is ErrorKind.UNAVAILABLE
    assert PASSWORD not in str(lost.value)
    assert world.custody.check_ledger() == before
    with world.ledger.uow(read_only=True) as uow:
        assert uow.cameras.get("lost") is None


def test_the_next_act_works_at_once_and_keeps_its_text(world: World, mariadb: MariaDb) -> None:
    before = world.custody.check_ledger()
    with pytest.raises(OrvaultError), world.ledger.uow() as uow:
        uow.history.append(1, "system", Act.CASE_CLOSED, "case:x", {"name": KOREAN})
        cut_connections(mariadb)
        uow.commit()
    with world.ledger.uow() as uow:
        uow.cameras.put(CameraInfo("c", KOREAN, "OR-1", "node-1"), 1)
        uow.history.append(1, "system", Act.CASE_CLOSED, "case:x", {"name": KOREAN})
        uow.commit()
    assert world.custody.check_ledger() == before + 1
    with world.ledger.uow(read_only=True) as uow:
        camera = uow.cameras.get("c")
    assert camera is not None
    assert camera.title == KOREAN
