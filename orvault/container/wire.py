"""The sizes, nonces and keys of a sealed stream, and where its bytes come from and go to.

Seals and opens nothing itself: stream.py does.
Source: docs/format/segment-v1.md section 5.
"""

from __future__ import annotations

import struct
import threading
from typing import BinaryIO, Protocol

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from orvault.errors import ErrorKind, OrvaultError

Bytes = bytes | bytearray | memoryview

KEY_BYTES = 32
TAG_BYTES = 16
PREFIX_BYTES = 7
HEADER_BYTES = 1 + KEY_BYTES + PREFIX_BYTES
CHUNK_BYTES = 1 << 20
MIN_CHUNK_BYTES = 1 << 12
MAX_CHUNK_BYTES = 1 << 22
MAX_CHUNKS = 1 << 32


class Sink(Protocol):
    """Where ciphertext goes. One call of `write` carries exactly one whole ciphertext chunk."""

    def write(self, data: memoryview, /) -> object:
        """Take all of `data`; the view is valid during the call only."""
        ...


class Source(Protocol):
    """Where ciphertext comes from, by position."""

    @property
    def size(self) -> int:
        """Bytes there are."""
        ...

    def read_at(self, offset: int, count: int) -> Bytes:
        """`count` bytes from `offset`, fewer only at a premature end; valid until the next call."""
        ...


class MemorySource:
    """Ciphertext that is in memory already; nothing is copied."""

    def __init__(self, data: Bytes) -> None:
        self._view = memoryview(data).cast("B")

    @property
    def size(self) -> int:
        """Bytes there are."""
        return len(self._view)

    def read_at(self, offset: int, count: int) -> memoryview:
        """A view, not a copy."""
        return self._view[offset : offset + count]


class FileSource:
    """A stretch of an open file. Several may share the file if they share the lock."""

    def __init__(self, file: BinaryIO, offset: int, size: int, lock: threading.Lock | None = None) -> None:
        self._file = file
        self._offset = offset
        self._size = size
        self._lock = lock or threading.Lock()

    @property
    def size(self) -> int:
        """Bytes this stretch should have."""
        return self._size

    def read_at(self, offset: int, count: int) -> bytes:
        """Read from the file; STORAGE if the medium fails."""
        try:
            with self._lock:
                self._file.seek(self._offset + offset)
                return self._file.read(min(count, max(0, self._size - offset)))
        except (OSError, ValueError) as error:  # ValueError: the file was closed under us
            raise OrvaultError(ErrorKind.STORAGE, f"The file can no longer be read: {error}") from error


def chunk_count(plaintext_bytes: int, chunk_bytes: int) -> int:
    """Chunks of a stream; never none."""
    return max(1, -(-(plaintext_bytes + HEADER_BYTES) // (chunk_bytes - TAG_BYTES)))


def ciphertext_size(plaintext_size: int, chunk_bytes: int = CHUNK_BYTES) -> int:
    """Bytes of the stream that seals `plaintext_size` bytes."""
    return HEADER_BYTES + plaintext_size + TAG_BYTES * chunk_count(plaintext_size, chunk_bytes)


def plaintext_size(ciphertext_bytes: int, chunk_bytes: int = CHUNK_BYTES) -> int:
    """Bytes that a stream of this length opens to.

    Raises:
        OrvaultError: DAMAGED if no stream has this length.
    """
    chunks = -(-ciphertext_bytes // chunk_bytes)
    size = ciphertext_bytes - HEADER_BYTES - TAG_BYTES * chunks
    if size < 0 or ciphertext_size(size, chunk_bytes) != ciphertext_bytes:
        raise OrvaultError(
            ErrorKind.DAMAGED, f"No sealed stream is {ciphertext_bytes} bytes long: its end is missing."
        )
    return size


def stream_cipher(key: bytes | bytearray, salt: bytes, aad: bytes) -> AESGCM:
    """The cipher of one stream: its key is derived, so a salt separates streams under one key."""
    derived = bytearray(KEY_BYTES)
    HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=aad).derive_into(key, derived)
    cipher = AESGCM(derived)  # OpenSSL has its own copy, and wipes that
    wipe(derived)
    return cipher


def wipe(secret: bytearray) -> None:
    """Overwrite a key that is no longer needed; a `bytes` object could only be forgotten."""
    secret[:] = bytes(len(secret))


def chunk_nonce(prefix: bytes, index: int, last: bool) -> bytes:
    """12 bytes. The flag of the last chunk makes a cut-off stream fail; the counter, a reordered one."""
    return prefix + struct.pack(">IB", index, last)


def check_chunk_bytes(chunk_bytes: int) -> None:
    """Refuse chunk sizes outside the format."""
    if not MIN_CHUNK_BYTES <= chunk_bytes <= MAX_CHUNK_BYTES:
        raise OrvaultError(
            ErrorKind.BAD_REQUEST,
            f"A chunk of {chunk_bytes} bytes is outside {MIN_CHUNK_BYTES} to {MAX_CHUNK_BYTES}.",
        )


def check_key(key: bytes | bytearray) -> None:
    """Refuse keys of another length than AES-256's."""
    if len(key) != KEY_BYTES:
        raise OrvaultError(ErrorKind.BAD_REQUEST, f"A key of {len(key)} bytes was given; it must have 32.")
