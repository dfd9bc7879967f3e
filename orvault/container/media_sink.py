"""Takes one camera's video for a package as it is encoded, and keeps only ciphertext of it.

Where the video goes in the package, and under which key, is package_writer.py's. Source: docs/format/package-v1.md.
"""

from __future__ import annotations

import hashlib
import zlib
from pathlib import Path

from orvault.container.binding import root_of_leaves
from orvault.container.files import storage_error
from orvault.container.label import MAX_LEAVES_BYTES
from orvault.container.stream import SealingWriter
from orvault.errors import ErrorKind, OrvaultError


class SealedFile:
    """A file of ciphertext that remembers what the label will say of it: size, CRC-32, and SHA-256 of each chunk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bytes = 0
        self.crc32 = 0
        self._leaves = bytearray()
        self._file = path.open("xb")

    @property
    def leaves(self) -> bytes:
        """SHA-256 of each chunk, 32 bytes each, in order."""
        return bytes(self._leaves)

    @property
    def root(self) -> str:
        """The Merkle root of its chunks, as hex (package-v1, section 3)."""
        return root_of_leaves(self.leaves)

    def write(self, chunk: memoryview, /) -> int:
        """Take one whole ciphertext chunk."""
        if len(self._leaves) >= MAX_LEAVES_BYTES:
            raise OrvaultError(
                ErrorKind.BAD_REQUEST, "The video is too long for one package.", where=self.path.name
            )
        try:
            self._file.write(chunk)
        except OSError as error:
            raise storage_error(self.path, error) from error
        self._leaves += hashlib.sha256(chunk).digest()
        self.crc32 = zlib.crc32(chunk, self.crc32)
        self.bytes += len(chunk)
        return len(chunk)

    def close(self) -> None:
        """Hand what is buffered to the system; fsync comes when it is copied into the package."""
        try:
            self._file.close()
        except OSError as error:
            raise storage_error(self.path, error) from error


class MediaSink(SealingWriter):
    """Takes one camera's fragmented MP4 in order, seals it, and keeps only ciphertext. `close` ends it."""

    def __init__(self, path: Path, key: bytes, aad: bytes, chunk_bytes: int) -> None:
        self.sealed = SealedFile(path)
        self.whole = False
        super().__init__(self.sealed, key, aad, chunk_bytes)

    def close(self) -> None:
        """Seal the last chunk; the video is whole now."""
        if not self.closed:
            super().close()
            self.sealed.close()
            self.whole = True

    def abort(self) -> None:
        """Give the video up: the package's `finish` will refuse."""
        super().abort()
        self.sealed.close()
