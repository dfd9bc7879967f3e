"""Pictures into fragmented MP4: the only place that encodes.

Written forwards only, so that what takes the bytes may be a cipher or a socket; it never writes sound.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, Protocol, cast

import av
import numpy as np
from av.codec.context import ThreadType
from av.container import OutputContainer
from av.video.stream import VideoStream

from orvault.errors import ErrorKind, OrvaultError
from orvault.video.codec import (
    AVCOL_BT709,
    AVCOL_LIMITED,
    CLOCK_90K,
    MAX_PIXELS,
    Frame,
    Image,
    Luma,
    Planes,
    bad_media,
    check_size,
)

# As often as the second look looks, which then decodes nothing but keyframes. A player that seeks decodes half of
# this, and damage spoils no more.
KEYFRAME_INTERVAL_S = 1.0
# Pictures that are coded side by side, on any machine: the same pictures give the same bytes whatever its cores, and
# each copy of an export holds so many.
THREADS = 4
# empty_moov and no index at the end: nothing is ever patched, so the sink may be a cipher or a socket.
FRAGMENTED = {
    "movflags": "frag_keyframe+empty_moov+default_base_moof",
    "video_track_timescale": str(CLOCK_90K),
}


class Sink(Protocol):
    """Where an encoder's bytes go; it need not seek."""

    def write(self, data: bytes, /) -> int | None:
        """Take all of `data`."""
        ...


class LumaPainter(Protocol):
    """Draws into the luma of pictures that are about to be coded: a copy's mark (orvault.marks)."""

    def paint(self, luma: Luma, pts_90k: int) -> None:
        """Change one picture in place; `pts_90k` is when it is shown."""
        ...


class Mp4Encoder:
    """H.264 in fragmented MP4, written forwards only into `sink`; time stamps are kept to 1/90000 s.

    `crf` is x264's quality (lower is better, 18 to 28 are usual), `preset` its speed. A keyframe, and with it a new
    MP4 fragment, comes about every `keyframe_s`, so that the file can be played from any of them before its end is
    there. `mark` is drawn into the luma of each picture as it is written. `threads` is how many pictures are coded
    side by side; other numbers give other bytes, as good.
    """

    def __init__(
        self,
        sink: Sink,
        width: int,
        height: int,
        fps: float,
        *,
        crf: int = 23,
        preset: str = "veryfast",
        threads: int = THREADS,
        bt709: bool = False,
        mark: LumaPainter | None = None,
        keyframe_s: float = KEYFRAME_INTERVAL_S,
    ) -> None:
        _check_encoder(width, height, fps, crf)
        self.width, self.height = width, height
        self._last_pts_90k = -1
        self._frame_90k = max(1, round(CLOCK_90K / fps))
        self._bt709 = bt709
        self._mark = mark
        self._container: OutputContainer = av.open(
            cast(Any, WriteOnly(sink)), mode="w", format="mp4", options=FRAGMENTED
        )
        self._stream = self._open_stream(fps, crf, preset, threads)
        self._stream.codec_context.gop_size = max(1, round(fps * keyframe_s))

    def _open_stream(self, fps: float, crf: int, preset: str, threads: int) -> VideoStream:
        stream = self._container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = self.width, self.height, "yuv420p"
        context.time_base = Fraction(1, CLOCK_90K)
        stream.time_base = Fraction(1, CLOCK_90K)
        context.max_b_frames = (
            0  # decode order = display order: the first picture's time is the track's start
        )
        # By pictures: cut into slices, PyAV's default, each picture is waited for before the next can be made ready.
        context.thread_type, context.thread_count = ThreadType.FRAME, threads
        if self._bt709:
            context.colorspace = context.color_primaries = context.color_trc = AVCOL_BT709
            context.color_range = AVCOL_LIMITED
        stream.options = {"crf": str(crf), "preset": preset}
        return stream

    def write(self, bgr: Image, pts_90k: int) -> None:
        """Encode one picture of the size given at the start, to be shown at `pts_90k` (must grow)."""
        if bgr.dtype != np.uint8:
            raise OrvaultError(ErrorKind.INTERNAL, f"A picture of {bgr.dtype} cannot be encoded.")
        self.write_planes(Frame(bgr, pts_90k, self._bt709).planes(), pts_90k)

    def write_planes(self, planes: Planes, pts_90k: int) -> None:
        """As `write`, of a picture that is in 4:2:0 already; the mark is drawn into its luma."""
        if planes.y.shape != (self.height, self.width):
            raise OrvaultError(
                ErrorKind.INTERNAL,
                f"A picture {planes.y.shape} does not fit a {self.width}x{self.height} video.",
            )
        if pts_90k <= self._last_pts_90k:
            raise OrvaultError(
                ErrorKind.INTERNAL, f"Time stamp {pts_90k} does not follow {self._last_pts_90k}."
            )
        self._last_pts_90k = pts_90k
        frame = planes.native
        if self._mark is not None:
            self._mark.paint(planes.y, pts_90k)
        frame.pts, frame.time_base, frame.duration = pts_90k, Fraction(1, CLOCK_90K), self._frame_90k
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Write what is still held back; the sink stays open. A second call does nothing."""
        if self._container is not None:
            container, self._container = self._container, cast(Any, None)
            container.mux(self._stream.encode(None))
            container.close()


def _check_encoder(width: int, height: int, fps: float, crf: int) -> None:
    if width % 2 or height % 2:
        raise bad_media(f"The picture size {width}x{height} is odd, which 4:2:0 colour cannot hold.")
    check_size(width, height, MAX_PIXELS)
    if not 0.1 <= fps <= 240 or not 0 <= crf <= 51:
        raise OrvaultError(
            ErrorKind.BAD_REQUEST,
            f"{fps} pictures a second at quality {crf} cannot be encoded.",
            advice="Take 0.1 to 240 pictures a second and a quality (CRF) from 0 to 51.",
        )


class WriteOnly:
    """Shows PyAV nothing but `write`, whatever else the sink can do: so it can never seek back and patch."""

    def __init__(self, sink: Sink) -> None:
        self._put: Callable[[bytes], int | None] = sink.write

    def write(self, data: bytes) -> int:
        """Pass all of it on."""
        rest = memoryview(bytes(data))
        while rest:
            taken = self._put(bytes(rest))
            if taken is None:  # a sink that does not count takes all
                break
            rest = rest[taken:] if taken > 0 else _sink_full()
        return len(data)


def _sink_full() -> memoryview:
    raise OrvaultError(ErrorKind.STORAGE, "The sink of the encoded video takes no more bytes.")
