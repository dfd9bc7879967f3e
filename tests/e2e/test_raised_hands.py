"""Raised hands before a real camera, seen by the real models in the trigger's own process, start and stop a room."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.client import ApiClient
from tests import rtsp
from tests.e2e.site import Site, armed_case, eventually

MEDIA = Path(__file__).parents[1] / "media"


class Operation:
    """A site with one room, whose camera shows one clip over and over until it shows another."""

    def __init__(self, folder: Path) -> None:
        self.camera = self._camera("raise_right", 0)
        source = {"id": "ceiling", "source": self.camera.url("room")}
        triggers = [{"room": "OR-1", "gesture": {"camera": "ceiling"}}]
        self.site = Site(folder, [source], triggers=triggers, control={"stop_by_gesture": "second-signal"})

    def show(self, clip: str) -> None:
        """The same camera goes away and comes back, and looks at something else."""
        self.camera.kill()
        self.camera = self._camera(clip, self.camera.port)

    def _camera(self, clip: str, port: int) -> rtsp.RtspCameras:
        return rtsp.start({"room": MEDIA / f"{clip}.mp4"}, port=port)


@pytest.fixture
def operation(tmp_path: Path) -> Iterator[Operation]:
    made = Operation(tmp_path)
    try:
        made.site.set_up()
        made.site.up()
        try:
            yield made
        finally:
            made.site.down()
    finally:
        made.camera.stop()


def heard(officer: ApiClient) -> list[dict[str, Any]]:
    """The signals in history, the oldest first."""
    return [entry["detail"] for entry in reversed(officer.get("/history", act="signal-heard"))]


def test_the_right_hand_starts_the_room_and_the_left_hand_raised_twice_stops_it(operation: Operation) -> None:
    asker, officer = operation.site.client("asker"), operation.site.client("approver")
    case_id = armed_case(asker, "E2E-HANDS")
    room: dict[str, Any] = {}

    def look() -> dict[str, Any]:
        room.update(asker.get("/rooms/OR-1"))
        return room

    eventually(lambda: look()["phase"] == "recording", 40)
    start = heard(officer)[-1]
    assert (start["kind"], start["source"], start["accepted"]) == ("start", "gesture", True)
    assert start["evidence"]["hand"] == "right" and len(start["evidence"]["keypoints"]) == 17

    operation.show("raise_left")
    eventually(lambda: look()["waiting"], 40)
    assert (room["phase"], room["waiting"][0]["source"]) == ("recording", "gesture")
    eventually(lambda: look()["phase"] == "stopped", 20)
    assert {stop["evidence"]["hand"] for stop in heard(officer) if stop["kind"] == "stop"} == {"left"}
    (reason,) = room["pending_reasons"]
    assert (reason["case_id"], reason["reason"]) == (case_id, None)
    (run,) = asker.get("/recordings", case_id=case_id)
    assert run["segments"] > 0 and not run["recording"]
