"""The footage of benchmarks.export: 1080p, 30 pictures a second, made of the repository's own clips."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from orvault.clock import US_PER_S
from orvault.container.segment import SegmentHeader, SegmentMeta
from orvault.custody.ports import CameraInfo
from orvault.custody.recorded import StoredSegment
from orvault.custody.service import Track
from orvault.video.codec import Image, decode_fragment
from orvault.video.encoding import Mp4Encoder

MEDIA = Path(__file__).resolve().parents[1] / "tests" / "media"
CLIPS = ("crossing", "still_patient", "raise_left", "both_up")
WIDTH, HEIGHT, FPS = 1920, 1080, 30
SEGMENT_S = 2  # as recordings are cut, each with one keyframe
SEGMENT_PICTURES = SEGMENT_S * FPS
SMALL_FPS = 15
SMALL_PICTURES = SEGMENT_S * SMALL_FPS
NOISE = 2.0  # levels: a scaled rendering alone is smoother than any camera, and costs an encoder nothing
START_US = 1_800_000_000 * US_PER_S


def fragments(seconds: int) -> list[bytes]:
    """The clips one after the other, again and again, scaled, with a picture between each two and noise over all."""
    result: list[bytes] = []
    shown = _shown()
    for _ in range(seconds * FPS // SEGMENT_PICTURES):
        sink = io.BytesIO()
        encoder = Mp4Encoder(sink, WIDTH, HEIGHT, FPS, crf=20, preset="superfast", keyframe_s=SEGMENT_S)
        for number in range(SEGMENT_PICTURES):
            encoder.write(next(shown), number * 3000)
        encoder.close()
        result.append(sink.getvalue())
    return result


def _shown() -> Iterator[Image]:
    random = np.random.default_rng(1)
    grains = [_grain(random) for _ in range(8)]
    number = 0
    while True:
        for clip in CLIPS:
            before: Image | None = None
            for frame in decode_fragment((MEDIA / f"{clip}.mp4").read_bytes()):
                now = np.asarray(
                    cv2.resize(frame.bgr, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC), np.uint8
                )
                between = now if before is None else cv2.addWeighted(before, 0.5, now, 0.5, 0)
                for picture in (between, now):
                    lighter, darker = grains[number % len(grains)]
                    yield np.asarray(cv2.subtract(cv2.add(picture, lighter), darker), np.uint8)
                    number += 1
                before = now


def _grain(random: np.random.Generator) -> tuple[Image, Image]:
    noise = random.normal(0, NOISE, (HEIGHT, WIDTH, 1)).astype(np.float32).repeat(3, axis=2)
    return np.clip(noise, 0, 255).astype(np.uint8), np.clip(-noise, 0, 255).astype(np.uint8)


def kept_fragments(seconds: int, folder: Path | None) -> list[bytes]:
    """As `fragments`; kept in the folder, where there is one, for the next run."""
    if folder is None:
        return fragments(seconds)
    kept = folder / f"footage-{seconds}"
    if not kept.exists():
        made = fragments(seconds)
        fresh = folder / f"footage-{seconds}.part"
        fresh.mkdir(parents=True, exist_ok=True)
        for number, fragment in enumerate(made):
            (fresh / f"{number:04d}.mp4").write_bytes(fragment)
        fresh.rename(kept)
    return [path.read_bytes() for path in sorted(kept.iterdir())]


def small_fragments(clip: str, width: int, height: int) -> list[bytes]:
    """One clip, scaled down, at its own rate: for what must last long and not be looked at."""
    result: list[bytes] = []
    pictures = list(decode_fragment((MEDIA / f"{clip}.mp4").read_bytes()))
    for first in range(0, len(pictures) - SMALL_PICTURES + 1, SMALL_PICTURES):
        sink = io.BytesIO()
        encoder = Mp4Encoder(sink, width, height, SMALL_FPS, crf=23, preset="superfast", keyframe_s=SEGMENT_S)
        for number, frame in enumerate(pictures[first : first + SMALL_PICTURES]):
            small = np.asarray(cv2.resize(frame.bgr, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
            encoder.write(small, number * 90_000 // SMALL_FPS)
        encoder.close()
        result.append(sink.getvalue())
    return result


def track_of(count: int, width: int = WIDTH, height: int = HEIGHT, pictures: int = SEGMENT_PICTURES) -> Track:
    """A camera's recording of so many segments, as the ledger would tell of it."""
    camera = CameraInfo("benchmark", "Benchmark", "OR 1", "node-1", "h264")
    segments = tuple(_segment(number, width, height, pictures) for number in range(count))
    return Track(camera, segments, ())


def _segment(number: int, width: int, height: int, pictures: int) -> StoredSegment:
    begin_us = START_US + number * 2 * US_PER_S
    meta = SegmentMeta(
        segment_id=f"segment-{number:06d}",
        node_id="node-1",
        case_id="case",
        camera_id="benchmark",
        run_id="run",
        sequence=number,
        epoch=1,
        start_us=begin_us,
        end_us=begin_us + 2 * US_PER_S,
        codec="h264",
        width=width,
        height=height,
        frames=pictures,
    )
    header = SegmentHeader(
        meta=meta,
        previous="",
        key_commitment="c" * 64,
        ciphertext_sha256="d" * 64,
        plaintext_bytes=1,
        chunk_bytes=1 << 20,
        node_certificate="e" * 64,
        key_thumbprint="f" * 64,
    )
    return StoredSegment(header, "a" * 64, 1, f"{number:06d}.seg", (), 0)
