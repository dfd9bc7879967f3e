"""Seals a stream chunk by chunk, as it is written.

Source: docs/format/segment-v1.md section 5. Opening is opening.py's.
"""

from __future__ import annotations

import os
from types import TracebackType

from orvault.container.wire import (
    CHUNK_BYTES,
    HEADER_BYTES,
    KEY_BYTES,
    MAX_CHUNKS,
    PREFIX_BYTES,
    TAG_BYTES,
    Bytes,
    Sink,
    check_chunk_bytes,
    check_key,
    chunk_count,
    chunk_nonce,
    ciphertext_size,
    stream_cipher,
)
from orvault.errors import ErrorKind, OrvaultError


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
        self._pending = memoryview(bytearray())  # made when a write first leaves part of a chunk over
        self._filled = 0
        self._used = 0  # how much of `_pending` ever held clear bytes
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
                if not self._pending:
                    self._pending = memoryview(bytearray(len(self._out)))
                self._pending[self._filled : self._filled + count] = view[position : position + count]
                self._filled += count
                self._used = max(self._used, self._filled)
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
        self._pending[: self._used] = bytes(self._used)  # the one clear copy this class made

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


def seal_bytes(
    plaintext: Bytes, key: bytes | bytearray, aad: bytes, chunk_bytes: int = CHUNK_BYTES
) -> bytearray:
    """The whole stream of a plaintext in memory; sealed in place, since its length is known."""
    check_key(key)
    check_chunk_bytes(chunk_bytes)
    salt, prefix = os.urandom(KEY_BYTES), os.urandom(PREFIX_BYTES)
    cipher = stream_cipher(key, salt, aad)
    view = memoryview(plaintext).cast("B")
    sealed = bytearray(ciphertext_size(len(view), chunk_bytes))
    sealed[:HEADER_BYTES] = bytes([HEADER_BYTES]) + salt + prefix
    target, at = memoryview(sealed), HEADER_BYTES
    chunks = chunk_count(len(view), chunk_bytes)
    for index in range(chunks):
        end = min((index + 1) * chunk_bytes, len(sealed))
        count = end - at - TAG_BYTES
        nonce = chunk_nonce(prefix, index, index == chunks - 1)
        cipher.encrypt_into(nonce, view[:count], None, target[at:end])
        view, at = view[count:], end
    return sealed
