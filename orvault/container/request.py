"""A node's request for a certificate: made beside the node's new key, which never leaves the node.

Whether a request is to be granted is decided where the root is (authority.py), by a person who compares `key_digest`
with what the node showed: a request says by itself only that who made it has the key.
Source: docs/format/enrolment-v1.md; PKCS#10 is RFC 2986.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

from orvault.container.certificates import (
    MALFORMED,
    MAX_PEM_BYTES,
    CertificateRole,
    Issuer,
    check_chain,
    load_pem,
    to_der,
)
from orvault.container.files import read_bounded, write_private
from orvault.container.trust import KEY_FILE, Identity, load_private_key, subject_of
from orvault.errors import ErrorKind, OrvaultError

REQUEST_FILE = "request.pem"
MAX_REQUEST_BYTES = 16 << 10


@dataclass(frozen=True)
class NodeRequest:
    """A request whose signature was checked: this node, with this key."""

    name: str
    public_key: Ed25519PublicKey

    @property
    def key_digest(self) -> str:
        """What two people compare: SHA-256 of the public key, 64 hexadecimal digits."""
        return key_digest(self.public_key)


def key_digest(key: CertificatePublicKeyTypes) -> str:
    """SHA-256 of a public key's SubjectPublicKeyInfo (DER), hexadecimal."""
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def make_request(folder: Path, name: str) -> NodeRequest:
    """Write `key.pem` and `request.pem` (mode 0600) into the folder; a key that waits there is kept.

    Raises:
        OrvaultError: BAD_REQUEST for a name that no certificate can carry; BAD_SETTINGS if the key that waits is not
        readable; STORAGE.
    """
    subject = subject_of(name, CertificateRole.NODE)
    if not (folder / KEY_FILE).exists():
        pem = Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_private(folder / KEY_FILE, pem, replace=False)
    key = load_private_key(folder)
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, None)
    write_private(folder / REQUEST_FILE, request.public_bytes(serialization.Encoding.PEM))
    return NodeRequest(name, key.public_key())


def read_request(path: Path, name: str) -> NodeRequest:
    """The request in a file, for the node of this name.

    1. it parses; 2. its key is Ed25519; 3. it is signed by that key; 4. its subject is that node's and nothing more;
    5. it asks for no extensions.

    Raises:
        OrvaultError: NOT_FOUND; BAD_REQUEST if it is no request; UNTRUSTED, saying which of the other steps failed.
    """
    data = read_bounded(path, MAX_REQUEST_BYTES)
    try:
        request = x509.load_pem_x509_csr(data)  # 1
        key, signed = request.public_key(), request.is_signature_valid
        subject, extensions = request.subject, len(request.extensions)
    except MALFORMED as error:
        raise OrvaultError(
            ErrorKind.BAD_REQUEST,
            "This is not a readable certificate request in PEM form.",
            where=str(path),
            advice="`orvault keys request-node` makes one on the node.",
        ) from error
    if not isinstance(key, Ed25519PublicKey):  # 2
        raise _refused(path, "Its key is not Ed25519.")
    if not signed:  # 3
        raise _refused(path, "It is not signed by the key that it names: it was altered.")
    if subject != subject_of(name, CertificateRole.NODE):  # 4
        raise _refused(
            path, f"It is not the request of node {name!r}, but of {subject.rfc4514_string()[:200]!r}."
        )
    if extensions:  # 5
        raise _refused(path, "It asks for extensions, which no node's certificate has.")
    return NodeRequest(name, key)


def accept_certificate(
    folder: Path, path: Path, name: str, roots: Sequence[bytes], now_us: int
) -> tuple[Identity, Issuer]:
    """The identity that a granted request becomes: the key that waits in `folder`, and the certificate in `path`.

    1. the certificate's key is the one that waits; 2. a root in the file, or among the pinned `roots` (DER), issued
    it for a node, and it is valid now; 3. it is for the node of this name; 4. if roots are pinned, it is one of them.

    Raises:
        OrvaultError: KEY_MISSING if nothing was asked for; NOT_FOUND, BAD_SETTINGS if the file is no certificate;
        UNTRUSTED, saying which step failed.
    """
    key = load_private_key(folder)
    leaf, *chain = load_pem(read_bounded(path, MAX_PEM_BYTES), path)
    if leaf.public_key() != key.public_key():  # 1
        raise _refused(path, "This certificate is for another key than the one that this node asked with.")
    ders = [to_der(each) for each in chain]
    try:
        issuer = check_chain(to_der(leaf), ders, roots, CertificateRole.NODE, now_us)  # 2
    except OrvaultError as error:
        raise OrvaultError(error.kind, error.message, where=str(path)) from error
    if issuer.name != name:  # 3
        raise _refused(path, f"This certificate is for node {issuer.name!r}, not {name!r}.")
    if roots and not issuer.pinned:  # 4
        raise _refused(path, "Another root issued this certificate than the one that this site knows.")
    return Identity(leaf, key, tuple(chain)), issuer


def _refused(path: Path, message: str) -> OrvaultError:
    return OrvaultError(ErrorKind.UNTRUSTED, message, where=str(path))
