"""The site that the recording benchmark drives: two nodes, cameras over RTSP, started and stopped over HTTP."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

from actors.keys import read_secret
from benchmarks.recording_load import CpuSpan, numbers, pause
from cluster import services
from cluster.client import ApiClient
from cluster.settings import load_settings
from orvault.container.enrolment import CERTIFICATE_FILE
from orvault.container.keys import PrivateKey, decode_slots
from orvault.container.keystore import KeyStore
from orvault.container.segment import open_segment, read_header, unwrap_dek
from tests.e2e.nodes import CLIENT, HEAD, free_port, two_nodes
from tests.e2e.site import UP_S, Site, armed_case, eventually, settled

SETTLE_S = 10.0
ROOM_CAMERAS = (
    25  # as many as one operating room has here; a case holds no more than orvault.custody.case.MAX_CAMERAS
)
UP_PER_CAMERA_S = (
    6.0  # each camera is a process that loads its libraries on the cores everything else starts on
)


@dataclass
class Recording:
    """A case being recorded in every room."""

    site: RecordingSite
    case_ids: list[str]

    def end(self) -> None:
        """Close the cases; returns when every camera's last segment is indexed."""
        for case_id in self.case_ids:
            self.site.api.post(f"/cases/{case_id}/close")
        for case_id, cameras in zip(self.case_ids, self.site.rooms, strict=True):
            eventually(partial(settled, self.site.api, case_id, len(cameras)), 60)

    @property
    def folders(self) -> list[Path]:
        """Where the segments of each room's case lie."""
        return [self.site.segments / case_id for case_id in self.case_ids]


class RecordingSite:
    """Two nodes; `up` starts the actors."""

    def __init__(self, folder: Path, urls: list[str]) -> None:
        folder.mkdir()
        self._port = free_port()
        self._address = f"127.0.0.1:{self._port}"
        self.cameras = len(urls)
        self.rooms = [
            range(first, min(first + ROOM_CAMERAS, self.cameras))
            for first in range(0, self.cameras, ROOM_CAMERAS)
        ]
        cameras: list[dict[str, Any]] = [
            {"id": f"cam{at}", "source": url, "room": _room(at // ROOM_CAMERAS)}
            for at, url in enumerate(urls)
        ]
        cluster = {"address": self._address, "object_store_mb": 200}
        self._site = Site(folder, cameras, cluster=cluster)
        self._stack = ExitStack()
        self.api: ApiClient

    def __enter__(self) -> RecordingSite:
        self._site.set_up()
        nodes = self._stack.enter_context(two_nodes(self._site, self._port))
        self._nodes = {name: psutil.Process(node.pid) for name, node in nodes.items()}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def idle_cores(self, actors: int, seconds: float) -> float:
        """What the client node costs with this many idle actors."""
        token = self._site.data / "keys" / "ray.token"
        command = [sys.executable, "-m", "benchmarks.recording_idle", str(token), self._address, CLIENT]
        idle = subprocess.Popen(
            [*command, str(actors)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert idle.stdout is not None
        if not any(line == "ready\n" for line in idle.stdout):  # Ray may say something of its own before
            raise SystemExit("the idle actors did not start")
        pause(SETTLE_S)
        span = CpuSpan(self.client_processes())
        pause(seconds)
        cores = span.cores()
        idle.communicate(timeout=60)
        return cores

    def up(self) -> None:
        """All actors, and the API."""
        self._site.up(within_s=UP_S + UP_PER_CAMERA_S * self.cameras)
        self._stack.callback(self._site.down)
        self.api = self._site.client("asker")

    def record(self, number: str) -> Recording:
        """A case in each room on all of its cameras, recording."""
        case_ids = []
        for room, cameras in enumerate(self.rooms):
            case_id = armed_case(self.api, f"{number}-{room + 1}", _room(room))
            ids = [f"cam{camera}" for camera in cameras]
            self.api.post(f"/cases/{case_id}/recording/start", {"camera_ids": ids})
            case_ids.append(case_id)
        return Recording(self, case_ids)

    @property
    def segments(self) -> Path:
        """The client node's segments, a folder for each case."""
        return self._site.data / "segments" / CLIENT

    @property
    def certificate(self) -> Path:
        """The client node's certificate."""
        return self._site.data / "keys" / "nodes" / CLIENT / CERTIFICATE_FILE

    def case_key(self, segments: Path) -> PrivateKey:
        """The private key of the case whose segments lie here, out of the key store."""
        settings = load_settings(self._site.config)
        place, secret = services.store_place(settings), services.secret_file(settings)
        assert secret is not None, "the site unlocks itself"
        header = read_header(next(segments.rglob("*.seg")).read_bytes())
        store = KeyStore.unlock(place.folder, place.source(read_secret(secret)))
        return store.private_key(header.key_thumbprint)

    def pictures(self, recording: Recording, camera: int) -> list[int]:
        """The numbers of all pictures that were stored of a camera, in their order."""
        segments = recording.folders[camera // ROOM_CAMERAS]
        key, found = self.case_key(segments), []
        for path in sorted((segments / f"cam{camera}").rglob("*.seg")):
            data = path.read_bytes()
            slots = decode_slots(path.with_suffix(".slots").read_bytes(), where=path.name)
            found += numbers(open_segment(data, unwrap_dek(slots, key, read_header(data))))
        return found

    def client_processes(self) -> list[psutil.Process]:
        """All processes of the client node: Ray's daemons, cameras, encryption."""
        return _family(self._nodes[CLIENT])

    def server_processes(self) -> list[psutil.Process]:
        """All processes of the export server's node, and the command line that holds the site."""
        return [*_family(self._nodes[HEAD]), *self._site.family()]

    def client_mb(self) -> float:
        """Memory of the client node; what processes share counts once."""
        return sum(process.memory_full_info().pss for process in self.client_processes()) / 2**20


def _room(number: int) -> str:
    return f"OR-{number + 1}"


def _family(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]
