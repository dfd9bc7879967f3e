"""How long a recording is interrupted when a process is killed: SIGKILL, one after the other, under way over RTSP.

    python -m benchmarks.outages

A site of two nodes records one camera. Each process is killed once; what is missing then is measured between the
segments on disk. Afterwards every segment that was durable must be there unchanged, every hole be told as a gap, and
`orvault fsck` find nothing. The client node is started again as its service manager would.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import psutil

from benchmarks.report import finish, note
from cluster.client import ApiClient
from orvault.clock import US_PER_S, SystemClock
from orvault.container.segment import SegmentHeader, read_header
from tests.e2e.nodes import CLIENT, free_port, start_client, two_nodes
from tests.e2e.site import PROJECT, Site, armed_case, eventually, settled
from tests.rtsp import rtsp_cameras

CLIP = PROJECT / "tests" / "media" / "cameras" / "or1-ceiling.mp4"
BACK_S = 180.0  # until it records again
SETTLE = 3  # segments between two kills


@dataclass
class Trial:
    """A running recording, and what was measured of it."""

    site: Site
    port: int
    folder: Path
    kept: dict[Path, bytes]

    def headers(self) -> list[SegmentHeader]:
        """Of every segment on disk, in order."""
        paths = sorted(self.folder.rglob("*.seg"))
        return [read_header(path.read_bytes()) for path in paths]

    def outage(self, kill: Callable[[], None]) -> float:
        """Seconds without a picture when this is killed; waits until it records again."""
        count = len(self.headers())
        eventually(lambda: len(self.headers()) >= count + SETTLE, BACK_S)
        self.kept.update({path: path.read_bytes() for path in self.folder.rglob("*.seg")})
        before, killed_us = len(self.headers()), SystemClock().now_us()
        kill()
        eventually(lambda: self.headers()[-1].meta.start_us > killed_us + US_PER_S, BACK_S)
        eventually(lambda: len(self.headers()) >= before + SETTLE, BACK_S)
        around = [header.meta for header in self.headers()[before - 1 :]]
        return max(second.start_us - first.end_us for first, second in pairwise(around)) / US_PER_S


def measure(folder: Path) -> dict[str, object]:
    """Kill everything once; outages in seconds by what was killed, and what the check of the site said after."""
    with rtsp_cameras({"ceiling": CLIP}) as server:
        port = free_port()
        cluster = {"address": f"127.0.0.1:{port}", "object_store_mb": 100}
        site = Site(folder, [{"id": "ceiling", "source": server.url("ceiling")}], cluster=cluster)
        site.set_up()
        with two_nodes(site, port) as nodes:
            site.up()
            try:
                return _killed_one_by_one(site, port, nodes)
            finally:
                site.down()


def _killed_one_by_one(site: Site, port: int, nodes: dict[str, subprocess.Popen[bytes]]) -> dict[str, object]:
    asker = site.client("asker")
    case_id = armed_case(asker, "OUTAGES")
    asker.post(f"/cases/{case_id}/recording/start", {"camera_ids": ["ceiling"]})
    trial = Trial(site, port, site.data / "segments" / CLIENT / case_id, {})

    def kill(title: str) -> Callable[[], None]:
        return lambda: _kill(_family(nodes), title)

    def kill_client() -> None:
        _kill(_family({CLIENT: nodes[CLIENT]}), "raylet")
        nodes[CLIENT].wait(60)
        nodes[CLIENT] = start_client(site, port)

    outages = {
        name: _say(name, trial.outage(act))
        for name, act in {
            "camera actor": kill("ray::CameraActor"),
            "encryption actor": kill("ray::EncryptionActor"),
            "index actor": kill("ray::IndexActor"),
            "control actor": kill("ray::ControlActor"),
            "API replica": kill("ray::ServeReplica"),
            "client node (raylet)": kill_client,
        }.items()
    }
    return {"outages_s": outages} | _checked(site, asker, case_id, trial)


def _checked(site: Site, asker: ApiClient, case_id: str, trial: Trial) -> dict[str, object]:
    asker.post(f"/cases/{case_id}/close")
    eventually(lambda: settled(asker, case_id, 1), 60)
    on_disk = len(trial.headers())
    eventually(lambda: asker.get("/recordings", case_id=case_id)[0]["segments"] == on_disk, 60)
    lost = sum(not path.exists() or path.read_bytes() != data for path, data in trial.kept.items())
    told = site.run("fsck", "--json")
    return {"segments": on_disk, "durable_lost": lost, "faults": json.loads(told.stdout)["faults"]}


def _family(nodes: dict[str, subprocess.Popen[bytes]]) -> list[psutil.Process]:
    return [child for node in nodes.values() for child in psutil.Process(node.pid).children(recursive=True)]


def _kill(processes: list[psutil.Process], title: str) -> None:
    found = [each for each in processes if _is(each, title)]
    assert found, f"no process {title}"
    for process in found:
        process.kill()


def _is(process: psutil.Process, title: str) -> bool:
    try:
        command = process.cmdline()
    except psutil.NoSuchProcess:
        return False
    return bool(command) and (" ".join(command).startswith(title) or Path(command[0]).name == title)


def _say(name: str, seconds: float) -> float:
    note(f"{name}: {seconds:.1f} s")
    return round(seconds, 2)


def main() -> int:
    """The program; its exit code."""
    with tempfile.TemporaryDirectory(prefix="orv-outages-") as folder:
        result = measure(Path(folder))
    ok = not result["durable_lost"] and not result["faults"]
    return finish(
        "outages", result, "no durable segment lost, every hole told, fsck clean", ok, libraries=["ray"]
    )


if __name__ == "__main__":
    sys.exit(main())
