"""Nothing of a clip, coded or decoded, is in any file while it is recorded and exported with too little memory.

The object store is at its smallest and another program keeps it full, so that Ray spills to disk all the while. Files
are searched by name, and through the processes that hold them open: Ray's shared memory has no name.
"""

from __future__ import annotations

import os
import secrets
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import av
import psutil
import pytest

from cluster.environment import ray_environment
from tests.e2e.conftest import CLIPS
from tests.e2e.searching import in_files, in_open_files, samples
from tests.e2e.site import PROJECT, Site, armed_case, ended, eventually, settled, wish

SHARED_MEMORY = Path("/dev/shm")
OBJECTS, OBJECT_MIB = 16, 10  # twice what the store holds
FILL_S = 60.0
PAUSE_S = 3.0
CAMERAS = {
    str(clip) for clip in CLIPS.values()
}  # these files stand for cameras, and are open as long as those are
PICTURES = 6  # of a clip, spread over it
ROW_BYTES = 192

pytestmark = pytest.mark.long


def coded(name: str, clip: Path) -> dict[str, bytes]:
    """Pieces of the packets that a camera sends and a segment keeps, byte for byte."""
    found: dict[str, bytes] = {}
    with av.open(str(clip)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    for number in range(0, len(packets), max(1, len(packets) // 12)):
        found |= samples(f"{name} packet {number}", packets[number], 1)
    return found


def decoded(name: str, clip: Path) -> dict[str, bytes]:
    """Rows out of its pictures, as the product's decoder, masks and encoder hold them."""
    found: dict[str, bytes] = {}
    with av.open(str(clip)) as container:
        frames = list(container.decode(video=0))
    for frame in frames[:: max(1, len(frames) // PICTURES)]:
        planes = {"bgr24": frame.to_ndarray(format="bgr24"), "yuv420p": frame.to_ndarray(format="yuv420p")}
        for kind, plane in planes.items():
            # The row that differs most from grey: a row of background would be in any file of one colour.
            row = max(plane.reshape(plane.shape[0], -1), key=lambda line: int(line.std()))
            at = len(row) // 3
            found[f"{name} {kind} at {frame.time:.1f} s"] = row[at : at + ROW_BYTES].tobytes()
    return found


@dataclass
class Search:
    """Looks through everything that a site can write to."""

    site: Site
    ray_folder: Path
    needles: dict[str, bytes]
    found: dict[str, set[str]] = field(default_factory=dict)
    at_the_camera: set[str] = field(default_factory=set)
    rounds: int = 0

    def look(self) -> None:
        places = [self.site.folder, self.ray_folder, SHARED_MEMORY]
        for found in (in_files(places, self.needles), in_open_files(self.site.processes(), self.needles)):
            for name, files in found.items():
                if elsewhere := files - CAMERAS:
                    self.found.setdefault(name, set()).update(elsewhere)
                self.at_the_camera |= files & CAMERAS
        self.rounds += 1


@dataclass(frozen=True)
class Seen:
    """What was found while a site recorded and exported, and where Ray spilled meanwhile."""

    found: dict[str, set[str]]
    planted: str
    spilled: list[Path]
    rounds: int
    at_the_camera: set[str]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    cameras = [{"id": name, "source": f"file:{clip}"} for name, clip in CLIPS.items()]
    site = Site(tmp_path_factory.mktemp("plain"), cameras, cluster={"object_store_mb": 80})
    site.set_up()
    site.up()
    try:
        yield watched(site)
    finally:
        site.down()


def watched(site: Site) -> Seen:
    planted = secrets.token_bytes(64)
    needles = {"planted in the object store": planted}
    for name, clip in CLIPS.items():
        needles |= coded(name, clip) | decoded(name, clip)
    folder, address = ray_of(site)
    search = Search(site, folder, needles)
    with pressure(site, address, planted):
        asker, approver = site.client("asker"), site.client("approver")
        case_id = armed_case(asker, "NO-PLAINTEXT")
        asker.post(f"/cases/{case_id}/recording/start", {"camera_ids": list(CLIPS)})
        time.sleep(5)
        search.look()
        asker.post(f"/cases/{case_id}/close")
        eventually(lambda: settled(asker, case_id, len(CLIPS)), 30)
        request_id = asker.post("/exports", wish(asker, site, case_id))["id"]
        approver.post(f"/exports/{request_id}/approve")
        deadline = time.monotonic() + 240
        while not ended(asker, approver, request_id) and time.monotonic() < deadline:
            search.look()
            time.sleep(PAUSE_S)
        assert asker.get(f"/exports/{request_id}")["state"] == "ready"
        search.look()
        spilled = [path for path in folder.rglob("*") if "spill" in str(path) and path.is_file()]
    return Seen(search.found, "planted in the object store", spilled, search.rounds, search.at_the_camera)


def ray_of(site: Site) -> tuple[Path, str]:
    """The temp folder of a site's Ray, and the address of its head."""
    for process in site.processes():
        command = process.cmdline()
        if command and Path(command[0]).name == "raylet":
            options = dict(
                part[2:].split("=", 1) for part in command if part.startswith("--") and "=" in part
            )
            (folder,) = [
                each for each in Path(options["session_dir"]).parents if each.name.startswith("orv-")
            ]
            return folder, options["gcs-address"]
    raise AssertionError("no raylet among the site's processes")


@contextmanager
def pressure(site: Site, address: str, planted: bytes) -> Iterator[None]:
    """Keep the object store full."""
    arguments = [address, str(OBJECTS), str(OBJECT_MIB), planted.hex()]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.e2e.pressure", *arguments],
        cwd=PROJECT, env=os.environ | ray_environment(site.data / "keys/ray.token", False),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], FILL_S)
        assert ready and process.stdout.readline() == "full\n", "the object store could not be filled"
        yield
        assert process.poll() is None, "the object store was let go"
    finally:
        try:
            process.communicate(timeout=30)
        finally:
            process.kill()


def test_the_object_store_spilled_all_the_while(seen: Seen) -> None:
    assert seen.spilled, "there was no pressure"
    assert seen.rounds >= 3


def test_the_search_finds_what_was_planted_in_the_object_store_and_the_clips_at_their_cameras(
    seen: Seen,
) -> None:
    assert seen.found.get(seen.planted)
    assert seen.at_the_camera == CAMERAS


def test_no_file_holds_anything_of_the_clips(seen: Seen) -> None:
    assert {name: places for name, places in seen.found.items() if name != seen.planted} == {}


@pytest.mark.parametrize("kind", ["coded", "decoded"])
def test_the_search_finds_the_clip_where_it_is(kind: str, tmp_path: Path) -> None:
    """A file, a file without a name, and shared memory: each with a real piece of the clip."""
    name, clip = next(iter(CLIPS.items()))
    needles = (coded if kind == "coded" else decoded)(name, clip)
    wanted = next(iter(needles.values()))
    assert len(needles) >= 6
    (tmp_path / "planted").write_bytes(b"\0" * (33 << 20) + wanted)
    assert in_files([tmp_path], needles)
    shared = SHARED_MEMORY / f"orvault-test-{secrets.token_hex(8)}"
    with shared.open("w+b") as handle:
        handle.write(b"x" * 1000 + wanted)
        handle.flush()
        assert in_files([SHARED_MEMORY], needles)
        shared.unlink()
        assert in_open_files([psutil.Process()], needles), "a file without a name"
    if kind == "coded":
        assert in_files([clip.parent], needles), "the clip itself"
