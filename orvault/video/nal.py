"""Takes coded pictures apart into NAL units, and says what a unit is; it never changes a byte inside one.

Sources: ITU-T H.264 table 7-1 and annex B, H.265 table 7-1, ISO/IEC 14496-15 (avcC, hvcC, length-prefixed
samples).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from orvault.errors import ErrorKind, OrvaultError

START_CODE = b"\x00\x00\x00\x01"
_SHORT_START_CODE = b"\x00\x00\x01"
MAX_PARAMETER_SETS = 64  # of one stream; cameras send 2 to 4

_PARAMETER_SETS = {"h264": frozenset({7, 8, 13, 15}), "hevc": frozenset({32, 33, 34})}
_NEEDED = {"h264": frozenset({7, 8}), "hevc": frozenset({33, 34})}
# Decoding can start at these without any picture of before being missed (IDR; in H.265 also BLA).
_CLOSED_ENTRIES = {"h264": frozenset({5}), "hevc": frozenset({16, 17, 18, 19, 20})}


def nal_type(codec: str, nal: bytes) -> int:
    """The unit's type number; -1 for an empty unit."""
    if not nal:
        return -1
    return nal[0] & 0x1F if codec == "h264" else (nal[0] >> 1) & 0x3F


def is_parameter_set(codec: str, nal: bytes) -> bool:
    """Whether it describes the stream (SPS, PPS, VPS) and not a picture."""
    return nal_type(codec, nal) in _PARAMETER_SETS[codec]


def can_decode(codec: str, sets: Sequence[bytes]) -> bool:
    """Whether these parameter sets hold a sequence's and a picture's, without which nothing can be decoded."""
    return _NEEDED[codec] <= {nal_type(codec, unit) for unit in sets}


def is_closed_entry(codec: str, nals: Sequence[bytes]) -> bool:
    """Whether a picture and all that follow it can be decoded without anything from before."""
    return any(nal_type(codec, nal) in _CLOSED_ENTRIES[codec] for nal in nals)


def split(data: bytes, length_bytes: int) -> list[bytes]:
    """The NAL units of one packet; `length_bytes` as in `StreamInfo.nal_length_bytes`.

    Errors: BAD_MEDIA when a unit's length points outside of the packet.
    """
    return [data[begin:end] for begin, end in _bounds(data, length_bytes)]


def sample(data: bytes, length_bytes: int) -> list[bytes | memoryview]:
    """A packet as an MP4 sample, in pieces to be joined: each unit after its length in 4 bytes, nothing copied."""
    view = memoryview(data)
    pieces: list[bytes | memoryview] = []
    for begin, end in _bounds(data, length_bytes):
        pieces += (struct.pack(">I", end - begin), view[begin:end])
    return pieces


def with_start_codes(nals: Sequence[bytes]) -> bytes:
    """The units as an Annex B stream."""
    return b"".join(part for nal in nals for part in (START_CODE, nal))


def _bounds(data: bytes, length_bytes: int) -> list[tuple[int, int]]:
    """Where each unit that is not empty begins and ends."""
    return _between_lengths(data, length_bytes) if length_bytes else _between_start_codes(data)


def _between_start_codes(data: bytes) -> list[tuple[int, int]]:
    # Of the zeros before a start code only one is taken as belonging to it (zero_byte), which is how the RTP
    # demuxer writes it: a unit that ends in zeros, which the standard forbids and some cameras send, is kept
    # whole.
    bounds = []
    at = data.find(_SHORT_START_CODE)
    while at >= 0:
        begin = at + len(_SHORT_START_CODE)
        at = data.find(_SHORT_START_CODE, begin)
        end = len(data) if at < 0 else at - (data[at - 1] == 0 and at > begin)
        if end > begin:
            bounds.append((begin, end))
    return bounds


def _between_lengths(data: bytes, length_bytes: int) -> list[tuple[int, int]]:
    bounds = []
    at = 0
    while at + length_bytes <= len(data):
        begin = at + length_bytes
        at = begin + int.from_bytes(data[at:begin])
        if at > begin:
            bounds.append((begin, at))
    if at != len(data):
        raise _bad("A coded picture is cut off or damaged: its parts do not add up to its size.")
    return bounds


def parameter_sets(codec: str, extradata: bytes) -> tuple[bytes, ...]:
    """The parameter sets in a stream's extradata, in any of its three forms; empty if it holds none.

    Errors: BAD_MEDIA when the record is cut off or names more sets than any stream has.
    """
    if extradata[:1] != b"\x01":
        found = split(extradata, 0)
    elif codec == "h264":
        found = _avcc_sets(extradata)
    else:
        found = _hvcc_sets(extradata)
    if len(found) > MAX_PARAMETER_SETS:
        raise _bad(f"The stream names more than {MAX_PARAMETER_SETS} parameter sets.")
    return tuple(nal for nal in found if is_parameter_set(codec, nal))


class _Fields:
    """Reads big-endian numbers and lengths out of a record, never past its end."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data, self._at = data, at

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size))

    def take(self, size: int) -> bytes:
        if self._at + size > len(self._data):
            raise _bad("The stream's description (avcC or hvcC) is cut off.")
        self._at += size
        return self._data[self._at - size : self._at]


def _avcc_sets(record: bytes) -> list[bytes]:
    fields = _Fields(record, 5)
    sets = [fields.take(fields.number(2)) for _ in range(fields.number(1) & 0x1F)]
    return sets + [fields.take(fields.number(2)) for _ in range(fields.number(1))]


def _hvcc_sets(record: bytes) -> list[bytes]:
    fields = _Fields(record, 22)
    sets = []
    for _ in range(fields.number(1)):
        fields.take(1)  # the arrays' type: every unit says its own
        sets += [fields.take(fields.number(2)) for _ in range(fields.number(2))]
    return sets


def _bad(message: str) -> OrvaultError:
    return OrvaultError(
        ErrorKind.BAD_MEDIA, message, where="video stream", advice="The camera or file is at fault."
    )
