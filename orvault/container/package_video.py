"""One camera's sealed video in a package: each chunk is held against its signed hash before anything else.

Step 9 of docs/format/package-v1.md, section 5. That the hashes are the signed ones, package_reader.py has verified.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.constant_time import bytes_eq

from orvault.container.binding import associated_data
from orvault.container.label import MediaEntry
from orvault.container.stream import OpeningReader
from orvault.container.wire import Bytes, FileSource
from orvault.errors import ErrorKind, OrvaultError

_HASH_BYTES = 32


@dataclass(frozen=True, slots=True)
class PackageVideo:
    """The video that `entry` of the label names.

    `leaves`: SHA-256 of each chunk, 32 bytes each, as signed. `check_lease` raises EXPIRED once an activation is
    over. `damage`: what is known to be missing of the file.
    """

    entry: MediaEntry
    source: FileSource
    leaves: bytes = field(repr=False)
    check_lease: Callable[[], None]
    damage: OrvaultError | None = None

    def check(self, index: int, chunk: Bytes) -> None:
        """ALTERED for a chunk of ciphertext that is not what was signed; EXPIRED."""
        self.check_lease()
        signed = self.leaves[_HASH_BYTES * index : _HASH_BYTES * (index + 1)]
        if not bytes_eq(hashlib.sha256(chunk).digest(), signed):
            message = f"Chunk {index + 1} of {self.entry.chunks} is not what was signed."
            raise OrvaultError(ErrorKind.ALTERED, message, where=self.entry.name)

    def open(self, key: bytes, package_id: str) -> OpeningReader:
        """A seekable file that verifies each chunk before it gives a byte of it."""
        name = self.entry.name
        aad = associated_data(package_id, name)
        return OpeningReader(self.source, key, aad, self.entry.chunk_bytes, where=name, check=self.check)

    def checked_sizes(self) -> Iterator[int]:
        """Verify chunk after chunk by its hash alone, without a key; bytes of each.

        Raises:
            OrvaultError: ALTERED, DAMAGED, EXPIRED.
        """
        entry = self.entry
        for index in range(entry.chunks):
            start = index * entry.chunk_bytes
            size = min(entry.chunk_bytes, entry.bytes - start)
            chunk = self.source.read_at(start, size)
            if len(chunk) < size:
                raise self.damage or OrvaultError(ErrorKind.DAMAGED, "It ends too soon.", where=entry.name)
            self.check(index, chunk)
            yield size

    def opened_sizes(self, key: bytes, package_id: str) -> Iterator[int]:
        """The same, and open each chunk; bytes of what is in it."""
        buffer = bytearray(self.entry.chunk_bytes)
        reader = self.open(key, package_id)
        while size := reader.readinto1(buffer):
            yield size
