"""Chunked authenticated encryption: the wire format of Tink's streaming AEAD AES256-GCM-HKDF, seekable.

Does not say whose the key is (keys.py), nor what a stream belongs to: callers bind that by associated data.
Source: docs/format/segment-v1.md section 5; Tink's specification of AES-GCM-HKDF. Tink's own Python stream
cannot seek.
"""

from __future__ import annotations

import io
import os
from collections import OrderedDict
from collections.abc import Callable
from types import TracebackType

from cryptography.exceptions import InvalidTag

from orvault.container.wire import (
    CHUNK_BYTES,
    HEADER_BYTES,
    KEY_BYTES,
    MAX_CHUNKS,
    PREFIX_BYTES,
    TAG_BYTES,
    Bytes,
    FileSource,
    MemorySource,
    Sink,
    Source,
    check_chunk_bytes,
    check_key,
    chunk_count,
    chunk_nonce,
    ciphertext_size,
    plaintext_size,
    stream_cipher,
)
from orvault.errors import ErrorKind, OrvaultError

__all__ = [
    "CHUNK_BYTES",
    "FileSource",
    "MemorySource",
    "OpeningReader",
    "SealingWriter",
    "Sink",
    "Source",
    "ciphertext_size",
    "open_bytes",
    "plaintext_size",
    "seal_bytes",
]

CACHED_CHUNKS = 2  # a player's demuxer jumps between an index and the pictures


class SealingWriter:
    """A binary sink that seals what is written and passes it on, chunk by chunk.

    The stream is complete only after `close`; leaving a `with` block by an exception calls `abort`, so that a
    half-written stream never ends like a whole one. The sink stays open. Not an `io` class on purpose: those
    close themselves when they are collected, which would finish a stream nobody finished.
    """

    def __init__(self, sink: Sink, key: bytes, aad: bytes, chunk_bytes: int = CHUNK_BYTES) -> None:
        check_key(key)
        check_chunk_bytes(chunk_bytes)
        salt, self._prefix = os.urandom(KEY_BYTES), os.urandom(PREFIX_BYTES)
        self._cipher = stream_cipher(key, salt, aad)
        self._sink = sink
        self._out = memoryview(bytearray(chunk_bytes))
        self._out[:HEADER_BYTES] = bytes([HEADER_BYTES]) + salt + self._prefix
        self._start = HEADER_BYTES  # where the sealed bytes of this chunk begin in `_out`
        self._pending = memoryview(bytearray(chunk_bytes))
        self._filled = 0
        self._index = 0
        self._closed = False
        self.plaintext_bytes = 0

    def write(self, data: Bytes) -> int:
        """Seal `data`; returns its length in bytes. A chunk goes out once a byte after it is known."""
        if self._closed:
            raise ValueError("the sealed stream is closed")
        view = memoryview(data).cast("B")
        position, total = 0, len(view)
        while position < total:
            room = len(self._out) - self._start - TAG_BYTES - self._filled
            if room == 0:
                self._seal(self._pending[: self._filled], last=False)
            elif self._filled == 0 and total - position > room:
                self._seal(view[position : position + room], last=False)  # straight from the caller's memory
                position += room
            else:
                count = min(room, total - position)
                self._pending[self._filled : self._filled + count] = view[position : position + count]
                self._filled += count
                position += count
        self.plaintext_bytes += total
        return total

    def _seal(self, plaintext: memoryview, *, last: bool) -> None:
        if self._index >= MAX_CHUNKS:
            raise OrvaultError(ErrorKind.BAD_REQUEST, "The stream is longer than its format can count.")
        end = self._start + len(plaintext) + TAG_BYTES
        nonce = chunk_nonce(self._prefix, self._index, last)
        self._cipher.encrypt_into(nonce, plaintext, None, self._out[self._start : end])
        self._sink.write(self._out[:end])
        self._index += 1
        self._filled = 0
        self._start = 0

    def close(self) -> None:
        """Seal the last chunk. Again: nothing."""
        if not self._closed:
            self._closed = True
            self._seal(self._pending[: self._filled], last=True)
            self._forget()

    def abort(self) -> None:
        """Stop without an end: what was passed on will not open as a whole stream."""
        self._closed = True
        self._forget()

    def _forget(self) -> None:
        self._pending[:] = bytes(len(self._pending))  # the one clear copy this class made

    @property
    def closed(self) -> bool:
        """Whether `close` or `abort` was called."""
        return self._closed

    def writable(self) -> bool:
        """True; muxers ask."""
        return True

    def readable(self) -> bool:
        """False."""
        return False

    def seekable(self) -> bool:
        """False: sealed bytes cannot be taken back."""
        return False

    def flush(self) -> None:
        """Nothing: a chunk that is not full cannot go out."""

    def __enter__(self) -> SealingWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()


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

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        """Fill `buffer` as far as the stream goes; whole chunks are opened straight into it."""
        if self._plaintext_bytes == 0:
            self._open(0, memoryview(bytearray()))  # that a stream is empty must be proven too
        target = memoryview(buffer).cast("B")
        count = max(0, min(len(target), self._plaintext_bytes - self._position))
        done = 0
        while done < count:
            done += self._copy(target[done:count])
        return done

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


class _Collector:
    """A sink in memory."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def write(self, data: memoryview, /) -> int:
        self.parts.append(bytes(data))
        return len(data)


def seal_bytes(plaintext: Bytes, key: bytes, aad: bytes, chunk_bytes: int = CHUNK_BYTES) -> bytes:
    """The whole stream of a plaintext in memory."""
    collector = _Collector()
    with SealingWriter(collector, key, aad, chunk_bytes) as writer:
        writer.write(plaintext)
    return b"".join(collector.parts)


def open_bytes(ciphertext: Bytes, key: bytes, aad: bytes, chunk_bytes: int = CHUNK_BYTES) -> bytes:
    """What `seal_bytes` was given.

    Raises:
        OrvaultError: ALTERED (also for a wrong key or other associated data), DAMAGED.
    """
    reader = OpeningReader(MemorySource(ciphertext), key, aad, chunk_bytes)
    opened = bytearray(reader.size)
    reader.readinto(opened)
    return bytes(opened)
