"""The site that the recording benchmark drives: two nodes, cameras over RTSP, started and stopped over HTTP."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
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
from tests.e2e.site import Site, armed_case, eventually, settled

SETTLE_S = 10.0


@dataclass
class Recording:
    """One case being recorded."""

    site: RecordingSite
    case_id: str
    segments: Path

    def end(self) -> None:
        """Close the case; returns when every camera's last segment is indexed."""
        self.site.api.post(f"/cases/{self.case_id}/close")
        eventually(lambda: settled(self.site.api, self.case_id, self.site.cameras), 60)


class RecordingSite:
    """Two nodes; `up` starts the actors."""

    def __init__(self, folder: Path, urls: list[str]) -> None:
        folder.mkdir()
        self._port = free_port()
        self._address = f"127.0.0.1:{self._port}"
        self.cameras = len(urls)
        cameras: list[dict[str, Any]] = [{"id": f"cam{at}", "source": url} for at, url in enumerate(urls)]
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
        self._site.up()
        self._stack.callback(self._site.down)
        self.api = self._site.client("asker")

    def record(self, number: str) -> Recording:
        """A case on all cameras, recording."""
        case_id = armed_case(self.api, number)
        ids = [f"cam{camera}" for camera in range(self.cameras)]
        self.api.post(f"/cases/{case_id}/recording/start", {"camera_ids": ids})
        return Recording(self, case_id, self._site.data / "segments" / CLIENT / case_id)

    @property
    def certificate(self) -> Path:
        """The client node's certificate."""
        return self._site.data / "keys" / "nodes" / CLIENT / CERTIFICATE_FILE

    def case_key(self, recording: Recording) -> PrivateKey:
        """The private key of a case, out of the key store."""
        settings = load_settings(self._site.config)
        place, secret = services.store_place(settings), services.secret_file(settings)
        assert secret is not None, "the site unlocks itself"
        header = read_header(next(recording.segments.rglob("*.seg")).read_bytes())
        store = KeyStore.unlock(place.folder, place.source(read_secret(secret)))
        return store.private_key(header.key_thumbprint)

    def pictures(self, recording: Recording, camera: int) -> list[int]:
        """The numbers of all pictures that were stored of a camera, in their order."""
        key, found = self.case_key(recording), []
        for path in sorted((recording.segments / f"cam{camera}").rglob("*.seg")):
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


def _family(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]
