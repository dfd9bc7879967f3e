"""Recording without hands on anything: a foot in one room, raised hands before a real camera in another.

Lamp and outside recorders follow, whatever is killed meanwhile; hands are seen by the real models in the trigger's
own process.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from cluster.client import ApiClient
from tests import rtsp
from tests.e2e.site import Site, armed_case, eventually
from tests.unit.listeners import HttpRecorder, TcpRecorder

MEDIA = Path(__file__).parents[1] / "media"
FEET, HANDS = "OR-1", "OR-2"  # the rooms
TRIGGERS = 2  # a process each


class Eye:
    """A camera that shows one clip over and over until it shows another."""

    def __init__(self, clip: str) -> None:
        self._server = self._begin(clip, 0)
        self.url = self._server.url("room")

    def show(self, clip: str) -> None:
        """It goes away and comes back, and looks at something else."""
        self._server.kill()
        self._server = self._begin(clip, self._server.port)

    def stop(self) -> None:
        self._server.stop()

    def _begin(self, clip: str, port: int) -> rtsp.RtspCameras:
        return rtsp.start({"room": MEDIA / f"{clip}.mp4"}, port=port)


@dataclass
class Outside:
    """What a site's rooms are wired to: a pedal's cable, a camera that sees hands, a lamp, two recorders."""

    pedal: int  # our end of its cable
    port: str  # the site's end
    eye: Eye
    lamp: HttpRecorder
    webhook: HttpRecorder
    line: TcpRecorder

    def events(self) -> list[str]:
        """What the webhook was told of the pedal's room, repeats left out: camera and state."""
        bodies = [json.loads(request.body) for request in self.webhook.received]
        once = {body["id"]: f"{body['camera']} {body['kind']}" for body in bodies}
        return [words for words in once.values() if words.startswith("or1-")]


@contextmanager
def outside(folder: Path) -> Iterator[Outside]:
    ours, theirs = os.openpty()
    cable = folder / "pedal"
    cable.symlink_to(os.ttyname(theirs))
    recorders = (HttpRecorder(), HttpRecorder(), TcpRecorder())
    eye = Eye("raise_right")
    for recorder in recorders:
        recorder.start()
    try:
        yield Outside(ours, str(cable), eye, *recorders)
    finally:
        eye.stop()
        for recorder in recorders:
            recorder.kill()
        for end in (ours, theirs):
            os.close(end)


@dataclass
class Rooms:
    """A running site, and what it is wired to."""

    site: Site
    outside: Outside

    def segments(self) -> int:
        return len(list((self.site.data / "segments").rglob("*/or1-*/*/*.seg")))


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rooms]:
    folder = tmp_path_factory.mktemp("rooms")
    with outside(folder) as wired:
        made = wired_site(folder, wired)
        made.set_up()
        secret = made.data / "keys" / "hook"
        secret.touch(mode=0o600)
        secret.write_text("whsec_" + base64.b64encode(secrets.token_bytes(32)).decode())
        made.up()
        try:
            yield Rooms(made, wired)
        finally:
            made.down()


def wired_site(folder: Path, wired: Outside) -> Site:
    patterns = {"port": wired.port, "pressed": "1", "released": "0", "name": "foot-1"}
    signs = {"url": f"http://127.0.0.1:{wired.lamp.port}/?{{word}}", "started": "green", "waiting": "yellow"}
    cameras = {name: f"file:{MEDIA / 'cameras' / name}.mp4" for name in ("or1-ceiling", "or1-wall")}
    return Site(
        folder,
        [
            *({"id": name, "room": FEET, "source": source} for name, source in cameras.items()),
            {"id": "or2-ceiling", "room": HANDS, "source": wired.eye.url},
        ],
        triggers=[
            {"room": FEET, "pedal": patterns, "feedback": signs},
            {"room": HANDS, "gesture": {"camera": "or2-ceiling"}},
        ],
        events=[
            {
                "name": "hook",
                "kind": "webhook",
                "url": f"http://127.0.0.1:{wired.webhook.port}/",
                "secret_file": "keys/hook",
            },
            {
                "name": "zm",
                "kind": "tcp",
                "host": "127.0.0.1",
                "port": wired.line.port,
                "template": "{channel}|{state}|255|OR Vault|{room}|{run}",
                "channels": {"or1-wall": "3"},
            },
        ],
        control={"dwell_s": 0.5, "stop_by_gesture": "second-signal"},
    )


def test_a_foot_starts_and_stops_a_room_through_kills(rooms: Rooms) -> None:
    wired, asker = rooms.outside, rooms.site.client("asker")
    armed_case(asker, "E2E-PEDAL", FEET)

    os.write(wired.pedal, b"1\n")
    eventually(lambda: asker.get(f"/rooms/{FEET}")["phase"] == "recording", 30)
    eventually(lambda: len(wired.events()) == 2 and len(wired.line.lines) == 1, 30)
    assert sorted(wired.events()) == ["or1-ceiling recording-on", "or1-wall recording-on"]
    assert wired.line.lines[0].startswith("3|on|255|OR Vault|OR-1|")
    eventually(lambda: wired.lamp.received, 10)

    wired.webhook.kill()
    rooms.site.kill("ray::NoticeActor")
    assert len(rooms.site.kill("ray::TriggerActor", many=True)) == TRIGGERS
    before = rooms.segments()
    eventually(lambda: rooms.segments() >= before + 2, 30)  # recording has nothing to do with either
    eventually(
        lambda: (
            len(rooms.site.processes("ray::TriggerActor")) == TRIGGERS
            and rooms.site.processes("ray::NoticeActor")
        ),
        60,
    )

    # Until its reader is back nobody hears it; a release is left alone until its dwell is over.
    feet = cycle((b"1\n", b"0\n", *[b""] * 10))

    def released() -> bool:
        os.write(wired.pedal, next(feet))
        return asker.get(f"/rooms/{FEET}")["phase"] == "stopped"

    eventually(released, 60)
    wired.webhook.start()
    eventually(lambda: len(wired.events()) >= 4 and len(wired.line.lines) >= 2, 90)
    ids = [json.loads(request.body)["number"] for request in wired.webhook.received]
    assert sorted(set(ids)) == list(dict.fromkeys(ids)), "an event came before an older one"
    assert sorted(wired.events()[2:4]) == ["or1-ceiling recording-off", "or1-wall recording-off"]
    assert "|off|" in wired.line.lines[1]


def heard(officer: ApiClient) -> list[dict[str, Any]]:
    """What was heard of hands, by history, the oldest first."""
    found = [entry["detail"] for entry in reversed(officer.get("/history", act="signal-heard"))]
    return [detail for detail in found if detail["source"] == "gesture"]


def test_the_right_hand_starts_the_room_and_the_left_hand_raised_twice_stops_it(rooms: Rooms) -> None:
    asker, officer = rooms.site.client("asker"), rooms.site.client("approver")
    case_id = armed_case(asker, "E2E-HANDS", HANDS)
    room: dict[str, Any] = {}

    def look() -> dict[str, Any]:
        room.update(asker.get(f"/rooms/{HANDS}"))
        return room

    eventually(lambda: look()["phase"] == "recording", 40)
    start = next(signal for signal in reversed(heard(officer)) if signal["accepted"])
    assert start["kind"] == "start"
    assert start["evidence"]["hand"] == "right" and len(start["evidence"]["keypoints"]) == 17

    rooms.outside.eye.show("raise_left")
    eventually(lambda: look()["waiting"], 40)
    assert (room["phase"], room["waiting"][0]["source"]) == ("recording", "gesture")
    eventually(lambda: look()["phase"] == "stopped", 20)
    assert {stop["evidence"]["hand"] for stop in heard(officer) if stop["kind"] == "stop"} == {"left"}
    (reason,) = room["pending_reasons"]
    assert (reason["case_id"], reason["reason"]) == (case_id, None)
    (run,) = asker.get("/recordings", case_id=case_id)
    assert run["segments"] > 0 and not run["recording"]
