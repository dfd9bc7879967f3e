"""What all vectors share: keys out of fixed seeds, certificates, contents, and how a vector is written down.

Everything is the same at every run but HPKE's encapsulations, whose randomness the library keeps to itself: with them
change the slots, and what signs over them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID

from orvault.clock import US_PER_S, FakeClock
from orvault.container.keys import Kem, PrivateKey
from orvault.container.revocation import Reason, Revoked, issue_list
from orvault.container.trust import Identity

START_US = 1_700_000_100 * US_PER_S
FAR_US = 4_000_000_000 * US_PER_S
PASSWORD = "correct horse battery"
CHUNK_BYTES = 4096
FOLDER = Path(__file__).parent


def noise(name: str, count: int) -> bytes:
    """Bytes that look random and are always the same."""
    return hashlib.shake_256(f"orvault vectors v1 {name}".encode()).digest(count)


@contextmanager
def repeatable(name: str) -> Iterator[None]:
    """Python's own random numbers (salts, keys, prefixes) follow from `name`."""
    taken = 0

    def urandom(count: int) -> bytes:
        nonlocal taken
        taken += 1
        return noise(f"{name} {taken}", count)

    with patch("os.urandom", urandom):
        yield


def private_key(name: str, kem: Kem = Kem.MLKEM768_X25519) -> PrivateKey:
    return PrivateKey(kem, noise(name, kem.private_bytes))


def make_identity(
    name: str, role: str, issuer: Identity | None = None, until_us: int = FAR_US, key: str = ""
) -> Identity:
    """A certificate after the profile of package-v1, 2.6; self-signed without an issuer."""
    private = Ed25519PrivateKey.from_private_bytes(noise(key or f"{name} {role}", 32))
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, role),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
    signs, signer = issuer is None, private if issuer is None else issuer.private_key
    usage = {each: False for each in _USAGES} | {
        "digital_signature": not signs,
        "key_cert_sign": signs,
        "crl_sign": signs,
    }
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.certificate.subject)
        .public_key(private.public_key())
        .serial_number(int.from_bytes(noise(f"serial {name} {role}", 19), "big"))
        .not_valid_before(datetime(2023, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime.fromtimestamp(until_us // US_PER_S, UTC))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(private.public_key()), critical=False)
        .add_extension(x509.BasicConstraints(ca=signs, path_length=0 if signs else None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
    )
    chain = () if issuer is None else (issuer.certificate,)
    return Identity(builder.sign(signer, None), private, chain)


_USAGES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip

ROOT = make_identity("Vector Hospital root", "root")
SERVER = make_identity("Vector Hospital", "export-server", ROOT)
NODE = make_identity("node-1", "node", ROOT)
OTHER_NODE = make_identity("node-2", "node", ROOT)
ENDED = make_identity("Vector Hospital, ended", "export-server", ROOT, START_US - US_PER_S)
FORGER_ROOT = make_identity("Vector Hospital root", "root", key="forger's root")
FORGER = make_identity("Vector Hospital", "export-server", FORGER_ROOT, key="forger")
FORGER_NODE = make_identity("node-1", "node", FORGER_ROOT, key="forger's node")
STOLEN_NODE = make_identity("node-3", "node", ROOT)
STOLEN_US = START_US + 3600 * US_PER_S

CASE_KEY = private_key("case key")
RECIPIENT = private_key("recipient")
CERTIFICATES = {
    "root": ROOT, "server": SERVER, "node": NODE, "other-node": OTHER_NODE, "forger-root": FORGER_ROOT,
    "forger-node": FORGER_NODE, "stolen-node": STOLEN_NODE,
}  # fmt: skip
KEYS = {"case": CASE_KEY, "recipient": RECIPIENT, "foreign": private_key("foreign")}


@dataclass
class Vectors:
    """Collects what is written: files, and one entry of vectors.json per vector."""

    folder: Path
    entries: list[dict[str, object]] = field(default_factory=list)

    def file(self, name: str, data: bytes) -> str:
        """Write a file once; its name below the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return name

    def add(self, name: str, check: str, expected: str, words: str, about: str, **how: object) -> None:
        """One vector: `expected` is an ErrorKind or a good verdict, `words` stand in its message."""
        self.entries.append(
            {"name": name, "check": check, "expected": expected, "words": words, "about": about, **how}
        )

    def finish(self) -> None:
        """Write keys, certificates, the list, and the table for people."""
        for name, identity in CERTIFICATES.items():
            self.file(f"certificates/{name}.der", identity.certificate_der)
        self.file("certificates/revoked.crl", _revoked())
        keys = {name: {"kem": str(key.kem), "raw": key.raw.hex()} for name, key in KEYS.items()}
        self.file("keys.json", _json({"password": PASSWORD, "private_keys": keys}))
        self.file("vectors.json", _json(self.entries))
        rows = [f"| `{e['name']}` | {e['about']} | {e['expected']} | {e['words']} |" for e in self.entries]
        text = (FOLDER / "README.head.md").read_text()
        self.file("README.md", (text + "\n".join(rows) + "\n").encode())


def _revoked() -> bytes:
    entry = Revoked(STOLEN_NODE.certificate.serial_number, STOLEN_US, STOLEN_US, Reason.KEY_COMPROMISE)
    return issue_list(ROOT, [entry], 1, FakeClock(us=STOLEN_US)).der


def _json(value: object) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()


def flipped(data: bytes, at: int, bit: int = 1) -> bytes:
    """One bit changed."""
    changed = bytearray(data)
    changed[at] ^= bit
    return bytes(changed)


def places(size: int) -> list[int]:
    """20 lengths to cut a file of this size at, its beginning and its last byte among them."""
    return [0, 1, 7, 11, *(size * step // 16 for step in range(1, 16)), size - 1]
