"""Writes one stretch of video as a fragmented MP4 that plays alone: description, one fragment, its pictures.

FFmpeg writes the description (`init_segment`, once per parameter set); the fragment itself is written here,
because its times must be exact and its NAL units untouched, and because this is done for every picture of
every camera.
Source: ISO/IEC 14496-12 (moof, traf, tfhd, tfdt, trun), ISO/IEC 14496-15 (samples).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import av

from orvault.errors import ErrorKind, OrvaultError
from orvault.video import nal
from orvault.video.packet import TICKS_PER_S

_TRACK = 1
_BOX_BYTES = 8  # size and name
_SYNC_SAMPLE = 0x02000000  # depends on no other
_OTHER_SAMPLE = 0x01010000  # depends on others, not a sync sample
_BASE_IS_MOOF = 0x020000
_TRUN_FIELDS = (
    0x000001 | 0x000100 | 0x000200 | 0x000400 | 0x000800
)  # offset; duration, size, flags, composition


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture: an MP4 sample in pieces, its time on the screen in 1/90000 s, whether decoding can start at it.

    In pieces, because a 1080p camera's pictures would otherwise be copied three times on their way into a
    fragment.
    """

    pieces: Sequence[bytes | memoryview] = field(repr=False)
    size: int
    pts_90k: int
    sync: bool


def init_segment(
    codec: str, width: int, height: int, parameter_sets: Sequence[bytes], picture: bytes
) -> bytes:
    """The boxes before the first fragment (ftyp, moov) for this stream.

    `picture` is any picture of the stream with start codes: FFmpeg looks into one to find the parameter sets.
    Errors: BAD_MEDIA when the parameter sets make no sense.
    """
    if not nal.can_decode(codec, parameter_sets):
        raise _senseless("The camera sends no parameter sets; nobody could decode its pictures.")
    buffer = io.BytesIO()
    packet = av.Packet(nal.with_start_codes(parameter_sets) + picture)
    packet.pts = packet.dts = 0
    packet.time_base = Fraction(1, TICKS_PER_S)
    packet.is_keyframe = True
    options = {"movflags": "empty_moov+default_base_moof+frag_keyframe", "fflags": "+bitexact"}
    try:
        with av.open(buffer, mode="w", format="mp4", options=options) as container:
            stream = container.add_mux_stream(codec, width=width, height=height)
            stream.time_base = Fraction(1, TICKS_PER_S)
            packet.stream = stream
            container.mux(packet)
    except (av.FFmpegError, ValueError) as error:
        raise _senseless("The camera's description of its stream makes no sense.") from error
    return _before_first_fragment(buffer.getvalue())


def _senseless(message: str) -> OrvaultError:
    advice = "Restart the camera, or choose another profile in its settings."
    return OrvaultError(ErrorKind.BAD_MEDIA, message, where="video stream", advice=advice)


def _before_first_fragment(data: bytes) -> bytes:
    at = 0
    while data[at + 4 : at + 8] in (b"ftyp", b"moov"):
        at += int.from_bytes(data[at : at + 4])
    return data[:at]


def movie(init: bytes, samples: Sequence[Sample], decode_90k: Sequence[int], end_90k: int) -> bytearray:
    """A whole file: `init_segment`'s boxes, then one fragment (moof, mdat) of samples in decoding order.

    `decode_90k` are their decoding times, growing strictly; the last sample lasts to `end_90k`. The first
    sample's time on the screen becomes 0. Composition offsets are signed (trun version 1), so no edit list is
    needed; FFmpeg, which wants no decoding time below 0, shows the first picture as many frames later as were
    reordered.
    """
    return bytearray().join([init, *_fragment(samples, decode_90k, end_90k, 1, 0)])


def fragment(samples: Sequence[Sample], decode_90k: Sequence[int], end_90k: int, number: int) -> bytes:
    """One fragment (moof, mdat) of a stream that goes on: `number` counts from 1, times go on from the last one.

    Arguments as for `movie`, but times are kept as they are; the decoder starts with `init_segment`'s boxes.
    """
    return b"".join(_fragment(samples, decode_90k, end_90k, number, decode_90k[0]))


def _fragment(
    samples: Sequence[Sample], decode_90k: Sequence[int], end_90k: int, number: int, base_90k: int
) -> Iterator[bytes | memoryview]:
    durations = [after - before for before, after in zip(decode_90k, [*decode_90k[1:], end_90k], strict=True)]
    shift = decode_90k[0] - samples[0].pts_90k
    rows = b"".join(
        struct.pack(
            ">IIIi",
            duration,
            sample.size,
            _SYNC_SAMPLE if sample.sync else _OTHER_SAMPLE,
            sample.pts_90k - decode + shift,
        )
        for sample, decode, duration in zip(samples, decode_90k, durations, strict=True)
    )
    # The offset to the samples counts from the moof's first byte; its size depends on nothing but the rows.
    moof_bytes = len(_moof(len(samples), rows, 0, number, base_90k))
    media_bytes = _BOX_BYTES + sum(sample.size for sample in samples)
    yield _moof(len(samples), rows, moof_bytes + _BOX_BYTES, number, base_90k)
    yield struct.pack(">I", media_bytes)
    yield b"mdat"
    for sample in samples:
        yield from sample.pieces


def _moof(count: int, rows: bytes, data_offset: int, number: int, base_90k: int) -> bytes:
    run = _full_box(b"trun", 1, _TRUN_FIELDS, struct.pack(">Ii", count, data_offset), rows)
    header = _full_box(b"tfhd", 0, _BASE_IS_MOOF, struct.pack(">I", _TRACK))
    begin = _full_box(b"tfdt", 1, 0, struct.pack(">Q", base_90k))
    place = _full_box(b"mfhd", 0, 0, struct.pack(">I", number))
    return _box(b"moof", place, _box(b"traf", header, begin, run))


def _full_box(name: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    return _box(name, struct.pack(">I", version << 24 | flags), *parts)


def _box(name: bytes, *parts: bytes) -> bytes:
    return b"".join((struct.pack(">I", _BOX_BYTES + sum(map(len, parts))), name, *parts))
