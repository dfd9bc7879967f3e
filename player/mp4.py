"""Reads the boxes that an MP4 is made of, and says so where they are none.

What the boxes mean is boxes.py's. Source: ISO/IEC 14496-12, 4.2.
"""

from __future__ import annotations

import struct
from typing import NoReturn, Protocol

from orvault.errors import ErrorKind, OrvaultError


class Stream(Protocol):
    """A seekable file of verified bytes."""

    @property
    def size(self) -> int:
        """Bytes of it."""
        ...

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Move."""
        ...

    def read(self, size: int = -1, /) -> bytes | None:
        """Up to `size` bytes."""
        ...


def header_at(stream: Stream, at: int) -> tuple[bytes, int, int]:
    """Name, size with header, and size of the header of the box at `at`."""
    head = read_exactly(stream, at, 8)
    size, name = struct.unpack(">I4s", head)
    header = 8
    if size == 1:
        (size,) = struct.unpack(">Q", read_exactly(stream, at + 8, 8))
        header = 16
    if size < header or at + size > stream.size:
        bad("A box is larger than what holds it.")
    return name, size, header


def children(data: bytes) -> list[tuple[bytes, bytes]]:
    """Name and content of each box in another one's content."""
    found, at = [], 0
    while at + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        if size < 8 or at + size > len(data):
            bad("A box is larger than what holds it.")
        found.append((name, data[at + 8 : at + size]))
        at += size
    return found


def only(boxes: list[tuple[bytes, bytes]], name: bytes) -> bytes:
    """The content of the one box of this name; BAD_MEDIA if there are none or several."""
    found = [body for each, body in boxes if each == name]
    if len(found) != 1:
        bad(f"It has {len(found)} boxes {name.decode('ascii')} where one is wanted.")
    return found[0]


def unpack(form: str, data: bytes, at: int) -> tuple[int, ...]:
    """As `struct.unpack_from`; BAD_MEDIA beyond the end."""
    try:
        return struct.unpack_from(form, data, at)
    except struct.error:
        bad("A box is too short.")


def read_exactly(stream: Stream, at: int, count: int) -> bytes:
    """`count` bytes from `at` on; BAD_MEDIA if the video has fewer."""
    stream.seek(at)
    data = stream.read(count) or b""
    if len(data) < count:
        bad("It ends within a box.")
    return data


def bad(message: str) -> NoReturn:
    """Raise BAD_MEDIA; whose video it is, the reel adds."""
    raise OrvaultError(ErrorKind.BAD_MEDIA, message)
