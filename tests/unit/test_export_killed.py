"""A rendering whose process is killed outright: its successor makes the same video, and only what was missing."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from actors import render_pieces
from actors.camera_rendering import CameraJob, CameraRendering
from actors.render_tools import RenderTools
from actors.render_work import RenderWork
from actors.second_looking import LookAnswer, LookOrder
from benchmarks.export_footage import SMALL_FPS, SMALL_PICTURES, START_US, small_fragments, track_of
from orvault.clock import US_PER_S, SystemClock
from orvault.custody.recorded import SegmentLike
from orvault.marks.keys import mark_key
from orvault.vision.detection import Detection, FrameDetections, Kind
from orvault.vision.mask import MaskMode, MaskPolicy
from orvault.vision.second_look import Trial
from orvault.vision.watermark import TextWatermark
from tests.unit.actors_support import eventually

WIDTH, HEIGHT = 320, 180
PIECES, SEGMENTS_EACH = 4, 2
SEGMENTS = PIECES * SEGMENTS_EACH
# Each piece takes a step for each of its segments and one more when it is kept, which happens while its successor is
# rendered: so this is in the middle of the third, with the first kept for good.
KILLED_AT_STEP = SEGMENTS + 3 * SEGMENTS_EACH


@dataclass
class Asked:
    """Detection that finds one head, which walks, and counts what it was asked for."""

    detected: int = 0
    looked: int = 0

    def width(self) -> int:
        return 1

    def models(self) -> str:
        return ""

    def detect(self, _fragment: bytes, _thorough_s: Sequence[float] = ()) -> SimpleNamespace:
        self.detected += 1
        at = 8.0 * self.detected
        found: list[FrameDetections] = [
            [Detection(Kind.HEAD, at + n, 40, at + n + 30, 80, 0.9, "yunet-head")]
            for n in range(SMALL_PICTURES)
        ]
        return SimpleNamespace(result=lambda: found)

    def look_again(self, order: LookOrder) -> SimpleNamespace:
        self.looked += order.trial is None
        return SimpleNamespace(result=lambda: LookAnswer(1, (), Trial.SEEN))


def rendered(
    folder: Path, cores: int = 1, die_at: int | None = None, die_behind: int | None = None
) -> tuple[bytes, Asked]:
    """The joined video. The process is gone at step `die_at`; or, while piece `die_behind` is rendered, as soon as a
    later one is finished.
    """
    render_pieces.PIECE_S = render_pieces.LEAST_PIECE_S = 2 * SEGMENTS_EACH
    clip = small_fragments("crossing", WIDTH, HEIGHT)
    track, asked, steps = track_of(SEGMENTS, WIDTH, HEIGHT, SMALL_PICTURES), Asked(), 0

    def opened(first: int, end: int) -> Iterator[tuple[SegmentLike, bytes]]:
        if die_behind is not None and steps >= SEGMENTS and first == die_behind * SEGMENTS_EACH:
            eventually(lambda: any(n > die_behind for n in finished(folder)), "a later piece is finished")
            os.kill(os.getpid(), signal.SIGKILL)
        yield from ((track.segments[n], clip[n % len(clip)]) for n in range(first, end))

    def step(_stage: str, *, advanced: bool = False) -> None:
        nonlocal steps
        del advanced
        steps += 1
        if steps == die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    job = CameraJob(
        track=track,
        fps=float(SMALL_FPS),
        range_us=(START_US, START_US + 3600 * US_PER_S),
        policy=MaskPolicy(MaskMode.HEAD),
        watermark=[TextWatermark("{time}", utc_offset_min=540)],
        watermarks=[[]],
        keys=[bytes([n]) * 32 for n in range(SEGMENTS)],
        mark_keys=[mark_key(bytes(32), "copy", "or1-wall")],
    )
    tools = SimpleNamespace(detection=asked, clock=SystemClock(), preset="superfast", crf=21, cores=cores)
    rendering = CameraRendering(
        job, opened, cast(RenderTools, tools), RenderWork(folder, {"request": "1"}), step
    )
    rendering.render()
    sink = io.BytesIO()
    rendering.write(0, sink)
    return sink.getvalue(), asked


def finished(folder: Path) -> list[int]:
    """The numbers of the pieces with a record."""
    return sorted(int(path.name.split("-")[-2]) for path in folder.glob("*-piece"))


@pytest.fixture(autouse=True)
def _whole_minutes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PIECE_S", "LEAST_PIECE_S"):
        monkeypatch.setattr(render_pieces, name, getattr(render_pieces, name))


@pytest.mark.parametrize(
    ("cores", "dies", "leaves"),
    [(1, {"die_at": KILLED_AT_STEP}, range(1)), (6, {"die_behind": 1}, (2, 3))],
    ids=["in order", "a later piece first"],
)
def test_a_killed_process_leaves_pieces_from_which_the_very_same_video_is_made(
    tmp_path: Path, cores: int, dies: dict[str, int], leaves: Sequence[int]
) -> None:
    whole, asked = rendered(tmp_path / "whole")
    assert (asked.detected, asked.looked) == (SEGMENTS, PIECES)
    there = tmp_path / "killed"
    process = get_context("spawn").Process(target=rendered, args=(there, cores), kwargs=dies)
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    kept = finished(there)
    assert 0 < len(kept) < PIECES and set(kept) & set(leaves), "it was killed in the middle"
    again, asked = rendered(there, cores)
    assert again == whole
    assert (asked.detected, asked.looked) == (0, PIECES - len(kept))
