"""What camera and file sources share: choosing the video stream, describing it, packets with whole times.

It opens nothing (`rtsp`, `file`) and decodes nothing (`codec`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from orvault.errors import ErrorKind, OrvaultError
from orvault.video.packet import (
    CODECS,
    FALLBACK_FPS,
    FPS_RANGE,
    MAX_EXTRADATA_BYTES,
    MAX_PACKET_BYTES,
    MAX_SIDE_PIXELS,
    TICKS_PER_S,
    Packet,
    StreamInfo,
)

# The demuxer knows decoding times after at most H.264's and H.265's 16 reordered pictures.
_MAX_HELD = 18
_SUPPORTED = "OR Vault records H.264 (h264) and H.265 (hevc)."


def video_stream(container: InputContainer, where: str) -> VideoStream:
    """The first video stream; sound and everything else is left out.

    Errors: UNSUPPORTED_CODEC when there is none, or not in a codec that can be recorded.
    """
    if not container.streams.video:
        raise OrvaultError(ErrorKind.UNSUPPORTED_CODEC, "It sends no video.", where=where, advice=_SUPPORTED)
    stream = container.streams.video[0]
    # A codec this FFmpeg build does not know has no context at all.
    context = stream.codec_context
    name = context.name if context is not None else "an unknown codec"
    if name not in CODECS:
        raise OrvaultError(
            ErrorKind.UNSUPPORTED_CODEC,
            f"It sends {name}, which cannot be recorded.",
            where=where,
            advice=f"{_SUPPORTED} Choose one of them in the camera's own settings.",
        )
    return stream


def stream_info(stream: VideoStream, where: str) -> StreamInfo:
    """The stream's description, every size in it checked.

    Errors: BAD_MEDIA for a size that no camera has.
    """
    context = stream.codec_context
    extradata = bytes(context.extradata or b"")
    if len(extradata) > MAX_EXTRADATA_BYTES:
        raise _bad(f"Its stream description is larger than {MAX_EXTRADATA_BYTES} bytes.", where)
    if not (0 < context.width <= MAX_SIDE_PIXELS and 0 < context.height <= MAX_SIDE_PIXELS):
        raise _bad(f"Its pictures are said to have {context.width}x{context.height} pixels.", where)
    rate = float(stream.guessed_rate or 0)
    fps = rate if FPS_RANGE[0] <= rate <= FPS_RANGE[1] else FALLBACK_FPS
    reorders = bool(context.has_b_frames)
    return StreamInfo(context.name, context.width, context.height, fps, extradata, reorders)


def packets(
    raw: Iterable[av.Packet[VideoStream]], time_base: Fraction, info: StreamInfo, where: str
) -> Iterator[Packet]:
    """Packets with both times set, none lost; the first carries `info`.

    The first packet of an RTSP connection comes without a time, as does the first after a pause, and is
    mostly the keyframe that everything after it needs. Such a packet is held until the demuxer names a
    decoding time, then put one frame before it.
    """
    begins: StreamInfo | None = info
    frame = round(TICKS_PER_S / info.fps)
    scale = None if time_base == Fraction(1, TICKS_PER_S) else TICKS_PER_S * time_base
    held: list[_Timed] = []
    latest = -frame
    for packet in raw:
        if packet.size == 0:  # the demuxer's "that was all"
            continue
        if packet.size > MAX_PACKET_BYTES:
            raise _bad(f"It sent a picture of {packet.size} bytes; {MAX_PACKET_BYTES} are the most.", where)
        timed = _Timed(packet, scale)
        if held or timed.pts is None:
            held.append(timed)
            if timed.dts is None and len(held) < _MAX_HELD:
                continue
            _repair(held, frame, latest)
        for ready in held or (timed,):
            made = ready.packet(begins)
            latest = max(latest, made.pts_90k)
            yield made
            begins = None
        held.clear()
    _repair(held, frame, latest)
    for ready in held:
        yield ready.packet(begins)
        begins = None


class _Timed:
    """A packet with its times in 1/90000 s, where it has them."""

    __slots__ = ("_raw", "dts", "pts")

    def __init__(self, raw: av.Packet[VideoStream], scale: Fraction | None) -> None:
        self._raw = raw
        self.pts = _ticks(raw.pts, scale)
        self.dts = _ticks(raw.dts, scale)

    def packet(self, begins: StreamInfo | None) -> Packet:
        pts = self.pts if self.pts is not None else 0
        dts = self.dts if self.dts is not None else pts
        return Packet(bytes(self._raw), pts, dts, self._raw.is_keyframe, begins)


def _ticks(value: int | None, scale: Fraction | None) -> int | None:
    """A time of the source in 1/90000 s; without a scale it is that already."""
    return value if value is None or scale is None else round(value * scale)


def _repair(held: list[_Timed], frame: int, latest: int) -> None:
    """Put packets without a presentation time before the earliest time known here, or else after `latest`."""
    missing = [timed for timed in held if timed.pts is None]
    known = [time for timed in held for time in (timed.pts, timed.dts) if time is not None]
    first = min(known) if known else latest + (len(missing) + 1) * frame
    for place, timed in enumerate(reversed(missing), start=1):
        timed.pts = first - place * frame


def _bad(message: str, where: str) -> OrvaultError:
    return OrvaultError(ErrorKind.BAD_MEDIA, message, where=where, advice="The camera or file is at fault.")
