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


def _patched(data: bytes, name: bytes, offset: int, form: str, value: int) -> bytes:
    """The first box of this name with a field, counted from its name's end, changed."""
    at = data.index(name) + 4 + offset
    return data[:at] + struct.pack(form, value) + data[at + struct.calcsize(form) :]


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
    yield "no-picture", good[:moof]
    yield "cut-in-a-picture", good[: len(good) - 700]
    noise = bytes(value * 89 % 251 for value in range(len(good) - moof - 200))
    yield "pictures-of-noise", good[: moof + 200] + noise


def main() -> None:
    """Write all."""
    FOLDER.mkdir(exist_ok=True)
    for name, data in videos():
        (FOLDER / f"video-{name}.bin").write_bytes(TARGET + data)


if __name__ == "__main__":
    main()
