"""What a camera delivers: coded pictures with their times, and what is known of the stream they belong to.

Nothing here opens, decodes or re-encodes anything; sources make packets (`rtsp`, `file`), the cutter takes
them (`gop`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

TICKS_PER_S = 90_000  # every time named `_90k` counts these, as RTP video does (RFC 6184, RFC 7798)

CODECS = ("h264", "hevc")
MAX_PACKET_BYTES = 16 * 1024 * 1024  # an intra picture at 8K is far below; more is a broken or hostile camera
MAX_EXTRADATA_BYTES = 64 * 1024
MAX_SIDE_PIXELS = 16_384
FALLBACK_FPS = 25.0
FPS_RANGE = (
    0.1,
    240.0,
)  # outside of this a stated rate is a guess of the demuxer (90000 is one) and not believed


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """One video stream: `codec` is "h264" or "hevc", sizes are in pixels, `fps` is nominal.

    `extradata` holds the parameter sets as the source gave them: with start codes (Annex B, from RTSP), or as
    an avcC/hvcC record (ISO/IEC 14496-15, from MP4 and Matroska). Packets are framed in the same way.
    `reorders`: pictures may come in another order than they are shown; True where that is not known.
    """

    codec: str
    width: int
    height: int
    fps: float
    extradata: bytes = field(repr=False)
    reorders: bool = True

    @property
    def nal_length_bytes(self) -> int:
        """How many bytes give a NAL unit's length in a packet; 0 means start codes.

        Source: ISO/IEC 14496-15: both records begin with version 1 (Annex B begins with 0) and hold
        lengthSizeMinusOne.
        """
        at = 4 if self.codec == "h264" else 21
        if len(self.extradata) <= at or self.extradata[0] != 1:
            return 0
        return (self.extradata[at] & 3) + 1


@dataclass(frozen=True, slots=True)
class Packet:
    """One coded picture (access unit), its NAL units byte for byte as they came.

    Times count 1/90000 s from an origin of the source's own. RTP sends no decoding times: `dts_90k` is the
    demuxer's guess, or `pts_90k` where it has none, and only orders packets. `begins` stands on the first
    packet of a connection (the first of all, and each after a loss): nothing before it continues, and the
    stream may differ.

    A frozen dataclass over `bytes` costs 3 us a packet more than handing an `av.Packet` on (0.2 % of a core for 25
    cameras at 30 fps). Bytes were taken all the same: they can be pickled, compared and kept without keeping the
    demuxer's buffers alive.
    """

    data: bytes = field(repr=False)
    pts_90k: int
    dts_90k: int
    keyframe: bool
    begins: StreamInfo | None = None


class PacketSource(Protocol):
    """An open camera or file. Iterate, then close, both from one thread.

    The iterator of a live camera never just ends: what ended it is raised as an OrvaultError
    (CAMERA_UNREACHABLE, CAMERA_STALLED, BAD_MEDIA). Only a file that is not looped ends by itself.
    """

    @property
    def info(self) -> StreamInfo:
        """The stream, as known when it was opened."""
        ...

    def __iter__(self) -> Iterator[Packet]:
        """The packets in decoding order, each when it is there."""
        ...

    def close(self) -> None:
        """Let go of the connection or file; doing it twice is harmless."""
        ...
