"""Ray's head dies under a recording: the client node goes on to its disk, and tells all of it once it is back."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest

from cluster.client import ApiClient
from orvault.clock import US_PER_S, SystemClock, from_iso
from orvault.container.chain import START, check_run
from orvault.container.segment import SegmentMeta, read_header
from orvault.recording.recorder import GAP_US
from orvault.recording.store import SegmentStore
from tests.e2e.nodes import CLIENT, HEAD, free_port, start_client, start_head, two_nodes
from tests.e2e.site import PROJECT, Site, armed_case, eventually, settled

CLIP = PROJECT / "tests/media/cameras/or1-ceiling.mp4"
CAMERAS = ("one", "two")
AWAY_S = 90.0  # Ray's daemons gave up after 60
BACK_S = 240.0

pytestmark = [pytest.mark.cluster, pytest.mark.long, pytest.mark.timeout(900)]


@pytest.mark.parametrize("keep_state", [False, True], ids=["forgetful", "keeping-state"])
def test_a_recording_outlives_the_head_and_is_told_exactly_once(tmp_path: Path, keep_state: bool) -> None:
    port = free_port()
    cluster = {"address": f"127.0.0.1:{port}", "object_store_mb": 100, "keep_state": keep_state}
    site = Site(tmp_path, [{"id": name, "source": f"file:{CLIP}"} for name in CAMERAS], cluster=cluster)
    site.set_up()
    with two_nodes(site, port) as nodes:
        site.up()
        asker = site.client("asker")
        case_id = armed_case(asker, "HEAD-KILLED")
        asker.post(f"/cases/{case_id}/recording/start", {"camera_ids": list(CAMERAS)})
        eventually(lambda: min(map(len, runs_of(site))) >= 2, 30)

        killed_us = SystemClock().now_us()
        os.kill(gcs_server(nodes[HEAD]), signal.SIGKILL)
        time.sleep(AWAY_S)
        assert nodes[CLIENT].poll() is None, "the client node ended without the head"
        goes_on(site)
        assert unrecorded_s(site, killed_us) < 1, "it recorded all the time"

        nodes[HEAD].wait(60)  # it ends with what it started; its service manager starts it again
        nodes[HEAD] = start_head(site, port)
        if not keep_state:
            nodes[CLIENT].wait(120)  # its daemon is told that this head does not know it
            nodes[CLIENT] = start_client(site, port)
        eventually(site.ended, 120)  # `up` gave up after a minute
        site.up()
        goes_on(site)
        assert nodes[CLIENT].poll() is None
        if keep_state:
            assert unrecorded_s(site, killed_us) < 1, "it recorded all the time"
        asker = site.client("asker")
        asker.post(f"/cases/{case_id}/close")
        eventually(lambda: settled(asker, case_id, len(CAMERAS)), 60)
        told_exactly_once(site, asker, case_id)
        site.down()


def goes_on(site: Site) -> None:
    before = [len(run) for run in runs_of(site)]
    eventually(lambda: all(len(r) >= was + 2 for r, was in zip(runs_of(site), before, strict=True)), BACK_S)


def unrecorded_s(site: Site, since_us: int) -> float:
    """The longest time without a picture since then, of any camera."""
    holes = [
        second.start_us - first.end_us
        for run in runs_of(site)
        for first, second in pairwise(run)
        if second.end_us > since_us
    ]
    return max(holes, default=0) / US_PER_S


def gcs_server(node: subprocess.Popen[bytes]) -> int:
    children = psutil.Process(node.pid).children(recursive=True)
    (found,) = [child.pid for child in children if child.name() == "gcs_server"]
    return found


def runs_of(site: Site) -> list[list[SegmentMeta]]:
    """What lies on the client's disk, a list for each camera."""
    store = site.data / "segments" / CLIENT
    paths = [sorted(store.glob(f"*/{camera}/*/*.seg")) for camera in CAMERAS]
    return [[read_header(path.read_bytes()).meta for path in found] for found in paths]


def told_exactly_once(site: Site, asker: ApiClient, case_id: str) -> None:
    runs = {run["camera_id"]: run for run in asker.get("/recordings", case_id=case_id)}
    store = SegmentStore(site.data / "segments" / CLIENT)
    for camera, metas in zip(CAMERAS, runs_of(site), strict=True):
        run: dict[str, Any] = runs[camera]
        assert (run["segments"], run["missing_segments"]) == (len(metas), 0)
        records = [record for record in store.scan() if record.header.meta.camera_id == camera]
        check_run(records, before=START)
        told = [(from_iso(gap["from"]), from_iso(gap["to"])) for gap in run["gaps"]]
        for first, second in pairwise(metas):
            if second.start_us - first.end_us > GAP_US:
                assert (first.end_us, second.start_us) in told, "a hole that nobody is told of"
    checked = site.run("fsck", "--json")
    assert checked.returncode == 0, checked.stdout
