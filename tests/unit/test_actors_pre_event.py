"""A camera actor of an armed case: what of the time before a start is recorded, and what is not."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from actors import camera as camera_module
from actors.camera import CameraActor
from orvault.clock import US_PER_S
from orvault.container.segment import SegmentMeta
from orvault.custody.ports import ArmOrder
from orvault.recording.pre_event import LEASE_US
from orvault.video.codec import decode_fragment
from tests.unit.actors_support import CalmClock, Feed, Node, eventually, make_camera, make_node, order

CAMERA = "or1-ceiling"
FPS = 15


class Stand:
    """One camera that keeps ten seconds, its packets given by hand."""

    def __init__(self, node: Node, clock: CalmClock, feed: Feed) -> None:
        self.node, self.clock, self.feed = node, clock, feed
        self.camera: CameraActor = make_camera(node, clock, pre_event_s=10.0)

    def arm(self, case_id: str = "case-1") -> None:
        self.camera.arm(ArmOrder(case_id, CAMERA, self.clock.now_us()))

    def start(self, run_id: str = "run-1", epoch: int = 1) -> None:
        self.camera.start(order(run_id, epoch, started_us=self.clock.now_us()))

    def frames(self, run_id: str = "run-1") -> int:
        return sum(1 for data in self.node.clear(run_id) for _ in decode_fragment(data))

    def metas(self, run_id: str = "run-1") -> list[SegmentMeta]:
        return [record.header.meta for record in self.node.stored(run_id)]

    def kept(self) -> int:
        return len(self.camera._before)


@pytest.fixture
def stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    monkeypatch.setattr(camera_module, "FORGET_S", 0.01)
    clock = CalmClock()
    feed = Feed(clock)
    monkeypatch.setattr(camera_module, "open_source", feed)
    yield Stand(make_node(tmp_path), clock, feed)
    clock.over = True


def test_a_recording_begins_with_the_last_seconds_before_its_start(stand: Stand) -> None:
    stand.feed.give(1)
    stand.arm()
    stand.feed.give(20 * FPS)
    started_us = stand.clock.now_us()
    stand.start()
    stand.feed.give(2 * FPS)
    stand.camera.stop("run-1")
    metas = stand.metas()
    assert 10 * US_PER_S <= started_us - metas[0].start_us < 13 * US_PER_S
    assert all(after.start_us == before.end_us for before, after in pairwise(metas))
    assert abs(metas[-1].end_us - stand.clock.now_us()) < US_PER_S
    assert stand.frames() == sum(meta.frames for meta in metas)
    assert stand.node.gaps() == []  # neither before the start nor at it, between two keyframes


def test_an_armed_camera_has_spoken_to_the_encryption_actor_before_anybody_starts_it(stand: Stand) -> None:
    stand.arm()
    eventually(lambda: stand.node.keeper.calls == ["tail"], "the way is gone once")
    stand.arm()
    stand.start()
    stand.camera.stop("run-1")
    assert stand.node.keeper.calls[:2] == ["tail", "tail"], "the second is the start's own"
    assert not list(stand.node.clear("rehearsal")) and stand.node.gaps() == []


def test_an_arming_waits_for_no_encryption_actor(stand: Stand) -> None:
    stand.node.keeper.down = True
    stand.arm()
    eventually(lambda: bool(stand.node.keeper.calls), "it was asked")
    assert stand.camera.status().detail == ""
    stand.node.keeper.down = False
    stand.start()
    stand.camera.stop("run-1")


def test_nothing_from_before_the_arming_is_recorded(stand: Stand) -> None:
    stand.feed.give(5 * FPS)
    armed_us = stand.clock.now_us()
    stand.arm()
    stand.feed.give(4 * FPS)
    stand.start()
    stand.feed.give(FPS)
    stand.camera.stop("run-1")
    assert armed_us <= stand.metas()[0].start_us < armed_us + 2 * US_PER_S
    assert 4 * FPS <= stand.frames() <= 5 * FPS


def test_a_second_start_right_after_a_stop_records_nothing_twice(stand: Stand) -> None:
    stand.feed.give(1)
    stand.arm()
    stand.feed.give(8 * FPS)
    stand.start()
    stand.feed.give(40)
    stand.camera.stop("run-1")
    stand.feed.give(3 * FPS)
    stand.start("run-2", 2)
    stand.feed.give(2 * FPS)
    stand.camera.stop("run-2")
    first, second = stand.metas(), stand.metas("run-2")
    assert second[0].start_us >= first[-1].end_us
    assert second[0].start_us < first[-1].end_us + 2 * US_PER_S  # but the time in between is there
    assert stand.frames() + stand.frames("run-2") <= 1 + 8 * FPS + 40 + 3 * FPS + 2 * FPS
    assert stand.node.gaps("run-2") == []


def test_without_an_armed_case_nothing_is_kept(stand: Stand) -> None:
    stand.feed.give(6 * FPS)
    assert stand.kept() == 0 and stand.camera._cutter is None
    stand.start()
    stand.feed.give(3 * FPS)
    stand.camera.stop("run-1")
    stand.feed.give(6 * FPS)
    assert stand.kept() == 0 and stand.camera._cutter is None
    assert 0 < stand.frames() <= 3 * FPS


def test_disarming_forgets_and_leaves_a_recording_alone(stand: Stand) -> None:
    stand.feed.give(1)
    stand.arm()
    stand.feed.give(6 * FPS)
    assert stand.kept() > 0
    stand.camera.disarm("case-0")  # late news of another case
    assert stand.kept() > 0
    stand.camera.disarm("case-1")
    assert stand.kept() == 0 and stand.camera._cutter is None
    stand.arm()
    stand.start()
    stand.camera.disarm("case-1")
    stand.feed.give(3 * FPS)
    stand.camera.stop("run-1")
    stand.feed.give(3 * FPS)
    assert stand.frames() > 0 and stand.kept() == 0 and stand.camera._cutter is None


def test_an_arming_that_is_not_repeated_lapses_by_itself(stand: Stand) -> None:
    stand.feed.give(1)
    stand.arm()
    stand.feed.give(6 * FPS)
    stand.clock.us += LEASE_US
    eventually(lambda: stand.kept() == 0 and stand.camera._cutter is None, "it forgets")


def test_pictures_of_another_case_are_not_recorded(stand: Stand) -> None:
    stand.feed.give(1)
    stand.arm("case-0")
    stand.feed.give(6 * FPS)
    started_us = stand.clock.now_us()
    stand.start()
    stand.feed.give(3 * FPS)
    stand.camera.stop("run-1")
    assert stand.metas()[0].start_us >= started_us - US_PER_S // FPS


def test_a_camera_lost_right_before_the_start_leaves_a_gap_with_the_reason(stand: Stand) -> None:
    stand.feed.give(1)
    stand.arm()
    stand.feed.give(6 * FPS)
    stand.feed.lose(4, "The camera closed the connection.")
    stand.feed.give(FPS)
    stand.start()
    stand.feed.give(2 * FPS)
    stand.camera.stop("run-1")
    (gap,) = stand.node.gaps()
    assert gap.reason == "The camera closed the connection."
    before = [meta for meta in stand.metas() if meta.end_us <= gap.from_us]
    assert before and 3 * US_PER_S < gap.to_us - gap.from_us < 6 * US_PER_S


def test_a_restarted_camera_is_armed_again_while_its_run_goes_on(stand: Stand) -> None:
    stand.feed.give(1)
    stand.arm()
    stand.feed.give(4 * FPS)
    stand.start()
    stand.feed.give(2 * FPS)
    stand.arm()
    stand.feed.give(2 * FPS)
    assert stand.kept() == 0  # what is recorded is not kept beside it
    stand.camera.stop("run-1")
    assert stand.node.gaps() == []
