"""Runs every benchmark, one after another, and ends with a table: `make bench`."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys

from rich.console import Console
from rich.table import Table

import benchmarks

HELPERS = {"__main__", "report", "recording_idle", "recording_load", "recording_readers", "recording_site"}
HELPERS |= {
    "fuzz_targets",
    "playback_child",
    "playback_footage",
    "search_load",
    "search_site",
    "search_questions",
    "export_footage",
    "forensic_attacks",
    "forensic_null",
    "forensic_scenes",
    "masking_footage",
}
NOT_FIGURES = {"benchmark", "goal", "ok", "ran_on"}


def main() -> None:
    """Run all; exit 1 when one misses its goal or fails."""
    names = [
        module.name for module in pkgutil.iter_modules(benchmarks.__path__) if module.name not in HELPERS
    ]
    table = Table("benchmark", "figures", "goal", "ok")
    good = True
    for name in names:
        run = subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], stdout=subprocess.PIPE, text=True)
        lines = run.stdout.strip().splitlines()
        if not lines:
            table.add_row(name, f"failed with exit code {run.returncode}", "", "no")
            good = False
            continue
        line = json.loads(lines[-1])
        figures = ", ".join(f"{key} {value}" for key, value in line.items() if key not in NOT_FIGURES)
        table.add_row(name, figures, str(line["goal"]), "yes" if line["ok"] else "no")
        good = good and line["ok"]
    Console().print(table)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
