"""What every benchmark shares: progress for a person on standard error, one JSON line on standard output, last."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.progress import track

Item = TypeVar("Item")
_CONSOLE = Console(stderr=True, highlight=False)


def steps(items: Sequence[Item], what: str) -> Iterator[Item]:
    """The items one by one, behind a progress bar on standard error."""
    yield from track(items, description=what, console=_CONSOLE, transient=False)


@contextmanager
def stage(what: str) -> Iterator[None]:
    """Say on standard error what is going on while it lasts (where it has no countable steps)."""
    with _CONSOLE.status(what):
        yield


def note(text: str) -> None:
    """A line for a person, on standard error."""
    _CONSOLE.print(text, markup=False)


def finish(
    benchmark: str,
    fields: Mapping[str, object],
    goal: str,
    ok: bool,
    *,
    libraries: Sequence[str] = (),
    ran_on: Mapping[str, object] | None = None,
) -> int:
    """Print the benchmark's JSON line and return the exit code: 0 if the goal was met, else 1.

    `fields` are the measured values by their published names; `libraries` are distributions whose versions matter;
    `ran_on` adds what only the benchmark knows (a GPU, a provider).
    """
    line = {
        "benchmark": benchmark,
        **fields,
        "goal": goal,
        "ok": ok,
        "ran_on": machine() | dict(ran_on or {}) | {"libraries": versions(libraries)},
    }
    sys.stderr.flush()
    print(json.dumps(line, ensure_ascii=False), flush=True)
    return 0 if ok else 1


def machine() -> dict[str, object]:
    """The processor, how many cores this process may use, Python, system."""
    return {
        "cpu": _cpu_model(),
        "cores": _cores(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def versions(libraries: Sequence[str]) -> dict[str, str]:
    """Installed versions by distribution name; "absent" where one is not installed."""
    found = {}
    for name in libraries:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "absent"
    return found


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()
