"""Keys that wrap keys: HPKE (RFC 9180) public and private keys, key slots, and commitments to a key.

Does not know passwords or recipients (keys.py, which is also the public face of this module), nor where
slots are kept.
Source: docs/format/segment-v1.md, 3.5 and section 6.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.constant_time import bytes_eq
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from orvault.container import canonical
from orvault.container.canonical import Fields
from orvault.container.wire import KEY_BYTES, TAG_BYTES
from orvault.errors import ErrorKind, OrvaultError

COMMITMENT_SALT = b"orvault key commitment v1"
THUMBPRINT_CONTEXT = b"orvault key thumbprint v1\n"
KDF_HKDF_SHA256 = 1  # IANA, HPKE KDF identifiers
AEAD_AES_256_GCM = 2  # IANA, HPKE AEAD identifiers
X25519_BYTES = 32
MLKEM_SEED_BYTES = 64
MLKEM_PUBLIC_BYTES = 1184
MAX_SLOTS = 64
MAX_SLOTS_BYTES = 1 << 20
MAX_INFO_BYTES = 512


class Kem(StrEnum):
    """Key encapsulation. The hybrid is the default: it holds if either X25519 or ML-KEM-768 does."""

    MLKEM768_X25519 = "mlkem768-x25519"
    X25519 = "x25519"

    @property
    def iana_id(self) -> int:
        """The HPKE KEM identifier."""
        return 0x647A if self is Kem.MLKEM768_X25519 else 0x0020

    @property
    def public_bytes(self) -> int:
        """Length of a raw public key."""
        return MLKEM_PUBLIC_BYTES + X25519_BYTES if self is Kem.MLKEM768_X25519 else X25519_BYTES

    @property
    def private_bytes(self) -> int:
        """Length of a raw private key (a seed: every value of this length is a key)."""
        return MLKEM_SEED_BYTES + X25519_BYTES if self is Kem.MLKEM768_X25519 else X25519_BYTES

    @property
    def enc_bytes(self) -> int:
        """Length of an encapsulated secret."""
        return 1120 if self is Kem.MLKEM768_X25519 else X25519_BYTES


def _suite(kem: Kem) -> hpke.Suite:
    chosen = hpke.KEM.MLKEM768_X25519 if kem is Kem.MLKEM768_X25519 else hpke.KEM.X25519
    return hpke.Suite(chosen, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


@dataclass(frozen=True)
class PublicKey:
    """Whom something can be sealed to.

    `raw`: ML-KEM-768 key 1184 bytes || X25519 32 bytes, or X25519 alone.
    """

    kem: Kem
    raw: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.raw) != self.kem.public_bytes:
            raise OrvaultError(
                ErrorKind.BAD_REQUEST,
                f"A {self.kem} public key has {self.kem.public_bytes} bytes, not {len(self.raw)}.",
            )

    @property
    def thumbprint(self) -> str:
        """Names the key: 64 hexadecimal digits (segment-v1, 6.2)."""
        return hashlib.sha256(THUMBPRINT_CONTEXT + self.kem.encode() + b"\n" + self.raw).hexdigest()

    def to_json(self) -> dict[str, object]:
        """Canonical JSON fields."""
        return {"kem": str(self.kem), "raw": canonical.to_base64(self.raw)}

    @classmethod
    def from_json(
        cls, value: object, where: str = "public key", kind: ErrorKind = ErrorKind.BAD_REQUEST
    ) -> PublicKey:
        """What `to_json` made; `kind` if it is anything else."""
        fields = Fields(value, where, kind)
        kem = _kem_named(fields)
        raw = fields.data("raw", kem.public_bytes)
        fields.end()
        if len(raw) != kem.public_bytes:
            raise fields.fail("raw", f"does not hold {kem.public_bytes} bytes")
        return cls(kem, raw)

    def _loaded(self) -> X25519PublicKey | hpke.MLKEM768X25519PublicKey:
        classic = X25519PublicKey.from_public_bytes(self.raw[-X25519_BYTES:])
        if self.kem is Kem.X25519:
            return classic
        lattice = MLKEM768PublicKey.from_public_bytes(self.raw[:MLKEM_PUBLIC_BYTES])
        return hpke.MLKEM768X25519PublicKey(lattice, classic)


@dataclass(frozen=True)
class PrivateKey:
    """What opens. `raw`: ML-KEM-768 seed 64 bytes || X25519 32 bytes, or X25519 alone; never shown."""

    kem: Kem
    raw: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.raw) != self.kem.private_bytes:
            raise OrvaultError(
                ErrorKind.BAD_REQUEST, f"A {self.kem} private key has {self.kem.private_bytes} bytes."
            )

    def public(self) -> PublicKey:
        """The half to give away."""
        classic = self._classic().public_key().public_bytes_raw()
        if self.kem is Kem.X25519:
            return PublicKey(self.kem, classic)
        return PublicKey(self.kem, self._lattice().public_key().public_bytes_raw() + classic)

    def _classic(self) -> X25519PrivateKey:
        return X25519PrivateKey.from_private_bytes(self.raw[-X25519_BYTES:])

    def _lattice(self) -> MLKEM768PrivateKey:
        return MLKEM768PrivateKey.from_seed_bytes(self.raw[:MLKEM_SEED_BYTES])

    def _loaded(self) -> X25519PrivateKey | hpke.MLKEM768X25519PrivateKey:
        if self.kem is Kem.X25519:
            return self._classic()
        return hpke.MLKEM768X25519PrivateKey(self._lattice(), self._classic())


def _kem_named(fields: Fields) -> Kem:
    name = fields.text("kem", 32)
    try:
        return Kem(name)
    except ValueError as error:
        raise fields.fail("kem", f"is not one of {', '.join(Kem)}") from error


@dataclass(frozen=True)
class KeySlot:
    """One wrapped key for one recipient (segment-v1, 6.3).

    `sealed`: encapsulated secret || sealed key || tag.
    """

    key_thumbprint: str
    kem: Kem
    sealed: bytes = field(repr=False)
    info: bytes
    kdf: int = KDF_HKDF_SHA256
    aead: int = AEAD_AES_256_GCM

    def to_json(self) -> dict[str, object]:
        """Canonical JSON fields; algorithms by their IANA numbers."""
        return {
            "aead": self.aead,
            "info": canonical.to_base64(self.info),
            "kdf": self.kdf,
            "kem": self.kem.iana_id,
            "key_thumbprint": self.key_thumbprint,
            "sealed": canonical.to_base64(self.sealed),
        }

    @classmethod
    def from_json(
        cls, value: object, where: str = "key slot", kind: ErrorKind = ErrorKind.ALTERED
    ) -> KeySlot:
        """What `to_json` made; `kind` if it is anything else."""
        fields = Fields(value, where, kind)
        fields.constant("aead", AEAD_AES_256_GCM)
        fields.constant("kdf", KDF_HKDF_SHA256)
        number = fields.integer("kem")
        kem = next((known for known in Kem if known.iana_id == number), None)
        if kem is None:
            raise fields.fail("kem", "names an unknown key encapsulation")
        size = kem.enc_bytes + KEY_BYTES + TAG_BYTES
        slot = cls(
            fields.digest("key_thumbprint"),
            kem,
            fields.data("sealed", size),
            fields.data("info", MAX_INFO_BYTES),
        )
        fields.end()
        if len(slot.sealed) != size:
            raise fields.fail("sealed", f"does not hold {size} bytes")
        return slot


def wrap_key(key: bytes | bytearray, recipient: PublicKey, info: bytes) -> KeySlot:
    """Seal a 32-byte key to a public key (HPKE base mode, single shot); `info` says what the key is for.

    Raises:
        OrvaultError: BAD_REQUEST if the public key is of the right length but no key.
    """
    if len(key) != KEY_BYTES or len(info) > MAX_INFO_BYTES:
        raise OrvaultError(
            ErrorKind.BAD_REQUEST, "Only a 32-byte key, with info of up to 512 bytes, is wrapped."
        )
    try:
        sealed = _suite(recipient.kem).encrypt(key, recipient._loaded(), info)
    except ValueError as error:  # a point of low order, or coefficients out of range
        raise OrvaultError(
            ErrorKind.BAD_REQUEST, f"This is not a usable {recipient.kem} public key."
        ) from error
    return KeySlot(recipient.thumbprint, recipient.kem, sealed, info)


def unwrap_key(slot: KeySlot, private: PrivateKey, info: bytes) -> bytes:
    """The key in a slot. `info` is what the caller expects, never what the slot says.

    Raises:
        OrvaultError: NOT_FOR_YOU if the slot is another key's; ALTERED if it is this key's and does not open.
    """
    if slot.kem is not private.kem or slot.key_thumbprint != private.public().thumbprint:
        raise OrvaultError(ErrorKind.NOT_FOR_YOU, "This key slot was made for another key.")
    if not bytes_eq(slot.info, info):
        raise OrvaultError(ErrorKind.ALTERED, "The key slot belongs to something else.")
    try:
        key = _suite(slot.kem).decrypt(slot.sealed, private._loaded(), info)
    except (InvalidTag, ValueError) as error:
        raise OrvaultError(ErrorKind.ALTERED, "The key slot is not what was sealed.") from error
    if len(key) != KEY_BYTES:
        raise OrvaultError(ErrorKind.ALTERED, "The key slot holds something that is no key.")
    return key


def key_commitment(key: bytes | bytearray, context: bytes) -> bytes:
    """32 bytes that fix `key` without telling it: AES-GCM alone would open one ciphertext under two keys."""
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=COMMITMENT_SALT, info=context).derive(key)


def check_commitment(key: bytes, context: bytes, commitment_hex: str, where: str) -> None:
    """ALTERED unless `key` is the key that was committed to; compares in constant time."""
    if not bytes_eq(key_commitment(key, context), bytes.fromhex(commitment_hex)):
        raise OrvaultError(ErrorKind.ALTERED, "This gives another key than was signed.", where=where)


def encode_slots(slots: Sequence[KeySlot]) -> bytes:
    """The sidecar of a segment (segment-v1, 6.5)."""
    return canonical.encode(
        {"format": "orvault-slots", "slots": [slot.to_json() for slot in slots], "version": 1}
    )


def decode_slots(data: bytes, where: str = "key slots") -> tuple[KeySlot, ...]:
    """What `encode_slots` made; ALTERED otherwise."""
    fields = Fields(canonical.decode(data, max_bytes=MAX_SLOTS_BYTES, where=where), where)
    fields.constant("format", "orvault-slots")
    fields.constant("version", 1)
    slots = tuple(KeySlot.from_json(item, where) for item in fields.items("slots", 0, MAX_SLOTS))
    fields.end()
    return slots
