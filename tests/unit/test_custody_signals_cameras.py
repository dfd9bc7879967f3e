"""What cameras make of signals: those that cannot follow, those that are lost, and the alarms of their room."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orvault.clock import US_PER_S
from orvault.custody.case import CaseState
from orvault.custody.control import Action, Phase
from orvault.custody.desks.alarms import AlarmKind
from orvault.custody.ports import StartOrder
from tests.fakes import World
from tests.unit.signals_support import ROOM_1, START, give, phase, recorded, stopped_by_pedal, wait


def test_a_stop_of_one_camera_leaves_the_room_recording(world: World) -> None:
    case = world.armed_case()
    give(world, START)
    wait(world, 5)
    world.custody.stop_recording(world.manager, case.case_id, "lamp moved", ["or1-lamp"])
    assert phase(world) is Phase.RECORDING
    assert give(world, START).action is Action.NONE  # and the lamp's camera stays off
    assert set(world.recorders.orders) == {"or1-wall"}


def test_a_camera_out_of_reach_is_named_and_told_again(world: World) -> None:
    world.armed_case()
    world.recorders.unreachable = {"or1-lamp"}
    outcome = give(world, START)
    assert [p.camera_id for p in outcome.problems] == ["or1-lamp"]
    assert set(world.recorders.orders) == {"or1-wall"}
    world.recorders.unreachable = set()
    world.custody.resume_recordings()
    assert set(world.recorders.orders) == ROOM_1


def test_a_start_while_cameras_still_end_their_last_run_is_followed_by_all(world: World) -> None:
    stopped = world.armed_case("N-1")
    give(world, START)
    world.recorders.deaf = {"or1-wall"}  # it stops; its confirmation is lost
    world.custody.close_case(world.manager, stopped.case_id)
    world.recorders.deaf = set()
    wait(world, 1)
    world.armed_case("N-2")
    wait(world, 1)
    assert give(world, START).action is Action.START
    assert set(world.recorders.orders) == ROOM_1


def test_a_start_that_no_camera_can_follow_yet_is_retried(world: World) -> None:
    case = stopped_by_pedal(world)
    world.recorders.deaf = set(ROOM_1)
    wait(world, 1)
    give(world, START)
    wait(world, 1)
    world.custody.stop_recording(world.manager, case.case_id, "again")
    wait(world, 1)
    assert give(world, START).problems and phase(world) is Phase.STOPPED
    world.recorders.deaf = set()
    world.custody.settle_stops()
    world.custody.retry_starts()
    assert phase(world) is Phase.RECORDING and set(world.recorders.orders) == ROOM_1
    before = world.custody.check_ledger()
    world.custody.retry_starts()
    assert world.custody.check_ledger() == before


def test_a_start_of_a_person_that_no_camera_followed_is_told_again_until_they_do(world: World) -> None:
    case = world.armed_case()
    world.recorders.unreachable = set(ROOM_1)
    assert len(world.custody.start_recording(world.manager, case.case_id).problems) == 2
    assert recorded(world, case) is CaseState.RECORDING and world.recorders.orders == {}
    world.recorders.unreachable = set()
    assert world.custody.resume_recordings() == () and set(world.recorders.orders) == ROOM_1


def test_a_stop_that_overtakes_its_start_still_stops(world: World) -> None:
    case = world.armed_case()
    begin = world.recorders.start

    def slow(order: StartOrder) -> None:
        """Before the start arrives, another process orders and tells the stop."""
        if not world.recorders.stopped:
            world.custody.stop_recording(world.manager, case.case_id, "a mistake")
        begin(order)

    world.recorders.start = slow  # type: ignore[method-assign]
    world.custody.start_recording(world.manager, case.case_id, ["or1-wall"])
    assert world.recorders.orders == {}


def test_a_camera_that_is_lost_is_an_alarm_until_it_is_back_and_history_tells_both(world: World) -> None:
    world.recorders.states = {"or1-wall": "unreachable", "or2-wall": "frozen"}
    assert world.custody.watch() == ()  # no case is armed: nobody needs the camera
    world.armed_case()
    world.recorders.states = {"or1-wall": "frozen", "or2-wall": "frozen"}
    for _ in range(3):
        (alarm,) = world.custody.watch()
        assert (alarm.kind, alarm.since_us) == (AlarmKind.CAMERA_LOST, world.clock.us)
        assert "OR 1 wall sends no pictures" in alarm.text
    assert world.custody.room_state(world.manager, "OR 1").alarms == (alarm,)
    world.custody.set_mask(
        world.manager, "or1-wall"
    )  # history has more to say of a camera than that it is lost
    assert world.custody.watch() == (alarm,)
    assert world.custody.room_state(world.manager, "OR 1").alarms == (alarm,)
    world.recorders.unreachable = {"or1-lamp"}
    assert len(world.custody.watch()) == 2
    world.recorders.states, world.recorders.unreachable = {}, set()
    assert world.custody.watch() == () and world.custody.room_state(world.manager, "OR 1").alarms == ()
    with world.ledger.uow(read_only=True) as uow:
        entries = uow.history.page(None, 9, subject="recorder:or1-wall", actor=None, act=None)
    assert [(e.act, e.detail) for e in entries] == [
        ("camera-back", "{}"),
        ("camera-lost", '{"state":"frozen"}'),
    ]
    world.recorders.down = True
    assert len(world.custody.watch()) == 2


@pytest.mark.parametrize(
    ("state", "words"),
    [("not-storing", "Nothing of the camera OR 1 wall is stored"), ("disk-low", "is filling up")],
)
def test_a_camera_that_stores_nothing_or_soon_will_not_is_an_alarm_of_its_room(
    world: World, state: str, words: str
) -> None:
    case = world.armed_case()
    world.custody.start_recording(world.manager, case.case_id)
    world.recorders.states = {"or1-wall": state}
    (alarm,) = world.custody.watch()
    assert (alarm.kind, alarm.room) == (AlarmKind.CAMERA_LOST, "OR 1") and words in alarm.text
    assert world.custody.room_state(world.manager, "OR 1").alarms == (alarm,)
    with world.ledger.uow(read_only=True) as uow:
        (entry,) = uow.history.page(None, 9, subject="recorder:or1-wall", actor=None, act=None)
    assert (entry.act, entry.detail) == ("camera-lost", f'{{"state":"{state}"}}')


def test_a_disk_that_fills_up_hides_no_camera_that_does_not_follow_its_run(world: World) -> None:
    case = world.armed_case()
    world.custody.start_recording(world.manager, case.case_id)
    world.recorders.states = {"or1-wall": "disk-low"}
    world.recorders.orders.pop("or1-wall")
    world.clock.us += 16 * US_PER_S
    (alarm,) = world.custody.watch()
    assert "OR 1 wall is to record and does not" in alarm.text
    world.custody.resume_recordings()
    (alarm,) = world.custody.watch()
    assert "is filling up" in alarm.text


@pytest.mark.parametrize("instead", [None, "another run"])
def test_a_camera_that_does_not_follow_its_run_is_an_alarm_until_it_does(
    world: World, instead: str | None
) -> None:
    case = world.armed_case()
    world.custody.start_recording(world.manager, case.case_id)
    told = world.recorders.orders.pop("or1-wall")
    if instead:
        world.recorders.orders["or1-wall"] = replace(told, run_id=instead)
    world.clock.us += 14 * US_PER_S
    assert world.custody.watch() == (), "it may be on its way"
    world.clock.us += 2 * US_PER_S
    (alarm,) = world.custody.watch()
    assert alarm.kind is AlarmKind.CAMERA_LOST and "OR 1 wall is to record and does not" in alarm.text
    assert world.custody.room_state(world.manager, "OR 1").alarms == (alarm,)
    world.custody.resume_recordings()
    assert world.custody.watch() == ()
    with world.ledger.uow(read_only=True) as uow:
        entries = uow.history.page(None, 9, subject="recorder:or1-wall", actor=None, act=None)
    assert [entry.act for entry in entries] == ["camera-back", "camera-lost"]


def test_a_camera_that_still_ends_its_run_is_not_to_record(world: World) -> None:
    case = world.armed_case()
    world.custody.start_recording(world.manager, case.case_id)
    world.clock.us += 60 * US_PER_S
    world.recorders.unreachable = {"or1-wall"}
    world.custody.stop_recording(world.manager, case.case_id, "lamp moved")
    world.recorders.unreachable, world.recorders.orders = set(), {}
    assert world.custody.watch() == ()
