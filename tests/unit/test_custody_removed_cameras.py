"""Cameras that the settings name no more: nothing is started, armed or missed of them, and their footage stays."""

from __future__ import annotations

import pytest

from orvault.clock import US_PER_S
from orvault.custody.account import Role
from orvault.custody.control import SignalKind
from orvault.errors import ErrorKind, OrvaultError
from tests.fakes import CAMERAS, World

WALL, LAMP, OTHER = CAMERAS


def kind_of(world: World, camera_id: str) -> str:
    views = world.custody.cameras(world.manager)
    return next(view.status.state for view in views if view.info.camera_id == camera_id)


def test_a_removed_camera_is_no_alarm_of_its_room(world: World) -> None:
    world.armed_case()
    world.recorders.unreachable.add(LAMP.camera_id)
    assert [alarm.room for alarm in world.custody.watch()] == ["OR 1"]
    world.custody.register_cameras([WALL, OTHER])
    assert world.custody.watch() == ()
    assert [view.alarms for view in world.custody.room_states(world.manager)] == [(), ()]


def test_a_room_without_a_camera_is_no_room_any_more(world: World) -> None:
    world.custody.register_cameras([WALL, LAMP])
    assert [view.room for view in world.custody.room_states(world.manager)] == ["OR 1"]
    for room in ("OR 2", ""):
        with pytest.raises(OrvaultError) as caught:
            world.custody.room_state(world.manager, room)
        assert caught.value.kind is ErrorKind.NOT_FOUND


def test_a_removed_camera_is_neither_armed_nor_started(world: World) -> None:
    world.custody.register_cameras([WALL, OTHER])
    case = world.armed_case()
    world.custody.keep_armed()
    assert set(world.recorders.armed) == {"or1-wall"}
    with pytest.raises(OrvaultError) as caught:
        world.custody.start_recording(world.manager, case.case_id, ["or1-lamp"])
    assert caught.value.kind is ErrorKind.NOT_FOUND
    world.custody.signal_by(world.manager, "OR 1", SignalKind.START)
    runs = world.custody.case(world.manager, case.case_id).runs
    assert [run.camera_id for run in runs] == ["or1-wall"] and set(world.recorders.orders) == {"or1-wall"}


def test_a_run_of_a_removed_camera_is_not_started_again_and_can_be_stopped(world: World) -> None:
    case = world.armed_case()
    world.custody.start_recording(world.manager, case.case_id)
    world.custody.register_cameras([WALL, OTHER])
    world.recorders.orders.clear()  # all recorders were restarted
    world.custody.resume_recordings()
    assert set(world.recorders.orders) == {"or1-wall"}
    stopped = world.custody.stop_recording(world.manager, case.case_id, "It is over.")
    assert not any(run.open for run in stopped.view.runs)


def test_a_removed_camera_stays_in_the_list_and_its_footage_can_be_asked_for(world: World) -> None:
    case = world.recorded_case()
    world.custody.register_cameras([LAMP, OTHER])
    assert kind_of(world, "or1-wall") == "removed" and kind_of(world, "or1-lamp") == "idle"
    assert world.approved(case).wish.camera_ids == ("or1-wall",)
    staff = world.accounts[Role.CLINICAL_STAFF]
    with pytest.raises(OrvaultError) as caught:
        world.custody.ask_live(staff, "session", "or1-wall")
    assert caught.value.kind is ErrorKind.NOT_FOUND


def test_history_keeps_where_it_stood_and_it_may_come_back(world: World) -> None:
    for _ in range(2):
        world.custody.register_cameras([WALL, OTHER])
    (entry,) = world.custody.history(world.officer, act="camera-removed")
    assert entry.subject == "camera:or1-lamp"
    assert '"room":"OR 1"' in entry.detail and '"title":"OR 1 lamp"' in entry.detail
    world.clock.us += US_PER_S
    world.custody.register_cameras(CAMERAS)
    assert kind_of(world, "or1-lamp") == "idle"


def test_a_stop_that_a_removed_camera_cannot_confirm_is_confirmed_for_it(world: World) -> None:
    case = world.armed_case()
    world.custody.start_recording(world.manager, case.case_id)
    world.recorders.unreachable.add(LAMP.camera_id)
    world.custody.close_case(world.manager, case.case_id)
    assert [problem.camera_id for problem in world.custody.settle_stops()] == ["or1-lamp"]
    world.custody.register_cameras([WALL, OTHER])
    assert world.custody.settle_stops() == ()
    assert not any(run.open for run in world.custody.case(world.manager, case.case_id).runs)
