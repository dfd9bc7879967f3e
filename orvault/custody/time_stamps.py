"""RFC 3161 time stamps over checkpoints: what to ask an authority, and whether its answer holds.

An addition to witnesses, not one of them: it proves that a root was there at a time, not that the next one grew out
of it. Asking over HTTP is actors/checkpoint_places.py's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from orvault.clock import US_PER_S
from orvault.container.checkpoint_files import MAX_STAMP_BYTES
from orvault.container.files import read_bounded
from orvault.errors import ErrorKind, OrvaultError

MAX_ROOTS_BYTES = 256 << 10


def stamp_request(text: str) -> bytes:
    """What an authority is asked to stamp (DER): the SHA-256 of a checkpoint's text, with a nonce."""
    builder = TimestampRequestBuilder().data(text.encode()).hash_algorithm(HashAlgorithm.SHA256)
    return bytes(builder.nonce(nonce=True).cert_request(cert_request=True).build().as_bytes())


@dataclass(frozen=True)
class StampTrust:
    """The authorities that are believed: those under these roots."""

    roots: tuple[x509.Certificate, ...] = field(repr=False)

    @classmethod
    def load(cls, file: Path) -> StampTrust:
        """Roots out of a PEM file. Errors: BAD_SETTINGS."""
        data = read_bounded(file, MAX_ROOTS_BYTES, ErrorKind.BAD_SETTINGS)
        try:
            return cls(tuple(x509.load_pem_x509_certificates(data)))
        except ValueError as error:
            message = "It holds no certificate that can be used."
            raise OrvaultError(ErrorKind.BAD_SETTINGS, message, where=str(file)) from error

    def check(self, response: bytes, text: str) -> int:
        """When a stamp (DER) says that this text was there, UTC microseconds. Errors: ALTERED."""
        try:
            answer = _decoded(response)
            builder = VerifierBuilder()
            for root in self.roots:
                builder = builder.add_root_certificate(root)
            builder.build().verify_message(answer, text.encode())
        except (ValueError, VerificationError) as error:
            # The library's own words: they name no secret, and tell an auditor what to look for.
            message = f"The time stamp does not hold: {error}."
            raise OrvaultError(ErrorKind.ALTERED, message, where="time stamp") from None
        return round(answer.tst_info.gen_time.timestamp() * US_PER_S)


def _decoded(response: bytes) -> TimeStampResponse:
    if len(response) > MAX_STAMP_BYTES:
        raise ValueError("it is larger than any")
    return decode_timestamp_response(response)
