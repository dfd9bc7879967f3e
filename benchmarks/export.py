"""python -m benchmarks.export [--seconds N] [--peer-seconds N] [--work FOLDER] [--gpu]: how fast an export is made.

One camera's 1080p30 H.264 footage is exported as an export worker does it (actors/camera_rendering.py): people found,
tracks planned over the whole clip, masked (mode `head`, the configuration of benchmarks.masking), a text with the
picture's time drawn in, one recipient's invisible mark, encoded, looked at a second time, kept sealed in pieces,
joined and sealed into a package. The footage is made of tests/media: scaled from 720p, with a picture between each
two, and noise (benchmarks/export_footage.py). Detection runs in one process per core, as detection actors do. Models
are loaded, and the peer is installed, before anything is timed.

- `fps`: pictures exported per second. `vs_transcode`: against bare decoding and encoding of the same footage with the
  same encoder settings, all cores. `vs_deface`: against the package `deface` at its defaults, in a virtual
  environment of its own; it blurs faces, and neither tracks, marks, seals nor looks again. It makes some three
  pictures a second, so it gets the first `--peer-seconds` of the same footage (`deface_frames` of them), and rates
  are compared, its own without what starting it takes.
- `detection_s`, `rendering_s`, `joining_s`: where the time goes. `processor_s`: what all of the export's processes
  used of it, by the processor's own clock, which tells something on a machine that others use too; `cores_busy`: so
  many were at work on average. `peak_mb`: the most memory of the export's process;
  `python -m benchmarks.export_memory` says how it grows with the length of the footage.
- `configuration`: the digest of what masks, which has to be that of benchmarks.masking.
- `--work FOLDER`: keep the footage and the peer's virtual environment there for the next run.
- `--gpu`: detection on the CUDA provider, one process per core beside each other on the card; refused where there is
  none, or where it does not find what the processor finds. Nothing falls back. `batch`: looks taken together.
"""

from __future__ import annotations

import argparse
import io
import os
import resource
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import active_children, get_context
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from actors.camera_rendering import CameraJob, CameraRendering
from actors.render_tools import RenderTools
from actors.render_work import RenderWork
from actors.second_looking import LookAnswer, LookOrder, look_again
from benchmarks import masking, report
from benchmarks.export_footage import FPS, HEIGHT, START_US, WIDTH, kept_fragments, track_of
from benchmarks.export_peer import deface_rate
from orvault.clock import US_PER_S, SystemClock
from orvault.container.keys import Recipient, generate_private_key
from orvault.container.package import MediaInfo, PackageBuilder, PackageTerms
from orvault.container.trust import CertificateRole, create_root, issue
from orvault.custody.recorded import SegmentLike
from orvault.errors import OrvaultError
from orvault.marks.keys import mark_key
from orvault.video.codec import decode_fragment
from orvault.video.encoding import Mp4Encoder
from orvault.vision.detector import EnsembleDetector
from orvault.vision.looking import detect_fragment
from orvault.vision.mask import FrameDetections
from orvault.vision.second_look import SecondLook
from orvault.vision.watermark import TextWatermark

PRESET, CRF = "superfast", 21  # the settings' defaults (export.encoder_preset, encoder_crf)
MODELS, POLICY = masking.MODELS, masking.POLICY
GOALS = {"vs_deface": 10.0, "vs_transcode": 0.3}
GPU_GOALS = {"vs_transcode": 0.8}
MOST_MB = 1536

_worker: tuple[EnsembleDetector, SecondLook]


def _load(provider: str) -> None:
    global _worker
    _worker = (
        EnsembleDetector(MODELS, provider, threads=1),
        SecondLook(MODELS, provider, threads=1),
    )


def _detect(fragment: bytes, thorough_s: Sequence[float]) -> list[FrameDetections]:
    return detect_fragment(fragment, _worker[0], thorough_s=thorough_s)


def _look(order: LookOrder) -> LookAnswer:
    return look_again(order, _worker[1])


def configuration() -> str:
    """What this process masks with."""
    return masking.configuration(_worker[0])


@dataclass
class Workers:
    """Detection actors' stand-in: the same calls, in processes of its own."""

    pool: ProcessPoolExecutor
    count: int

    def width(self) -> int:
        """How many processes there are."""
        return self.count

    def models(self) -> str:
        """Nothing is taken from an earlier run's work."""
        return ""

    def detect(self, fragment: bytes, thorough_s: Sequence[float] = ()) -> Future[list[FrameDetections]]:
        """As a detection actor."""
        return self.pool.submit(_detect, fragment, thorough_s)

    def look_again(self, order: LookOrder) -> Future[LookAnswer]:
        """As a detection actor."""
        return self.pool.submit(_look, order)


class Stages:
    """Takes the time of each stage by what is reported as it goes on."""

    def __init__(self) -> None:
        self.began = self._last = time.perf_counter()
        self.seconds: dict[str, float] = {}

    def step(self, stage: str, *, advanced: bool = False) -> None:
        """A unit of this stage is done."""
        del advanced
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._last
        self._last = now


def main() -> int:
    """Run it all; see the module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--peer-seconds", type=int, default=6)
    parser.add_argument("--work", type=Path, help="keeps footage and the peer's environment")
    parser.add_argument("--gpu", action="store_true")
    chosen = parser.parse_args()
    provider = "cuda" if chosen.gpu else "cpu"
    try:
        # A provider that is missing, or not proven, is told before anything is made.
        batch = EnsembleDetector(MODELS, provider).batch
        fields = _measure(chosen, provider)
    except OrvaultError as error:
        report.note(f"benchmarks.export: {error}")
        return error.exit_code
    goals = GPU_GOALS if chosen.gpu else GOALS
    ok = all(
        isinstance(fields[name], float) and cast("float", fields[name]) >= goal
        for name, goal in goals.items()
    )
    ok = ok and cast("int", fields["peak_mb"]) <= MOST_MB
    goal = ", ".join([*(f"{name} >= {goal:g}" for name, goal in goals.items()), f"peak_mb <= {MOST_MB}"])
    runtime = "onnxruntime-gpu" if chosen.gpu else "onnxruntime"
    libraries = ("av", runtime, "opencv-python-headless", "numpy")
    return report.finish(
        "export", fields, goal, ok, libraries=libraries, ran_on={"provider": provider, "batch": batch}
    )


def _measure(chosen: argparse.Namespace, provider: str) -> dict[str, object]:
    with report.stage("making 1080p30 footage"):
        clip = kept_fragments(chosen.seconds, chosen.work)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with report.stage("decoding and encoding alone"):
            transcode = _transcode_fps(clip)
        with report.stage("exporting"):
            fields = _export(clip, folder, provider)
            report.note(f"transcode: {transcode:.1f} a second; export: {fields}")
        fps = cast("float", fields["fps"])
        fields |= {"transcode_fps": round(transcode, 1), "vs_transcode": round(fps / transcode, 3)}
        with report.stage("deface"):
            peers = clip[: max(1, chosen.peer_seconds // 2)]
            return fields | _beside_deface(peers, folder, (chosen.work or folder) / "deface", fps)


def _beside_deface(clip: list[bytes], folder: Path, home: Path, fps: float) -> dict[str, object]:
    """Its figures; where it is missing, why, and no comparison."""
    try:
        peer = deface_rate(clip, folder, home)
    except OrvaultError as error:
        report.note(f"benchmarks.export: {error}")
        return {"vs_deface": None, "deface_missing": str(error)}
    return {
        "vs_deface": round(fps / peer.fps, 1),
        "deface_fps": round(peer.fps, 2),
        "deface_frames": peer.frames,
    }


def _transcode_fps(clip: list[bytes]) -> float:
    """Bare decoding and encoding; both use as many threads as they like."""
    sink, count, began = io.BytesIO(), 0, time.perf_counter()
    encoder = Mp4Encoder(sink, WIDTH, HEIGHT, FPS, crf=CRF, preset=PRESET)
    for fragment in clip:
        for frame in decode_fragment(fragment, threads=0):
            encoder.write_planes(frame.planes(), count * 3000)
            count += 1
    encoder.close()
    return count / (time.perf_counter() - began)


def _export(clip: list[bytes], folder: Path, provider: str) -> dict[str, object]:
    cores = cast("int", report.machine()["cores"])
    with ProcessPoolExecutor(cores, get_context("spawn"), _load, (provider,)) as pool:
        # As many calls as processes, each long enough that every one of them has to load.
        for answer in [pool.submit(_detect, clip[0], ()) for _ in range(cores)]:
            answer.result()
        masks_with = pool.submit(configuration).result()
        assert masks_with == masking.configuration(EnsembleDetector(MODELS, provider)), (
            "other masks than judged"
        )
        tools = cast(
            RenderTools,
            SimpleNamespace(
                detection=Workers(pool, cores), clock=SystemClock(), preset=PRESET, crf=CRF, cores=None
            ),
        )
        return _timed_export(clip, folder, tools) | {"configuration": masks_with}


def _timed_export(clip: list[bytes], folder: Path, tools: RenderTools) -> dict[str, object]:
    track = track_of(len(clip))

    def opened(first: int, end: int) -> Iterator[tuple[SegmentLike, bytes]]:
        yield from zip(track.segments[first:end], clip[first:end], strict=True)

    job = CameraJob(
        track=track,
        fps=float(FPS),
        range_us=(START_US, START_US + 10**6 * US_PER_S),
        policy=POLICY,
        watermark=[TextWatermark("서울병원 2026-1234 {time}", utc_offset_min=540)],
        watermarks=[[]],
        keys=[secrets.token_bytes(32) for _ in clip],
        mark_keys=[mark_key(secrets.token_bytes(32), "copy", "benchmark")],
    )
    stages, before_s = Stages(), _processor_s()
    rendering = CameraRendering(
        job, opened, tools, RenderWork(folder / "work", {"benchmark": "export"}), stages.step
    )
    rendering.render()
    rendered_s = time.perf_counter() - stages.began
    package = _package(folder, rendering)
    total_s, busy_s = time.perf_counter() - stages.began, _processor_s() - before_s
    frames = sum(piece.frames for piece in rendering.pieces)
    found_s = sum(took for stage, took in stages.seconds.items() if stage.startswith("finding"))
    return {
        "fps": round(frames / total_s, 2),
        "frames": frames,
        "footage": f"{WIDTH}x{HEIGHT} at {FPS}, H.264, made of tests/media",
        "detection_s": round(found_s, 1),
        "rendering_s": round(rendered_s - found_s, 1),
        "joining_s": round(total_s - rendered_s, 1),
        "processor_s": round(busy_s, 1),
        "cores_busy": round(busy_s / total_s, 2),
        "package_mb": round(package.stat().st_size / 1e6, 1),
        "second_look_pictures": sum(piece.pictures for piece in rendering.pieces),
        "second_look_left": sum(len(piece.left) for piece in rendering.pieces),
        "second_look_trial": rendering.trial.value,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def _processor_s() -> float:
    """What this process and its workers have used so far (proc_pid_stat(5): utime, stime)."""
    workers = [Path(f"/proc/{worker.pid}/stat").read_text() for worker in active_children()]
    ticks = sum(int(field) for told in workers for field in told.rpartition(")")[2].split()[11:13])
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def _package(folder: Path, rendering: CameraRendering) -> Path:
    clock = SystemClock()
    now = clock.now_us()
    root = create_root("Benchmark", clock)
    identity = issue(root, "export", CertificateRole.EXPORT_SERVER, clock, 10)
    terms = PackageTerms(
        package_id="benchmark", request_id="benchmark", case_id="benchmark", purpose="benchmark",
        legal_basis="none", recipients=("benchmark",), terms_text="none", masking="head, solid",
        watermark="time", not_before_us=now, not_after_us=now + US_PER_S, issued_us=now,
    )  # fmt: skip
    pieces = rendering.pieces
    with PackageBuilder(folder, identity, terms) as builder:
        with builder.media_sink("benchmark") as sink:
            rendering.write(0, sink)
        media = MediaInfo(
            camera_id="benchmark", title="Benchmark", width=WIDTH, height=HEIGHT, fps=float(FPS),
            frames=sum(piece.frames for piece in pieces), start_us=pieces[0].start_us,
            end_us=pieces[-1].end_us, gaps=(), sources=({"segment_id": "s", "digest": "a" * 64},),
        )  # fmt: skip
        recipient = Recipient("benchmark", generate_private_key().public(), None, None)
        return builder.finish(folder / "benchmark.orvault", [media], [recipient]).path


if __name__ == "__main__":
    sys.exit(main())
