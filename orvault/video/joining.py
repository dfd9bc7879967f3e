"""Joins pieces of encoded video, one after the other, into one fragmented MP4, and takes such a video apart.

Nothing is decoded: packets keep their bytes and get their place in the whole.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, cast

import av
from av.container import OutputContainer
from av.video.stream import VideoStream

from orvault.errors import ErrorKind, OrvaultError
from orvault.video.codec import CLOCK_90K
from orvault.video.encoding import FRAGMENTED, Sink, WriteOnly
from orvault.video.opening import open_in_order

_BASE = Fraction(1, CLOCK_90K)
_MEDIA = b"mdat"
_BEFORE = (b"ftyp", b"moov")


class Joiner:
    """Takes what `Mp4Encoder` wrote, all with the same settings; the sink stays open at the end."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._parameters = b""

    def add(self, piece: bytes, first_90k: int) -> None:
        """One piece; its first picture is shown at `first_90k` of the whole, behind all before it.

        Errors: INTERNAL for a piece that was encoded otherwise than the first, or is no video.
        """
        try:
            with open_in_order(piece) as source:  # as Mp4Encoder writes
                video = source.streams.video[0]
                container, stream = self._output(video)
                for packet in source.demux(video):
                    if packet.dts is None or packet.pts is None or packet.time_base is None:
                        continue  # the end
                    shift = round(first_90k / CLOCK_90K / packet.time_base)
                    packet.pts += shift
                    packet.dts += shift
                    packet.stream = stream
                    container.mux(packet)
        except (av.FFmpegError, ValueError, IndexError) as error:  # ValueError: there is no stream in it
            raise _unfit(type(error).__name__) from error

    def _output(self, video: VideoStream) -> tuple[OutputContainer, VideoStream]:
        parameters = bytes(video.codec_context.extradata or b"")
        if self._container is None or self._stream is None:
            self._container = av.open(
                cast(Any, WriteOnly(self._sink)), mode="w", format="mp4", options=FRAGMENTED
            )
            self._stream = self._container.add_stream_from_template(video)
            self._stream.time_base = _BASE
            self._parameters = parameters
        if parameters != self._parameters:
            raise _unfit("it was encoded otherwise")
        return self._container, self._stream

    def close(self) -> None:
        """Write what is still held back."""
        if self._container is not None:
            container, self._container = self._container, None
            container.close()


def _unfit(why: str) -> OrvaultError:
    return OrvaultError(
        ErrorKind.INTERNAL, f"A piece of the video cannot be joined: {why}.", where="rendition"
    )


def parts_of(video: bytes, most_bytes: int) -> Iterator[bytes]:
    """What `Mp4Encoder` wrote as several videos that play alone: see `Cutter`."""
    cutter = Cutter(most_bytes)
    yield from cutter.add(video)
    yield from cutter.end()


class Cutter:
    """Takes what `Mp4Encoder` writes, and gives it back as videos that play alone as soon as each is whole.

    They are no larger than `most_bytes` where that can be: it is cut where fragments begin, which is at keyframes.
    Pictures keep their times. Errors: INTERNAL for what is no such video, or ends too soon.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._rest = b""  # the beginning of a box
        self._head, self._part, self._fragment = b"", b"", b""

    def add(self, written: bytes) -> Iterator[bytes]:
        """The next bytes; the videos that became whole with them."""
        self._rest += written
        taken = 0
        for name, box in _boxes(self._rest):
            taken += len(box)
            yield from self._take(name, box)
        self._rest = self._rest[taken:]

    def _take(self, name: bytes, box: bytes) -> Iterator[bytes]:
        if name in _BEFORE:
            self._head += box
            return
        self._fragment += box
        if name != _MEDIA:
            return
        if self._part and len(self._head) + len(self._part) + len(self._fragment) > self._most:
            yield self._head + self._part
            self._part = b""
        self._part, self._fragment = self._part + self._fragment, b""
        if len(self._head) + len(self._part) >= self._most:  # no other fits behind it
            yield self._head + self._part
            self._part = b""

    def end(self) -> Iterator[bytes]:
        """Nothing more comes: the last one."""
        if self._rest:
            raise _unfit("its boxes do not fit")
        if self._part:
            yield self._head + self._part


def begins_90k(part: bytes) -> int:
    """When the first picture of what `parts_of` gave is shown (1/90000 s); INTERNAL for anything else.

    Source: ISO/IEC 14496-12, section 8.8.12 (`tfdt`). Decoding order is showing order, as `Mp4Encoder` writes.
    """
    inside = part
    for wanted in (b"moof", b"traf", b"tfdt"):
        found = next((box for name, box in _boxes(inside) if name == wanted), None)
        if found is None:
            raise _unfit(f"it has no {wanted.decode()}")
        inside = found[8:]
    return int.from_bytes(inside[4:12] if inside[0] == 1 else inside[4:8], "big")


def _boxes(video: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and bytes of each whole box at the top (ISO/IEC 14496-12, section 4.2)."""
    at = 0
    while at + 8 <= len(video):
        size, name = struct.unpack_from(">I4s", video, at)
        if size < 8:
            raise _unfit("its boxes do not fit")
        if at + size > len(video):
            return
        yield name, video[at : at + size]
        at += size
