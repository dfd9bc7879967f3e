"""PNG files as people send them, and as attackers do."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(name: bytes, body: bytes, *, checksum: int | None = None) -> bytes:
    """One chunk, its checksum right unless another is given."""
    right = zlib.crc32(name + body) if checksum is None else checksum
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", right)


def header(width: int, height: int, depth: int = 8, colour: int = 6, interlaced: int = 0) -> bytes:
    """IHDR."""
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced))


def png(*chunks: bytes, end: bytes | None = None) -> bytes:
    """A file of these chunks."""
    return SIGNATURE + b"".join(chunks) + (chunk(b"IEND", b"") if end is None else end)


def pixels(count: int, value: int = 200) -> bytes:
    """IDAT of so many bytes."""
    return chunk(b"IDAT", zlib.compress(bytes([value]) * count))


def logo(width: int = 96, height: int = 48) -> np.ndarray:
    """A red disc on nothing."""
    image = np.zeros((height, width, 4), np.uint8)
    cv2.circle(image, (width // 2, height // 2), height // 2 - 2, (40, 40, 220, 255), -1)
    return image


def encoded(image: np.ndarray) -> bytes:
    """The image as a PNG file."""
    done, out = cv2.imencode(".png", image)
    assert done
    return out.tobytes()


PNG = encoded(logo())
