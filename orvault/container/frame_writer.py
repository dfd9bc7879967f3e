"""Writes the ZIP frame of a package durably: the file appears under its name whole, or not at all.

Knows nothing of labels or keys; what the bytes of the frame are stands in frame.py.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from orvault.container import frame
from orvault.container.files import flush_to_disk, storage_error, sync_folder
from orvault.errors import ErrorKind, OrvaultError

PIECE_BYTES = 1 << 20

Pieces = Callable[[], Iterable[bytes]]


@dataclass(frozen=True)
class Content:
    """One entry to be written; `pieces` gives its bytes, in order, when they are wanted."""

    name: str
    bytes: int
    crc32: int
    pieces: Pieces = field(repr=False)


def pieces_of(path: Path, offset: int = 0, count: int | None = None) -> Iterator[bytes]:
    """A stretch of a file in pieces of at most 1 MiB."""
    left = count
    with path.open("rb") as file:
        file.seek(offset)
        while piece := file.read(PIECE_BYTES if left is None else min(PIECE_BYTES, left)):
            yield piece
            left = None if left is None else left - len(piece)


def write_frame(out: Path, contents: Sequence[Content]) -> tuple[int, str]:
    """Write the file and return its length in bytes and its SHA-256 (hexadecimal).

    1. Write under a name ending in .part. 2. fsync. 3. Rename. 4. fsync the folder.

    Raises:
        OrvaultError: STORAGE, with the space that is left; DAMAGED if an entry's bytes are not as many as
        promised.
    """
    part: Path | None = None
    try:
        handle, name = tempfile.mkstemp(prefix=f".{out.name}.", suffix=".part", dir=out.parent)
        part = Path(name)
        with os.fdopen(handle, "wb") as file:
            size, digest = _write(file, contents)
            flush_to_disk(file)
        part.replace(out)
        sync_folder(out.parent)
    except OSError as error:
        raise storage_error(out, error) from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)
    return size, digest


def _write(file: BinaryIO, contents: Sequence[Content]) -> tuple[int, str]:
    digest = hashlib.sha256()
    entries = frame.lay_out((content.name, content.bytes, content.crc32) for content in contents)

    def put(data: bytes) -> int:
        digest.update(data)
        return file.write(data)

    written = 0
    for entry, content in zip(entries, contents, strict=True):
        put(frame.local_header(entry))
        written = sum(put(piece) for piece in content.pieces())
        if written != content.bytes:
            raise OrvaultError(
                ErrorKind.DAMAGED, f"It has {written} bytes instead of {content.bytes}.", where=content.name
            )
    tail = frame.directory(entries)
    put(tail)
    return entries[-1].end + len(tail), digest.hexdigest()
