"""Signals and reasons on both databases: kept as they were, counted once by rival writers, held by the schema."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from orvault.clock import US_PER_S
from orvault.custody.case import Case
from orvault.custody.control import Action, Signal, SignalKind, SignalSource
from orvault.custody.service import CustodyService, SignalOutcome
from orvault.custody.signals import KeptSignal, Standing, StopReason
from orvault.errors import ErrorKind, OrvaultError
from tests.fakes import World

START, STOP = SignalKind.START, SignalKind.STOP


def _signal(world: World, kind: SignalKind, name: str, source: SignalSource = SignalSource.PEDAL) -> Signal:
    return Signal(name, "OR 1", kind, source, "pedal-수술", world.clock.us, 0.75, {"edge": "CTS"})


def _stopped(world: World) -> Case:
    case = world.armed_case()
    world.custody.signal(_signal(world, START, "on"))
    world.clock.us += 10 * US_PER_S
    world.custody.signal(_signal(world, STOP, "off"))
    world.clock.us += 3 * US_PER_S
    world.custody.ripen_stops()
    return case


def test_a_signal_comes_back_as_it_was_kept(world: World) -> None:
    case = world.armed_case()
    kept = KeptSignal(
        signal_id="s1",
        room="OR 1",
        case_id=case.case_id,
        kind=STOP,
        source=SignalSource.GESTURE,
        device="or1-wall",
        at_us=world.clock.us - 1,
        heard_us=world.clock.us,
        confidence_permille=750,
        action=Action.AWAIT_CONFIRMATION,
        standing=Standing.WAITING,
        why="it awaits confirmation",
    )
    with world.ledger.uow() as uow:
        uow.signals.add(kept)
        uow.commit()
    with world.ledger.uow(read_only=True) as uow:
        assert uow.signals.get("s1") == kept and uow.signals.get("S1") is None
        assert uow.signals.waiting() == [kept]
        assert uow.signals.stops({case.case_id: 0}, world.clock.us + 1) == [kept]  # old, but it waits
        assert uow.signals.newest_starts([case.case_id]) == {}
    with world.ledger.uow() as uow:
        uow.signals.settle(["s1"], Standing.LAPSED)
        uow.signals.settle([], Standing.REFUSED)
        uow.commit()
    with world.ledger.uow(read_only=True) as uow:
        assert uow.signals.get("s1") == replace(kept, standing=Standing.LAPSED)
        assert uow.signals.waiting() == [] == uow.signals.stops({case.case_id: 0}, world.clock.us + 1)
        assert uow.signals.stops({case.case_id: 0}, 0) == [replace(kept, standing=Standing.LAPSED)]
        assert uow.signals.stops({case.case_id: kept.at_us}, 0) == []


def test_a_reason_comes_back_with_its_runs(world: World) -> None:
    case = _stopped(world)
    runs = world.custody.case(world.manager, case.case_id).runs
    (due,) = world.custody.pending_reasons(world.manager)
    expected = StopReason(
        due.reason.reason_id, case.case_id, "off", world.clock.us, tuple(sorted(run.run_id for run in runs))
    )
    assert due.reason == expected
    given = world.custody.give_reason(world.manager, due.reason.reason_id, "출혈")
    with world.ledger.uow(read_only=True) as uow:
        assert uow.reasons.get(due.reason.reason_id) == given.reason
        assert uow.reasons.due() == []
    assert world.custody.verify_history().intact


def test_rival_processes_that_hear_the_same_signals_record_once(world: World) -> None:
    case = world.armed_case()
    second = CustodyService(world.ledger.uow, world.clock, world.recorders, world.case_keys, world.renderers)

    def hear(number: int) -> SignalOutcome:
        custody = (world.custody, second)[number % 2]
        return custody.signal(_signal(world, START, f"on-{number % 4 // 2}"))

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(hear, range(16)))
    assert len([o for o in outcomes if not o.repeated]) == 2
    assert len([o for o in outcomes if o.action is Action.START and not o.repeated]) == 1
    assert len(world.custody.case(world.manager, case.case_id).runs) == 2
    assert world.acts().count("signal-heard") == 2


def test_the_rooms_case_is_the_armed_one_or_the_one_closed_last(world: World) -> None:
    def found() -> str | None:
        with world.ledger.uow(read_only=True) as uow:
            case = uow.cases.in_room("OR 1")
            return None if case is None else case.number

    assert found() is None
    for number in ("N-1", "N-2"):
        case = world.armed_case(number)
        assert found() == number
        world.clock.us += 1
        world.custody.close_case(world.manager, case.case_id)
        assert found() == number
    world.armed_case("N-3", "OR 2")
    with world.ledger.uow(read_only=True) as uow:
        assert [case.number for case in uow.cases.armed()] == ["N-3"]


def test_nothing_is_kept_of_a_signal_whose_act_failed(world: World) -> None:
    world.armed_case()
    before = world.custody.check_ledger()
    with pytest.raises(DBAPIError), world.ledger.engine.begin() as connection:
        connection.execute(text("UPDATE cases SET state = 'running'"))
    with pytest.raises(OrvaultError) as caught, world.ledger.uow() as uow:
        uow.signals.add(_kept_under("no-such-case"))
        uow.commit()
    assert caught.value.kind is ErrorKind.CONFLICT
    assert world.custody.check_ledger() == before


def _kept_under(case_id: str) -> KeptSignal:
    return KeptSignal(
        "s", "OR 1", case_id, STOP, SignalSource.PEDAL, "p", 1, 1, 1000, Action.NONE, Standing.HEARD, "x"
    )


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("UPDATE signals SET kind = 'pause'", "ck_signals_kind"),
        ("UPDATE signals SET standing = 'waiting' WHERE kind = 'start'", "ck_signals_stops_wait"),
        ("UPDATE signals SET case_id = NULL", "ck_signals_heard_under_case"),
        ("UPDATE signals SET at_us = heard_us + 1", "ck_signals_given_before_heard"),
        ("UPDATE signals SET confidence_permille = 1001", "ck_signals_confidence"),
        ("UPDATE stop_reasons SET reason = 'x'", "ck_stop_reasons_given_whole"),
        ("UPDATE stop_reasons SET reminders = 1", "ck_stop_reasons_reminded_when"),
    ],
)
def test_the_schema_holds_what_must_be(world: World, statement: str, constraint: str) -> None:
    _stopped(world)
    with pytest.raises(DBAPIError, match=constraint), world.ledger.engine.connect() as connection:
        connection.execute(text(statement))
