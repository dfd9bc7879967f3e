"""Walks a package's frame from its first byte, and holds it against what the signed label says it must be.

Reads headers, label and slots only, never the video.

Source: docs/format/package-v1.md section 5, steps 1 to 3.
"""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from orvault.container import frame
from orvault.container.label import (
    LABEL,
    MAX_LABEL_BYTES,
    MAX_SLOTS_BYTES,
    SLOTS,
    Label,
    PackageSlot,
    check_issued,
    read_label,
    read_slots,
)
from orvault.errors import ErrorKind, OrvaultError

_SIZES = slice(
    14, 26
)  # CRC and the two sizes: the only bytes of a small entry's header not fixed by its name
_ZIP = b"PK\x03\x04"
_NEAR_MISS = (
    2  # so many wrong bytes in a first header still mean "a package that was altered", not "some other file"
)


@dataclass(frozen=True)
class Frame:
    """What a package's frame holds; `damage` is set only where a missing tail was allowed."""

    label: Label
    slots: tuple[PackageSlot, ...]
    entries: dict[str, frame.Entry]
    file_bytes: int
    damage: OrvaultError | None

    def has(self, name: str) -> bool:
        """Whether the file reaches to the end of this entry."""
        return self.entries[name].end <= self.file_bytes


class _File:
    """Positional, exact reads: too little is damage, and says in which entry. `name`: the file's, for a person."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file, self.name = file, name
        try:
            self.size = file.seek(0, io.SEEK_END)
        except OSError as error:
            raise _unreadable(error) from error

    def read(self, offset: int, count: int) -> bytes:
        """Up to `count` bytes."""
        try:
            self._file.seek(offset)
            return self._file.read(count)
        except OSError as error:
            raise _unreadable(error) from error

    def exactly(self, offset: int, count: int, name: str) -> bytes:
        """`count` bytes, or DAMAGED naming the entry."""
        data = self.read(offset, count)
        if len(data) < count:
            raise self.ends_in(name)
        return data

    def ends_in(self, name: str, expected: int | None = None) -> OrvaultError:
        """The error of a file that stops too soon."""
        of = "" if expected is None else f" of {expected}"
        return OrvaultError(
            ErrorKind.DAMAGED,
            f"The file ends after {self.size}{of} bytes, in {name}.",
            advice="It was probably not copied or downloaded completely: fetch it again.",
        )


def _unreadable(error: OSError) -> OrvaultError:
    return OrvaultError(
        ErrorKind.STORAGE, f"The file cannot be read: {error.strerror or 'input/output error'}."
    )


def open_file(path: Path) -> BinaryIO:
    """Open a package's file; NOT_FOUND, NOT_A_PACKAGE for a folder, STORAGE if it cannot be read."""
    try:
        return path.open("rb")
    except (FileNotFoundError, NotADirectoryError) as error:
        advice = "Check its name, and that the drive or share it lies on is there."
        raise OrvaultError(
            ErrorKind.NOT_FOUND, "There is no such file.", where=str(path), advice=advice
        ) from error
    except IsADirectoryError as error:
        advice = "Open the package's file that lies in it."
        raise OrvaultError(
            ErrorKind.NOT_A_PACKAGE, "This is a folder.", where=str(path), advice=advice
        ) from error
    except (OSError, ValueError) as error:
        reason = f"The file cannot be opened: {getattr(error, 'strerror', None) or error}."
        advice = "Check that this account may read it."
        raise OrvaultError(ErrorKind.STORAGE, reason, where=str(path), advice=advice) from error


def read_frame(file: BinaryIO, *, partial: bool, name: str = "") -> Frame:
    """Steps 1 to 3 of package-v1, section 5; `name` is what errors call the file.

    Raises:
        OrvaultError: NOT_A_PACKAGE, DAMAGED, ALTERED. With `partial`, a missing tail is returned as `damage`.
    """
    source = _File(file, name)
    # 1. The first entry is a label, and all there.
    label_data, label_entry = _clear_entry(source, LABEL, 0, MAX_LABEL_BYTES)
    # 2. Its signature, then its fields.
    label = read_label(label_data)
    _expect(frame.local_header(label_entry), source.read(0, label_entry.data_offset), LABEL)
    # 3. The slots are issued ones; all other headers and the directory follow from the label.
    slots_data, slots_entry = _clear_entry(source, SLOTS, label_entry.end, MAX_SLOTS_BYTES)
    slots = read_slots(slots_data)
    check_issued(label, slots)
    start = slots_entry.offset
    _expect(frame.local_header(slots_entry), source.read(start, slots_entry.data_offset - start), SLOTS)
    signed = frame.lay_out(((e.name, e.bytes, e.crc32) for e in label.entries), slots_entry.end)
    entries = (label_entry, slots_entry, *signed)
    damage: OrvaultError | None = None
    try:
        _walk(source, entries)
    except OrvaultError as error:
        if error.kind is not ErrorKind.DAMAGED or not partial:
            raise
        damage = error
    return Frame(label, slots, {entry.name: entry for entry in entries}, source.size, damage)


def _clear_entry(source: _File, name: str, offset: int, most: int) -> tuple[bytes, frame.Entry]:
    """An entry whose size only its own header tells; the caller compares the whole header afterwards."""
    model = frame.local_header(frame.Entry(name, 0, 0, offset))
    header = source.read(offset, len(model))
    _check_model(source, header, model, name, first=offset == 0)
    _, _, _, _, _, _, crc32, size, again, _, _ = frame.LOCAL.unpack(header[: frame.LOCAL.size])
    if size != again or size > most:
        raise _altered("Its size is stated wrongly.", name)
    data = source.exactly(offset + len(model), size, name)
    if name == LABEL or zlib.crc32(data) == crc32:
        return data, frame.Entry(name, size, zlib.crc32(data), offset)
    raise _altered("It is not what its check sum says.", name)


def _check_model(source: _File, header: bytes, model: bytes, name: str, *, first: bool) -> None:
    """Compare a header with its model, sizes and CRC aside, and say what a difference means."""
    wrong = sum(
        one != other
        for at, (one, other) in enumerate(zip(header, model, strict=False))
        if not _SIZES.start <= at < _SIZES.stop
    )
    allowed = _NEAR_MISS if len(header) == len(model) else 0
    if first and wrong > allowed:
        raise _no_package(source, header)
    if len(header) < len(model):
        raise source.ends_in(name)
    if wrong:
        raise _altered("Its ZIP header is not what it must be.", name)


def _no_package(source: _File, header: bytes) -> OrvaultError:
    """Some other file: which it is not worth telling, but for the one that a package may have been put into."""
    if header.startswith(_ZIP):
        what, advice = "it is a ZIP file of something else", "If the package lies in it, unpack it first."
    else:
        what, advice = "it does not begin as one", "If it was one, fetch it again as the hospital gave it."
    message = f"This is not an OR Vault package: {what}."
    return OrvaultError(ErrorKind.NOT_A_PACKAGE, message, where=source.name, advice=advice)


def _walk(source: _File, entries: tuple[frame.Entry, ...]) -> None:
    tail = frame.directory(entries)
    total = entries[-1].end + len(tail)
    for entry in entries[2:]:
        header = frame.local_header(entry)
        found = source.read(entry.offset, len(header))
        if len(found) == len(header):
            _expect(header, found, entry.name)
        if source.size < entry.end:
            raise source.ends_in(entry.name, total)
    found = source.read(entries[-1].end, len(tail))
    if found != tail[: len(found)]:
        raise _altered("It is not what it must be.", "ZIP directory")
    if source.size < total:
        raise source.ends_in("its ZIP directory", total)
    if source.size > total:
        raise _altered(f"{source.size - total} bytes were appended.", "end of the file")


def _expect(expected: bytes, found: bytes, name: str) -> None:
    if expected != found:
        raise _altered("Its ZIP header is not what it must be.", name)


def _altered(message: str, where: str) -> OrvaultError:
    return OrvaultError(ErrorKind.ALTERED, message, where=where)
