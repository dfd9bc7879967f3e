"""Processes of their own for tests: forked from one that has loaded what they need, so they start at once.

A process of tests has one such server, with what it loaded first: so all tests share one list. A process that is
spawned loads two seconds' worth of modules, on a busy machine twenty, while the test waits for its work.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from multiprocessing.context import ForkServerContext
from pathlib import Path

LOADED = [
    "player.__main__",
    "tests.contract.test_ledger_work",
    "tests.unit.test_actors_mail",
    "tests.unit.test_actors_notices",
    "tests.unit.test_container_keystore",
    "tests.unit.test_destruction_killed",
]


def ready_made() -> ForkServerContext:
    """Starts processes that have loaded the modules that they run already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(LOADED)
    return context


def run_player(
    arguments: list[str], folder: Path, environment: Mapping[str, str], limit_s: float
) -> subprocess.CompletedProcess[str]:
    """`orvault-player` to its end, in a process, folder and environment of its own; only its loading is left out."""
    with tempfile.TemporaryDirectory() as made:
        told = [Path(made) / name for name in ("stdout", "stderr")]
        child = ready_made().Process(target=_play, args=(arguments, *told, folder, dict(environment)))
        child.start()
        child.join(limit_s)
        if child.exitcode is None:
            child.kill()
            child.join()
            raise subprocess.TimeoutExpired(arguments, limit_s)
        return subprocess.CompletedProcess(arguments, child.exitcode, *(each.read_text() for each in told))


def _play(arguments: list[str], out: Path, err: Path, folder: Path, environment: dict[str, str]) -> None:
    from player.__main__ import main

    sys.stdout, sys.stderr = out.open("w"), err.open("w", buffering=1)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["orvault-player", *arguments]
    main()
