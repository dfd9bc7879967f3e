"""python -m benchmarks.forensic: is the invisible mark read after what people do to a video, and is it invisible?

Each scene is coded as an export does it, marked for one of 10,000 registered recipients, then treated and traced
from the file, without the original. `read` counts treatments after which the right recipient alone was named; of the
mean of two recipients' copies, one or both of them and nobody else. The goal allows 60 s of video; 10 are used, which
is harder and sooner done (`--seconds 60`). Then 200 short clips that carry no mark, or another site's, are traced
against the same 10,000: nobody may be named; `null_*` tells what their scores look like.

`--work FOLDER` keeps each result there as it is had: a run that was ended goes on behind the last one, and one over
other scenes adds its own (`--scenes` alone: none, the null test only). The table shows all that the same version of
the mark gave.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import forensic_null, report
from benchmarks.forensic_attacks import attacks, mean_of
from benchmarks.forensic_scenes import scenes
from benchmarks.forensic_work import CAMERAS, SITE_KEY, Leak, Result, Work
from orvault.marks.leak import residue_of
from orvault.marks.residue import Plane
from orvault.marks.tracing import Candidate, trace

OWNERS = ("copy-4711", "copy-1147")
MEAN = "mean of two copies"
RECIPIENTS = 10_000
PSNR_DB, PAINT_MS = 40.0, 3.0


def registry(cameras: Sequence[str] = CAMERAS) -> list[Candidate]:
    """Ten thousand copies, spread over the cameras."""
    return [Candidate(f"copy-{number}", (cameras[number % len(cameras)],)) for number in range(RECIPIENTS)]


def treatments() -> list[str]:
    """What a leaked copy goes through."""
    return [*attacks(), MEAN]


def read(data: bytes) -> tuple[Plane, int]:
    """As `orvault trace` reads a file; and the file's size."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "leak.mp4"
        path.write_bytes(data)
        return residue_of(path).plane, len(data)


def main() -> int:
    """Measure, report, and return the exit code."""
    asked = _arguments()
    copies = registry()
    with Work.opened(asked.work) as work:
        for name in scenes() if asked.scenes is None else asked.scenes:
            _measure(name, asked.seconds, copies, work)
        null = forensic_null.measure(registry(CAMERAS[:1]), SITE_KEY, range(asked.null_clips), work)
        results = work.results()
    Console(stderr=True).print(_table(results))
    fields = _judged(results) | null
    good = not fields["missed"] and not null["false_names"]
    ok = good and fields["psnr_db"] >= PSNR_DB and fields["paint_ms_1080p"] <= PAINT_MS
    goal = f"missed none, false_names 0, psnr_db >= {PSNR_DB}, paint_ms_1080p <= {PAINT_MS}"
    return report.finish("forensic", fields, goal, ok, libraries=["av", "numpy", "opencv-python-headless"])


def _judged(results: Sequence[Result]) -> dict[str, Any]:
    """What all treatments together came to."""
    missed = [f"{each['scene']}: {each['treatment']}" for each in results if not each["good"]]
    return {
        "seconds": sorted({each["seconds"] for each in results}),
        "scenes": sorted({each["scene"] for each in results}),
        "recipients": RECIPIENTS,
        "read": len(results) - len(missed),
        "missed": missed,
        "lowest_margin": round(min((each["score"] - each["threshold"] for each in results), default=0.0), 1),
        "psnr_db": min((each["psnr_db"] for each in results), default=0.0),
        "paint_ms_1080p": max((each["paint_ms"] for each in results), default=0.0),
    }


def _measure(name: str, seconds: int, copies: list[Candidate], work: Work) -> None:
    """One scene's treatments, as far as they are not kept yet."""
    todo = [each for each in treatments() if work.get(name, seconds, each) is None]
    if not todo:
        return
    leaks = work.leaks(name, seconds, OWNERS)
    for treatment in todo:
        owners = set(OWNERS if treatment == MEAN else OWNERS[:1])
        with report.stage(f"{name}: {treatment}"):
            seen = work.read(name, seconds, treatment, lambda: read(_treated(treatment, leaks)))  # noqa: B023 # called before the next one
            began = time.process_time()
            found = trace(seen.plane, SITE_KEY, copies)
        named = {naming.copy_id for naming in found.named}
        result = {
            "named": sorted(named),
            "good": bool(named) and named <= owners,
            "score": round(found.strongest, 1),
            "threshold": round(found.threshold, 1),
            "bytes": seen.size,
            "psnr_db": round(min(leak.psnr_db for leak in leaks), 2),
            "paint_ms": round(max(leak.paint_ms for leak in leaks), 3),
            "core_s": round(seen.core_s + time.process_time() - began),
        }
        work.put(name, seconds, result, treatment)
        report.note(f"{name} | {seconds} s | {treatment} | {result}")


def _treated(treatment: str, leaks: Sequence[Leak]) -> bytes:
    if treatment == MEAN:
        return mean_of(leaks[0].data, leaks[1].data)
    return attacks()[treatment](leaks[0].data)


def _table(results: Sequence[Result]) -> Table:
    """A row for each treatment, a column for each scene: the score, and who was named where that was wrong."""
    columns = sorted({(each["scene"], each["seconds"]) for each in results})
    table = Table(
        "treatment", *(f"{scene}, {seconds} s" for scene, seconds in columns), title="Invisible mark"
    )
    cells = {(each["treatment"], each["scene"], each["seconds"]): each for each in results}
    for treatment in treatments():
        found = [cells.get((treatment, *column)) for column in columns]
        table.add_row(treatment, *("" if each is None else _cell(each) for each in found))
    return table


def _cell(result: Result) -> str:
    return (
        f"{result['score']}" if result["good"] else f"{result['score']} NAMES {result['named'] or 'nobody'}"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.forensic")
    parser.add_argument("--seconds", type=int, default=10, help="of each scene")
    parser.add_argument("--scenes", nargs="*", choices=list(scenes()), help="all when left out")
    parser.add_argument("--work", type=Path, help="a folder that keeps what was measured")
    parser.add_argument("--null-clips", type=int, default=200, help="clips without a mark of this site")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
