"""Live pictures: every packet decoded as it comes, and pictures encoded for a browser without any waiting.

Neither keeps pictures. What is covered in them is `orvault.viewing`'s part; files and fragments are `codec`'s and
`gop`'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import cast

import av
import numpy as np
from av.codec.context import CodecContext
from av.packet import Packet as RawPacket
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame

from orvault.errors import ErrorKind, OrvaultError
from orvault.video import fmp4, nal
from orvault.video.codec import MAX_PIXELS, Image
from orvault.video.packet import TICKS_PER_S, Packet, StreamInfo

_MEDIA_ERRORS = (av.FFmpegError, ValueError)
_GOP_S = 2  # a viewer who comes gets a keyframe made for it; these let players forget what is old
_GLOBAL_HEADER = (
    1 << 22
)  # AV_CODEC_FLAG_GLOBAL_HEADER: parameter sets go into the init segment, not into the stream


class LiveDecoder:
    """Decodes a camera's packets one by one; `feed` takes every packet, in order."""

    def __init__(self, max_pixels: int = MAX_PIXELS) -> None:
        self._max_pixels = max_pixels
        self._info: StreamInfo | None = None
        self._decoder: VideoCodecContext | None = None  # None: from the next keyframe on

    def feed(self, packet: Packet) -> Iterator[VideoFrame]:
        """The pictures that this packet completes, in the order of showing; damaged ones are left out.

        Only what is shown has to be turned into colours (`picture`), which costs as much as decoding.

        Errors: UNSUPPORTED_CODEC.
        """
        if packet.begins is not None:
            self._info = packet.begins
            self._decoder = self._open(packet.begins)
        elif self._decoder is None and packet.keyframe and self._info is not None:
            self._decoder = self._open(self._info)
        if self._decoder is None:
            return
        raw = RawPacket(packet.data)
        raw.pts, raw.dts = packet.pts_90k, packet.dts_90k
        try:
            decoded = self._decoder.decode(raw)
        except _MEDIA_ERRORS:
            self._decoder = None  # go on at the next keyframe
            return
        for frame in decoded:
            if (
                frame.pts is not None
                and not frame.is_corrupt
                and frame.width * frame.height <= self._max_pixels
            ):
                yield frame

    def skip(self, begun: StreamInfo | None = None) -> None:
        """Packets were left out, among them perhaps one that `begun` another stream: go on at the next keyframe."""
        self._decoder = None
        self._info = begun or self._info

    def _open(self, info: StreamInfo) -> VideoCodecContext:
        try:
            decoder = cast("VideoCodecContext", CodecContext.create(info.codec, "r"))
        except ValueError:
            raise OrvaultError(ErrorKind.UNSUPPORTED_CODEC, f"{info.codec} cannot be decoded.") from None
        decoder.extradata = info.extradata
        decoder.thread_count = 1  # more threads hold pictures back
        decoder.options = {"max_pixels": str(2 * self._max_pixels)}
        return decoder


def picture(frame: VideoFrame, most_wide: int) -> Image:
    """A decoded picture as (h, w, 3) uint8 in BGR, of even size, not wider than `most_wide` pixels."""
    scale = min(1.0, most_wide / frame.width)
    width, height = (max(16, round(side * scale) & ~1) for side in (frame.width, frame.height))
    return np.ascontiguousarray(frame.to_ndarray(format="bgr24", width=width, height=height))


@dataclass(frozen=True, slots=True)
class Piece:
    """One picture as an MP4 fragment: `keyframe` says that decoding can begin with it."""

    data: bytes = field(repr=False)
    pts_90k: int
    keyframe: bool


class StreamEncoder:
    """H.264 for a browser, each picture out as soon as it is in: no reordering, no look-ahead.

    `init` (ftyp, moov) and `codec` (RFC 6381, for `MediaSource.isTypeSupported`) are known from the start. The
    same size and rate give the same `init`, so that fragments of several encoders can follow each other; those count
    on from `number`.
    """

    def __init__(self, width: int, height: int, fps: float, *, crf: int = 23, number: int = 0) -> None:
        if width % 2 or height % 2 or not 16 <= width * height <= MAX_PIXELS:
            raise OrvaultError(
                ErrorKind.BAD_MEDIA, f"A picture of {width}x{height} cannot be encoded.", where="live"
            )
        self.width, self.height = width, height
        self._step = max(1, round(TICKS_PER_S / fps))
        self._number = number
        self._last_90k = -1
        self._encoder = _open_encoder(width, height, fps, crf)
        sets = nal.parameter_sets("h264", bytes(self._encoder.extradata or b""))
        self.init = fmp4.init_segment("h264", width, height, sets, b"")
        sps = next(unit for unit in sets if nal.nal_type("h264", unit) == 7)
        self.codec = f"avc1.{sps[1:4].hex()}"

    def encode(self, bgr: Image, pts_90k: int, keyframe: bool = False) -> Piece:
        """One picture (h, w, 3) of the size given at the start, shown at `pts_90k`, which must grow."""
        if pts_90k <= self._last_90k or bgr.shape != (self.height, self.width, 3):
            raise OrvaultError(ErrorKind.INTERNAL, "A live picture does not follow the one before.")
        self._last_90k = pts_90k
        frame = VideoFrame.from_ndarray(bgr, format="bgr24").reformat(format="yuv420p")
        frame.pts, frame.time_base = pts_90k, Fraction(1, TICKS_PER_S)
        frame.pict_type = PictureType.I if keyframe else PictureType.NONE
        try:
            (packet,) = self._encoder.encode(frame)
        except _MEDIA_ERRORS as error:
            raise _cannot_encode(error) from error
        data = bytes(packet)
        pieces = nal.sample(data, 0)
        sample = fmp4.Sample(pieces, sum(map(len, pieces)), pts_90k, packet.is_keyframe)
        self._number += 1
        whole = fmp4.fragment([sample], [pts_90k], pts_90k + self._step, self._number)
        return Piece(whole, pts_90k, packet.is_keyframe)


def _open_encoder(width: int, height: int, fps: float, crf: int) -> VideoCodecContext:
    encoder = CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base = Fraction(1, TICKS_PER_S)
    encoder.framerate = Fraction(fps).limit_denominator(1001)
    encoder.gop_size, encoder.max_b_frames, encoder.thread_count = max(1, round(_GOP_S * fps)), 0, 1
    encoder.flags |= _GLOBAL_HEADER
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "crf": str(crf), "forced-idr": "1"}
    try:
        encoder.open()
    except av.FFmpegError as error:
        raise _cannot_encode(error) from error
    return encoder


def _cannot_encode(error: Exception) -> OrvaultError:
    return OrvaultError(
        ErrorKind.INTERNAL, f"Live pictures cannot be encoded ({type(error).__name__}).", where="live"
    )
