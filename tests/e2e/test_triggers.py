"""A foot starts and stops a running site's room; lamp and outside recorders follow, whatever is killed meanwhile."""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import pytest

from cluster.client import ApiClient
from tests.e2e.site import Site, armed_case, eventually
from tests.unit.listeners import HttpRecorder, TcpRecorder

CAMERAS = Path(__file__).parents[1] / "media" / "cameras"


@dataclass
class Room:
    """A site whose room has a pedal, a lamp, and two recorders that are told of it."""

    site: Site
    pedal: int  # our end of its cable
    lamp: HttpRecorder
    webhook: HttpRecorder
    line: TcpRecorder

    def events(self) -> list[str]:
        """What the webhook was told, repeats left out: camera and state."""
        bodies = [json.loads(request.body) for request in self.webhook.received]
        once = {body["id"]: f"{body['camera']} {body['kind']}" for body in bodies}
        return list(once.values())

    def segments(self) -> int:
        return len(list((self.site.data / "segments").rglob("*.seg")))


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    lamp, webhook, line = HttpRecorder(), HttpRecorder(), TcpRecorder()
    ours, theirs = os.openpty()
    cable = tmp_path / "pedal"
    cable.symlink_to(os.ttyname(theirs))
    patterns = {"port": str(cable), "pressed": "1", "released": "0", "name": "foot-1"}
    signs = {"url": f"http://127.0.0.1:{lamp.port}/?{{word}}", "started": "green", "waiting": "yellow"}
    site = Site(
        tmp_path,
        [{"id": name, "source": f"file:{CAMERAS / name}.mp4"} for name in ("or1-ceiling", "or1-wall")],
        triggers=[{"room": "OR-1", "pedal": patterns, "feedback": signs}],
        events=[
            {
                "name": "hook",
                "kind": "webhook",
                "url": f"http://127.0.0.1:{webhook.port}/",
                "secret_file": "keys/hook",
            },
            {
                "name": "zm",
                "kind": "tcp",
                "host": "127.0.0.1",
                "port": line.port,
                "template": "{channel}|{state}|255|OR Vault|{room}|{run}",
                "channels": {"or1-wall": "3"},
            },
        ],
        control={"dwell_s": 0.5},
    )
    site.set_up()
    secret = site.data / "keys" / "hook"
    secret.touch(mode=0o600)
    secret.write_text("whsec_" + base64.b64encode(secrets.token_bytes(32)).decode())
    for recorder in (lamp, webhook, line):
        recorder.start()
    try:
        site.up()
        yield Room(site, ours, lamp, webhook, line)
    finally:
        site.down()
        for recorder in (lamp, webhook, line):
            recorder.kill()
        for end in (ours, theirs):
            os.close(end)


def test_a_foot_starts_and_stops_a_room_through_kills(room: Room) -> None:
    asker: ApiClient = room.site.client("asker")
    armed_case(asker, "E2E-PEDAL")

    os.write(room.pedal, b"1\n")
    eventually(lambda: asker.get("/rooms/OR-1")["phase"] == "recording", 30)
    eventually(lambda: len(room.events()) == 2 and len(room.line.lines) == 1, 30)
    assert sorted(room.events()) == ["or1-ceiling recording-on", "or1-wall recording-on"]
    assert room.line.lines[0].startswith("3|on|255|OR Vault|OR-1|")
    eventually(lambda: room.lamp.received, 10)

    room.webhook.kill()
    room.site.kill("ray::NoticeActor")
    room.site.kill("ray::TriggerActor")
    before = room.segments()
    eventually(lambda: room.segments() >= before + 2, 30)  # recording has nothing to do with either
    eventually(
        lambda: room.site.processes("ray::TriggerActor") and room.site.processes("ray::NoticeActor"), 60
    )

    # Until its reader is back nobody hears it; a release is left alone until its dwell is over.
    feet = cycle((b"1\n", b"0\n", *[b""] * 10))

    def released() -> bool:
        os.write(room.pedal, next(feet))
        return asker.get("/rooms/OR-1")["phase"] == "stopped"

    eventually(released, 60)
    room.webhook.start()
    eventually(lambda: len(room.events()) >= 4 and len(room.line.lines) >= 2, 90)
    ids = [json.loads(request.body)["number"] for request in room.webhook.received]
    assert sorted(set(ids)) == list(dict.fromkeys(ids)), "an event came before an older one"
    assert sorted(room.events()[2:4]) == ["or1-ceiling recording-off", "or1-wall recording-off"]
    assert "|off|" in room.line.lines[1]
