"""What happens to a leaked copy in benchmarks.forensic: each takes an MP4 and gives another."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, cast

import av
import cv2
from av.video.frame import VideoFrame

from benchmarks.forensic_scenes import FPS
from orvault.video.codec import Frame, Planes

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
        picture = _planes(frame)
        high, wide = picture.y.shape
        top, left = int(0.03 * high) // 2 * 2, int(0.07 * wide) // 2 * 2
        part = Planes.blank(int((1 - CROP) * wide) // 2 * 2, int((1 - CROP) * high) // 2 * 2)
        for into, whole, step in zip(part, picture, (1, 2, 2), strict=True):
            down, right = into.shape
            into[:] = whole[top // step :, left // step :][:down, :right]
        yield part.native


def _retimed(frames: Iterator[VideoFrame], fps: int) -> Iterator[VideoFrame]:
    shown = -1
    for number, frame in enumerate(frames):
        if number * fps // FPS > shown:
            shown = number * fps // FPS
            yield frame


def _mean(first: VideoFrame, second: VideoFrame) -> VideoFrame:
    mean = Planes.blank(first.width, first.height)
    for into, one, other in zip(mean, _planes(first), _planes(second), strict=True):
        into[:] = cv2.addWeighted(one, 0.5, other, 0.5, 0)
    return mean.native


def _planes(frame: VideoFrame) -> Planes:
    return Frame(None, 0, native=frame).planes()
