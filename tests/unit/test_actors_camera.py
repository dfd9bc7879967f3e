"""A camera actor fed by hand: what it cuts, when it is lost and comes back, and what its status says."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import av
import pytest

from actors import camera as camera_module
from actors.camera import CameraActor
from orvault.clock import US_PER_S, FakeClock
from orvault.errors import ErrorKind, OrvaultError
from orvault.recording.orders import OrderStore
from orvault.recording.room import RoomLimits
from orvault.video.codec import decode_fragment
from tests.unit.actors_support import (
    CAMERAS,
    START_US,
    CalmClock,
    Feed,
    Node,
    camera_feed,
    case_key,
    clip,
    eventually,
    make_camera,
    make_node,
    order,
)

GONE = "The camera does not answer."


class Stand:
    """One camera on its node, its packets given by hand."""

    def __init__(self, node: Node, clock: CalmClock, feed: Feed) -> None:
        self.node, self.clock, self.feed = node, clock, feed
        self.camera = make_camera(node, clock)

    def start(self, run_id: str = "run-1", epoch: int = 1) -> None:
        self.camera.start(order(run_id, epoch, started_us=self.clock.now_us()))

    def state(self) -> str:
        return self.camera.status().state

    def frames(self) -> int:
        """Pictures in all segments, decoded."""
        return sum(1 for data in self.node.clear() for _ in decode_fragment(data))


@pytest.fixture
def stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    clock = CalmClock()
    feed = Feed(clock)
    monkeypatch.setattr(camera_module, "open_source", feed)
    yield Stand(make_node(tmp_path), clock, feed)
    clock.over = True


def test_start_record_stop_keeps_every_picture_from_the_first_keyframe_to_the_last(stand: Stand) -> None:
    stand.feed.give(15)
    assert stand.state() == "idle" and stand.node.stored() == []
    stand.start()
    stand.feed.give(100)
    assert stand.state() == "recording"
    stand.camera.stop("run-1")
    stored = stand.node.stored()
    assert [record.header.meta.frames for record in stored] == [30, 30, 30, 10]
    assert stand.frames() == 100
    meta = stored[0].header.meta
    assert (meta.camera_id, meta.case_id, meta.run_id, meta.epoch) == ("or1-ceiling", "case-1", "run-1", 1)
    assert (meta.codec, meta.width, meta.height) == ("h264", 1280, 720)
    assert all(a.header.meta.end_us == b.header.meta.start_us for a, b in pairwise(stored))
    assert abs(meta.start_us - START_US - US_PER_S) < 200_000
    assert stand.node.gaps() == []
    status = stand.camera.status()
    assert (status.state, status.run_id, status.segments) == ("idle", None, 4)
    assert status.last_segment_us == stored[-1].header.meta.end_us


def test_the_segments_hold_the_cameras_coded_pictures_untouched(stand: Stand) -> None:
    stand.start()
    stand.feed.give(30)
    stand.camera.stop("run-1")
    (data,) = stand.node.clear()
    _, packets = clip("or1-ceiling")
    assert all(packet.data in data for packet in packets[1:30])


def test_nothing_is_cut_without_an_order(stand: Stand) -> None:
    stand.feed.give(90)
    assert stand.camera.status().state == "idle"
    stand.start()
    stand.camera.stop("run-1")
    stand.feed.give(90)
    assert stand.node.stored() == [] and stand.node.keeper.calls.count("keep") == 0


def test_pictures_missing_between_order_and_first_keyframe_are_a_gap(stand: Stand) -> None:
    stand.feed.give(16)
    stand.start()
    stand.feed.give(14 + 30)  # the next keyframe comes after 14 pictures
    stand.camera.stop("run-1")
    (gap,) = stand.node.gaps()
    assert "next keyframe" in gap.reason and 700_000 < gap.to_us - gap.from_us < 1_000_000
    assert stand.frames() == 30


def test_a_lost_camera_leaves_a_gap_with_the_reason_and_goes_on_in_the_same_run(stand: Stand) -> None:
    stand.feed.give(1)
    stand.feed.to_keyframe()
    stand.start()
    stand.feed.give(40)
    stand.feed.lose(20, GONE)
    assert stand.state() == "unreachable" and GONE in stand.camera.status().detail
    eventually(lambda: len(stand.node.stored()) == 2, "what came before the loss is durable at once")
    stand.feed.give(30)
    assert stand.state() == "recording"
    stand.camera.stop("run-1")
    assert [record.header.meta.frames for record in stand.node.stored()] == [30, 10, 30]
    (gap,) = stand.node.gaps()
    assert gap.reason == GONE and abs(gap.to_us - gap.from_us - 20 * US_PER_S) < 1_200_000


def test_a_camera_whose_fragments_are_not_stored_says_so_until_one_is(stand: Stand) -> None:
    stand.start()
    full = OrvaultError(ErrorKind.STORAGE, "The disk is full.")
    stand.node.keeper.before = [full]
    stand.feed.give(31)
    eventually(lambda: stand.state() == "not-storing", "it is told")
    assert "disk is full" in stand.camera.status().detail and stand.camera.status().run_id == "run-1"
    stand.feed.give(30)
    eventually(lambda: stand.state() == "recording", "it is over")


def test_a_camera_that_cannot_take_its_order_up_again_is_not_idle(stand: Stand) -> None:
    stand.start()
    stand.node.keeper.tail_fails = [
        OrvaultError(ErrorKind.STORAGE, "The disk is ill.") for _ in range(10_000)
    ]
    again = make_camera(stand.node, stand.clock)
    eventually(lambda: again.status().state == "not-storing", "it is told")
    assert "taken up again" in again.status().detail and again.status().run_id is None
    stand.node.keeper.tail_fails = []


def test_a_camera_whose_disk_fills_up_says_so_in_one_word_once_it_sends_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = CalmClock()
    feed = Feed(clock)
    monkeypatch.setattr(camera_module, "open_source", feed)
    camera = make_camera(make_node(tmp_path), clock, store=tmp_path, room=RoomLimits(free_bytes=1 << 60))
    assert camera.status().state == "connecting"
    feed.give(1)
    assert camera.status().state == "disk-low" and "filling up" in camera.status().detail
    clock.over = True


def test_each_of_several_short_losses_keeps_its_own_reason(stand: Stand) -> None:
    stand.feed.give(1)
    stand.feed.to_keyframe()
    stand.start()
    stand.feed.give(15)
    stand.feed.lose(5, "first")
    stand.feed.give(5)  # too few for a fragment: they are flushed by the next loss
    stand.feed.lose(5, "second")
    stand.feed.give(15)
    stand.camera.stop("run-1")
    assert [gap.reason for gap in stand.node.gaps()] == ["first", "second"]
    assert stand.frames() == 35


def test_a_loss_before_the_order_is_no_reason_for_what_comes_after(stand: Stand) -> None:
    stand.feed.give(15)
    stand.feed.lose(60, GONE)
    stand.feed.give(1)
    stand.start()
    stand.feed.give(14 + 30)
    stand.camera.stop("run-1")
    (gap,) = stand.node.gaps()
    assert "next keyframe" in gap.reason


def test_a_stop_while_the_camera_is_away_leaves_a_gap_until_the_stop_with_the_reason(stand: Stand) -> None:
    stand.feed.give(1)
    stand.feed.to_keyframe()
    stand.start()
    stand.feed.give(20)
    stand.feed.lose(45, GONE)
    stand.camera.stop("run-1")
    (gap,) = stand.node.gaps()
    assert gap.reason == GONE and gap.to_us == stand.clock.now_us()
    assert gap.from_us == stand.node.stored()[-1].header.meta.end_us
    assert stand.state() == "unreachable"  # what the camera is, not what the run was


def test_a_start_while_the_camera_is_away_records_when_it_is_back(stand: Stand) -> None:
    stand.feed.put(OrvaultError(ErrorKind.CAMERA_UNREACHABLE, GONE))
    eventually(lambda: stand.state() == "unreachable", "the loss is known")
    stand.start()
    stand.clock.us += 10 * US_PER_S
    stand.feed.give(30)
    stand.camera.stop("run-1")
    (gap,) = stand.node.gaps()
    assert gap.reason == GONE and gap.from_us == START_US
    assert stand.frames() == 30


def test_a_refused_password_is_told_as_such(stand: Stand) -> None:
    stand.feed.put(OrvaultError(ErrorKind.CAMERA_REFUSED, "The camera refused the password."))
    eventually(lambda: stand.state() == "refused", "the refusal is known")
    assert "password" in stand.camera.status().detail


def test_an_unknown_codec_is_asked_again_later_and_named_in_the_gap(stand: Stand) -> None:
    stand.feed.give(1)
    stand.feed.to_keyframe()
    stand.start()
    stand.feed.give(20)
    stand.feed.lose(40, "The camera sends MJPEG.")
    stand.feed.put(OrvaultError(ErrorKind.UNSUPPORTED_CODEC, "The camera sends MJPEG."))
    eventually(lambda: camera_module.LATER_S in stand.clock.slept_s, "it waits long")
    stand.feed.give(30)
    stand.camera.stop("run-1")
    assert [gap.reason for gap in stand.node.gaps()] == ["The camera sends MJPEG."]
    assert stand.frames() == 50


def test_a_senseless_packet_costs_a_reconnection_and_not_the_recording(stand: Stand) -> None:
    stand.feed.give(1)
    stand.feed.to_keyframe()
    stand.start()
    stand.feed.give(20)
    _, packets = clip("or1-ceiling")
    opened = stand.feed.opened
    stand.feed.put(replace(packets[0], data=b"\x00\x00\xff\xff\x01", begins=None))
    eventually(lambda: stand.feed.opened > opened, "the camera is opened again")
    assert camera_module.LATER_S not in stand.clock.slept_s
    stand.feed._items.task_done()  # its iterator was closed in the middle
    stand.clock.us += 5 * US_PER_S
    stand.feed._at += 75
    stand.feed.to_keyframe()
    stand.feed._fresh = True
    stand.feed.give(30)
    stand.camera.stop("run-1")
    assert stand.frames() == 50
    (gap,) = stand.node.gaps()
    assert "unknown" not in gap.reason and "nothing is known" not in gap.reason


def test_a_restarted_camera_goes_on_in_its_run(stand: Stand) -> None:
    stand.start()
    stand.feed.give(60)
    eventually(lambda: len(stand.node.stored()) == 1, "a segment is durable")
    eventually(lambda: stand.camera.status().segments == 1, "and counted")
    # A new process: what was being cut (30 pictures) went with the old one, whose reader takes nothing more.
    old, stand.feed = stand.feed, Feed(stand.clock)
    stand.feed._at = old._at + 75
    stand.clock.us += 5 * US_PER_S
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(camera_module, "open_source", stand.feed)
        stand.camera = make_camera(stand.node, stand.clock)
        stand.feed.give(30)
        eventually(lambda: stand.state() == "recording", "it records by itself")
        stand.feed.give(30)
        stand.camera.stop("run-1")
    stored = stand.node.stored()
    assert [record.header.meta.sequence for record in stored] == list(range(len(stored)))
    (gap,) = stand.node.gaps()
    assert gap.from_us == stored[0].header.meta.end_us and gap.to_us == stored[1].header.meta.start_us
    assert OrderStore(stand.node.orders).load("or1-ceiling") is None


def test_a_camera_restarted_after_the_clock_was_set_back_goes_on_behind_what_it_recorded(
    stand: Stand,
) -> None:
    stand.start()
    stand.feed.give(60)
    eventually(lambda: stand.camera.status().segments == 1, "a segment is durable")
    stand.clock.us -= 3600 * US_PER_S
    stand.feed = Feed(stand.clock)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(camera_module, "open_source", stand.feed)
        stand.camera = make_camera(stand.node, stand.clock)
        eventually(lambda: stand.camera.status().run_id == "run-1", "the run is taken up")
        stand.feed.give(40)
        stand.camera.stop("run-1")
    stored = [record.header.meta for record in stand.node.stored()]
    assert len(stored) == 3
    assert all(after.start_us >= before.end_us for before, after in pairwise(stored))


def test_the_first_keyframe_is_kept_when_the_camera_comes_up_while_the_order_is_taken(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    OrderStore(stand.node.orders).save(order())
    cut, taken = CameraActor._cut, threading.Event()

    def late(self: CameraActor, on: bool) -> None:
        assert not on or taken.wait(5)
        cut(self, on)

    monkeypatch.setattr(CameraActor, "_cut", late)
    feed = Feed(stand.clock)
    monkeypatch.setattr(camera_module, "open_source", feed)
    camera = make_camera(stand.node, stand.clock)
    eventually(lambda: camera.status().run_id == "run-1", "the order is taken")
    feed.give(10)
    taken.set()
    feed.give(20)
    camera.stop("run-1")
    assert stand.frames() == 30


def test_several_runs_follow_each_other(stand: Stand) -> None:
    for attempt in range(3):
        run = f"run-{attempt}"
        stand.start(run, epoch=attempt + 1)
        stand.feed.give(15)
        stand.camera.stop(run)
        assert sum(r.header.meta.frames for r in stand.node.stored(run)) == 15, run


def test_an_outdated_order_is_refused_and_leaves_the_camera_idle(stand: Stand) -> None:
    stand.feed.give(1)
    stand.start("run-2", epoch=2)
    stand.camera.stop("run-2")
    with pytest.raises(OrvaultError) as caught:
        stand.start("run-1", epoch=1)
    assert caught.value.kind is ErrorKind.CONFLICT and stand.state() == "idle"


def test_a_file_plays_as_a_camera_does(tmp_path: Path) -> None:
    class Brief(FakeClock):
        """Time flies with the file, up to half a minute after the start."""

        def sleep(self, seconds: float) -> None:
            if self.us - START_US > 30 * US_PER_S:
                threading.Event().wait()
            super().sleep(seconds)

    node = make_node(tmp_path)
    OrderStore(node.orders).save(order(camera_id="or1-wall"))
    feed = camera_feed(node, camera_id="or1-wall", source=f"file:{CAMERAS / 'or1-wall.mp4'}")
    camera = CameraActor(feed, node.keeper, Brief())
    # The file needs no time here: fragments may come faster than they are sealed, and then there are gaps.
    eventually(lambda: camera.status().segments >= 3, "it records")
    camera.stop("run-1")
    first = node.stored()[0].header.meta
    assert first.codec == "hevc" and first.frames == 30
    with av.open(str(CAMERAS / "or1-wall.mp4")) as recorded:
        assert recorded.streams.video[0].codec_context.name == "hevc"


def test_a_password_is_read_from_its_file_when_the_camera_is_opened_and_is_not_shown(tmp_path: Path) -> None:
    node = make_node(tmp_path)
    secret = tmp_path / "camera.password"
    feed = camera_feed(node, username="viewer", password_file=secret)
    with pytest.raises(OrvaultError) as caught:
        feed.address()
    assert caught.value.kind is ErrorKind.BAD_SETTINGS and str(secret) in str(caught.value)
    secret.write_text("Topsecret-9\n")
    secret.chmod(0o600)
    address = feed.address()
    assert address.password == "Topsecret-9"
    assert "Topsecret" not in repr(address) + repr(feed)


def test_the_order_on_disk_opens_nothing(stand: Stand) -> None:
    stand.start()
    data = b"".join(path.read_bytes() for path in stand.node.orders.iterdir())
    assert case_key().raw not in data and b"run-1" in data
