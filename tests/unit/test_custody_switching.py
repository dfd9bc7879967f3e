"""Arming, starting, stopping and closing, with cameras that do not follow."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orvault.container.gap import Gap
from orvault.custody.account import Role
from orvault.custody.case import CasePlan, CaseState
from orvault.custody.service import CustodyService
from orvault.errors import ErrorKind
from orvault.recording.recorder import RecordingOrder
from tests.fake_parts import make_segment
from tests.fakes import World
from tests.refusals import raises


def test_start_order_is_what_recorders_take(world: World) -> None:
    case = world.armed_case()
    world.custody.start_recording(world.manager, case.case_id)
    order = world.recorders.orders["or1-wall"]
    taken = RecordingOrder(**{name: getattr(order, name) for name in order.__slots__})
    assert (taken.case_id, taken.case_key, taken.epoch) == (case.case_id, case.case_key, 1)
    assert set(world.recorders.orders) == {"or1-wall", "or1-lamp"}  # the case's room and no other


def test_nothing_records_before_the_case_is_armed_or_after_it_is_closed(world: World) -> None:
    plan = CasePlan("N-1", "OR 1", 0, "Form 1")
    case = world.custody.plan_case(world.manager, plan)
    with raises(ErrorKind.NOT_ARMED):
        world.custody.start_recording(world.manager, case.case_id)
    world.custody.arm_case(world.manager, case.case_id)
    world.custody.close_case(world.manager, case.case_id)
    with raises(ErrorKind.NOT_ARMED):
        world.custody.start_recording(world.manager, case.case_id)
    assert world.recorders.orders == {}


@pytest.mark.parametrize(
    ("cameras", "kind"),
    [
        (["or2-wall"], ErrorKind.BAD_REQUEST),
        (["nowhere"], ErrorKind.NOT_FOUND),
        (["or1-wall", "or1-wall"], ErrorKind.BAD_REQUEST),
        ([], ErrorKind.BAD_REQUEST),
    ],
)
def test_wrong_cameras_start_nothing(world: World, cameras: list[str], kind: ErrorKind) -> None:
    case = world.armed_case()
    with raises(kind):
        world.custody.start_recording(world.manager, case.case_id, ["or1-lamp", *cameras] if cameras else [])
    assert world.recorders.orders == {}
    assert world.custody.case(world.manager, case.case_id).runs == ()


def test_camera_in_use_is_refused_and_left_alone(world: World) -> None:
    first = world.armed_case("N-1")
    world.custody.start_recording(world.manager, first.case_id, ["or1-wall"])
    with raises(ErrorKind.CONFLICT):
        world.custody.start_recording(world.manager, first.case_id, ["or1-wall"])
    started = world.custody.start_recording(world.manager, first.case_id)
    assert sorted(run.camera_id for run in started.view.runs) == ["or1-lamp", "or1-wall"]
    with raises(ErrorKind.CONFLICT):
        world.custody.start_recording(world.manager, first.case_id)


def test_one_camera_out_of_reach_does_not_keep_the_other_from_recording_and_is_told_again(
    world: World,
) -> None:
    case = world.armed_case()
    world.recorders.unreachable = {"or1-lamp"}
    started = world.custody.start_recording(world.manager, case.case_id)
    (problem,) = started.problems
    assert (problem.camera_id, problem.kind) == ("or1-lamp", ErrorKind.CAMERA_UNREACHABLE)
    assert started.view.case.state is CaseState.RECORDING
    assert {run.camera_id for run in started.view.runs if run.recording} == {"or1-wall", "or1-lamp"}
    world.recorders.unreachable = set()
    assert world.custody.resume_recordings() == ()
    lamp = world.recorders.orders["or1-lamp"]
    assert lamp.run_id in {run.run_id for run in started.view.runs}
    assert "recording-start-failed" not in world.acts()


def test_a_start_whose_answer_was_lost_goes_on(world: World) -> None:
    case = world.armed_case()
    world.recorders.deaf = {"or1-wall"}
    started = world.custody.start_recording(world.manager, case.case_id, ["or1-wall"])
    assert started.view.case.state is CaseState.RECORDING and started.problems
    assert set(world.recorders.orders) == {"or1-wall"} and world.recorders.stopped == []


def test_a_start_that_a_camera_refuses_is_taken_back(world: World) -> None:
    case = world.armed_case()
    world.recorders.refusing = {"or1-wall"}
    started = world.custody.start_recording(world.manager, case.case_id, ["or1-wall"])
    assert started.view.case.state is CaseState.ARMED
    assert [problem.kind for problem in started.problems] == [ErrorKind.CONFLICT]
    assert world.acts().count("recording-start-failed") == 1
    world.recorders.refusing = set()
    again = world.custody.start_recording(world.manager, case.case_id, ["or1-wall"])
    assert again.problems == () and world.recorders.orders["or1-wall"].epoch == 2


def test_stop_that_did_not_arrive_is_told_again(world: World) -> None:
    case = world.armed_case()
    world.custody.start_recording(world.manager, case.case_id)
    world.recorders.unreachable = {"or1-wall"}
    closed = world.custody.close_case(world.manager, case.case_id)
    assert closed.view.case.state is CaseState.CLOSED
    assert [problem.camera_id for problem in closed.problems] == ["or1-wall"]
    assert set(world.recorders.orders) == {"or1-wall"}  # still records, and the ledger knows
    other = world.armed_case("N-2")
    with raises(ErrorKind.CONFLICT):
        world.custody.start_recording(world.manager, other.case_id, ["or1-wall"])
    world.recorders.unreachable = set()
    assert world.custody.settle_stops() == () and world.recorders.orders == {}
    assert world.acts()[-1] == "recording-stopped"
    world.custody.settle_stops()
    assert world.acts().count("recording-stopped") == 2
    world.custody.start_recording(world.manager, other.case_id, ["or1-wall"])


def test_restart_of_the_server_goes_on_where_the_stop_was(world: World) -> None:
    case = world.armed_case()
    world.custody.start_recording(world.manager, case.case_id, ["or1-wall"])
    world.recorders.unreachable = {"or1-wall"}
    world.custody.stop_recording(world.manager, case.case_id, "the patient asked")
    world.recorders.unreachable = set()
    fresh = CustodyService(world.ledger.uow, world.clock, world.recorders, world.case_keys, world.renderers)
    fresh.settle_stops()
    assert world.recorders.orders == {}


def test_camera_out_of_reach_elsewhere_is_not_asked_when_starting(world: World) -> None:
    case = world.armed_case()
    world.custody.start_recording(world.manager, case.case_id)
    world.recorders.unreachable = {"or1-wall"}
    world.custody.close_case(world.manager, case.case_id)
    world.recorders.unreachable = set()
    other = world.armed_case("N-2", "OR 2")
    world.custody.start_recording(world.manager, other.case_id)
    assert set(world.recorders.orders) == {"or1-wall", "or2-wall"}


def test_a_camera_that_records_a_closed_run_is_stopped_and_history_told_once(world: World) -> None:
    case = world.armed_case()
    world.custody.start_recording(world.manager, case.case_id, ["or1-wall"])
    late = world.recorders.orders["or1-wall"]
    world.custody.close_case(world.manager, case.case_id)
    world.recorders.orders["or1-wall"] = (
        late  # the start arrived after the stop, or came from the node's disk
    )
    world.custody.settle_stops()
    assert "or1-wall" in world.recorders.orders  # its stop is confirmed: nobody settles it
    world.recorders.deaf = {"or1-wall"}
    assert [problem.camera_id for problem in world.custody.stop_strays()] == ["or1-wall"]
    world.recorders.orders["or1-wall"], world.recorders.deaf = late, set()
    assert world.custody.stop_strays() == () and world.recorders.orders == {}
    assert world.custody.stop_strays() == ()
    (entry,) = world.custody.history(world.officer, act="recording-stray")
    assert entry.subject == f"run:{late.run_id}" and "the run is over" in entry.detail


def test_a_run_that_the_ledger_does_not_know_is_stopped(world: World) -> None:
    case = world.armed_case()
    world.custody.start_recording(world.manager, case.case_id, ["or1-wall"])
    order = world.recorders.orders["or1-wall"]
    # As after a ledger was restored from a back-up, and in the wrong camera's folder.
    world.recorders.orders["or2-wall"] = replace(order, run_id="later-than-the-back-up", camera_id="or2-wall")
    world.recorders.orders["or1-lamp"] = replace(order, camera_id="or1-lamp")
    assert world.custody.stop_strays() == ()
    assert set(world.recorders.orders) == {"or1-wall"}
    assert world.acts().count("recording-stray") == 2


def test_what_records_rightly_or_is_being_stopped_is_no_stray(world: World) -> None:
    case = world.armed_case()
    world.custody.start_recording(world.manager, case.case_id)
    world.recorders.deaf = {"or1-lamp"}  # it stops, and its confirmation is lost
    world.custody.stop_recording(world.manager, case.case_id, "lamp moved", ["or1-lamp"])
    told = len(world.recorders.stopped)
    assert world.custody.stop_strays() == () and len(world.recorders.stopped) == told
    assert set(world.recorders.orders) == {"or1-wall"} and "recording-stray" not in world.acts()


def test_a_camera_left_out_because_it_is_in_use_is_named(world: World) -> None:
    first = world.armed_case("N-1")
    world.custody.start_recording(world.manager, first.case_id, ["or1-wall"])
    world.recorders.unreachable = {"or1-wall"}
    world.custody.close_case(world.manager, first.case_id)
    second = world.armed_case("N-2")
    started = world.custody.start_recording(world.manager, second.case_id)
    (problem,) = started.problems
    assert (problem.camera_id, problem.kind) == ("or1-wall", ErrorKind.CONFLICT)
    assert "another case" in problem.message and "has not confirmed" in problem.message
    assert [run.camera_id for run in started.view.runs if run.recording] == ["or1-lamp"]
    assert "recording-start-failed" not in world.acts()


def test_a_camera_that_records_this_case_already_is_no_problem(world: World) -> None:
    case = world.armed_case()
    world.custody.start_recording(world.manager, case.case_id, ["or1-wall"])
    assert world.custody.start_recording(world.manager, case.case_id).problems == ()


def test_runs_are_resumed_as_they_were_ordered(world: World) -> None:
    case = world.armed_case()
    world.custody.start_recording(world.manager, case.case_id)
    world.custody.stop_recording(world.manager, case.case_id, "lamp moved", ["or1-lamp"])
    ordered, world.recorders.orders = dict(world.recorders.orders), {}
    world.clock.us += 5
    before = world.custody.check_ledger()
    assert world.custody.resume_recordings() == ()
    assert world.recorders.orders == ordered and set(ordered) == {"or1-wall"}
    world.recorders.unreachable = {"or1-wall"}
    assert [p.camera_id for p in world.custody.resume_recordings()] == ["or1-wall"]
    assert world.custody.check_ledger() == before
    assert world.custody.case(world.manager, case.case_id).case.state is CaseState.RECORDING


def test_stop_keeps_its_reason_and_the_case_can_go_on(world: World) -> None:
    case = world.armed_case()
    world.custody.start_recording(world.manager, case.case_id)
    one = world.custody.stop_recording(world.manager, case.case_id, " lamp moved ", ["or1-lamp"])
    assert one.view.case.state is CaseState.RECORDING
    assert {run.stop_reason for run in one.view.runs} == {None, "lamp moved"}
    both = world.custody.stop_recording(world.manager, case.case_id, "emergency")
    assert both.view.case.state is CaseState.ARMED
    with raises(ErrorKind.CONFLICT):
        world.custody.stop_recording(world.manager, case.case_id, "again")
    with raises(ErrorKind.BAD_REQUEST):
        world.custody.stop_recording(world.manager, case.case_id, "  ")
    assert world.custody.start_recording(world.manager, case.case_id).view.case.state is CaseState.RECORDING


def test_locked_keys_arm_nothing(world: World) -> None:
    case = world.custody.plan_case(world.manager, CasePlan("N-1", "OR 1", 0, "Form 1"))
    world.case_keys.locked = True
    with raises(ErrorKind.KEYS_LOCKED):
        world.custody.arm_case(world.manager, case.case_id)
    assert world.custody.case(world.manager, case.case_id).case.state is CaseState.PLANNED


def test_case_number_is_unique(world: World) -> None:
    world.armed_case("N-1")
    with raises(ErrorKind.CONFLICT):
        world.armed_case("N-1")


def test_cameras_show_what_they_do(world: World) -> None:
    case = world.armed_case()
    world.custody.start_recording(world.manager, case.case_id, ["or1-wall"])
    world.recorders.unreachable = {"or1-lamp"}

    def states() -> dict[str, str]:
        views = world.custody.cameras(world.accounts[Role.AUDITOR])
        return {view.info.camera_id: view.status.state for view in views}

    assert states() == {"or1-wall": "recording", "or1-lamp": "unreachable", "or2-wall": "idle"}
    world.recorders.down = True
    assert set(states().values()) == {"unreachable"}


def test_index_takes_each_segment_once_and_names_the_odd_ones(world: World) -> None:
    case = world.armed_case()
    (run,) = world.custody.start_recording(world.manager, case.case_id, ["or1-wall"]).view.runs
    at, ids = world.clock.us, (run.run_id, case.case_id, "or1-wall")
    good = make_segment(*ids, 0, at)
    assert world.index([good, good]).added == 1
    report = world.index(
        [
            good,
            make_segment(*ids, 0, at, digest="9" * 64),
            make_segment("no-such-run", case.case_id, "or1-wall", 1, at),
            make_segment(run.run_id, case.case_id, "or1-lamp", 1, at),
            make_segment(*ids, 1, at, epoch=2),
            make_segment(*ids, 1, at),
        ]
    )
    assert (report.added, report.known) == (1, 1)
    reasons = [reason for _, reason in report.refused]
    assert len(reasons) == 4 and "differs" in reasons[0] and "not known" in reasons[1]
    assert "epoch" in reasons[2] and "epoch" in reasons[3]


def test_late_segments_of_a_closed_case_are_taken(world: World) -> None:
    case = world.armed_case()
    (run,) = world.custody.start_recording(world.manager, case.case_id, ["or1-wall"]).view.runs
    world.custody.close_case(world.manager, case.case_id)
    late = make_segment(run.run_id, case.case_id, "or1-wall", 0, world.clock.us)
    assert world.index([late]).added == 1


def test_gaps_of_the_recorder_are_kept(world: World) -> None:
    case = world.armed_case()
    (run,) = world.custody.start_recording(world.manager, case.case_id, ["or1-wall"]).view.runs
    gap = Gap("or1-wall", case.case_id, run.run_id, 5, 9, "the cable was out")
    assert world.custody.record_gap(gap, "node-1") and not world.custody.record_gap(gap, "node-1")
    with raises(ErrorKind.NOT_FOUND):
        world.custody.record_gap(Gap("or1-lamp", case.case_id, run.run_id, 5, 9, "x"), "node-1")
    with raises(ErrorKind.BAD_REQUEST):
        world.custody.record_gap(Gap("or1-wall", case.case_id, run.run_id, 9, 9, "x"), "node-1")
