"""SIGKILL for the processes of a site of two nodes, and what a recording that is under way must show afterwards.

Only children of the nodes that the caller started are looked for, and killed.
"""

from __future__ import annotations

import sqlite3
import subprocess
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil

from cluster.client import ApiClient
from orvault.clock import from_iso
from orvault.container.segment import SegmentHeader, read_header, segment_digest
from orvault.recording.recorder import GAP_US
from tests.e2e.nodes import CLIENT, start_client
from tests.e2e.site import Site, eventually

GONE_S = 60.0
LEDGER = "ledger.sqlite"


@dataclass
class Watched:
    """A case that one camera records, on a running site, and what of it was durable whenever something was killed."""

    site: Site
    port: int
    nodes: dict[str, subprocess.Popen[bytes]]
    case_id: str
    kept: dict[Path, bytes] = field(default_factory=dict)

    def paths(self) -> list[Path]:
        """Its segments on the client's disk, in order."""
        return sorted((self.site.data / "segments" / CLIENT / self.case_id).rglob("*.seg"))

    def headers(self) -> list[SegmentHeader]:
        return [read_header(path.read_bytes()) for path in self.paths()]

    def kill(self, title: str) -> set[int]:
        """SIGKILL every process of this title, e.g. `ray::KeyActor`; their ids. What is durable now must stay."""
        self.kept.update({path: path.read_bytes() for path in self.paths() if path not in self.kept})
        found = self.processes(title)
        assert found, f"no process {title}"
        for process in found:
            process.kill()
        psutil.wait_procs(found, GONE_S)
        return {process.pid for process in found}

    def kill_client(self) -> set[int]:
        """SIGKILL the client node's raylet; the node ends with it, and is started as its service manager would."""
        killed = self.kill("raylet --client")
        self.nodes[CLIENT].wait(GONE_S)
        self.nodes[CLIENT] = start_client(self.site, self.port)
        return killed

    def processes(self, title: str) -> list[psutil.Process]:
        """Those of the nodes' children that are called so; `raylet --client`: the client node's daemon."""
        if title == "raylet --client":
            return [each for each in _children(self.nodes[CLIENT]) if _called(each, "raylet")]
        return [each for node in self.nodes.values() for each in _children(node) if _called(each, title)]

    def goes_on(self, since: int, limit_s: float, more: int = 2) -> None:
        """Wait until so many more segments are durable than `since`."""
        eventually(lambda: len(self.paths()) >= since + more, limit_s)

    def recorded_past(self, moment_us: int, limit_s: float) -> None:
        """Wait until pictures from after this moment are durable."""
        eventually(lambda: read_header(self.paths()[-1].read_bytes()).meta.end_us > moment_us, limit_s)

    def lost(self) -> list[Path]:
        """Segments that were durable, and are gone or changed."""
        return [path for path, data in self.kept.items() if not path.exists() or path.read_bytes() != data]

    def check(self, asker: ApiClient) -> None:
        """Nothing durable was lost, every hole is told, and the ledger has each segment once."""
        assert not self.lost(), "a durable segment was lost or changed"
        data = [path.read_bytes() for path in self.paths()]
        headers = [read_header(piece) for piece in data]
        numbers = list(range(len(data)))
        assert [header.meta.sequence for header in headers] == numbers
        assert [header.previous for header in headers[1:]] == [segment_digest(piece) for piece in data[:-1]]
        (run,) = asker.get("/recordings", case_id=self.case_id)
        assert (run["segments"], run["missing_segments"]) == (len(data), 0)
        assert self.rows() == numbers, "the ledger has a segment twice, or not"
        assert not self.untold(asker), "a hole in the recording that nobody is told of"

    def untold(self, asker: ApiClient) -> set[tuple[int, int]]:
        """Holes between its segments, UTC microseconds, that no gap names."""
        (run,) = asker.get("/recordings", case_id=self.case_id)
        metas = [header.meta for header in self.headers()]
        holes = {(a.end_us, b.start_us) for a, b in pairwise(metas) if b.start_us - a.end_us > GAP_US}
        return holes - {(from_iso(gap["from"]), from_iso(gap["to"])) for gap in run["gaps"]}

    def rows(self) -> list[int]:
        """The numbers of its segments in the ledger, in order."""
        with sqlite3.connect(self.site.data / LEDGER) as ledger:
            asked = "SELECT sequence FROM segments WHERE case_id = ? ORDER BY sequence"
            return [number for (number,) in ledger.execute(asked, (self.case_id,))]


def _children(node: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return psutil.Process(node.pid).children(recursive=True)


def _called(process: psutil.Process, title: str) -> bool:
    try:
        command: list[Any] = process.cmdline()
    except psutil.NoSuchProcess:
        return False
    return bool(command) and (" ".join(command).startswith(title) or Path(command[0]).name == title)
