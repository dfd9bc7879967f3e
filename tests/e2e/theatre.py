"""A site of two nodes in which everything may be killed: one camera records all the while, another is for use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cluster.client import ApiClient
from tests.e2e.killing import Watched
from tests.e2e.nodes import free_port, two_nodes
from tests.e2e.site import PROJECT, Site, armed_case
from tests.rtsp import rtsp_cameras
from tests.unit.listeners import TcpRecorder, ended

CLIPS = PROJECT / "tests/media/cameras"
WATCHED_ROOM, WATCHED = "OR-1", "ceiling"
SPARE_ROOM, SPARE = "OR-2", "wall"


@dataclass
class Theatre:
    """A running site with a camera that records all the while, and a second room with a pedal where things happen."""

    watched: Watched
    asker: ApiClient
    approver: ApiClient
    pedal: int  # our end of its cable
    recorder: TcpRecorder  # outside, told of the spare room
    case_id: str  # the spare room's first case
    requests: list[str] = field(default_factory=list)  # what of it was exported

    @property
    def site(self) -> Site:
        return self.watched.site

    def phase(self) -> str:
        return str(self.asker.get(f"/rooms/{SPARE_ROOM}")["phase"])

    def press(self, foot: bytes) -> None:
        os.write(self.pedal, foot)


@contextmanager
def theatre(folder: Path) -> Iterator[Theatre]:
    """Up, recording over RTSP in the one room, and armed in the other."""
    with _cable(folder) as (pedal, port), ended(TcpRecorder) as recorder, rtsp_cameras(_clips()) as server:
        assert isinstance(recorder, TcpRecorder)
        recorder.start()
        cluster_port = free_port()
        site = _site(folder, server.url(WATCHED), cluster_port, port, recorder.port)
        site.set_up()
        with two_nodes(site, cluster_port) as nodes:
            site.up()
            try:
                asker, approver = site.client("asker"), site.client("approver")
                case_id = armed_case(asker, "KILLED", WATCHED_ROOM)
                asker.post(f"/cases/{case_id}/recording/start", {"camera_ids": [WATCHED]})
                watched = Watched(site, cluster_port, nodes, case_id)
                spare = armed_case(asker, "SPARE", SPARE_ROOM)
                yield Theatre(watched, asker, approver, pedal, recorder, spare)
            finally:
                site.down()


def _clips() -> dict[str, Path | str]:
    return {WATCHED: CLIPS / "or1-ceiling.mp4"}


def _site(folder: Path, source: str, cluster_port: int, pedal: str, recorder_port: int) -> Site:
    return Site(
        folder,
        [
            {"id": WATCHED, "room": WATCHED_ROOM, "source": source},
            {"id": SPARE, "room": SPARE_ROOM, "source": f"file:{CLIPS / 'or1-wall.mp4'}"},
        ],
        cluster={"address": f"127.0.0.1:{cluster_port}", "object_store_mb": 100},
        triggers=[{"room": SPARE_ROOM, "pedal": {"port": pedal, "pressed": "1", "released": "0"}}],
        events=[
            {
                "name": "outside",
                "kind": "tcp",
                "host": "127.0.0.1",
                "port": recorder_port,
                "template": "{channel}|{state}|{run}",
                "channels": {SPARE: "3"},
            }
        ],
        control={"dwell_s": 0.5, "oldest_signal_s": 120},
        history={"checkpoint_minutes": 0.05},
    )


@contextmanager
def _cable(folder: Path) -> Iterator[tuple[int, str]]:
    """A pedal's cable: our end, and the name of the site's."""
    ours, theirs = os.openpty()
    cable = folder / "pedal"
    cable.symlink_to(os.ttyname(theirs))
    try:
        yield ours, str(cable)
    finally:
        for end in (ours, theirs):
            os.close(end)
