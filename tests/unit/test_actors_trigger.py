"""From a foot or a hand to recorders that start and stop: real ports, real decoding, custody over a real ledger."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from serial import Serial

from actors import gesture_eye
from actors.feedback import Feedback, FeedbackPlan, HttpLamp, SerialLamp, Sign
from actors.gesture_eye import GestureEye
from actors.signalling import WAITING, Signaller
from actors.trigger import TriggerActor, TriggerPlan
from orvault.clock import US_PER_S, FakeClock, SystemClock
from orvault.custody.control import Action, Signal, SignalKind, SignalSource
from orvault.custody.ports import TroubleKind
from orvault.custody.service import CustodyService, SignalOutcome
from orvault.errors import ErrorKind, OrvaultError
from orvault.recording.pedal import PedalMode, PedalRules
from orvault.recording.pedal_messages import Patterns
from orvault.recording.serial_pedal import PedalWiring, PortPlace
from orvault.video.codec import Image
from orvault.video.file import PacedFile
from orvault.video.packet import PacketSource
from orvault.video.sparse import SparsePictures
from orvault.vision.gesture import Hand, Raise
from tests.fakes import World, cheap_passwords, make_world, sqlite_url
from tests.unit.actors_support import CAMERAS, CalmClock, away, clip, eventually
from tests.unit.listeners import HttpRecorder, free_port

CLIP = CAMERAS / "or1-ceiling.mp4"


@dataclass
class Cable:
    """A serial cable: `device` is one end, the test holds the other."""

    device: str
    ends: tuple[int, int]

    def say(self, data: bytes) -> None:
        os.write(self.ends[0], data)

    def hear(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            data += os.read(self.ends[0], count - len(data))
        return data


@pytest.fixture
def cable(tmp_path: Path) -> Iterator[Cable]:
    # By a name that is never used again: the last test's reader is still looking for its pedal.
    ends, device = os.openpty(), tmp_path / "tty"
    device.symlink_to(os.ttyname(ends[1]))
    yield Cable(str(device), ends)
    device.unlink()
    for end in ends:
        os.close(end)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A world whose clock is the system's: pedals live in real time."""
    made = make_world(sqlite_url(tmp_path))
    parts = (made.recorders, made.case_keys, made.renderers, cheap_passwords())
    made.custody = CustodyService(made.ledger.uow, SystemClock(), *parts)
    return made


def pedal_plan(cable: Cable, mode: PedalMode = PedalMode.MAINTAINED, **more: object) -> TriggerPlan:
    patterns = Patterns("1", "0") if mode is PedalMode.MAINTAINED else Patterns("p")
    rules = PedalRules(mode, 5000, tells_positions=False)
    wiring = PedalWiring(PortPlace(cable.device), rules, messages=patterns)
    return TriggerPlan("OR 1", wiring, "foot-1", **more)  # type: ignore[arg-type]


def started(plan: TriggerPlan, control: object) -> TriggerActor:
    actor = TriggerActor(plan, control, SystemClock())  # type: ignore[arg-type]
    eventually(lambda: not actor.status().troubles, "the pedal is there")
    return actor


def test_a_foot_starts_the_room_and_its_stop_waits_to_be_confirmed(world: World, cable: Cable) -> None:
    world.armed_case()
    started(pedal_plan(cable), world.custody)
    cable.say(b"1\n")
    eventually(lambda: set(world.recorders.orders) == {"or1-wall", "or1-lamp"}, "the room records")
    cable.say(b"0\n")
    eventually(lambda: world.acts().count("signal-heard") == 2, "the stop is heard")
    assert set(world.recorders.orders) == {"or1-wall", "or1-lamp"}  # until its dwell is over
    with world.ledger.uow(read_only=True) as uow:
        (stop,) = uow.signals.waiting()
    assert (stop.source, stop.device, stop.room) == (SignalSource.PEDAL, "foot-1", "OR 1")


def test_a_foot_records_nobody_without_an_armed_case(world: World, cable: Cable) -> None:
    started(pedal_plan(cable), world.custody)
    cable.say(b"1\n")
    eventually(lambda: "signal-heard" in world.acts(), "it is heard")
    assert world.recorders.orders == {}


def test_a_pedal_that_is_pulled_out_says_so_and_since_when(tmp_path: Path) -> None:
    (ours, theirs), device = os.openpty(), tmp_path / "pulled"
    device.symlink_to(os.ttyname(theirs))
    actor = started(pedal_plan(Cable(str(device), (ours, theirs))), Server())
    before_us = SystemClock().now_us()
    device.unlink()
    for end in (theirs, ours):
        os.close(end)  # hangs up: whoever reads the port is told
    eventually(lambda: len(actor.status().troubles) == 1, "it is missed")
    (trouble,) = actor.status().troubles
    assert (trouble.kind, trouble.device) == (TroubleKind.PEDAL_LOST, "foot-1")
    assert before_us <= trouble.since_us <= SystemClock().now_us() and trouble.detail


def test_a_momentary_pedal_goes_by_what_the_room_does(world: World, cable: Cable) -> None:
    case = world.armed_case()
    actor = started(pedal_plan(cable, PedalMode.MOMENTARY, dwell_us=None), world.custody)
    world.custody.start_recording(world.manager, case.case_id)  # by a person, who did not ask the pedal
    actor.follow()
    cable.say(b"p\n")
    eventually(lambda: "signal-heard" in world.acts(), "a stop, which a second press confirms")
    eventually(lambda: actor._reader is not None and actor._reader.pedal._on, "the room still records")
    with world.ledger.uow(read_only=True) as uow:
        (stop,) = uow.signals.waiting()
    assert stop.kind is SignalKind.STOP


@dataclass
class Server:
    """Recording control that can be away; remembers what it was told."""

    down: bool = False
    refuses: bool = False
    told: list[Signal] = field(default_factory=list)
    room_records: bool = False

    def signal(self, signal: Signal) -> SignalOutcome:
        if self.down:
            raise away("The server")
        self.told.append(signal)
        if self.refuses:
            raise OrvaultError(ErrorKind.BAD_REQUEST, "This is no signal.")
        return SignalOutcome(signal.signal_id, True, Action.START, "")

    def records(self, room: str) -> bool:
        if self.down:
            raise away("The server")
        return self.room_records


def test_signals_that_nobody_takes_are_offered_again_with_their_own_time(
    cable: Cable, caplog: pytest.LogCaptureFixture
) -> None:
    server = Server(down=True)
    before_us = SystemClock().now_us()
    actor = started(pedal_plan(cable), server)
    cable.say(b"1\n")
    eventually(lambda: "does not answer" in caplog.text, "it is said aloud")
    cable.say(b"0\n")
    eventually(lambda: actor.waiting == 1, "the stop waits behind the start")
    after_us = SystemClock().now_us()
    server.down = False
    eventually(lambda: len(server.told) == 2, "both are heard")
    assert [signal.kind for signal in server.told] == [SignalKind.START, SignalKind.STOP]
    assert all(before_us < signal.at_us < after_us for signal in server.told)
    assert server.told[0].signal_id != server.told[1].signal_id


def signal(number: int) -> Signal:
    return Signal(f"s-{number}", "OR 1", SignalKind.START, SignalSource.PEDAL, "foot-1", number)


def test_waiting_signals_are_bounded_and_the_newest_stay(caplog: pytest.LogCaptureFixture) -> None:
    server, clock = Server(down=True), CalmClock()
    heard: list[str] = []
    signaller = Signaller(server, clock, lambda one, _outcome: heard.append(one.signal_id))
    signaller.put(signal(0))
    eventually(lambda: signaller.waiting == 0, "the first is being offered")
    for number in range(1, WAITING + 4):
        signaller.put(signal(number))
    assert signaller.waiting == WAITING
    server.down = False
    eventually(lambda: len(heard) == WAITING + 1, "the rest is heard")
    assert heard == ["s-0", *(f"s-{number}" for number in range(4, WAITING + 4))]
    assert caplog.text.count("never heard") == 3


def test_a_signal_that_is_not_taken_holds_up_none_after_it(caplog: pytest.LogCaptureFixture) -> None:
    server = Server(refuses=True)
    heard: list[str] = []
    signaller = Signaller(server, CalmClock(), lambda one, _outcome: heard.append(one.signal_id))
    signaller.put(signal(1))
    eventually(lambda: "is not taken" in caplog.text, "it is said aloud")
    server.refuses = False
    signaller.put(signal(2))
    eventually(lambda: heard == ["s-2"], "the next is heard")


def test_hands_become_signals_with_evidence_and_no_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    from actors.camera import CameraFeed
    from actors.trigger import GesturePlan
    from orvault.vision.gesture import GestureRules

    class TwoHands:
        """Sees the right hand in the third picture, the left one in the fifth."""

        looks = 0

        def look(self, frame_bgr: Image, at_us: int) -> Sequence[Raise]:
            assert frame_bgr.shape[2] == 3
            self.looks += 1
            hand = {3: Hand.RIGHT, 5: Hand.LEFT}.get(self.looks)
            points = np.full((17, 3), 0.5, np.float32)
            return [] if hand is None else [Raise(hand, at_us, at_us - US_PER_S, 4, 0.9, points)]

    monkeypatch.setattr(GesturePlan, "open_watcher", lambda _self: TwoHands())
    feed = CameraFeed("or1-ceiling", "node-1", f"file:{CLIP}", "", None, 5.0, Path("unused"))
    server = Server()
    plan = GesturePlan(feed, GestureRules(), Path("unused"), 1, 15.0)
    TriggerActor(TriggerPlan("OR 1", gesture=plan), server, SystemClock())
    eventually(lambda: len(server.told) == 2, "two signals")
    start, stop = server.told
    assert (start.kind, stop.kind) == (SignalKind.START, SignalKind.STOP)
    assert (start.source, start.device, start.confidence) == (SignalSource.GESTURE, "or1-ceiling", 0.9)
    assert start.evidence["keypoints"] == [[0, 0, 500]] * 17
    assert start.evidence["hand"] == "right" and start.evidence["track"] == 4


def trouble(eye: GestureEye) -> tuple[TroubleKind | None, str]:
    found = eye.trouble
    return (None, "") if found is None else (found.kind, found.detail)


def test_an_eye_that_cannot_look_says_so_and_tries_again(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = [OrvaultError(ErrorKind.BAD_MODEL, "The file is no usable ONNX model.")]
    opened = threading.Event()

    class Watcher:
        def look(self, frame_bgr: Image, at_us: int) -> Sequence[Raise]:
            if not opened.is_set():
                opened.set()
                raise OrvaultError(ErrorKind.UNAVAILABLE, "The model failed on a picture.")
            return []

    def open_watcher() -> Watcher:
        for error in broken:
            raise error
        return Watcher()

    def open_source() -> PacketSource:
        return PacedFile(CLIP, SystemClock(), True)

    monkeypatch.setattr(gesture_eye, "LATER_S", 0.01)
    eye = GestureEye("or1-ceiling", open_source, open_watcher, SystemClock(), lambda _raised: None)
    eventually(lambda: trouble(eye)[1] == "The file is no usable ONNX model.", "the model is not usable")
    assert trouble(eye)[0] is TroubleKind.GESTURES_FAILING
    broken.clear()
    eventually(opened.is_set, "it looks")
    eventually(lambda: eye.trouble is None, "all is well")


def test_a_model_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    class Hangs:
        def look(self, frame_bgr: Image, at_us: int) -> Sequence[Raise]:
            over.wait()
            return []

    monkeypatch.setattr(gesture_eye, "STUCK_US", US_PER_S)
    source = lambda: PacedFile(CLIP, SystemClock(), True)  # noqa: E731 - it is one
    eye = GestureEye("or1-ceiling", source, Hangs, SystemClock(), lambda _raised: None)
    eventually(lambda: trouble(eye) == (TroubleKind.GESTURES_FAILING, "The model does not answer."), "told")
    over.set()
    eventually(lambda: eye.trouble is None, "it answers again")


def test_a_camera_that_is_away_blinds_the_eye_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    def open_source() -> PacketSource:
        raise OrvaultError(ErrorKind.CAMERA_UNREACHABLE, "The camera cannot be reached.")

    class Nobody:
        def look(self, frame_bgr: Image, at_us: int) -> Sequence[Raise]:
            raise AssertionError("there is no picture")

    clock = CalmClock()
    eye = GestureEye("or1-ceiling", open_source, Nobody, clock, lambda _raised: None)
    eventually(lambda: len(clock.slept_s) > 20, "many attempts")
    clock.over = True
    assert trouble(eye) == (TroubleKind.GESTURES_BLIND, "The camera cannot be reached.")
    assert eye.trouble is not None and eye.trouble.since_us <= clock.now_us()
    assert caplog.text.count("are not seen") == 1


def test_only_the_newest_picture_waits() -> None:
    newest = gesture_eye._Newest()
    for number in range(5):
        newest.put((np.zeros((1, 1, 3), np.uint8), number))
    assert newest.take()[1] == 4 and newest._picture is None


@pytest.mark.parametrize("per_s", [2.0, 5.0, 7.5])
def test_so_many_pictures_a_second_come_at_even_times(per_s: float) -> None:
    info, packets = clip("or1-ceiling")
    pictures = SparsePictures(per_s)
    start = packets[0].pts_90k
    found = [
        picture
        for packet in packets
        if (picture := pictures.feed(packet, (packet.pts_90k - start) * 100 // 9)) is not None
    ]
    seconds = (packets[-1].pts_90k - start) / 90_000
    assert abs(len(found) - seconds * per_s) <= 2
    assert all(bgr.shape == (info.height, info.width, 3) for bgr, _ in found)
    steps = np.diff([at_us for _, at_us in found]) / US_PER_S
    assert steps.min() > 0 and abs(steps.mean() - 1 / per_s) < 0.02


def test_pictures_that_are_sent_out_of_order_have_times_in_order() -> None:
    source = PacedFile(CAMERAS.parent / "raise_right.mp4", FakeClock(), loop=False)
    packets = tuple(source)
    source.close()
    assert any(later.pts_90k < packet.pts_90k for packet, later in pairwise(packets)), "else nothing is shown"
    pictures = SparsePictures(5.0)
    found = [pictures.feed(packet, place * US_PER_S // 15) for place, packet in enumerate(packets)]
    times = [picture[1] for picture in found if picture is not None]
    assert times == sorted(set(times)) and abs(len(times) - 5 * len(packets) / 15) <= 2
    again = [pictures.feed(packet, place * US_PER_S // 15) for place, packet in enumerate(packets)]
    assert sum(picture is not None for picture in again) > 30, "the clock was set back"


def test_damage_costs_pictures_up_to_the_next_keyframe_only() -> None:
    _, packets = clip("or1-ceiling")
    pictures = SparsePictures(60.0)
    keys = [place for place, packet in enumerate(packets) if packet.keyframe]
    assert len(keys) >= 3
    broken = range(keys[0] + 1, keys[0] + 4)
    shown: list[int] = []
    for place, packet in enumerate(packets):
        data = os.urandom(200) if place in broken else packet.data
        sent = type(packet)(data, packet.pts_90k, packet.dts_90k, packet.keyframe, packet.begins)
        if pictures.feed(sent, place * US_PER_S) is not None:
            shown.append(place)
    assert any(place >= keys[1] for place in shown)


@pytest.fixture
def lamp() -> Iterator[HttpRecorder]:
    recorder = HttpRecorder()
    recorder.start()
    yield recorder
    recorder.kill()


def test_a_serial_lamp_shows_a_sign_and_is_cleared(cable: Cable) -> None:
    words = {Sign.STARTED: "\xa0\x01\x01\xa2", Sign.REFUSED: ""}
    plan = FeedbackPlan(SerialLamp(PortPlace(cable.device)), words, "\xa0\x01\x00\xa1")
    feedback = Feedback("OR 1", plan, FakeClock())
    feedback.show(Sign.REFUSED)  # has no word
    feedback.show(Sign.STARTED)
    assert cable.hear(8) == b"\xa0\x01\x01\xa2\xa0\x01\x00\xa1"


class PulledPort(PortPlace):
    """A serial port whose other end, a descriptor, is closed behind the first bytes that were written."""

    other_end: ClassVar[int]

    def open(self) -> Serial:
        port = super().open()
        write = port.write

        def last(data: bytes) -> int | None:
            written: int | None = write(data)
            os.close(self.other_end)
            return written

        port.write = last
        return port


def test_a_lamp_that_is_pulled_while_its_bytes_go_out_is_away() -> None:
    ours, theirs = os.openpty()
    PulledPort.other_end = ours
    try:
        with pytest.raises(OrvaultError) as caught:
            SerialLamp(PulledPort(os.ttyname(theirs))).send("x")
    finally:
        os.close(theirs)
    assert caught.value.kind is ErrorKind.UNAVAILABLE


def test_a_lamp_that_is_away_is_said_aloud_and_holds_up_nobody(
    cable: Cable, caplog: pytest.LogCaptureFixture
) -> None:
    server = Server()
    dead = HttpLamp(f"http://127.0.0.1:{free_port()}/?{{word}}")
    plan = pedal_plan(cable, feedback=FeedbackPlan(dead, {sign: "x" for sign in Sign}))
    with caplog.at_level(logging.ERROR):
        started(plan, server)
        cable.say(b"1\n0\n")
        cable.say(b"1\n")
        eventually(lambda: server.told, "the signal is heard")
        eventually(lambda: "feedback 'started' is not shown" in caplog.text, "the lamp's failure")


def test_a_lamp_over_http_gets_its_word_in_the_url(lamp: HttpRecorder) -> None:
    HttpLamp(f"http://127.0.0.1:{lamp.port}/relay?{{word}}").send("color=gréen&x=/")
    assert len(lamp.received) == 1
    lamp.answers.append(500)
    with pytest.raises(OrvaultError):
        HttpLamp(f"http://127.0.0.1:{lamp.port}/relay?{{word}}").send("x")
