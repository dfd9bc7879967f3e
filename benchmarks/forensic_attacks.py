"""What happens to a leaked copy in benchmarks.forensic: each takes an MP4 and gives another."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, cast

import av
import numpy as np
from av.video.frame import VideoFrame

from benchmarks.forensic_scenes import FPS

Attack = Callable[[bytes], bytes]
CROP = 0.1  # of width and height, more from one side than from the other


def attacks() -> dict[str, Attack]:
    """By name; the first seven are the goal's, with the mean of two copies (`mean_of`)."""
    return {
        "untouched": lambda data: data,
        "x264 crf 28": lambda data: encoded(decoded(data), crf=28),
        "720p": lambda data: encoded(_scaled(decoded(data), 1280, 720), crf=18),
        "720p, x264 crf 28": lambda data: encoded(_scaled(decoded(data), 1280, 720), crf=28),
        "10 % crop": lambda data: encoded(_cropped(decoded(data)), crf=23),
        "x265 crf 30": lambda data: encoded(decoded(data), "libx265", crf=30),
        "25 fps": lambda data: encoded(_retimed(decoded(data), 25), crf=23, fps=25),
        "10 % crop, 720p, crf 28": lambda data: encoded(_scaled(_cropped(decoded(data)), 1280, 720), crf=28),
        "480p, crf 30": lambda data: encoded(_scaled(decoded(data), 854, 480), crf=30),
    }


def mean_of(first: bytes, second: bytes) -> bytes:
    """Two recipients' copies averaged picture by picture."""
    pairs = zip(decoded(first), decoded(second), strict=True)
    return encoded((_mean(a, b) for a, b in pairs), crf=23)


def decoded(data: bytes) -> Iterator[VideoFrame]:
    """Its pictures."""
    with av.open(io.BytesIO(data), mode="r") as container:
        yield from container.decode(video=0)


def encoded(
    frames: Iterator[VideoFrame],
    codec: str = "libx264",
    *,
    crf: int,
    fps: int = FPS,
    preset: str = "veryfast",
) -> bytes:
    """An MP4 with default settings but these."""
    sink = io.BytesIO()
    with av.open(sink, "w", format="mp4") as container:
        stream: Any = None
        for number, frame in enumerate(frames):
            if stream is None:
                stream = container.add_stream(codec, rate=fps)
                stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, "yuv420p"
                stream.options = {"crf": str(crf), "preset": preset, "x265-params": "log-level=none"}
                if codec != "libx265":
                    del stream.options["x265-params"]
            frame.pts, frame.time_base = number, Fraction(1, fps)
            frame.pict_type = cast(Any, 0)  # else the old coder's choice of keyframes is kept
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return sink.getvalue()


def _scaled(frames: Iterator[VideoFrame], width: int, height: int) -> Iterator[VideoFrame]:
    for frame in frames:
        yield frame.reformat(width=width, height=height)


def _cropped(frames: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
    for frame in frames:
        picture = frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
        high, wide = picture.shape[:2]
        top, left = int(0.03 * high), int(0.07 * wide)
        part = picture[
            top : top + int((1 - CROP) * high) // 2 * 2, left : left + int((1 - CROP) * wide) // 2 * 2
        ]
        yield VideoFrame.from_ndarray(np.ascontiguousarray(part), format="rgb24").reformat(format="yuv420p")


def _retimed(frames: Iterator[VideoFrame], fps: int) -> Iterator[VideoFrame]:
    shown = -1
    for number, frame in enumerate(frames):
        if number * fps // FPS > shown:
            shown = number * fps // FPS
            yield frame


def _mean(first: VideoFrame, second: VideoFrame) -> VideoFrame:
    total = first.to_ndarray(format="yuv420p").astype(np.uint16) + second.to_ndarray(format="yuv420p")
    return VideoFrame.from_ndarray(((total + 1) // 2).astype(np.uint8), format="yuv420p")
