"""Holds what a video says of itself to its decoder against what the package described, before a decoder sees it.

A decoder takes its memory by the sequence parameter set, not by the sizes in the file; so there is one, it is read
here, and no coded picture brings another. Decoding is decoding.py's, the boxes round this are boxes.py's.
Source: ITU-T H.264, 7.3.2.1 and annex B; H.265, 7.3.2.2 and 7.3.3; ISO/IEC 14496-15 (avcC, hvcC).
"""

from __future__ import annotations

import struct
from collections.abc import Generator, Iterator

from player.mp4 import bad

SEQUENCE = {"h264": 7, "hevc": 33}  # a sequence parameter set's type
_SETS = {"h264": frozenset({7, 8}), "hevc": frozenset({32, 33, 34})}  # of sequence, picture, H.265's video
_NOTES = {"h264": frozenset[int](), "hevc": frozenset({39, 40})}  # what else an hvcC may hold (14496-15, 8.3)
MAX_UNITS = 4_096  # of one picture; one to a hundred are usual
MAX_ROUNDED_UP = 64  # pixels that a coded picture's sides may have above those shown: 1088 lines for 1080
_KIND = "A picture is not of the kind that was described."
_CONFIGURATION = "Its decoder's configuration makes no sense."
_START_CODE = b"\0\0\1"  # within a unit FFmpeg would begin another one there
_HIGH_PROFILES = frozenset({100, 110, 122, 244, 44})
_PROFILES = frozenset({66, 77, 88}) | _HIGH_PROFILES
_MOST = 8190  # FFmpeg reads greater numbers in ways of its own


def sequence_set(codec: str, config: bytes, width: int, height: int) -> bytes:
    """The one sequence parameter set in an avcC or hvcC, of pictures of this size.

    Raises:
        OrvaultError: BAD_MEDIA if there is another number of them, anything stands beside them but what is usual, or
        a picture takes more than its size.
    """
    count_at = 5 if codec == "h264" else 22
    # Lengths of four bytes alone: FFmpeg takes a picture that begins with a 1 for another configuration.
    if len(config) <= count_at or config[0] != 1 or config[count_at - 1] & 3 != 3:
        bad(_CONFIGURATION)
    units = list(_configured(codec, config))
    found = [unit for unit in units if _type(codec, unit) == SEQUENCE[codec]]
    if len(found) != 1 or any(_START_CODE in unit for unit in units):
        bad(_CONFIGURATION)
    if not {_type(codec, unit) for unit in units} <= _SETS[codec] | _NOTES[codec]:
        bad(_CONFIGURATION)
    coded = _h264_size(found[0]) if codec == "h264" else _hevc_size(found[0])
    if not all(0 <= has - shown < MAX_ROUNDED_UP for has, shown in zip(coded, (width, height), strict=True)):
        bad(_KIND)
    return found[0]


def parameter_sets(codec: str, config: bytes) -> bytes:
    """The sets of an avcC or hvcC that `sequence_set` took, as a picture carries them: each behind its length.

    Notes are left out: a decoder is turned to another place without being told them again.
    """
    sets = (unit for unit in _configured(codec, config) if _type(codec, unit) in _SETS[codec])
    return b"".join(struct.pack(">I", len(unit)) + unit for unit in sets)


def check_picture(codec: str, sequence: bytes, data: bytes) -> None:
    """Raise BAD_MEDIA unless a coded picture is whole units, none of them another sequence parameter set."""
    at = 0
    for _ in range(MAX_UNITS):
        if at == len(data):
            return
        begin, end = at + 4, at + 4 + int.from_bytes(data[at : at + 4])
        if not begin < end <= len(data) or data[at] or data.find(_START_CODE, begin, end) >= 0:
            break
        if _type(codec, data[begin : begin + 1]) == SEQUENCE[codec] and data[begin:end] != sequence:
            break
        at = end
    bad(_KIND)


def _type(codec: str, unit: bytes) -> int:
    return unit[0] & 0x1F if codec == "h264" else unit[0] >> 1 & 0x3F


def _configured(codec: str, config: bytes) -> Iterator[bytes]:
    """Every unit of every array, whatever the array says that it holds."""
    try:
        if codec == "h264":
            at = yield from _units(config, 6, config[5] & 0x1F)
            yield from _units(config, at + 1, config[at])
            return
        at = 23
        for _ in range(config[22]):
            (count,) = struct.unpack_from(">H", config, at + 1)
            at = yield from _units(config, at + 3, count)
    except (IndexError, struct.error):
        bad(_CONFIGURATION)


def _units(config: bytes, at: int, count: int) -> Generator[bytes, None, int]:
    """Gives back where they end."""
    for _ in range(count):
        (size,) = struct.unpack_from(">H", config, at)
        unit = config[at + 2 : at + 2 + size]
        if not unit or len(unit) < size:
            bad(_CONFIGURATION)
        yield unit
        at += 2 + size
    return at


class _Bits:
    """Reads from the first bit on; beyond the end, and beyond what was asked for, it is BAD_MEDIA."""

    def __init__(self, data: bytes, begin: int) -> None:
        self._data, self.at = data, begin * 8

    def take(self, count: int) -> int:
        end = self.at + count
        if end > len(self._data) * 8:
            bad(_CONFIGURATION)
        held = int.from_bytes(self._data[self.at // 8 : -(-end // 8)])
        self.at = end
        return held >> -end % 8 & (1 << count) - 1

    def ue(self, most: int = _MOST) -> int:
        """An Exp-Golomb number, H.264 9.1."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 12:
                bad(_CONFIGURATION)
        value = (1 << zeros) - 1 + self.take(zeros)
        if value > most:
            bad(_CONFIGURATION)
        return value

    def se(self) -> int:
        """A signed one, 9.1.1."""
        value = self.ue()
        return (value + 1) // 2 if value % 2 else -(value // 2)


def _h264_size(sps: bytes) -> tuple[int, int]:
    bits = _Bits(sps, 1)
    profile = bits.take(24) >> 16
    if profile not in _PROFILES:
        bad(_CONFIGURATION)
    bits.ue(31)
    if profile in _HIGH_PROFILES:
        _pass_high(bits)
    bits.ue(12)
    _pass_order(bits)
    bits.ue(16)
    bits.take(1)
    width, height = bits.ue() + 1, bits.ue() + 1
    fields = 2 - bits.take(1)
    # FFmpeg falls back to reading it without this escape taken out: up to here both are to mean the same.
    if b"\0\0\3" in sps[: -(-bits.at // 8)]:
        bad(_CONFIGURATION)
    return 16 * width, 16 * height * fields


def _pass_high(bits: _Bits) -> None:
    """chroma_format_idc to the scaling lists."""
    chroma = bits.ue(3)
    bits.take(1 if chroma == 3 else 0)
    bits.ue(6)
    bits.ue(6)
    bits.take(1)
    if not bits.take(1):
        return
    for number in range(12 if chroma == 3 else 8):
        last = following = 8
        for _ in range((16 if number < 6 else 64) if bits.take(1) else 0):
            if following:
                following = last + bits.se() & 0xFF
            last = following or last


def _pass_order(bits: _Bits) -> None:
    """pic_order_cnt_type and what belongs to it."""
    kind = bits.ue(2)
    if kind == 0:
        bits.ue(12)
    elif kind == 1:
        bits.take(1)
        bits.se()
        bits.se()
        for _ in range(bits.ue(255)):
            bits.se()


def _hevc_size(sps: bytes) -> tuple[int, int]:
    if sps[:2] != b"\x42\x01":  # of the first layer
        bad(_CONFIGURATION)
    bits = _Bits(sps.replace(b"\0\0\3", b"\0\0"), 2)
    layers = bits.take(8) >> 1 & 7
    bits.take(96)
    present = [(bits.take(1), bits.take(1)) for _ in range(layers)]
    bits.take(2 * (8 - layers) if layers else 0)
    for profile, level in present:
        bits.take(88 * profile + 8 * level)
    bits.ue(15)
    bits.take(1 if bits.ue(3) == 3 else 0)
    return bits.ue(), bits.ue()
