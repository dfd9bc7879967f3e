"""The control actor: signals in, orders out, and what it repeats by itself."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator

import pytest

from actors import control
from actors.control import ControlActor
from actors.repeating import repeat
from orvault.clock import US_PER_S
from orvault.custody.control import Action, Signal, SignalKind, SignalSource
from orvault.custody.desks.alarms import AlarmKind
from orvault.custody.ports import ArmOrder, TriggerReport, Trouble, TroubleKind
from orvault.errors import ErrorKind, OrvaultError
from tests.fakes import World
from tests.unit.actors_support import eventually


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What an actor repeats, it repeats at once, and only until the test is over: later tests need the processor."""
    over = threading.Event()

    def soon(name: str, act: Callable[[], None], _every_s: float) -> None:
        def until_over() -> None:
            if over.is_set():
                threading.Event().wait()  # in a daemon thread, which otherwise goes on for ever
            act()

        repeat(name, until_over, 0.02)

    monkeypatch.setattr(control, "repeat", soon)
    yield
    over.set()


def pedal(world: World, kind: SignalKind) -> Signal:
    name = f"{kind}-{world.clock.us}"
    return Signal(name, "OR 1", kind, SignalSource.PEDAL, "pedal-1", world.clock.us)


def test_a_signal_is_heard_and_its_dwell_ends_by_itself(world: World) -> None:
    world.armed_case()
    actor = ControlActor(lambda: world.custody)
    assert actor.signal(pedal(world, SignalKind.START)).action is Action.START
    assert set(world.recorders.orders) == {"or1-wall", "or1-lamp"}
    world.clock.us += 10 * US_PER_S
    assert actor.signal(pedal(world, SignalKind.STOP)).action is Action.AWAIT_CONFIRMATION
    world.clock.us += 3 * US_PER_S
    eventually(lambda: not world.recorders.orders, "the dwell is over")


def test_orders_that_did_not_arrive_are_repeated(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.armed_case()
    world.recorders.unreachable = {"or1-lamp"}
    actor = ControlActor(lambda: world.custody)
    actor.signal(pedal(world, SignalKind.START))
    assert "or1-lamp" in caplog.text
    world.recorders.unreachable = set()
    eventually(lambda: "or1-lamp" in world.recorders.orders, "the order is repeated")


def test_armed_cameras_are_told_again_that_they_are(world: World) -> None:
    world.recorders.unreachable = {"or1-lamp"}
    case = world.armed_case()
    assert set(world.recorders.armed) == {"or1-wall"}
    world.recorders.unreachable = set()
    ControlActor(lambda: world.custody)
    eventually(lambda: set(world.recorders.armed) == {"or1-wall", "or1-lamp"}, "the arming is repeated")
    assert world.recorders.armed["or1-wall"].case_id == case.case_id
    world.custody.close_case(world.manager, case.case_id)
    eventually(lambda: not world.recorders.armed, "they are told the end")


def test_a_camera_that_is_told_of_an_arming_after_its_case_was_closed_forgets_it(world: World) -> None:
    case, tell = world.armed_case(), world.recorders.arm
    world.recorders.armed.clear()

    def arm(order: ArmOrder) -> None:
        world.recorders.arm = tell  # type: ignore[method-assign]
        world.custody.close_case(world.manager, case.case_id)
        tell(order)

    world.recorders.arm = arm  # type: ignore[method-assign]
    world.custody.keep_armed()
    assert world.recorders.armed == {}


def test_a_camera_that_records_what_is_over_is_stopped_by_itself(world: World) -> None:
    case = world.armed_case()
    world.custody.start_recording(world.manager, case.case_id, ["or1-wall"])
    late = world.recorders.orders["or1-wall"]
    world.custody.close_case(world.manager, case.case_id)
    ControlActor(lambda: world.custody)
    world.recorders.orders["or1-wall"] = late
    eventually(lambda: not world.recorders.orders, "the camera is told to stop")


def test_alarms_are_looked_for_and_logged_once(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    case = world.armed_case()
    actor = ControlActor(lambda: world.custody)
    world.clock.us += 600 * US_PER_S
    eventually(lambda: bool(actor.alarms()), "it sees that nothing records")
    (alarm,) = actor.alarms()
    assert (alarm.kind, alarm.case_id) == (AlarmKind.LATE_START, case.case_id)
    for _ in range(3):
        actor.watch()
    assert caplog.text.count(alarm.text) == 1


def test_pedals_and_gestures_are_asked_how_they_do(world: World, caplog: pytest.LogCaptureFixture) -> None:
    trouble = Trouble(TroubleKind.PEDAL_LOST, "foot-1", 7, "It is not plugged in.")
    reports = [TriggerReport("OR 1", (trouble,))]

    class Rooms:
        def statuses(self) -> list[TriggerReport]:
            return reports

    actor = ControlActor(lambda: world.custody, Rooms())
    eventually(lambda: bool(actor.alarms()), "it hears of the pedal")
    assert [(a.kind, a.since_us) for a in actor.alarms()] == [(AlarmKind.PEDAL_LOST, 7)]
    eventually(lambda: "foot-1" in caplog.text, "it is said aloud")
    reports[:] = [TriggerReport("OR 1")]
    eventually(lambda: actor.alarms() == (), "it is back")


def test_a_ledger_that_is_away_is_asked_again(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.armed_case()
    away: list[OrvaultError] = [OrvaultError(ErrorKind.UNAVAILABLE, "The ledger does not answer.")] * 5
    custody = world.custody
    actual: Callable[[], object] = custody.watch

    def watch(_triggers: object) -> object:
        if away:
            raise away.pop()
        return actual()

    custody.watch = watch  # type: ignore[method-assign, assignment]
    actor = ControlActor(lambda: custody)
    world.clock.us += 600 * US_PER_S
    eventually(lambda: bool(actor.alarms()), "it goes on looking")
    assert "does not answer" in caplog.text


def test_recorders_are_told_side_by_side_and_outside_the_transaction(world: World) -> None:
    """A camera that hangs holds up neither the other one nor the ledger."""
    world.armed_case()
    begin, told = world.recorders.start, []

    def start(order: object) -> None:
        told.append(order.camera_id)  # type: ignore[attr-defined]
        eventually(lambda: len(told) == 2, "the other camera is told meanwhile")
        world.custody.check_ledger()
        with world.ledger.uow() as uow:
            uow.commit()
        begin(order)  # type: ignore[arg-type]

    world.recorders.start = start  # type: ignore[method-assign, assignment]
    assert world.custody.signal(pedal(world, SignalKind.START)).problems == ()
