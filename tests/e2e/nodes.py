"""The nodes of a site as Ray nodes of their own, each started by its own `orvault node`, for tests and benchmarks."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.e2e.site import PROJECT, Site, eventually

HEAD, CLIENT = "export-server", "or-client-1"  # as `Site` names its nodes
NODE_S = 60.0
FIRST_PORT, PORTS = 7300, 50
HEAD_TRIES = 3


def free_port() -> int:
    """Below Ray's own ranges of worker ports, so that no worker takes it meanwhile.

    Each process of tests has ports of its own: one that is free is not taken before its site is up.
    """
    first = FIRST_PORT + PORTS * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    for port in range(first, first + PORTS):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise AssertionError(f"no free port from {first} to {first + PORTS - 1}")


@contextmanager
def two_nodes(site: Site, port: int) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """Head and client up and joined; the process of each by its name. They end with the block."""
    nodes = {HEAD: start_head(site, port)}
    try:
        nodes[CLIENT] = start_client(site, port)
        yield nodes
    finally:
        for node in reversed(nodes.values()):
            node.terminate()
            node.wait(NODE_S)


def start_head(site: Site, port: int) -> subprocess.Popen[bytes]:
    """The head on this port; also for one that comes back. One that does not come up is started again, as its service
    manager does: Ray's daemon gives up when its own agent takes more than 15 s to start, on a busy machine.
    """
    log = site.folder / f"{HEAD}.log"
    for left in reversed(range(HEAD_TRIES)):
        head = _start(site, HEAD, "--head", str(port))
        try:
            eventually(lambda: b"Ray runtime started" in log.read_bytes(), NODE_S)
        except AssertionError:
            head.terminate()
            head.wait(NODE_S)
            if not left:
                raise
        else:
            return head
    raise AssertionError("unreachable")


def start_client(site: Site, port: int) -> subprocess.Popen[bytes]:
    """The client node, joined to the head at this port; also for one that comes back."""
    log = site.folder / f"{CLIENT}.log"
    log.unlink(missing_ok=True)
    client = _start(site, CLIENT, "--join", f"127.0.0.1:{port}")
    eventually(lambda: b"Ray runtime started" in log.read_bytes(), NODE_S)
    return client


def _start(site: Site, name: str, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", "from cluster.cli import main; main()", "node", name, *arguments]
    with (site.folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            [*command, "--config", str(site.config)], cwd=PROJECT, stdout=log, stderr=subprocess.STDOUT
        )
