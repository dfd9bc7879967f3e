"""Idle actors on a client node, for as long as the input stays open: what Ray costs before anything is recorded.

python -m benchmarks.recording_idle TOKEN_FILE HOST:PORT NODE ACTORS
"""

from __future__ import annotations

import sys
from pathlib import Path

from cluster.environment import set_environment
from cluster.placement import SHARE, node_resources


class Idle:
    """An actor that does nothing."""


def main() -> None:
    """Start them, say so, and end them with the input."""
    token_file, address, node, count = sys.argv[1:]
    set_environment(Path(token_file), several_nodes=True)
    from actors import handles
    from cluster.bringup import joined

    (name,) = node_resources(node, [])
    with joined(address):
        starting = [
            handles.start(f"idle:{number}", Idle, handles.Placed({name: SHARE}), 2)
            for number in range(int(count))
        ]
        for each in starting:
            each.node_id()
        print("ready", flush=True)
        sys.stdin.read()
        for each in starting:
            handles.stop(each.name)


if __name__ == "__main__":
    main()
