"""A rehearsal goes the whole way of a start, and leaves no trace."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.fakes import World


def trace(world: World) -> tuple[object, ...]:
    with world.ledger.engine.begin() as connection:
        tables = ("signals", "history", "runs", "cases", "stop_reasons")
        return tuple(tuple(connection.exec_driver_sql(f"SELECT * FROM {table}")) for table in tables)


@pytest.mark.parametrize(
    ("prepare", "whole"),
    [
        (lambda world: None, False),
        (lambda world: world.armed_case(), True),
        (lambda world: world.recorded_case(), True),
        (lambda world: world.custody.start_recording(world.manager, world.armed_case().case_id), True),
    ],
    ids=["no case", "armed", "closed", "recording"],
)
def test_a_rehearsal_leaves_no_trace(world: World, prepare: Callable[[World], object], whole: bool) -> None:
    prepare(world)
    before, told = trace(world), dict(world.recorders.orders)
    assert world.custody.rehearse() is whole
    assert trace(world) == before and world.recorders.orders == told


def test_until_there_is_a_case_nobody_waits_for_the_rehearsal(world: World) -> None:
    with world.ledger.uow():  # somebody writes
        assert world.custody.rehearse() is False


def test_a_rehearsal_opens_the_runs_that_a_start_would(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.armed_case()
    opened: list[str] = []
    follow = world.custody._open_run

    def open_run(*what: object) -> object:
        opened.append(what[-1].camera_id)  # type: ignore[attr-defined]
        return follow(*what)  # type: ignore[arg-type]

    monkeypatch.setattr(world.custody, "_open_run", open_run)
    world.custody.rehearse()
    assert set(opened) == {"or1-lamp", "or1-wall"}
