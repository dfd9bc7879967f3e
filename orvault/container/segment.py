"""Seals, signs, verifies and opens one segment of a recording.

Sealing needs no private key and signing no picture, so each may have a process of its own (docs/adr/0009).
Does not decide whether the signing node is believed (certificates.py), nor where segments and their slots
are kept.
Source: docs/format/segment-v1.md.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from orvault.container import canonical
from orvault.container.canonical import Fields
from orvault.container.certificates import fingerprint, verify_signature
from orvault.container.keys import (
    KeySlot,
    PrivateKey,
    PublicKey,
    check_commitment,
    key_commitment,
    unwrap_key,
    wrap_key,
)
from orvault.container.segment_header import SegmentHeader, SegmentMeta
from orvault.container.stream import CHUNK_BYTES, ciphertext_size, open_bytes, seal_bytes
from orvault.container.trust import Identity
from orvault.container.wire import KEY_BYTES, Bytes, wipe
from orvault.errors import ErrorKind, OrvaultError

__all__ = [
    "SealedContent",
    "SealedSegment",
    "SegmentHeader",
    "SegmentMeta",
    "SegmentSigner",
    "check_content",
    "open_segment",
    "read_header",
    "seal_content",
    "segment_digest",
    "slot_info",
    "unwrap_dek",
    "verify_segment",
]

MAGIC = b"ORVSEG1\n"
SIGNATURE_CONTEXT = b"orvault segment signature v1\n"
CONTEXT = b"orvault/segment/v1\n"
SLOT_CONTEXT = b"orvault/segment-dek/v1\n"
PREAMBLE_BYTES = len(MAGIC) + 4
SIGNATURE_BYTES = 64
MAX_HEADER_BYTES = 1 << 16


@dataclass(frozen=True)
class SealedContent:
    """A fragment under its key, and all that a header says of it; nobody vouches for it yet.

    Whoever holds this can open nothing. Digests are hexadecimal; `slot` is the key, wrapped for the case.
    """

    meta: SegmentMeta
    ciphertext: Bytes = field(repr=False)
    ciphertext_sha256: str
    key_commitment: str
    key_thumbprint: str
    plaintext_bytes: int
    chunk_bytes: int
    slot: KeySlot


@dataclass(frozen=True)
class SealedSegment:
    """A finished segment: header with signature (`head`) and ciphertext, which make the file; the slots beside it.

    `digest` is what the next segment names.
    """

    header: SegmentHeader
    head: bytes = field(repr=False)
    ciphertext: Bytes = field(repr=False)
    slots: tuple[KeySlot, ...]
    digest: str

    @property
    def data(self) -> bytes:
        """The whole file; a copy."""
        return self.head + self.ciphertext

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return len(self.head) + len(self.ciphertext)


def seal_content(
    meta: SegmentMeta, fragment: Bytes, case_key: PublicKey, chunk_bytes: int = CHUNK_BYTES
) -> SealedContent:
    """Seal one fragment of video under a fresh key, which is wrapped for `case_key` and then wiped.

    The fragment is the caller's to overwrite. BAD_REQUEST if a field of `meta` is outside the format.
    """
    SegmentMeta.read(Fields(meta.to_json(), "segment", ErrorKind.BAD_REQUEST))
    dek = bytearray(os.urandom(KEY_BYTES))
    try:
        ciphertext = seal_bytes(fragment, dek, _associated_data(meta), chunk_bytes)
        return SealedContent(
            meta=meta,
            ciphertext=ciphertext,
            ciphertext_sha256=hashlib.sha256(ciphertext).hexdigest(),
            key_commitment=key_commitment(dek, _commitment_context(meta)).hex(),
            key_thumbprint=case_key.thumbprint,
            plaintext_bytes=len(fragment),
            chunk_bytes=chunk_bytes,
            slot=wrap_key(dek, case_key, slot_info(meta)),
        )
    finally:
        wipe(dek)  # the node must not keep what opens its own segments


class SegmentSigner:
    """Makes segments of sealed contents with a node's identity; it never sees a picture or what opens one."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._fingerprint = identity.fingerprint

    def sign(self, content: SealedContent, previous: str) -> SealedSegment:
        """Vouch for a content that is what it says of itself.

        `previous` is the digest of the segment before in this run, "" for the first. Errors: BAD_REQUEST if a
        field is outside the format; DAMAGED if the content is not the one that was sealed.
        """
        header = SegmentHeader(
            meta=content.meta,
            previous=previous,
            key_commitment=content.key_commitment,
            ciphertext_sha256=content.ciphertext_sha256,
            plaintext_bytes=content.plaintext_bytes,
            chunk_bytes=content.chunk_bytes,
            node_certificate=self._fingerprint,
            key_thumbprint=content.key_thumbprint,
        )
        SegmentHeader.read(Fields(header.to_json(), "segment", ErrorKind.BAD_REQUEST))
        _check_arrived(content)
        encoded = canonical.encode(header.to_json())
        signed = MAGIC + struct.pack(">I", len(encoded)) + encoded
        head = signed + self._identity.sign(SIGNATURE_CONTEXT + signed)
        digest = hashlib.sha256(head).hexdigest()
        return SealedSegment(header, head, content.ciphertext, (content.slot,), digest)


def _check_arrived(content: SealedContent) -> None:
    """Signing damage would make it look like an alteration for ever."""
    size = ciphertext_size(content.plaintext_bytes, content.chunk_bytes)
    if (
        len(content.ciphertext) != size
        or hashlib.sha256(content.ciphertext).hexdigest() != content.ciphertext_sha256
        or content.slot.key_thumbprint != content.key_thumbprint
    ):
        where = f"segment {content.meta.segment_id}"
        raise OrvaultError(ErrorKind.DAMAGED, "It did not arrive as it was sealed.", where=where)


def slot_info(meta: SegmentMeta) -> bytes:
    """HPKE info of a DEK's slot (segment-v1, 6.4)."""
    return SLOT_CONTEXT + meta.segment_id.encode("ascii")


def _commitment_context(meta: SegmentMeta) -> bytes:
    return CONTEXT + meta.segment_id.encode("ascii")


def _associated_data(meta: SegmentMeta) -> bytes:
    return CONTEXT + canonical.encode(meta.to_json())


def read_header(data: bytes) -> SegmentHeader:
    """The header at the beginning of a segment, not verified: good for an index, never for a verdict.

    Raises:
        OrvaultError: DAMAGED if the data ends before its header does, ALTERED if it is no segment's.
    """
    header, _ = _split(data)
    return header


def segment_digest(data: bytes) -> str:
    """The digest that the next segment names as `previous`."""
    _, start = _split(data)
    return hashlib.sha256(data[:start]).hexdigest()


def _split(data: bytes) -> tuple[SegmentHeader, int]:
    """Header, and where the ciphertext begins."""
    if not data.startswith(MAGIC[: len(data)]):
        raise OrvaultError(ErrorKind.ALTERED, "It does not begin as a segment does.", where="segment")
    if len(data) < PREAMBLE_BYTES:
        raise _ends(len(data), "before its header")
    (length,) = struct.unpack(">I", data[len(MAGIC) : PREAMBLE_BYTES])
    if not 2 <= length <= MAX_HEADER_BYTES:
        raise OrvaultError(
            ErrorKind.ALTERED, f"Its header claims to be {length} bytes long.", where="segment"
        )
    start = PREAMBLE_BYTES + length + SIGNATURE_BYTES
    if len(data) < start:
        raise _ends(len(data), "within its header")
    value = canonical.decode(
        data[PREAMBLE_BYTES : PREAMBLE_BYTES + length], max_bytes=length, where="segment header"
    )
    return SegmentHeader.read(Fields(value, "segment header")), start


def _ends(size: int, place: str) -> OrvaultError:
    return OrvaultError(ErrorKind.DAMAGED, f"It ends after {size} bytes, {place}.", where="segment")


def verify_segment(data: bytes, certificate_der: bytes) -> SegmentHeader:
    """Check everything about a segment that needs no secret (segment-v1, section 7, steps 1 to 5).

    Raises:
        OrvaultError: DAMAGED if it ends too soon, ALTERED if a byte differs, UNTRUSTED if another
        certificate than this one signed it.
    """
    # 1. Magic, length, fields.
    header, start = _split(data)
    # 2. Is it this certificate that the header names?
    if header.node_certificate != fingerprint(certificate_der):
        raise OrvaultError(ErrorKind.UNTRUSTED, "Another node than this one sealed it.", where=header.where)
    # 3. The signature.
    signed = start - SIGNATURE_BYTES
    verify_signature(certificate_der, data[signed:start], SIGNATURE_CONTEXT + data[:signed], header.where)
    # 4 and 5. Length and ciphertext.
    _check_content(data, header, start)
    return header


def check_content(data: bytes) -> SegmentHeader:
    """Steps 1, 4 and 5 alone: is the file what its header says? Who wrote that header, `verify_segment` tells.

    Raises:
        OrvaultError: DAMAGED if it ends too soon, ALTERED.
    """
    header, start = _split(data)
    _check_content(data, header, start)
    return header


def _check_content(data: bytes, header: SegmentHeader, start: int) -> None:
    expected = start + ciphertext_size(header.plaintext_bytes, header.chunk_bytes)
    if len(data) < expected:
        raise OrvaultError(
            ErrorKind.DAMAGED, f"It ends after {len(data)} of {expected} bytes.", where=header.where
        )
    if len(data) > expected:
        raise OrvaultError(
            ErrorKind.ALTERED, f"{len(data) - expected} bytes were appended to it.", where=header.where
        )
    if hashlib.sha256(memoryview(data)[start:]).hexdigest() != header.ciphertext_sha256:
        raise OrvaultError(ErrorKind.ALTERED, "Its ciphertext is not what was signed.", where=header.where)


def unwrap_dek(slots: Sequence[KeySlot], private_key: PrivateKey, header: SegmentHeader) -> bytes:
    """The segment's key out of the slot for this private key, checked against the header's commitment.

    Raises:
        OrvaultError: NOT_FOR_YOU if no slot is for this key, ALTERED if the slot is not what was sealed.
    """
    thumbprint = private_key.public().thumbprint
    for slot in slots:
        if slot.key_thumbprint == thumbprint:
            dek = unwrap_key(slot, private_key, slot_info(header.meta))
            check_commitment(dek, _commitment_context(header.meta), header.key_commitment, header.where)
            return dek
    raise OrvaultError(
        ErrorKind.NOT_FOR_YOU, "No key slot of this segment is for this key.", where=header.where
    )


def open_segment(data: bytes, dek: bytes) -> bytes:
    """The fragment in a segment. Checks the commitment and every chunk; the signature is `verify_segment`'s.

    Raises:
        OrvaultError: ALTERED or DAMAGED.
    """
    header, start = _split(data)
    check_commitment(dek, _commitment_context(header.meta), header.key_commitment, header.where)
    fragment = open_bytes(memoryview(data)[start:], dek, _associated_data(header.meta), header.chunk_bytes)
    if len(fragment) != header.plaintext_bytes:
        raise OrvaultError(
            ErrorKind.ALTERED, "It opens to another length than its header says.", where=header.where
        )
    return fragment
