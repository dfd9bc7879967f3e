"""A few pictures a second out of a live stream, for somebody who only wants to look at it now and then.

Everything that others depend on has to be decoded; only what is handed out is turned into colours, which is dear
as well. Nothing is kept, and nothing here is evidence: damaged pictures are skipped.
"""

from __future__ import annotations

from collections import OrderedDict

import av
import numpy as np
from av.codec.context import CodecContext
from av.packet import Packet as RawPacket
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from orvault.clock import US_PER_S
from orvault.errors import ErrorKind, OrvaultError
from orvault.video.codec import MAX_PIXELS, Image
from orvault.video.packet import TICKS_PER_S, Packet, StreamInfo

_MOST_HELD = 64  # packets inside the decoder; H.264 and H.265 reorder 16
_SPARE = 3  # so many times the wanted rate must be left where pictures are not decoded at all
_MEDIA_ERRORS = (av.FFmpegError, ValueError)


class SparsePictures:
    """About `per_s` pictures a second; `feed` takes every packet of the camera, in order."""

    def __init__(self, per_s: float = 5.0, max_pixels: int = MAX_PIXELS) -> None:
        if not 0.1 <= per_s <= 60:
            raise OrvaultError(ErrorKind.BAD_SETTINGS, "0.1 to 60 pictures a second can be looked at.")
        self._per_s, self._max_pixels = per_s, max_pixels
        self._info: StreamInfo | None = None
        self._decoder: VideoCodecContext | None = None  # None: from the next keyframe on
        self._arrived: OrderedDict[int, int] = OrderedDict()
        self._due_90k: int | None = None
        self._fed_us = 0
        self._shown = (0, 0)  # when the last picture was shown, and its time in 1/90000 s

    def feed(self, packet: Packet, at_us: int) -> tuple[Image, int] | None:
        """A picture (h, w, 3) uint8 in BGR with the time at which it and all before it had arrived, or None.

        `at_us` is when this packet arrived, UTC microseconds. The times given back go back only where the clock does.
        Errors: UNSUPPORTED_CODEC.
        """
        if at_us < self._fed_us:
            self._arrived.clear()
            self._shown = (0, 0)
        self._fed_us = at_us
        if packet.begins is not None:
            self._decoder = self._open(packet.begins)
        elif self._decoder is None and packet.keyframe and self._info is not None:
            self._decoder = self._open(self._info)
        if self._decoder is None:
            return None
        self._arrived[packet.pts_90k] = at_us
        while len(self._arrived) > _MOST_HELD:
            self._arrived.popitem(last=False)
        raw = RawPacket(packet.data)
        raw.pts, raw.dts = packet.pts_90k, packet.dts_90k
        try:
            shown = [self._due(frame) for frame in self._decoder.decode(raw)]
            return next((found for found in map(self._picture, filter(None, shown)) if found), None)
        except _MEDIA_ERRORS:
            self._decoder = None  # go on at the next keyframe
            return None

    def _open(self, info: StreamInfo) -> VideoCodecContext:
        self._info = info
        self._arrived.clear()
        try:
            decoder = CodecContext.create(info.codec, "r")
        except ValueError:
            raise OrvaultError(ErrorKind.UNSUPPORTED_CODEC, f"{info.codec} cannot be decoded.") from None
        assert isinstance(decoder, VideoCodecContext)
        decoder.extradata = info.extradata
        decoder.thread_count = 1
        decoder.options = {"max_pixels": str(2 * self._max_pixels)}
        if info.fps >= _SPARE * self._per_s:
            decoder.skip_frame = "NONREF"
        return decoder

    def _due(self, frame: VideoFrame) -> tuple[VideoFrame, int] | None:
        if frame.pts is None:
            return None
        own_us = self._arrived.pop(frame.pts, None)
        if own_us is None or frame.is_corrupt or frame.width * frame.height > self._max_pixels:
            return None
        period, time = round(TICKS_PER_S / self._per_s), frame.pts
        at_us = self._time_of(time, own_us)
        if self._due_90k is not None and 0 < self._due_90k - time <= period:
            return None
        # A late picture does not shift the ones after it, unless so much time was lost that they would crowd.
        steady = self._due_90k is not None and 0 <= time - self._due_90k < period
        self._due_90k = (self._due_90k if steady and self._due_90k is not None else time) + period
        return frame, at_us

    def _time_of(self, time_90k: int, own_us: int) -> int:
        """When it was shown: as far from the one before as the camera says, between its arrival and its decoding.

        A picture that others are predicted from is sent before those that are shown before it, so arrivals alone
        would go back and forth.
        """
        before_us, before_90k = self._shown
        by_camera_us = before_us + (time_90k - before_90k) * US_PER_S // TICKS_PER_S
        at_us = min(max(by_camera_us, before_us, own_us), self._fed_us)
        self._shown = (at_us, time_90k)
        return at_us

    @staticmethod
    def _picture(due: tuple[VideoFrame, int]) -> tuple[Image, int]:
        frame, at_us = due
        return np.ascontiguousarray(frame.to_ndarray(format="bgr24")), at_us
