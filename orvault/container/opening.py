"""Opens a sealed stream as a seekable file; every byte it gives was verified first.

Source: docs/format/segment-v1.md section 5. Sealing is sealing.py's.
"""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Callable

from cryptography.exceptions import InvalidTag

from orvault.container.wire import (
    CHUNK_BYTES,
    HEADER_BYTES,
    KEY_BYTES,
    TAG_BYTES,
    Bytes,
    MemorySource,
    Source,
    check_chunk_bytes,
    check_key,
    chunk_count,
    chunk_nonce,
    plaintext_size,
    stream_cipher,
)
from orvault.errors import ErrorKind, OrvaultError

CACHED_CHUNKS = 2  # a player's demuxer jumps between an index and the pictures

ChunkCheck = Callable[[int, Bytes], None]


class OpeningReader(io.RawIOBase):
    """A seekable, read-only binary file over a sealed stream; every byte it returns was verified first.

    `check(index, ciphertext_chunk)` may refuse a chunk before it is opened (a package's signed hashes).
    `where` names the stream in errors. Keeps two chunks in memory. Not for several threads at once.

    Raises (all methods that read):
        OrvaultError: ALTERED if a chunk fails, DAMAGED if the stream ends too soon.
    """

    def __init__(
        self,
        source: Source,
        key: bytes,
        aad: bytes,
        chunk_bytes: int = CHUNK_BYTES,
        *,
        where: str = "",
        check: ChunkCheck | None = None,
    ) -> None:
        super().__init__()
        check_key(key)
        check_chunk_bytes(chunk_bytes)
        self._source, self._chunk_bytes, self._where, self._check = source, chunk_bytes, where, check
        self._plaintext_bytes = plaintext_size(source.size, chunk_bytes)
        self._chunks = chunk_count(self._plaintext_bytes, chunk_bytes)
        header = bytes(source.read_at(0, HEADER_BYTES))
        if len(header) < HEADER_BYTES:
            raise self._error(ErrorKind.DAMAGED, "The sealed stream ends within its first bytes.")
        if header[0] != HEADER_BYTES:
            raise self._error(ErrorKind.ALTERED, "The sealed stream does not begin as one does.")
        self._prefix = header[1 + KEY_BYTES :]
        self._cipher = stream_cipher(key, header[1 : 1 + KEY_BYTES], aad)
        self._cache: OrderedDict[int, bytearray] = OrderedDict()
        self._position = 0

    @property
    def size(self) -> int:
        """Bytes of the opened stream."""
        return self._plaintext_bytes

    def readable(self) -> bool:
        """True (PyAV asks)."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """Position in the opened stream, bytes."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move; reading past the end gives nothing, as in every file."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._plaintext_bytes}.get(whence)
        if base is None or base + offset < 0:
            raise ValueError(f"cannot seek to {offset} from {whence}")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override] # any buffer, says io; these two are used
        """Fill `buffer` as far as the stream goes; whole chunks are opened straight into it."""
        if self._plaintext_bytes == 0:
            self._open(0, memoryview(bytearray()))  # that a stream is empty must be proven too
        target = memoryview(buffer).cast("B")
        count = max(0, min(len(target), self._plaintext_bytes - self._position))
        done = 0
        while done < count:
            done += self._copy(target[done:count])
        return done

    def readinto1(self, buffer: bytearray | memoryview, /) -> int:
        """Fill `buffer` up to the end of the current chunk at most: a buffer of a chunk's size needs no copy."""
        target = memoryview(buffer).cast("B")
        if self._plaintext_bytes == 0 or self._position >= self._plaintext_bytes:
            return self.readinto(target[:0])
        return self._copy(target) if len(target) else 0

    def _copy(self, target: memoryview) -> int:
        index, offset = self._locate(self._position)
        length = self._chunk_length(index)
        if offset == 0 and len(target) >= length and index not in self._cache:
            self._open(index, target[:length])
            taken = length
        else:
            chunk = self._cached(index)
            taken = min(len(target), length - offset)
            target[:taken] = memoryview(chunk)[offset : offset + taken]
        self._position += taken
        return taken

    def _locate(self, position: int) -> tuple[int, int]:
        """Chunk and offset within its plaintext of a position in the opened stream."""
        index, offset = divmod(position + HEADER_BYTES, self._chunk_bytes - TAG_BYTES)
        return (index, offset - HEADER_BYTES) if index == 0 else (index, offset)

    def _chunk_length(self, index: int) -> int:
        """Plaintext bytes of a chunk."""
        step = self._chunk_bytes - TAG_BYTES
        end = min((index + 1) * step - HEADER_BYTES, self._plaintext_bytes)
        return end - max(0, index * step - HEADER_BYTES)

    def _cached(self, index: int) -> bytearray:
        chunk = self._cache.get(index)
        if chunk is None:
            chunk = bytearray(self._chunk_length(index))
            self._open(index, memoryview(chunk))
            self._cache[index] = chunk
            while len(self._cache) > CACHED_CHUNKS:
                self._cache.popitem(last=False)
        else:
            self._cache.move_to_end(index)
        return chunk

    def _open(self, index: int, target: memoryview) -> None:
        """Verify chunk `index` into `target`, which is wiped if it fails."""
        start = index * self._chunk_bytes
        length = len(target) + TAG_BYTES + (HEADER_BYTES if index == 0 else 0)
        sealed = self._source.read_at(start, length)
        if len(sealed) < length:
            raise self._error(ErrorKind.DAMAGED, f"The sealed stream ends within chunk {index + 1}.")
        if self._check is not None:
            self._check(index, sealed)
        body = memoryview(sealed)[HEADER_BYTES:] if index == 0 else sealed
        nonce = chunk_nonce(self._prefix, index, index == self._chunks - 1)
        try:
            self._cipher.decrypt_into(nonce, body, None, target)
        except InvalidTag as error:
            # The library leaves what it decrypted in the buffer (seen in cryptography 50); unverified bytes
            # must not stay.
            target[:] = bytes(len(target))
            raise self._error(
                ErrorKind.ALTERED, f"Chunk {index + 1} of {self._chunks} is not what was sealed."
            ) from error

    def _error(self, kind: ErrorKind, message: str) -> OrvaultError:
        return OrvaultError(kind, message, where=self._where)


def open_bytes(ciphertext: Bytes, key: bytes, aad: bytes, chunk_bytes: int = CHUNK_BYTES) -> bytes:
    """What `seal_bytes` was given.

    Raises:
        OrvaultError: ALTERED (also for a wrong key or other associated data), DAMAGED.
    """
    reader = OpeningReader(MemorySource(ciphertext), key, aad, chunk_bytes)
    opened = bytearray(reader.size)
    reader.readinto(opened)
    return bytes(opened)
