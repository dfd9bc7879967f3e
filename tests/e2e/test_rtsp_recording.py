"""A camera actor on a real RTSP server: what a run holds, and what is said, when the camera fails in each way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from actors.camera import CameraActor
from orvault.clock import US_PER_S, SystemClock
from orvault.container.segment import SegmentMeta
from orvault.custody.ports import ArmOrder
from orvault.recording.recorder import GAP_US
from orvault.video.codec import decode_fragment
from tests.media.make_media import make_clip
from tests.rtsp import RtspCameras, rtsp_cameras, start
from tests.unit.actors_support import Node, camera_feed, make_node, order

CAMERA = "or1-ceiling"
PATIENCE_S = 60.0  # a test server on a busy machine may take long to begin


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("clips")
    return {
        "cam": make_clip(folder / "cam.mp4", "h264", frames=60, reordered=0),
        "hevc": make_clip(folder / "hevc.mp4", "hevc", frames=60),
        "large": make_clip(folder / "large.mp4", "h264", frames=60, reordered=0, width=640, height=480),
        "seldom": make_clip(folder / "seldom.mp4", "h264", frames=300, reordered=0, gop=150),
    }


def until(true: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.05)


class Recording:
    """One run of one camera."""

    def __init__(self, node: Node, url: str, **changes: object) -> None:
        self.node, self.clock = node, SystemClock()
        self.camera = CameraActor(
            camera_feed(node, source=url, timeout_s=2.0, **changes), node.keeper, self.clock
        )

    def start(self) -> int:
        """Begin; when, UTC microseconds."""
        started_us = self.clock.now_us()
        self.camera.start(order(started_us=started_us))
        return started_us

    def stop(self) -> list[SegmentMeta]:
        """End; what the segments say of themselves, each checked and decoded."""
        self.camera.stop("run-1")
        metas = [record.header.meta for record in self.node.stored()]
        for meta, data in zip(metas, self.node.clear(), strict=True):
            assert sum(1 for _ in decode_fragment(data)) == meta.frames
        assert all(after.start_us >= before.end_us for before, after in pairwise(metas))
        return metas

    def state(self) -> str:
        return self.camera.status().state

    def segments(self) -> int:
        return self.camera.status().segments


@pytest.fixture
def server(clips: dict[str, Path]) -> Iterator[RtspCameras]:
    with rtsp_cameras(clips) as cameras:
        yield cameras


def test_a_run_begins_with_the_seconds_before_its_start(server: RtspCameras, tmp_path: Path) -> None:
    recording = Recording(make_node(tmp_path), server.url("cam"), pre_event_s=4.0)
    until(lambda: recording.state() == "idle", "the camera is there")
    armed_us = recording.clock.now_us()
    recording.camera.arm(ArmOrder("case-1", CAMERA, armed_us))
    until(lambda: len(recording.camera._before) >= 2, "the buffer is filled")
    started_us = recording.start()
    until(lambda: recording.segments() >= 4, "it records")
    metas = recording.stop()
    assert armed_us <= metas[0].start_us < started_us - 3 * US_PER_S
    assert all(after.start_us == before.end_us for before, after in pairwise(metas))
    assert recording.node.gaps() == []


def test_a_frozen_camera_is_told_as_frozen_and_its_loss_is_a_gap(server: RtspCameras, tmp_path: Path) -> None:
    recording = Recording(make_node(tmp_path), server.url("cam"))
    recording.start()
    until(lambda: recording.segments() >= 1, "it records")
    server.freeze()
    until(lambda: recording.state() == "frozen", "the silence is noticed")
    assert "no picture for 2 s" in recording.camera.status().detail
    server.thaw()
    stored = recording.segments()
    until(lambda: recording.state() == "recording" and recording.segments() > stored, "it goes on")
    metas = recording.stop()
    gaps = [gap for gap in recording.node.gaps() if gap.to_us > metas[0].end_us]
    assert [
        gap for gap in gaps if "sent no picture for 2 s" in gap.reason and gap.to_us - gap.from_us > US_PER_S
    ]


@pytest.mark.parametrize("other", ["large", "hevc"])
def test_a_camera_that_comes_back_with_another_picture_goes_on_in_its_run(
    other: str, clips: dict[str, Path], tmp_path: Path
) -> None:
    first = start({"cam": clips["cam"]})
    servers = [first]
    try:
        recording = Recording(make_node(tmp_path), first.url("cam"))
        recording.start()
        until(lambda: recording.segments() >= 1, "it records")
        first.kill()
        until(lambda: recording.state() == "unreachable", "the loss is noticed")
        time.sleep(1.0)  # away long enough for a gap
        servers.append(start({"cam": clips[other]}, port=first.port))
        stored = recording.segments()
        until(lambda: recording.segments() > stored + 1, "it goes on")
        metas = recording.stop()
    finally:
        for each in servers:
            each.stop()
    kinds = [(meta.codec, meta.width, meta.height) for meta in metas]
    assert kinds[0] == ("h264", 320, 240)
    assert kinds[-1] == {"large": ("h264", 640, 480), "hevc": ("hevc", 320, 240)}[other]
    assert [meta.sequence for meta in metas] == list(range(len(metas)))
    assert any(gap.from_us >= metas[0].end_us for gap in recording.node.gaps())


def test_a_stream_that_just_ends_is_connected_again_with_a_gap(
    clips: dict[str, Path], tmp_path: Path
) -> None:
    with rtsp_cameras({"cam": clips["cam"]}, once=["cam"]) as server:
        recording = Recording(make_node(tmp_path), server.url("cam"))
        recording.start()
        until(lambda: recording.segments() >= 4, "it records a second round")
        metas = recording.stop()
    assert sum(meta.frames for meta in metas) > 60  # more than one round
    # It may be back within the half second that counts as jitter; what is longer is told, with its reason.
    joints = {(a.end_us, b.start_us) for a, b in pairwise(metas) if b.start_us - a.end_us > GAP_US}
    told = {
        (gap.from_us, gap.to_us) for gap in recording.node.gaps() if "closed the connection" in gap.reason
    }
    assert joints <= told


def test_damaged_pictures_are_stored_as_they_came_and_cost_nothing_else(
    clips: dict[str, Path], tmp_path: Path
) -> None:
    with rtsp_cameras({"cam": clips["cam"]}, noise=["cam"]) as server:
        recording = Recording(make_node(tmp_path), server.url("cam"))
        until(lambda: recording.state() == "idle", "the camera is there")
        recording.start()
        until(lambda: recording.segments() >= 3, "it records")
        recording.camera.stop("run-1")
    metas = [record.header.meta for record in recording.node.stored()]
    assert all(after.start_us == before.end_us for before, after in pairwise(metas))
    assert all(meta.frames >= 29 for meta in metas[:-1])
    assert not [gap for gap in recording.node.gaps() if gap.from_us >= metas[0].end_us]


def test_ten_seconds_between_keyframes_lose_no_picture(server: RtspCameras, tmp_path: Path) -> None:
    recording = Recording(make_node(tmp_path), server.url("seldom"))
    recording.start()
    until(lambda: recording.segments() >= 1, "a fragment of ten seconds is durable")
    metas = recording.stop()
    assert metas[0].frames == 150 and metas[0].end_us - metas[0].start_us > 9 * US_PER_S
    assert not [gap for gap in recording.node.gaps() if gap.from_us >= metas[0].end_us]


def whole(recording: Recording, segments: int) -> list[SegmentMeta]:
    """A run of so many segments that follow each other without a hole, on the wall clock to its end."""
    recording.start()
    until(lambda: recording.segments() >= segments, "it records")
    metas, now_us = recording.stop(), recording.clock.now_us()
    assert all(after.start_us == before.end_us for before, after in pairwise(metas))
    assert not [gap for gap in recording.node.gaps() if gap.from_us >= metas[0].start_us]
    assert abs(metas[-1].end_us - now_us) < US_PER_S, "what was wrong for a moment is not wrong for good"
    return metas


def test_a_camera_whose_clock_is_set_back_goes_on_without_a_hole(
    clips: dict[str, Path], tmp_path: Path
) -> None:
    with rtsp_cameras({"cam": clips["cam"]}, jump_ms={"cam": -1500}) as server:
        metas = whole(Recording(make_node(tmp_path), server.url("cam")), 4)
    assert all(meta.frames == 30 for meta in metas[:-1]), "no picture is lost or mixed up"


def test_what_a_camera_sends_late_by_its_own_clock_is_a_gap_and_moves_no_time(
    clips: dict[str, Path], tmp_path: Path
) -> None:
    """Stamped ahead, it is held back until it is due: less than a frozen camera, more than jitter."""
    with rtsp_cameras({"cam": clips["cam"]}, jump_ms={"cam": 1500}) as server:
        recording = Recording(make_node(tmp_path), server.url("cam"))
        recording.start()
        until(lambda: recording.segments() >= 4, "it records")
        metas, now_us = recording.stop(), recording.clock.now_us()
    (hole,) = [(a.end_us, b.start_us) for a, b in pairwise(metas) if a.end_us != b.start_us]
    assert abs(hole[1] - hole[0] - 1.5 * US_PER_S) < 0.1 * US_PER_S
    assert hole in {(gap.from_us, gap.to_us) for gap in recording.node.gaps()}
    assert abs(metas[-1].end_us - now_us) < US_PER_S
    assert all(meta.frames == 30 for meta in metas[:-1])


def test_rtp_time_that_wraps_moves_nothing(clips: dict[str, Path], tmp_path: Path) -> None:
    with rtsp_cameras({"cam": clips["cam"]}, wrap=["cam"]) as server:
        metas = whole(Recording(make_node(tmp_path), server.url("cam")), 4)
    assert all(meta.frames == 30 for meta in metas[:-1])


def test_a_size_that_changes_in_the_stream_begins_a_segment_and_loses_nothing(
    clips: dict[str, Path], tmp_path: Path
) -> None:
    with rtsp_cameras({"cam": f"{clips['cam']}+{clips['large']}"}) as server:
        metas = whole(Recording(make_node(tmp_path), server.url("cam")), 7)
    sizes = [(meta.width, meta.height) for meta in metas]
    assert (320, 240) in sizes and (640, 480) in sizes
    assert sum(before != after for before, after in pairwise(sizes)) >= 2, "there and back"
