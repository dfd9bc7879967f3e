"""Pieces of a rendering side by side: the same as one after the other, whatever lies between; and one that fails."""

from __future__ import annotations

import functools
import io
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from actors import render_pieces, side_by_side
from actors.camera_rendering import CameraJob, CameraRendering
from actors.render_tools import RenderTools
from actors.render_work import RenderWork
from actors.second_looking import LookAnswer, LookOrder
from actors.side_by_side import SideBySide, pieces_at_once
from benchmarks.export_footage import SMALL_FPS, SMALL_PICTURES, START_US, small_fragments, track_of
from orvault.clock import US_PER_S, SystemClock
from orvault.custody.recorded import SegmentLike
from orvault.custody.service import Track
from orvault.errors import ErrorKind, OrvaultError
from orvault.marks.keys import mark_key
from orvault.rendition import CopySink, Rendition
from orvault.video.codec import decode_fragment
from orvault.video.times import shown_90k
from orvault.vision.detection import Detection, FrameDetections, Kind
from orvault.vision.mask import WHOLE, MaskMode, MaskPolicy
from orvault.vision.second_look import Left, Trial
from orvault.vision.watermark import TextWatermark

WIDTH, HEIGHT = 320, 180
SEGMENTS, EACH = 10, 2  # five pieces
# When segments begin, in seconds: a gap between two pieces and one inside; the clock set back between two, by so much
# that it stays behind for two segments, and inside one.
BEGINS_S = (0, 2, 9, 11, 10, 12, 14, 20, 19, 21)
DAMAGED = 5
W1, W3 = 2, 6  # cores


@dataclass
class Looker:
    """Detection that finds one head, which walks, and tells of one left in each part of the output."""

    trials: list[LookOrder] = field(default_factory=list)
    says: Trial = Trial.SEEN
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
        if order.trial is not None:
            self.trials.append(order)
            return SimpleNamespace(result=lambda: LookAnswer(0, (), self.says))
        self.looked += 1
        last = max(order.plans)
        left = Left(last, (len(order.output) % 100, 0, 200, 100), 0.5, "yunet-head")
        return SimpleNamespace(result=lambda: LookAnswer(len(order.plans), (left,), Trial.NOBODY))


@functools.cache
def camera() -> tuple[Track, list[bytes]]:
    """A recording with everything between its pieces that there may be."""
    track = track_of(SEGMENTS, WIDTH, HEIGHT, SMALL_PICTURES)
    clip = small_fragments("crossing", WIDTH, HEIGHT)
    fragments = [clip[n % len(clip)] for n in range(SEGMENTS)]
    whole, middle = fragments[DAMAGED], len(fragments[DAMAGED]) // 2
    fragments[DAMAGED] = whole[:middle] + bytes(len(whole) // 4) + whole[middle + len(whole) // 4 :]
    segments = []
    for segment, begin_s in zip(track.segments, BEGINS_S, strict=True):
        begin_us = START_US + begin_s * US_PER_S
        meta = replace(segment.header.meta, start_us=begin_us, end_us=begin_us + 2 * US_PER_S)
        segments.append(replace(segment, header=replace(segment.header, meta=meta)))
    return replace(track, segments=tuple(segments)), fragments


@dataclass
class Made:
    """One rendering of it."""

    folder: Path
    cores: int
    looker: Looker = field(default_factory=Looker)
    steps: list[bool] = field(default_factory=list)
    fails_at: int | None = None  # this segment cannot be opened in the second pass

    def __post_init__(self) -> None:
        track, fragments = camera()
        opened_before: set[int] = set()

        def opened(first: int, end: int) -> Iterator[tuple[SegmentLike, bytes]]:
            for n in range(first, end):
                if n == self.fails_at and n in opened_before:
                    raise OrvaultError(ErrorKind.ALTERED, "another segment")
                opened_before.add(n)
                yield track.segments[n], fragments[n]

        job = CameraJob(
            track=track,
            fps=float(SMALL_FPS),
            # The first and the last few pictures are left out.
            range_us=(START_US + US_PER_S // 2, START_US + 22 * US_PER_S + US_PER_S // 3),
            policy=MaskPolicy(MaskMode.HEAD),
            watermark=[TextWatermark("{time}", utc_offset_min=540)],
            watermarks=[[], [TextWatermark("two")]],
            keys=[bytes([n]) * 32 for n in range(SEGMENTS)],
            mark_keys=[mark_key(bytes(32), each, "or1-wall") for each in ("one", "two")],
        )
        tools = SimpleNamespace(
            detection=self.looker, clock=SystemClock(), preset="superfast", crf=21, cores=self.cores
        )
        self.rendering = CameraRendering(
            job, opened, cast(RenderTools, tools), RenderWork(self.folder, {"request": "1"}), self._step
        )

    def _step(self, _stage: str, *, advanced: bool = False) -> None:
        self.steps.append(advanced)

    def render(self) -> list[bytes]:
        """Both copies' videos."""
        self.rendering.render()
        sinks = [io.BytesIO(), io.BytesIO()]
        for copy, sink in enumerate(sinks):
            self.rendering.write(copy, sink)
        return [sink.getvalue() for sink in sinks]


@pytest.fixture(autouse=True)
def _short_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render_pieces, "PIECE_S", 2 * EACH)
    monkeypatch.setattr(render_pieces, "LEAST_PIECE_S", 2 * EACH)


def test_three_at_once_give_what_one_after_the_other_gives(tmp_path: Path) -> None:
    one, three = Made(tmp_path / "one", W1), Made(tmp_path / "three", W3)
    videos = one.render()
    assert three.render() == videos and videos[0] != videos[1]
    assert three.rendering.pieces == one.rendering.pieces
    assert three.rendering.trial is one.rendering.trial is Trial.SEEN
    assert len(three.steps) == len(one.steps) == 2 * SEGMENTS + 5 and sum(three.steps) == sum(one.steps) == 5
    assert not list(tmp_path.rglob("*.part"))


def test_gaps_steps_and_damage_between_pieces_are_told_as_in_one_piece(tmp_path: Path) -> None:
    """Held against one rendition over all of it, which knows nothing of pieces."""
    made = Made(tmp_path / "w", W3)
    made.render()
    track, fragments = camera()
    whole = Rendition(
        [CopySink(io.BytesIO())], WIDTH, HEIGHT, float(SMALL_FPS), MaskPolicy(MaskMode.HEAD),
        from_us=made.rendering._job.range_us[0], to_us=made.rendering._job.range_us[1],
    )  # fmt: skip
    for segment, fragment in zip(track.segments, fragments, strict=True):
        whole.add(fragment, [WHOLE] * SMALL_PICTURES, segment.header.meta.start_us)
    report, pieces = whole.close(), made.rendering.pieces
    assert pieces[-1].reached == report.reached and report.clock_steps >= 4
    assert tuple(gap for piece in pieces for gap in piece.gaps) == report.gaps and len(report.gaps) == 2
    assert tuple(each for piece in pieces for each in piece.damaged) == report.damaged != ()
    assert sum(piece.frames for piece in pieces) == report.frames < SEGMENTS * SMALL_PICTURES
    assert (pieces[-1].start_us, pieces[-1].end_us) == (report.start_us, report.end_us)


def test_what_a_stopped_worker_finished_out_of_order_is_gone_on_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    videos = Made(tmp_path / "one", W1).render()
    broken = Made(tmp_path / "three", W3, fails_at=1)
    with pytest.raises(OrvaultError) as caught:
        broken.render()
    assert caught.value.kind is ErrorKind.ALTERED
    assert not list(tmp_path.rglob("*.part")), "what was half written is gone"
    assert not [each for each in threading.enumerate() if each.name.startswith("pieces")], "nobody goes on"
    # As if it had been killed when others were finished already.
    for path in (tmp_path / "three").glob("*-0000[024]-piece"):
        path.unlink()
    for number in (1, 3):
        for what in ("copy0", "copy1", "piece"):
            name = f"benchmark-{number:05d}-{what}"
            if not (tmp_path / "three" / name).exists():
                (tmp_path / "three" / name).write_bytes((tmp_path / "one" / name).read_bytes())
    again = Made(tmp_path / "three", W3)
    assert again.render() == videos
    assert again.looker.detected == 0 and again.looker.looked == 3
    assert sum(again.steps) == 3 and len(again.steps) == 2 * SEGMENTS + 5


@pytest.mark.parametrize(("says", "tried"), [(Trial.SEEN, 1), (Trial.MISSED, 5)])
def test_the_second_look_is_tried_until_it_saw_once_and_not_again_by_a_successor(
    tmp_path: Path, says: Trial, tried: int
) -> None:
    made = Made(tmp_path / "w", W3, Looker(says=says))
    made.render()
    assert made.rendering.trial is says and len(made.looker.trials) == tried
    again = Made(tmp_path / "w", W1)
    again.render()
    assert again.rendering.trial is says and again.looker.trials == []


def test_the_first_that_failed_is_the_one_that_is_told_and_stops_the_others() -> None:
    begun, stopped = threading.Event(), threading.Event()

    def waits(crew: SideBySide) -> None:
        with crew.turn():
            begun.set()
            try:
                while True:
                    crew.check()
            finally:
                stopped.set()

    def fails(crew: SideBySide) -> None:
        assert begun.wait(60)
        raise OrvaultError(ErrorKind.UNAVAILABLE, "away")

    with pytest.raises(OrvaultError, match="away"), SideBySide(2) as crew:
        crew.begin(lambda: waits(crew))
        crew.begin(lambda: fails(crew))
    assert stopped.is_set()


def test_as_many_as_the_cores_and_the_memory_are_for() -> None:
    assert [pieces_at_once(cores, 1, 1920, 1080) for cores in (1, 2, 3, 4)] == [1, 1, 1, 2]
    assert 4 <= pieces_at_once(16, 1, 1920, 1080) <= side_by_side.MOST_AT_ONCE
    assert pieces_at_once(16, 1, 3840, 2160) < pieces_at_once(16, 1, 1920, 1080)
    assert pieces_at_once(16, 40, 1920, 1080) == 1
    assert pieces_at_once(128, 1, 320, 180) == side_by_side.MOST_AT_ONCE


def test_times_read_off_packets_are_those_that_are_decoded() -> None:
    _, fragments = camera()
    for fragment in (fragments[0], fragments[DAMAGED]):
        decoded = [frame.pts_90k for frame in decode_fragment(fragment, black_for_damaged=True)]
        assert shown_90k(fragment) == decoded and len(decoded) == SMALL_PICTURES
    for bad in (b"", b"no video", fragments[0][:40]):
        with pytest.raises(OrvaultError) as caught:
            shown_90k(bad)
        assert caught.value.kind is ErrorKind.BAD_MEDIA
