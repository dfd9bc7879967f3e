"""Reading and checking X.509 certificates with Ed25519 keys: is this signer's certificate one to believe?

Makes none (trust.py), reads no revocation lists (revocation.py), and does not decide which roots are believed:
callers bring the pinned ones.
Source: RFC 5280, RFC 8410; profile in docs/format/package-v1.md, 2.6.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.x509.oid import NameOID

from orvault.clock import utc_iso
from orvault.errors import ErrorKind, OrvaultError
from orvault.text import is_name

MAX_CERTIFICATE_BYTES = 16 << 10
MAX_PEM_BYTES = 128 << 10
MAX_CHAIN = 4
MALFORMED = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.ExtensionNotFound,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


class CertificateRole(StrEnum):
    """What a certificate may sign; stands in its subject as the organisational unit."""

    ROOT = "root"
    EXPORT_SERVER = "export-server"
    NODE = "node"


@dataclass(frozen=True)
class Issuer:
    """Who signed, and whether the root over it is one the user pinned.

    `fingerprint` is that of the root (SHA-256 of its DER, 64 hexadecimal digits), to compare with paper.
    `revoked_us`: the signer's certificate was revoked, but only from then on, after it signed this.
    """

    name: str
    fingerprint: str
    pinned: bool
    root_name: str = ""
    revoked_us: int | None = None


class Revocations(Protocol):
    """Revocation lists, already verified (revocation.py)."""

    def revoked_us(self, root_der: bytes, serial: int) -> int | None:
        """From when on the certificate that this root issued under this number is not to be believed, or None."""
        ...


def fingerprint(der: bytes) -> str:
    """SHA-256 of a certificate's DER, hexadecimal."""
    return hashlib.sha256(der).hexdigest()


def load_pem(data: bytes, where: Path) -> list[x509.Certificate]:
    """The certificates of a PEM file, at least one and at most four; BAD_SETTINGS otherwise."""
    try:
        certificates = x509.load_pem_x509_certificates(data)
    except MALFORMED as error:
        raise OrvaultError(
            ErrorKind.BAD_SETTINGS,
            "This is not a certificate in PEM form.",
            where=str(where),
            advice="It is a text that begins with -----BEGIN CERTIFICATE-----.",
        ) from error
    if len(certificates) > MAX_CHAIN:
        raise OrvaultError(ErrorKind.BAD_SETTINGS, "There are too many certificates in it.", where=str(where))
    return certificates


def public_key(
    der: bytes, where: str = "certificate", kind: ErrorKind = ErrorKind.UNTRUSTED
) -> Ed25519PublicKey:
    """The Ed25519 key of a certificate; `kind` if it is not readable or of another sort."""
    try:
        key = _load_der(der).public_key()
    except MALFORMED as error:
        raise OrvaultError(kind, "The certificate is not readable.", where=where) from error
    if not isinstance(key, Ed25519PublicKey):
        raise OrvaultError(kind, "The certificate's key is not Ed25519.", where=where)
    return key


def verify_signature(der: bytes, signature: bytes, data: bytes, where: str) -> None:
    """ALTERED unless `signature` over `data` is by the certificate's key."""
    try:
        public_key(der, where, ErrorKind.ALTERED).verify(signature, data)
    except InvalidSignature as error:
        raise OrvaultError(ErrorKind.ALTERED, "It is not what was signed.", where=where) from error


def check_chain(
    leaf_der: bytes,
    chain_ders: Sequence[bytes],
    roots: Sequence[bytes],
    role: CertificateRole | str,
    at_us: int,
    revocations: Revocations | None = None,
) -> Issuer:
    """Check that a root in the chain, or among the pinned `roots` (DER), issued the leaf for `role`.

    1. Both parse. 2. The root is a CA signed by itself. 3. It issued the leaf. 4. The leaf is no CA, may
    sign data and carries the role. 5. Both have a name that can be shown. 6. Both are valid at `at_us`.
    7. The leaf was not revoked by then. 8. Is the root among the pinned? That decides `Issuer.pinned`, no more.

    Raises:
        OrvaultError: UNTRUSTED, saying which step failed.
    """
    try:
        return _check_chain(leaf_der, chain_ders, roots, CertificateRole(role), at_us, revocations)
    except MALFORMED as error:
        raise _untrusted("A certificate is not readable.") from error


def _in_us(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _check_chain(
    leaf_der: bytes,
    chain_ders: Sequence[bytes],
    roots: Sequence[bytes],
    role: CertificateRole,
    at_us: int,
    revocations: Revocations | None,
) -> Issuer:
    if len(chain_ders) > MAX_CHAIN:
        raise _untrusted("The chain of certificates is too long.")
    leaf = _load_der(leaf_der)
    root = _issuing_root(leaf, [*chain_ders, *roots])
    constraints = leaf.extensions.get_extension_for_class(x509.BasicConstraints).value
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
    if constraints.ca or not usage.digital_signature or usage.key_cert_sign:
        raise _untrusted("The signer's certificate is not one that may sign data.")
    if attribute(leaf, NameOID.ORGANIZATIONAL_UNIT_NAME) != role:
        raise _untrusted(f"The signer's certificate is not that of {_ROLE_NAMES[role]}.")
    if not all(is_name(attribute(each, NameOID.COMMON_NAME)) for each in (leaf, root)):
        raise _untrusted("A certificate's name is not 1 to 64 printable characters.")
    for certificate, what in ((leaf, "signer"), (root, "root")):
        if not _in_us(certificate.not_valid_before_utc) <= at_us <= _in_us(certificate.not_valid_after_utc):
            raise _untrusted(f"The certificate of the {what} was not valid on {utc_iso(at_us)[:10]}.")
    root_der = to_der(root)
    revoked_us = None if revocations is None else revocations.revoked_us(root_der, leaf.serial_number)
    if revoked_us is not None and revoked_us <= at_us:
        raise _untrusted(
            f"The signer's certificate ({attribute(leaf, NameOID.COMMON_NAME)}) was revoked on"
            f" {utc_iso(revoked_us)}, before this was signed."
        )
    return Issuer(
        name=attribute(leaf, NameOID.COMMON_NAME),
        fingerprint=fingerprint(root_der),
        pinned=any(root_der == pinned for pinned in roots),
        root_name=attribute(root, NameOID.COMMON_NAME),
        revoked_us=revoked_us,
    )


_ROLE_NAMES = {
    CertificateRole.ROOT: "a root",
    CertificateRole.EXPORT_SERVER: "an export server",
    CertificateRole.NODE: "a recording node",
}


def _issuing_root(leaf: x509.Certificate, candidates: Sequence[bytes]) -> x509.Certificate:
    for der in candidates:
        root = _load_der(der)
        try:
            leaf.verify_directly_issued_by(root)
        except (InvalidSignature, ValueError, TypeError):
            continue
        check_root(root)
        return root
    raise _untrusted("The signer's certificate was not issued by the root that comes with it.")


def check_root(root: x509.Certificate) -> None:
    """UNTRUSTED unless this is a CA certificate signed by its own Ed25519 key."""
    try:
        root.verify_directly_issued_by(root)
        constraints = root.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = root.extensions.get_extension_for_class(x509.KeyUsage).value
        fit = constraints.ca and usage.key_cert_sign and isinstance(root.public_key(), Ed25519PublicKey)
    except (InvalidSignature, *MALFORMED) as error:
        raise _untrusted("The root certificate is not a self-signed root.") from error
    if not fit:
        raise _untrusted("The root certificate may not sign certificates.")


def _untrusted(message: str) -> OrvaultError:
    return OrvaultError(ErrorKind.UNTRUSTED, message, where="issuer")


def _load_der(der: bytes) -> x509.Certificate:
    if len(der) > MAX_CERTIFICATE_BYTES:
        raise ValueError("certificate too large")
    return x509.load_der_x509_certificate(der)


def to_der(certificate: x509.Certificate) -> bytes:
    """DER of a certificate."""
    return certificate.public_bytes(serialization.Encoding.DER)


def attribute(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> str:
    """The subject's attribute; "" unless there is exactly one."""
    values = certificate.subject.get_attributes_for_oid(oid)
    return str(values[0].value) if len(values) == 1 else ""
