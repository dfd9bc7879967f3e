"""Chunked authenticated encryption: the wire format of Tink's streaming AEAD AES256-GCM-HKDF, seekable.

The public face of sealing.py, opening.py and wire.py. Does not say whose the key is (keys.py), nor what a
stream belongs to: callers bind that by associated data. Tink's own Python stream cannot seek, hence this one.
Source: docs/format/segment-v1.md section 5; Tink's specification of AES-GCM-HKDF streaming AEAD.
"""

from __future__ import annotations

from orvault.container.opening import OpeningReader, open_bytes
from orvault.container.sealing import SealingWriter, seal_bytes
from orvault.container.wire import (
    CHUNK_BYTES,
    FileSource,
    MemorySource,
    Sink,
    Source,
    ciphertext_size,
    plaintext_size,
)

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
