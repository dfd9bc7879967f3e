"""The ZIP frame of a package, byte for byte: its headers and directory, from names, sizes and CRCs.

Searches nothing and trusts nothing in the file: readers compare with what is computed here
(package_reader.py).
Source: docs/format/package-v1.md section 1; PKWARE APPNOTE 6.3.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

LOCAL = struct.Struct("<IHHHHHIIIHH")
CENTRAL = struct.Struct("<IHHHHHHIIIHHHHHII")
END = struct.Struct("<IHHHHIIH")
END64 = struct.Struct("<IQHHIIQQQQ")
LOCATOR64 = struct.Struct("<IIQI")
LOCAL_SIGNATURE, CENTRAL_SIGNATURE, END_SIGNATURE = 0x04034B50, 0x02014B50, 0x06054B50
END64_SIGNATURE, LOCATOR64_SIGNATURE = 0x06064B50, 0x07064B50
FULL = 0xFFFFFFFF  # "see the ZIP64 extra field"
DATE_1980 = 0x0021  # no time of making leaks; the label has the one that counts
VERSION, VERSION64 = 20, 45
UNIX = 0x0300
REGULAR_0600 = 0o100600 << 16


@dataclass(frozen=True)
class Entry:
    """One stored entry: where its local header begins in the file, and what it holds."""

    name: str
    bytes: int
    crc32: int
    offset: int

    @property
    def data_offset(self) -> int:
        """Where its bytes begin."""
        return self.offset + len(local_header(self))

    @property
    def end(self) -> int:
        """Where the next entry begins."""
        return self.data_offset + self.bytes


def lay_out(contents: Iterable[tuple[str, int, int]], offset: int = 0) -> tuple[Entry, ...]:
    """Entries one after the other from (name, bytes, crc32)."""
    entries: list[Entry] = []
    for name, size, crc32 in contents:
        entry = Entry(name, size, crc32, offset)
        entries.append(entry)
        offset = entry.end
    return tuple(entries)


def local_header(entry: Entry) -> bytes:
    """The header before an entry's bytes."""
    large = entry.bytes >= FULL
    size = FULL if large else entry.bytes
    extra = struct.pack("<HHQQ", 1, 16, entry.bytes, entry.bytes) if large else b""
    name = entry.name.encode("ascii")
    head = LOCAL.pack(
        LOCAL_SIGNATURE,
        VERSION64 if large else VERSION,
        0,
        0,
        0,
        DATE_1980,
        entry.crc32,
        size,
        size,
        len(name),
        len(extra),
    )
    return head + name + extra


def directory(entries: Sequence[Entry]) -> bytes:
    """Central directory and end records: everything after the last entry."""
    start = entries[-1].end
    central = b"".join(_central_header(entry) for entry in entries)
    tail = b""
    if start >= FULL:
        after = start + len(central)
        counts = (len(entries), len(entries), len(central), start)
        tail += END64.pack(END64_SIGNATURE, END64.size - 12, UNIX | VERSION64, VERSION64, 0, 0, *counts)
        tail += LOCATOR64.pack(LOCATOR64_SIGNATURE, 0, after, 1)
    end = END.pack(END_SIGNATURE, 0, 0, len(entries), len(entries), len(central), min(start, FULL), 0)
    return central + tail + end


def _central_header(entry: Entry) -> bytes:
    size, offset = min(entry.bytes, FULL), min(entry.offset, FULL)
    large = [
        value
        for value, field in ((entry.bytes, size), (entry.bytes, size), (entry.offset, offset))
        if field == FULL
    ]
    extra = struct.pack(f"<HH{len(large)}Q", 1, 8 * len(large), *large) if large else b""
    needed = VERSION64 if large else VERSION
    name = entry.name.encode("ascii")
    head = CENTRAL.pack(
        CENTRAL_SIGNATURE,
        UNIX | needed,
        needed,
        0,
        0,
        0,
        DATE_1980,
        entry.crc32,
        size,
        size,
        len(name),
        len(extra),
        0,
        0,
        0,
        REGULAR_0600,
        offset,
    )
    return head + name + extra
