"""Tells of coded pictures that never came, from what the next one says of itself. It decodes no picture.

A decoder takes another picture in the place of one that is missing, and raises no flag: who walked on meanwhile is
seen where they stood, beside their mask, up to the next keyframe. H.264 counts the pictures that others are predicted
from, so that a loss shows. H.265 does not: there only a picture without its first slice shows.
Sources: ITU-T H.264, 7.3.2.1.1 (sequence parameter set), 7.3.3 (slice header), 7.4.3 (frame_num); H.265, 7.3.6.1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from orvault.errors import OrvaultError
from orvault.video import nal
from orvault.video.packet import StreamInfo

_SLICES, _IDR, _SPS = (1, 5), 5, 7  # H.264, table 7-1
_LAST_SLICE_H265 = 31
_INTRA_SLICES = (2, 4, 7, 9)  # I and SI, table 7-6
_HEADER_BYTES = 32  # hold all that is read of a slice
# Profiles whose parameter sets tell of colours and scaling: 7.3.2.1.1.
_HIGH = (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135)


@dataclass(frozen=True, slots=True)
class Coded:
    """One coded picture: whether it is a keyframe without anything from before, and whether something is missing that
    it needs.
    """

    begins: bool
    missing: bool


class Continuity:
    """Looks at every packet of a stream, in the order of coding. Errors at the making: as for `parameter_sets`."""

    def __init__(self, info: StreamInfo) -> None:
        self._info = info
        counts = info.codec == "h264"
        self._count = _count_in(nal.parameter_sets(info.codec, info.extradata)) if counts else None
        self._last: int | None = None  # of the pictures that others are predicted from

    def see(self, data: bytes, *, keyframe: bool) -> Coded:
        """What this packet says; `keyframe` as the file has it. One that cannot be taken apart lacks something."""
        try:
            units = nal.split(data, self._info.nal_length_bytes)
            return self._h264(units, keyframe) if self._info.codec == "h264" else _h265(units, keyframe)
        except (OrvaultError, ValueError):
            return Coded(begins=False, missing=True)

    def _h264(self, units: list[bytes], keyframe: bool) -> Coded:
        self._count = _count_in(units) or self._count
        slices = [unit for unit in units if unit[0] & 0x1F in _SLICES]
        if not slices or self._count is None:
            return Coded(begins=keyframe, missing=False)
        number = self._count.slice(slices[0])[1]
        # A keyframe that is coded by and by (intra refresh) is none: what was missing before it still is. An IDR
        # picture is one even where its second field is predicted, from its first.
        begins = keyframe and (
            slices[0][0] & 0x1F == _IDR or all(self._count.slice(unit)[0] in _INTRA_SLICES for unit in slices)
        )
        follows = begins or self._last is None or (number - self._last) % self._count.of in (0, 1)
        if slices[0][0] & 0x60:  # others may be predicted from it
            self._last = number
        return Coded(begins, missing=not follows and not self._count.gaps)


def _h265(units: list[bytes], keyframe: bool) -> Coded:
    first = next((unit for unit in units if nal.nal_type("hevc", unit) <= _LAST_SLICE_H265), None)
    return Coded(keyframe, missing=first is not None and (len(first) < 3 or not first[2] & 0x80))


@dataclass(frozen=True, slots=True)
class _Count:
    """How a stream counts: 0 up to, without, `of`; `gaps`: numbers may be left out on purpose."""

    bits: int
    planes_apart: bool
    gaps: bool

    @property
    def of(self) -> int:
        return 1 << self.bits

    def slice(self, unit: bytes) -> tuple[int, int]:
        """The slice's kind and its picture's number. ValueError: it ends before."""
        bits = _Bits(unit[1:_HEADER_BYTES])
        bits.number()  # where it begins
        kind = bits.number()
        bits.number()  # its picture parameter set
        bits.take(2 if self.planes_apart else 0)
        return kind, bits.take(self.bits)


def _count_in(units: Iterable[bytes]) -> _Count | None:
    """What the sequence parameter sets among the units say, if they say the same; a stream has one."""
    found = {_count_of(unit) for unit in units if unit and unit[0] & 0x1F == _SPS}
    return found.pop() if len(found) == 1 else None


def _count_of(unit: bytes) -> _Count | None:
    bits = _Bits(unit[1:])
    try:
        profile = bits.take(8)
        bits.take(16)
        bits.number()
        planes_apart = profile in _HIGH and _colours(bits)
        counted = 4 + bits.number()
        _order(bits)
        bits.number()  # how many pictures are kept
        return _Count(counted, planes_apart, bool(bits.take(1))) if counted <= 16 else None
    except ValueError:
        return None


def _colours(bits: _Bits) -> bool:
    """Read over what high profiles say; whether their planes are coded apart."""
    chroma = bits.number()
    apart = chroma == 3 and bool(bits.take(1))
    bits.number()
    bits.number()
    bits.take(1)
    if bits.take(1):
        for n in range(12 if chroma == 3 else 8):
            if bits.take(1):
                _scaling(bits, 16 if n < 6 else 64)
    return apart


def _scaling(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last


def _order(bits: _Bits) -> None:
    """Read over how pictures are ordered for showing."""
    kind = bits.number()
    if kind == 0:
        bits.number()
    elif kind == 1:
        bits.take(1)
        for _ in range(2):
            bits.signed()
        for _ in range(bits.number()):
            bits.signed()


class _Bits:
    """Reads a unit bit by bit, without the bytes that keep start codes out (7.4.1). ValueError at its end."""

    def __init__(self, data: bytes) -> None:
        plain = data.replace(b"\0\0\3", b"\0\0")
        self._value, self._left = int.from_bytes(plain, "big"), 8 * len(plain)

    def take(self, count: int) -> int:
        """So many bits as a number."""
        if count > self._left:
            raise ValueError("the unit ends")
        self._left -= count
        return self._value >> self._left & ((1 << count) - 1)

    def number(self) -> int:
        """ue(v), 9.1."""
        zeros = 0
        while not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)

    def signed(self) -> int:
        """se(v), 9.1.1."""
        code = self.number()
        return (code + 1) // 2 if code % 2 else -code // 2
