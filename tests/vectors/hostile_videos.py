"""Videos that a hostile signer could put into a package: `python -m tests.vectors.hostile_videos` writes them again.

Each begins with the byte that names the fuzzer's target for videos (benchmarks/fuzz_targets.py).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).parent / "hostile"
VIDEO = Path(__file__).resolve().parents[1] / "media" / "bars.mp4"
TARGET = b"\x05"
WHOLE_SIDE = 8192  # of a picture that takes a hundred million bytes; bars.mp4 says that its are 64x48
_SEQUENCE_BYTES = 20  # of its sequence parameter set
_HOLDERS = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1", b"avcC")  # of the configuration


def _patched(data: bytes, name: bytes, offset: int, form: str, value: int) -> bytes:
    """The first box of this name with a field, counted from its name's end, changed."""
    at = data.index(name) + 4 + offset
    return data[:at] + struct.pack(form, value) + data[at + struct.calcsize(form) :]


def sequence(width: int, height: int, cut_right: int = 0, cut_below: int = 0) -> bytes:
    """A baseline sequence parameter set of H.264 (7.3.2.1.1), as long as bars.mp4's: zeros may follow a unit."""
    cut = [0, cut_right // 2, 0, cut_below // 2]
    sizes = _ue(width // 16 - 1) + _ue(height // 16 - 1)
    bits = _ue(0) + _ue(0) + _ue(2) + _ue(1) + "0" + sizes + "11"
    bits += ("1" + "".join(map(_ue, cut)) if any(cut) else "0") + "01"
    bits += "0" * (-len(bits) % 8)
    made = bytes.fromhex("6742c033") + int(bits, 2).to_bytes(len(bits) // 8)
    return made.ljust(_SEQUENCE_BYTES, b"\0")


def _ue(value: int) -> str:
    told = f"{value + 1:b}"
    return "0" * (len(told) - 1) + told


def _with_sequence(data: bytes, unit: bytes) -> bytes:
    at = data.index(b"avcC") + 12
    return data[:at] + unit + data[at + len(unit) :]


def _with_unit(data: bytes, unit: bytes, *, hidden: bool) -> bytes:
    """Another unit beside the sequence's parameters, or among the sets that are of pictures."""
    config = data.index(b"avcC") + 4
    count_at = config + 8 + _SEQUENCE_BYTES if hidden else config + 5
    data = data[:count_at] + bytes([data[count_at] + 1]) + data[count_at + 1 :]
    at = config + 8 + _SEQUENCE_BYTES + hidden
    data = data[:at] + struct.pack(">H", len(unit)) + unit + data[at:]
    for name in _HOLDERS:
        data = _larger(data, data.index(name) - 4, 2 + len(unit))
    return data


def _before_first_picture(data: bytes, units: bytes) -> bytes:
    at = data.index(b"mdat") + 4
    data = _larger(data[:at] + units + data[at:], at - 8, len(units))
    return _larger(data, data.index(b"trun") + 20, len(units))


def _larger(data: bytes, at: int, by: int) -> bytes:
    (size,) = struct.unpack_from(">I", data, at)
    return data[:at] + struct.pack(">I", size + by) + data[at + 4 :]


def _large_pictures(good: bytes) -> Iterator[tuple[str, bytes]]:
    """Pictures that take more memory than the size that they are said to have."""
    large = sequence(WHOLE_SIDE, WHOLE_SIDE)
    cut = sequence(WHOLE_SIDE, WHOLE_SIDE, WHOLE_SIDE - 64, WHOLE_SIDE - 48)
    yield "sequence-of-8192-squared", _with_sequence(good, large)
    yield "sequence-cut-from-8192-squared", _with_sequence(good, cut)
    yield "sequence-beside-another", _with_unit(good, large, hidden=False)
    yield "sequence-hidden-among-others", _with_unit(good, large, hidden=True)
    in_unit = struct.pack(">I", len(large)) + large
    yield "sequence-before-a-picture", _before_first_picture(good, in_unit)
    noted = b"\x06\x05\x01\x80\x80\0\0\1" + large  # a note, and within it the beginning of another unit
    yield "sequence-within-a-note", _before_first_picture(good, struct.pack(">I", len(noted)) + noted)


def _times(good: bytes) -> Iterator[tuple[str, bytes]]:
    """Times that no calendar and no other file can hold."""
    slow = _patched(good, b"mdhd", 12, ">I", 1)
    yield "time-of-four-million-years", _patched(slow, b"tfdt", 4, ">Q", 1 << 47)
    one = _patched(good, b"trun", 0, ">Q", 0xA05 << 32 | 1)  # one picture, with the time between
    yield "shown-2-to-32-after", _patched(one, b"trun", 20, ">I", 0xFFFFFFFF)


def videos() -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each."""
    good = VIDEO.read_bytes()
    moof = good.index(b"moof") - 4
    yield "description-of-4-gb", struct.pack(">I4s", 0xFFFFFFF0, b"moov") + good
    yield "description-of-2-to-62", struct.pack(">I4sQ", 1, b"moov", 1 << 62) + good
    yield "box-of-nothing", struct.pack(">I4s", 0, b"free") + good
    yield "boxes-without-end", struct.pack(">I4s", 8, b"free") * 6_000 + good
    yield "fragment-of-4-gb", good[:moof] + struct.pack(">I", 0xFFFFFFF0) + good[moof + 4 :]
    yield "four-billion-pictures", _patched(good, b"trun", 4, ">I", 0xFFFFFFFF)
    yield "picture-of-4-gb", _patched(good, b"trun", 16, ">I", 0xFFFFFFF0)
    yield "pictures-before-the-file", _patched(good, b"trun", 8, ">i", -(2**31))
    yield "time-of-2-to-63", _patched(good, b"tfdt", 4, ">Q", 1 << 63)
    yield "no-time-scale", _patched(good, b"mdhd", 12, ">I", 0)
    yield "picture-of-65535-squared", _patched(good, b"avc1", 24, ">I", 0xFFFFFFFF)
    yield "configuration-cut", good.replace(b"avcC", b"free", 1)
    yield "configuration-of-noise", _patched(good, b"avcC", 4, ">Q", 0xA5A5A5A5A5A5A5A5)
    yield "configuration-with-a-picture", _with_unit(good, b"\x65" + bytes(range(1, 40)), hidden=True)
    yield "no-picture", good[:moof]
    yield "cut-in-a-picture", good[: len(good) - 700]
    noise = bytes(value * 89 % 251 for value in range(len(good) - moof - 200))
    yield "pictures-of-noise", good[: moof + 200] + noise
    yield from _large_pictures(good)
    yield from _times(good)


def main() -> None:
    """Write all."""
    FOLDER.mkdir(exist_ok=True)
    for name, data in videos():
        (FOLDER / f"video-{name}.bin").write_bytes(TARGET + data)


if __name__ == "__main__":
    main()
