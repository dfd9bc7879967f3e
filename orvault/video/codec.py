"""Pictures out of fragments, and pictures into fragmented MP4: the only place that decodes and encodes.

It neither cuts nor seals (video.gop, container.stream), and it never touches sound: no audio is read or
written.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Protocol, cast

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer, OutputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream

from orvault.errors import ErrorKind, OrvaultError

Image = npt.NDArray[np.uint8]  # (height, width, 3), blue green red
Luma = npt.NDArray[np.uint8]  # (height, width); rows may lie apart

CLOCK_90K = 90_000
KNOWN_CODECS = ("h264", "hevc")
MAX_PIXELS = 4096 * 2304  # the largest picture of a camera that is taken: a little over 4K
MAX_FRAMES = 4_000  # of one fragment: 2 s are usual; 60 s at 60 pictures a second are still taken
KEYFRAME_INTERVAL_S = 2.0
# empty_moov and no index at the end: nothing is ever patched, so the sink may be a cipher or a socket.
FRAGMENTED = {
    "movflags": "frag_keyframe+empty_moov+default_base_moof",
    "video_track_timescale": str(CLOCK_90K),
}
_AVCOL_BT709 = 1  # the same number for matrix, primaries and transfer in ISO/IEC 23091-2
_AVCOL_LIMITED = 1
_AVCOL_FULL = 2

# What PyAV raises on bad bytes: its own errors, and Python's where a field makes no sense to it.
_MEDIA_ERRORS = (av.FFmpegError, ValueError, IndexError, OverflowError, ArithmeticError)


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


@dataclass(frozen=True, slots=True)
class Planes:
    """A picture as coders have it: `y` (h, w), `u` and `v` (h/2, w/2), uint8, limited range, views into `native`.

    What is written into them is what is encoded.
    """

    y: Luma = field(repr=False)
    u: Luma = field(repr=False)
    v: Luma = field(repr=False)
    native: VideoFrame = field(repr=False)

    @classmethod
    def blank(cls, width: int, height: int) -> Planes:
        """A picture of this size (even) whose contents are not set."""
        native = VideoFrame(width, height, "yuv420p")
        y, u, v = (_plane(native, index) for index in range(3))
        return cls(y, u, v, native)

    def __iter__(self) -> Iterator[Luma]:
        return iter((self.y, self.u, self.v))

    def copied(self) -> Planes:
        """The same picture in memory of its own."""
        height, width = self.y.shape
        copy = Planes.blank(width, height)
        for plane, original in zip(copy, self, strict=True):
            np.copyto(plane, original)
        return copy


class Frame:
    """One decoded picture; `pts_90k` as in the stream.

    `bgr` (height, width, 3) uint8, writable, is made when it is first asked for: turning a picture's colours costs
    more than decoding it, and most pictures are never looked at in colour.
    """

    __slots__ = ("_bgr", "_native", "bt709", "pts_90k")

    def __init__(
        self, bgr: Image | None, pts_90k: int, bt709: bool = False, *, native: VideoFrame | None = None
    ) -> None:
        assert bgr is not None or native is not None, "a picture, in one form or the other"
        self._bgr = bgr
        self._native = native
        self.pts_90k = pts_90k
        self.bt709 = bt709  # the stream says that its colours follow BT.709; kept when it is encoded again

    @property
    def bgr(self) -> Image:
        """(height, width, 3) uint8, the same array at each call."""
        if self._bgr is None:
            assert self._native is not None, "checked when it was made"
            # The frame's own matrix and range are honoured; without tags FFmpeg takes BT.601, and so does the
            # encoder below.
            self._bgr = np.ascontiguousarray(self._native.to_ndarray(format="bgr24"))
        return self._bgr

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        if self._native is not None:
            return self._native.width, self._native.height
        assert self._bgr is not None, "checked when it was made"
        return self._bgr.shape[1], self._bgr.shape[0]

    def planes(self) -> Planes:
        """A copy in 4:2:0 to paint on; nothing of the decoded picture but its pixels is in it."""
        width, height = self.size
        if width % 2 or height % 2:
            raise _bad(f"The picture size {width}x{height} is odd, which 4:2:0 colour cannot hold.")
        native = self._native
        if native is None:
            native = VideoFrame.from_ndarray(self.bgr, format="bgr24")
        if native.format.name != "yuv420p" or int(native.color_range) == _AVCOL_FULL:
            native = _in_420(native, self.bt709)
        # Always a copy: the decoder predicts later pictures from its own, and its frames carry more than pixels
        # (captions, coding hints) that must not reach the encoder.
        copy = Planes.blank(width, height)
        for plane, index in zip(copy, range(3), strict=True):
            np.copyto(plane, _plane(native, index))
        return copy


def _in_420(native: VideoFrame, bt709: bool) -> VideoFrame:
    return native.reformat(
        format="yuv420p",
        dst_colorspace=Colorspace.ITU709 if bt709 else Colorspace.ITU601,
        dst_color_range=ColorRange.MPEG,
    )


def decode_fragment(
    data: bytes, max_pixels: int = MAX_PIXELS, *, max_frames: int = MAX_FRAMES, threads: int = 1
) -> Iterator[Frame]:
    """The pictures of one self-contained MP4 fragment in the order in which they are shown.

    One picture at a time is decoded and handed out. Damage, anything other than H.264 or H.265 in MP4, and
    pictures or counts over the bounds are BAD_MEDIA (a codec that is not known: UNSUPPORTED_CODEC). `threads`
    is 1 because decoding costs a fiftieth of detection, and several fragments are at work at a time.
    """
    count = 0
    try:
        # The format is named: left to guess, FFmpeg would take a playlist and open what the playlist points
        # to.
        with av.open(io.BytesIO(data), mode="r", format="mp4") as container:
            stream = _video_stream(container, max_pixels, threads)
            for frame in _decoded(container, stream):
                count += 1
                if count > max_frames:
                    raise _bad(f"The fragment holds more than {max_frames} pictures.")
                yield _picture(frame, max_pixels)
    except _MEDIA_ERRORS as error:
        raise _bad(f"The video fragment cannot be decoded ({type(error).__name__}).") from error
    if count == 0:
        raise _bad("The video fragment holds no picture.")


def _bad(message: str) -> OrvaultError:
    return OrvaultError(
        ErrorKind.BAD_MEDIA, message, where="video fragment", advice="Verify the segment that it came from."
    )


def _video_stream(container: InputContainer, max_pixels: int, threads: int) -> VideoStream:
    if not container.streams.video:
        raise _bad("The fragment holds no video stream.")
    stream = container.streams.video[0]
    context = stream.codec_context
    if context.name not in KNOWN_CODECS:
        raise OrvaultError(
            ErrorKind.UNSUPPORTED_CODEC,
            f"The video is coded as {context.name!r}; H.264 and H.265 are known.",
            where="video fragment",
        )
    _check_size(context.width, context.height, max_pixels)
    context.thread_count = threads
    # The decoder itself refuses larger pictures later on; twice the bound, because it counts its own padding.
    context.options = {"max_pixels": str(2 * max_pixels)}
    return stream


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width < 16 or height < 16 or width * height > max_pixels:
        raise _bad(f"The picture size {width}x{height} is outside 16x16 to {max_pixels} pixels.")


def _decoded(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    for packet in container.demux(stream):
        if packet.is_corrupt:
            raise _bad("The fragment is cut off.")
        for frame in packet.decode():
            # What the decoder patched up over missing data is no evidence: better none than an invented
            # picture.
            if frame.is_corrupt:
                raise _bad("A picture of the fragment is damaged.")
            yield frame


def _picture(frame: VideoFrame, max_pixels: int) -> Frame:
    _check_size(frame.width, frame.height, max_pixels)
    if frame.pts is None or frame.time_base is None:
        raise _bad("A picture of the fragment has no time stamp.")
    return Frame(
        None,
        round(frame.pts * frame.time_base * CLOCK_90K),
        int(frame.colorspace) == _AVCOL_BT709,
        native=frame,
    )


class Mp4Encoder:
    """H.264 in fragmented MP4, written forwards only into `sink`; time stamps are kept to 1/90000 s.

    `crf` is x264's quality (lower is better, 18 to 28 are usual), `preset` its speed. A keyframe, and with it
    a new MP4 fragment, comes about every 2 s, so that the file can be played from any of them before its end
    is there. `mark` is drawn into the luma of each picture as it is written.
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
        threads: int = 0,
        bt709: bool = False,
        mark: LumaPainter | None = None,
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

    def _open_stream(self, fps: float, crf: int, preset: str, threads: int) -> VideoStream:
        stream = self._container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = self.width, self.height, "yuv420p"
        context.time_base = Fraction(1, CLOCK_90K)
        stream.time_base = Fraction(1, CLOCK_90K)
        context.gop_size = max(1, round(fps * KEYFRAME_INTERVAL_S))
        context.max_b_frames = (
            0  # decode order = display order: the first picture's time is the track's start
        )
        context.thread_count = threads
        if self._bt709:
            context.colorspace = context.color_primaries = context.color_trc = _AVCOL_BT709
            context.color_range = _AVCOL_LIMITED
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


def _plane(frame: VideoFrame, index: int) -> Luma:
    plane = frame.planes[index]
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)  # type: ignore[call-overload]
    samples: Luma = rows[: plane.height, : plane.width]
    return samples


def _check_encoder(width: int, height: int, fps: float, crf: int) -> None:
    if width % 2 or height % 2:
        raise _bad(f"The picture size {width}x{height} is odd, which 4:2:0 colour cannot hold.")
    _check_size(width, height, MAX_PIXELS)
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
