"""Signals in a room over a real ledger: what is committed, what recorders are told, and what staff owe and see."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from orvault.clock import US_PER_S
from orvault.custody.account import Role
from orvault.custody.case import CasePlan, CaseState
from orvault.custody.control import Action, Phase, SignalSource
from orvault.custody.desks.alarms import AlarmKind
from orvault.custody.service import SignalOutcome
from orvault.custody.signals import Standing
from orvault.errors import ErrorKind
from tests.fakes import World
from tests.refusals import raises
from tests.unit.signals_support import (
    GESTURE,
    PEDAL,
    ROOM_1,
    START,
    STOP,
    give,
    phase,
    recorded,
    stopped_by_pedal,
    wait,
)


def test_a_room_goes_from_idle_to_closed(world: World) -> None:
    assert phase(world) is Phase.IDLE
    assert not give(world, START).accepted and world.recorders.orders == {}
    case = world.armed_case()
    assert phase(world) is Phase.ARMED
    world.clock.us += US_PER_S
    assert give(world, START).action is Action.START
    assert phase(world) is Phase.RECORDING and set(world.recorders.orders) == ROOM_1
    assert recorded(world, case) is CaseState.RECORDING
    with world.ledger.uow(read_only=True) as uow:  # a device acts for whoever armed the case
        assert {run.started_by for run in uow.runs.recording()} == {world.manager.account_id}
    world.clock.us += US_PER_S
    assert give(world, STOP).action is Action.AWAIT_CONFIRMATION
    assert set(world.recorders.orders) == ROOM_1
    wait(world, 2.9)
    assert set(world.recorders.orders) == ROOM_1
    wait(world, 0.1)
    assert phase(world) is Phase.STOPPED and world.recorders.orders == {}
    assert recorded(world, case) is CaseState.ARMED
    world.custody.close_case(world.manager, case.case_id)
    assert phase(world) is Phase.CLOSED
    world.clock.us += US_PER_S
    assert not give(world, START).accepted and world.recorders.orders == {}
    assert world.custody.verify_history().intact


def test_every_signal_stands_in_history_with_its_decision(world: World) -> None:
    world.armed_case()
    give(world, STOP, GESTURE, name="a", confidence=0.2)
    give(world, START, PEDAL, name="b")
    entries = world.custody.history(world.accounts[Role.AUDITOR], act="signal-heard")
    assert [entry.actor for entry in entries] == ["device:pedal-1", "device:gesture-1"]
    started, refused = (entry.detail for entry in entries)
    assert '"action":"start"' in started and '"accepted":true' in started and '"track":3' in started
    assert '"accepted":false' in refused and "uncertain" in refused and '"confidence_permille":200' in refused


def test_a_signal_sent_again_does_nothing_and_is_answered_alike(world: World) -> None:
    world.armed_case()
    first = give(world, START, name="same")
    world.recorders.orders.clear()
    before = world.custody.check_ledger()
    again = give(world, START, name="same")
    assert again == replace(first, repeated=True)
    assert world.recorders.orders == {} and world.custody.check_ledger() == before
    with raises(ErrorKind.CONFLICT):
        give(world, STOP, name="same")


def test_a_refused_start_sent_again_after_the_arming_starts_nothing(world: World) -> None:
    give(world, START, name="early")
    world.armed_case()
    assert not give(world, START, name="early").accepted
    assert world.recorders.orders == {}


def test_many_threads_with_the_same_start_record_once(world: World) -> None:
    case = world.armed_case()
    outcomes: list[SignalOutcome] = []
    threads = [
        threading.Thread(target=lambda n=n: outcomes.append(give(world, START, name=f"s{n % 3}")))
        for n in range(9)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [o.action for o in outcomes if not o.repeated].count(Action.START) == 1
    assert len(world.custody.case(world.manager, case.case_id).runs) == 2


def test_a_second_gesture_confirms_the_first(world: World) -> None:
    world.armed_case()
    give(world, START, GESTURE)
    wait(world, 5)
    assert give(world, STOP, GESTURE).action is Action.AWAIT_CONFIRMATION
    (waiting,) = world.custody.room_state(world.manager, "OR 1").waiting
    assert waiting.until_us == world.clock.us + 15 * US_PER_S
    wait(world, 4)
    assert give(world, STOP, GESTURE).action is Action.STOP
    assert world.recorders.orders == {}
    wait(world, 60)
    assert "signal-lapsed" not in world.acts()


def test_a_gesture_without_a_second_one_lapses_and_is_told(world: World) -> None:
    world.armed_case()
    give(world, START, GESTURE)
    wait(world, 5)
    give(world, STOP, GESTURE)
    wait(world, 15)
    assert "signal-lapsed" not in world.acts()
    wait(world, 0.1)
    assert world.acts()[-1] == "signal-lapsed" and set(world.recorders.orders) == ROOM_1
    assert [alarm.kind for alarm in world.custody.watch()] == [AlarmKind.STOP_LAPSED]
    before = world.custody.check_ledger()
    wait(world, 60)
    assert world.custody.check_ledger() == before and world.custody.watch() == ()


def test_a_start_takes_a_waiting_stop_back(world: World) -> None:
    world.armed_case()
    give(world, START)
    wait(world, 5)
    give(world, STOP, name="off")
    wait(world, 1)
    assert give(world, START).action is Action.NONE
    with world.ledger.uow(read_only=True) as uow:
        assert uow.signals.get("off").standing is Standing.TAKEN_BACK  # type: ignore[union-attr]
    before = world.custody.check_ledger()
    wait(world, 60)
    assert set(world.recorders.orders) == ROOM_1 and world.custody.check_ledger() == before


def test_a_dwell_that_ended_while_nobody_watched_ends_when_somebody_does(world: World) -> None:
    world.armed_case()
    give(world, START)
    wait(world, 5)
    give(world, STOP)
    wait(world, 3600)
    assert world.recorders.orders == {}
    (stop,) = world.custody.history(world.accounts[Role.AUDITOR], act="recording-stop-ordered", limit=1)
    assert stop.actor == "device:pedal-1"


def test_a_stop_of_a_person_counts_against_a_late_start(world: World) -> None:
    case = world.armed_case()
    world.custody.start_recording(world.manager, case.case_id)
    wait(world, 10)
    world.custody.stop_recording(world.manager, case.case_id, "the patient asked")
    late = give(world, START, at_us=world.clock.us - US_PER_S)
    assert (late.action, late.accepted) == (Action.NONE, True) and world.recorders.orders == {}
    wait(world, 1)
    assert give(world, START).action is Action.START


def test_a_recording_from_before_there_were_signals_is_not_stopped_by_one_raised_hand(world: World) -> None:
    case = world.armed_case()
    world.custody.start_recording(world.manager, case.case_id)
    with world.ledger.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM signals")
    wait(world, 5)
    assert give(world, STOP, GESTURE).action is Action.AWAIT_CONFIRMATION


def test_a_pedals_stop_owes_a_reason_until_staff_give_it(world: World) -> None:
    case = stopped_by_pedal(world)
    (due,) = world.custody.pending_reasons(world.manager)
    assert (due.case.case_id, len(due.reason.run_ids)) == (case.case_id, 2)
    runs = world.custody.case(world.manager, case.case_id).runs
    assert {run.stop_reason for run in runs} == {"reason due: stopped by pedal"}
    with raises(ErrorKind.BAD_REQUEST):
        world.custody.give_reason(world.manager, due.reason.reason_id, " ")
    with raises(ErrorKind.FORBIDDEN):
        world.custody.give_reason(world.accounts[Role.AUDITOR], due.reason.reason_id, "x")
    staff = world.accounts[Role.CLINICAL_STAFF]
    given = world.custody.give_reason(staff, due.reason.reason_id, " bleeding, lights moved ")
    assert given.reason.reason == "bleeding, lights moved" and given.reason.given_by == staff.account_id
    runs = world.custody.case(world.manager, case.case_id).runs
    assert {run.stop_reason for run in runs} == {"bleeding, lights moved"}
    assert world.custody.pending_reasons(world.manager) == [] and world.acts()[-1] == "stop-reason-given"
    with raises(ErrorKind.CONFLICT):
        world.custody.give_reason(staff, due.reason.reason_id, "another")
    with raises(ErrorKind.NOT_FOUND):
        world.custody.give_reason(staff, "unknown", "x")


def test_a_due_reason_is_reminded_of_and_outlives_the_case(world: World) -> None:
    case = stopped_by_pedal(world)
    assert world.custody.watch() == ()
    world.custody.close_case(world.manager, case.case_id)
    for _ in range(2):
        world.clock.us += 15 * 60 * US_PER_S
        assert [alarm.kind for alarm in world.custody.watch()] == [AlarmKind.REASON_DUE]
        world.custody.watch()  # between reminders nothing is written
    assert world.acts().count("stop-reason-reminded") == 2
    (due,) = world.custody.pending_reasons(world.manager)
    assert due.reason.reminders == 2
    view = world.custody.room_state(world.manager, "OR 1")
    assert view.reasons == (due,) and [a.kind for a in view.alarms] == [AlarmKind.REASON_DUE]
    world.custody.give_reason(world.manager, due.reason.reason_id, "the operation was over")
    assert world.custody.watch() == ()


def test_an_armed_case_past_its_start_is_told_once_in_history(world: World) -> None:
    plan = CasePlan("N-1", "OR 1", world.clock.us + 600 * US_PER_S, "Form 1")
    case = world.custody.plan_case(world.manager, plan)
    world.custody.arm_case(world.manager, case.case_id)
    world.clock.us += 899 * US_PER_S
    assert world.custody.watch() == ()
    world.clock.us += US_PER_S
    for _ in range(3):
        (alarm,) = world.custody.watch()
        assert (alarm.kind, alarm.room, alarm.since_us) == (AlarmKind.LATE_START, "OR 1", plan.planned_us)
    assert world.acts().count("recording-late") == 1
    assert world.custody.room_state(world.manager, "OR 1").alarms == (alarm,)
    give(world, START)
    assert world.custody.watch() == ()
    wait(world, 5)
    world.custody.stop_recording(world.manager, case.case_id, "done")
    assert world.custody.watch() == ()  # stopped on purpose


def test_a_case_armed_late_is_not_late_at_once(world: World) -> None:
    case = world.custody.plan_case(world.manager, CasePlan("N-1", "OR 1", 1, "Form 1"))
    world.custody.arm_case(world.manager, case.case_id)
    assert world.custody.watch() == ()


def test_a_person_signals_with_a_reason_or_not_at_all(world: World) -> None:
    world.armed_case()
    custody, staff = world.custody, world.accounts[Role.CLINICAL_STAFF]
    with raises(ErrorKind.FORBIDDEN):
        custody.signal_by(world.officer, "OR 1", START)
    with raises(ErrorKind.NOT_FOUND):
        custody.signal_by(staff, "OR 9", START)
    assert custody.signal_by(staff, "OR 1", START, signal_id="mine").action is Action.START
    assert custody.signal_by(staff, "OR 1", START, signal_id="mine").repeated
    with world.ledger.uow(read_only=True) as uow:
        assert {run.started_by for run in uow.runs.recording()} == {staff.account_id}
    wait(world, 1)
    with raises(ErrorKind.BAD_REQUEST):
        custody.signal_by(staff, "OR 1", STOP)
    assert custody.signal_by(staff, "OR 1", STOP, "the patient asked").action is Action.STOP
    assert world.recorders.orders == {} and custody.pending_reasons(staff) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"source": SignalSource.PERSON},
        {"confidence": 1.1},
        {"confidence": float("nan")},
        {"at_us": -1},
        {"device": "d" * 58},
        {"signal_id": ""},
        {"room": "a\nb"},
        {"evidence": {"x": 0.5}},
        {"evidence": {"x": "y" * 5000}},
    ],
)
def test_malformed_signals_are_errors_and_leave_no_trace(world: World, changes: dict[str, object]) -> None:
    world.armed_case()
    before = world.custody.check_ledger()
    with raises(ErrorKind.BAD_REQUEST):
        give(world, START, **({"name": "x"} | changes))  # type: ignore[arg-type]
    assert world.custody.check_ledger() == before


def test_a_room_has_one_armed_case(world: World) -> None:
    first = world.armed_case("N-1")
    with raises(ErrorKind.CONFLICT) as caught:
        world.armed_case("N-2")
    assert "N-1" in str(caught.value)
    world.armed_case("N-3", "OR 2")
    world.custody.close_case(world.manager, first.case_id)
    world.armed_case("N-4")


def test_a_room_that_is_nowhere_is_not_found(world: World) -> None:
    with raises(ErrorKind.NOT_FOUND):
        world.custody.room_state(world.manager, "OR 9")
