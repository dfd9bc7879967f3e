"""Pictures out of fragments: the only place that decodes. Writing them is `encoding`.

It neither cuts nor seals (video.gop, container.stream), and it never touches sound: no audio is read or
written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation
from av.video.stream import VideoStream

from orvault.errors import ErrorKind, OrvaultError
from orvault.video.choosing import needed
from orvault.video.continuity import Continuity
from orvault.video.opening import open_fragment
from orvault.video.packet import StreamInfo
from orvault.video.wholeness import Judged, Wholeness

Image = npt.NDArray[np.uint8]  # (height, width, 3), blue green red
Luma = npt.NDArray[np.uint8]  # (height, width); rows may lie apart

CLOCK_90K = 90_000
KNOWN_CODECS = ("h264", "hevc")
MAX_PIXELS = 4096 * 2304  # the largest picture of a camera that is taken: a little over 4K
MAX_FRAMES = 4_000  # of one fragment: 2 s are usual; 60 s at 60 pictures a second are still taken
AVCOL_BT709 = 1  # the same number for matrix, primaries and transfer in ISO/IEC 23091-2
AVCOL_LIMITED = 1
_AVCOL_FULL = 2

# What PyAV raises on bad bytes: its own errors, and Python's where a field makes no sense to it.
_MEDIA_ERRORS = (av.FFmpegError, ValueError, IndexError, OverflowError, ArithmeticError)


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
    more than decoding it, and most pictures are never looked at in colour. `damaged`: it is black, in the place of a
    picture that was not recorded whole, or was predicted from one.
    """

    __slots__ = ("_bgr", "_native", "bt709", "damaged", "pts_90k")

    def __init__(
        self,
        bgr: Image | None,
        pts_90k: int,
        bt709: bool = False,
        *,
        native: VideoFrame | None = None,
        damaged: bool = False,
    ) -> None:
        assert bgr is not None or native is not None, "a picture, in one form or the other"
        self._bgr = bgr
        self._native = native
        self.pts_90k = pts_90k
        self.damaged = damaged
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
            raise bad_media(f"The picture size {width}x{height} is odd, which 4:2:0 colour cannot hold.")
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
        # Each sample of colour is the mean of those of its own four pixels. FFmpeg's other ways reach further, and
        # colours of who is about to be covered would stand beside the mask.
        interpolation=Interpolation.AREA,
    )


def decode_fragment(
    data: bytes,
    max_pixels: int = MAX_PIXELS,
    *,
    max_frames: int = MAX_FRAMES,
    threads: int = 1,
    black_for_damaged: bool = False,
    every_s: float = 0.0,
) -> Iterator[Frame]:
    """The pictures of one self-contained MP4 fragment in the order in which they are shown.

    One picture at a time is decoded and handed out. Damage, anything other than H.264 or H.265 in MP4, and
    pictures or counts over the bounds are BAD_MEDIA (a codec that is not known: UNSUPPORTED_CODEC). `threads`
    is 1 because decoding costs a fiftieth of detection, and several fragments are at work at a time.
    `black_for_damaged`: for footage as it was recorded, where a camera's damaged picture must not cost the minutes
    round it. It and those predicted from it come black, as `damaged`, in their number and at their times.
    `every_s`: only the first picture, and each that is shown at least so much later than the one before it; what none
    of these needs is not decoded.
    """
    count = 0
    try:
        with open_fragment(data) as container:
            stream = _video_stream(container, max_pixels, threads)
            packets: Iterable[Packet[VideoStream]] = container.demux(stream)
            wanted: set[int] = set()
            if every_s:
                packets = needed(packets, every_s, wanted)
            for frame, damaged in _decoded(packets, stream, black_for_damaged):
                if every_s and frame.pts not in wanted:
                    continue
                if damaged and not black_for_damaged:
                    raise bad_media("A picture of the fragment is damaged.")
                count += 1
                if count > max_frames:
                    raise bad_media(f"The fragment holds more than {max_frames} pictures.")
                yield _picture(frame, max_pixels, damaged)
    except _MEDIA_ERRORS as error:
        raise bad_media(f"The video fragment cannot be decoded ({type(error).__name__}).") from error
    if count == 0:
        raise bad_media("The video fragment holds no picture.")


def bad_media(message: str) -> OrvaultError:
    """What is wrong with a fragment, as BAD_MEDIA."""
    return OrvaultError(
        ErrorKind.BAD_MEDIA, message, where="video fragment", advice="Verify the segment that it came from."
    )


def _video_stream(container: InputContainer, max_pixels: int, threads: int) -> VideoStream:
    if not container.streams.video:
        raise bad_media("The fragment holds no video stream.")
    stream = container.streams.video[0]
    context = stream.codec_context
    if context.name not in KNOWN_CODECS:
        raise OrvaultError(
            ErrorKind.UNSUPPORTED_CODEC,
            f"The video is coded as {context.name!r}; H.264 and H.265 are known.",
            where="video fragment",
        )
    check_size(context.width, context.height, max_pixels)
    context.thread_count = threads
    # The decoder itself refuses larger pictures later on; twice the bound, because it counts its own padding.
    context.options = {"max_pixels": str(2 * max_pixels)}
    return stream


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Refuse a picture size that no camera has. Errors: BAD_MEDIA."""
    if width < 16 or height < 16 or width * height > max_pixels:
        raise bad_media(f"The picture size {width}x{height} is outside 16x16 to {max_pixels} pixels.")


def _decoded(
    packets: Iterable[Packet[VideoStream]], stream: VideoStream, patient: bool
) -> Iterator[tuple[VideoFrame, bool]]:
    """Pictures in the order of showing, and whether each is damaged: black then, also where one is missing.

    `patient`: what cannot be decoded is missing; else it ends this. What the decoder patched up over missing data is
    no evidence, nor is what was predicted from that, up to the next keyframe: better none than an invented picture.
    """
    judging = Wholeness[VideoFrame]()
    context, lacking = stream.codec_context, set[int]()
    extradata = bytes(context.extradata or b"")
    continuity = Continuity(StreamInfo(context.name, context.width, context.height, 0.0, extradata))
    for packet in packets:
        if packet.is_corrupt:
            raise bad_media("The fragment is cut off.")
        if packet.pts is not None:
            coded = continuity.see(bytes(packet), keyframe=packet.is_keyframe)
            judging.sent(packet.pts, keyframe=coded.begins)
            if coded.missing:
                lacking.add(packet.pts)
        for frame in _pictures(packet, patient):
            if frame.pts is None or frame.time_base is None:
                raise bad_media("A picture of the fragment has no time stamp.")
            for judged in judging.came(frame.pts, frame, corrupt=frame.is_corrupt or frame.pts in lacking):
                yield _shown(judged, stream)
    for judged in judging.end():
        yield _shown(judged, stream)


def _pictures(packet: Packet[VideoStream], patient: bool) -> Sequence[VideoFrame]:
    try:
        return packet.decode()
    except av.InvalidDataError:
        if not patient:
            raise
        return ()


def _shown(judged: Judged[VideoFrame], stream: VideoStream) -> tuple[VideoFrame, bool]:
    """The picture, or black in its place."""
    if judged.whole and judged.picture is not None:
        return judged.picture, False
    like = stream.codec_context if judged.picture is None else judged.picture
    black = VideoFrame.from_ndarray(np.zeros((like.height, like.width, 3), np.uint8), format="bgr24")
    black.pts, black.time_base = judged.pts, stream.time_base
    black.colorspace = like.colorspace
    return black, True


def _picture(frame: VideoFrame, max_pixels: int, damaged: bool) -> Frame:
    check_size(frame.width, frame.height, max_pixels)
    assert frame.pts is not None and frame.time_base is not None, "looked at when it came"
    pts_90k = round(frame.pts * frame.time_base * CLOCK_90K)
    bt709 = int(frame.colorspace) == AVCOL_BT709
    return Frame(None, pts_90k, bt709, native=frame, damaged=damaged)


def _plane(frame: VideoFrame, index: int) -> Luma:
    plane = frame.planes[index]
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)  # type: ignore[call-overload] # a buffer, untold
    samples: Luma = rows[: plane.height, : plane.width]
    return samples
