"""Who signs: X.509 identities with Ed25519 keys, a hospital's root over its servers and nodes.

Checking what others present stands in certificates.py, whose names are public here too.
Source: RFC 5280, RFC 8410; profile in docs/format/package-v1.md, 2.6.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.x509.oid import NameOID

from orvault.clock import US_PER_S, Clock
from orvault.container.certificates import (
    MAX_PEM_BYTES,
    CertificateRole,
    Issuer,
    attribute,
    check_chain,
    check_root,
    fingerprint,
    load_pem,
    public_key,
    to_der,
    verify_signature,
)
from orvault.container.files import read_bounded, write_private
from orvault.errors import ErrorKind, OrvaultError
from orvault.text import is_name

__all__ = [
    "CertificateRole",
    "Identity",
    "Issuer",
    "certify",
    "check_chain",
    "check_root",
    "create_root",
    "fingerprint",
    "issue",
    "load_pem",
    "load_private_key",
    "public_key",
    "subject_of",
    "to_der",
    "verify_signature",
]

CERTIFICATE_FILE = "certificate.pem"
KEY_FILE = "key.pem"
CLOCK_SKEW = timedelta(minutes=5)  # a node's clock may lag behind the machine that issues


@dataclass(frozen=True)
class Identity:
    """A certificate, its private key and the certificates above it (nearest first)."""

    certificate: x509.Certificate
    private_key: Ed25519PrivateKey = field(repr=False)
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def certificate_der(self) -> bytes:
        """The certificate as DER."""
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def chain_ders(self) -> tuple[bytes, ...]:
        """The certificates above, as DER."""
        return tuple(each.public_bytes(serialization.Encoding.DER) for each in self.chain)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate's DER, hexadecimal."""
        return fingerprint(self.certificate_der)

    @property
    def name(self) -> str:
        """The common name."""
        return attribute(self.certificate, NameOID.COMMON_NAME)

    @property
    def certificate_pem(self) -> bytes:
        """The certificate and its chain, as PEM."""
        return b"".join(
            each.public_bytes(serialization.Encoding.PEM) for each in (self.certificate, *self.chain)
        )

    def sign(self, data: bytes) -> bytes:
        """Ed25519 signature, 64 bytes."""
        return self.private_key.sign(data)

    def save(self, folder: Path, passphrase: str | None = None) -> None:
        """Write `certificate.pem`, then `key.pem`, mode 0600: where there is a key, the pair is whole.

        CONFLICT if a key lies there: it may be the only one. A root's key is saved with a passphrase (PKCS#8); a
        node's has to open unattended and is saved without.
        """
        protection: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if passphrase is not None:
            protection = serialization.BestAvailableEncryption(passphrase.encode())
        key = self.private_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection
        )
        if (folder / KEY_FILE).exists():
            raise OrvaultError(
                ErrorKind.CONFLICT, "There is a key already; it is kept.", where=str(folder / KEY_FILE)
            )
        write_private(folder / CERTIFICATE_FILE, self.certificate_pem)
        write_private(folder / KEY_FILE, key, replace=False)

    @classmethod
    def load(cls, folder: Path, passphrase: str | None = None) -> Identity:
        """What `save` wrote.

        Raises:
            OrvaultError: KEY_MISSING if there is nothing, WRONG_PASSPHRASE, BAD_SETTINGS if it is not
            readable or key and certificate do not belong together.
        """
        key = load_private_key(folder, passphrase)
        certificates = load_pem(
            read_bounded(folder / CERTIFICATE_FILE, MAX_PEM_BYTES, ErrorKind.KEY_MISSING), folder
        )
        if public_key(to_der(certificates[0])) != key.public_key():
            raise _bad_key(folder, ErrorKind.BAD_SETTINGS, "Key and certificate do not belong together.")
        return cls(certificates[0], key, tuple(certificates[1:]))


def load_private_key(folder: Path, passphrase: str | None = None) -> Ed25519PrivateKey:
    """The key in `key.pem`. Errors: KEY_MISSING, WRONG_PASSPHRASE, BAD_SETTINGS if it is no Ed25519 key."""
    pem = read_bounded(folder / KEY_FILE, MAX_PEM_BYTES, ErrorKind.KEY_MISSING)
    secret = None if passphrase is None else passphrase.encode()
    try:
        key = serialization.load_pem_private_key(pem, secret)
    except TypeError as error:
        raise _bad_key(
            folder, ErrorKind.WRONG_PASSPHRASE, "The key is protected by a passphrase, or is not."
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        if secret is None:
            raise _bad_key(folder, ErrorKind.BAD_SETTINGS, "This is not a readable private key.") from error
        raise _bad_key(
            folder, ErrorKind.WRONG_PASSPHRASE, "The passphrase does not open this key."
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _bad_key(folder, ErrorKind.BAD_SETTINGS, "The key is not Ed25519.")
    return key


def _bad_key(folder: Path, kind: ErrorKind, message: str) -> OrvaultError:
    return OrvaultError(kind, message, where=str(folder / KEY_FILE))


def create_root(name: str, clock: Clock, years: int = 20) -> Identity:
    """A new root: self-signed, may sign certificates and nothing else."""
    key = Ed25519PrivateKey.generate()
    subject = subject_of(name, CertificateRole.ROOT)
    start, end = _validity(clock, years * 365)
    certificate = (
        _builder(subject, subject, key.public_key(), start, end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, None)
    )
    return Identity(certificate, key)


def issue(root: Identity, name: str, role: CertificateRole | str, clock: Clock, days: int) -> Identity:
    """A key and certificate for an export server or a node; ends with the root at the latest."""
    key = Ed25519PrivateKey.generate()
    return Identity(certify(root, name, role, key.public_key(), clock, days), key, (root.certificate,))


def certify(
    root: Identity, name: str, role: CertificateRole | str, key: Ed25519PublicKey, clock: Clock, days: int
) -> x509.Certificate:
    """A certificate for somebody's public key; ends with the root at the latest."""
    start, end = _validity(clock, days)
    end = min(end, root.certificate.not_valid_after_utc)
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(root.private_key.public_key())
    return (
        _builder(subject_of(name, CertificateRole(role)), root.certificate.subject, key, start, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(issuer_key, critical=False)
        .sign(root.private_key, None)
    )


def subject_of(name: str, role: CertificateRole) -> x509.Name:
    """What a certificate says of whom it is for. Errors: BAD_REQUEST for a name that cannot stand in one."""
    if not is_name(name):
        raise OrvaultError(
            ErrorKind.BAD_REQUEST,
            "A name in a certificate has 1 to 64 printable characters.",
            where=name[:80],
        )
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, role),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )


def _validity(clock: Clock, days: int) -> tuple[datetime, datetime]:
    now = datetime.fromtimestamp(clock.now_us() // US_PER_S, UTC)
    return now - CLOCK_SKEW, now + timedelta(days=days)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: Ed25519PublicKey, start: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
