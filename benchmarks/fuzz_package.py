"""python -m benchmarks.fuzz_package: hostile packages against the player, steered by coverage (atheris, libFuzzer).

Ten minutes by default, in a process of its own whose memory is bounded. A crash, a hang, too much memory or any error
but OrvaultError ends it and leaves the input under `--findings`; such an input becomes a vector under
tests/vectors/hostile, which a test replays.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import report

MB = 1_200  # of the whole process, decoder, interpreter and instrumentation included
SLOWEST_S = 20  # of one input
_STATISTICS = re.compile(r"stat::(\w+):\s+(\d+)")


def _fuzz(arguments: list[str]) -> None:
    """The child's part: does not come back."""
    import atheris

    with atheris.instrument_imports(include=["player", "orvault.container"], enable_loader_override=False):
        from benchmarks import fuzz_targets
    atheris.Setup(["fuzz_package", *arguments], fuzz_targets.run)
    atheris.Fuzz()


def main() -> int:
    """Fuzz, report, and return the exit code."""
    from benchmarks import fuzz_seeds  # not in the child, which has to import the player's code instrumented

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--findings", type=Path, default=Path("build/fuzz"))
    given = parser.parse_args()
    given.findings.mkdir(parents=True, exist_ok=True)
    before = set(given.findings.iterdir())
    with tempfile.TemporaryDirectory() as folder:
        fuzz_seeds.write(Path(folder))
        options = {
            "max_total_time": given.seconds, "rss_limit_mb": MB, "malloc_limit_mb": MB, "timeout": SLOWEST_S,
            "max_len": 1 << 16, "print_final_stats": 1, "verbosity": 0, "artifact_prefix": f"{given.findings}/",
        }  # fmt: skip
        command = [sys.executable, "-m", "benchmarks.fuzz_package", "--child"]
        command += [*(f"-{name}={value}" for name, value in options.items()), folder]
        with report.stage(f"fuzzing for {given.seconds} s"):
            done = subprocess.run(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        inputs = len(list(Path(folder).iterdir()))
    told = {name: int(value) for name, value in _STATISTICS.findall(done.stderr)}
    found = sorted(str(path) for path in set(given.findings.iterdir()) - before)
    if done.returncode or found:
        report.note(done.stderr[-4000:])
    fields = {
        "seconds": given.seconds,
        "inputs": told.get("number_of_executed_units", 0),
        "corpus": inputs,
        "mb_peak": told.get("peak_rss_mb", 0),
        "slowest_s": told.get("slowest_unit_time_sec", 0),
        "findings": len(found),
    }
    ok = done.returncode == 0 and not found and fields["inputs"] > 0
    goal = f"findings == 0, mb_peak <= {MB}"
    return report.finish("fuzz_package", fields, goal, ok, libraries=["atheris", "opencv-python-headless"])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        _fuzz(sys.argv[2:])
    sys.exit(main())
