"""Recipients and their keys: made at random, or derived from a password; the public face of `slots` too.

The server keeps a password recipient's salt and public key, never the password: what it stores opens nothing.
Source: docs/format/segment-v1.md section 6, docs/format/package-v1.md section 3; Argon2id is RFC 9106.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from orvault.container import canonical
from orvault.container.canonical import Fields
from orvault.container.slots import (
    Kem,
    KeySlot,
    PrivateKey,
    PublicKey,
    check_commitment,
    decode_slots,
    encode_slots,
    key_commitment,
    unwrap_key,
    wrap_key,
)
from orvault.errors import ErrorKind, OrvaultError

__all__ = [
    "Argon2idParams",
    "Kem",
    "KeySlot",
    "PrivateKey",
    "PublicKey",
    "Recipient",
    "check_commitment",
    "decode_slots",
    "derive",
    "encode_slots",
    "generate_private_key",
    "key_commitment",
    "password_recipient",
    "private_key_from_password",
    "unwrap_key",
    "wrap_key",
]

SALT_BYTES = 16
MIN_PASSWORD_CHARS = 10
MAX_PASSWORD_CHARS = 1024
MAX_NAME_CHARS = 200


@dataclass(frozen=True)
class Argon2idParams:
    """Cost of trying one password.

    The default is RFC 9106's second choice with twice the memory: a package can be attacked off line for as
    long as anyone keeps it, yet it must open on an old laptop.

    The bounds are the reader's: a hostile file must not be able to ask for hours or for all memory.
    """

    memory_kib: int = 128 * 1024
    iterations: int = 3
    lanes: int = 4

    def __post_init__(self) -> None:
        Argon2idParams._read(Fields(self.to_json(), "Argon2id", ErrorKind.BAD_REQUEST))

    def to_json(self) -> dict[str, object]:
        """Canonical JSON fields."""
        return {"iterations": self.iterations, "lanes": self.lanes, "memory_kib": self.memory_kib}

    @staticmethod
    def _read(fields: Fields) -> tuple[int, int, int]:
        return (
            fields.integer("memory_kib", 8 * 1024, 512 * 1024),
            fields.integer("iterations", 1, 6),
            fields.integer("lanes", 1, 8),
        )

    @classmethod
    def take(cls, fields: Fields) -> Argon2idParams:
        """Read the three fields out of an object that may hold others."""
        return cls(*cls._read(fields))


def generate_private_key(kem: Kem = Kem.MLKEM768_X25519) -> PrivateKey:
    """A key pair from the system's random numbers."""
    return PrivateKey(kem, os.urandom(kem.private_bytes))


def derive(password: str, salt: bytes, params: Argon2idParams, length: int) -> bytes:
    """`length` bytes by Argon2id.

    The password is taken as Unicode NFC: the same Hangul typed on two systems arrives composed or decomposed.

    Raises:
        OrvaultError: BAD_REQUEST for a password that is not text or longer than 1024 characters.
    """
    try:
        secret = unicodedata.normalize("NFC", password).encode("utf-8")
    except UnicodeEncodeError as error:
        raise OrvaultError(ErrorKind.BAD_REQUEST, "The password holds something that is not text.") from error
    if len(password) > MAX_PASSWORD_CHARS:
        raise OrvaultError(ErrorKind.BAD_REQUEST, f"A password has at most {MAX_PASSWORD_CHARS} characters.")
    return Argon2id(
        salt=salt,
        length=length,
        iterations=params.iterations,
        lanes=params.lanes,
        memory_cost=params.memory_kib,
    ).derive(secret)


def private_key_from_password(
    password: str, salt: bytes, params: Argon2idParams, kem: Kem = Kem.MLKEM768_X25519
) -> PrivateKey:
    """The private key that this password stands for (package-v1, 3.3)."""
    return PrivateKey(kem, derive(password, salt, params, kem.private_bytes))


@dataclass(frozen=True)
class Recipient:
    """Someone a package is made for; with a salt, by password. Opens nothing by itself."""

    name: str
    public_key: PublicKey
    password_salt: bytes | None = field(default=None, repr=False)
    argon2id: Argon2idParams | None = None

    def __post_init__(self) -> None:
        if (self.password_salt is None) != (self.argon2id is None):
            raise OrvaultError(
                ErrorKind.BAD_REQUEST, "Salt and Argon2id parameters belong together.", where="recipient"
            )

    def to_json(self) -> dict[str, object]:
        """Fields for the ledger; no secret among them."""
        value: dict[str, object] = {
            "name": self.name,
            "public_key": self.public_key.to_json(),
            "password": None,
        }
        if self.password_salt is not None and self.argon2id is not None:
            value["password"] = self.argon2id.to_json() | {"salt": canonical.to_base64(self.password_salt)}
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, object]) -> Recipient:
        """What `to_json` made; BAD_REQUEST if it is anything else."""
        fields = Fields(value, "recipient", ErrorKind.BAD_REQUEST)
        name = fields.text("name", MAX_NAME_CHARS, least=1)
        public = PublicKey.from_json(fields.take("public_key"), "recipient, public key")
        salt, params = take_password(fields)
        fields.end()
        return cls(name, public, salt, params)


def take_password(fields: Fields) -> tuple[bytes | None, Argon2idParams | None]:
    """Read a field `password`: null, or salt and Argon2id parameters (package-v1, 3.1)."""
    value = fields.take("password")
    if value is None:
        return None, None
    inner = Fields(value, f"{fields.where}, password", fields.kind)
    params = Argon2idParams.take(inner)
    salt = inner.data("salt", SALT_BYTES)
    inner.end()
    if len(salt) != SALT_BYTES:
        raise inner.fail("salt", f"does not hold {SALT_BYTES} bytes")
    return salt, params


def password_recipient(name: str, password: str, params: Argon2idParams | None = None) -> Recipient:
    """A recipient who opens with a password of at least 10 characters; BAD_REQUEST if it is shorter."""
    if len(unicodedata.normalize("NFC", password)) < MIN_PASSWORD_CHARS:
        raise OrvaultError(
            ErrorKind.BAD_REQUEST,
            f"The password has fewer than {MIN_PASSWORD_CHARS} characters.",
            where=f"recipient {name}",
            advice="A package can be attacked off line for years: four random words are a good password.",
        )
    params = params or Argon2idParams()
    salt = os.urandom(SALT_BYTES)
    return Recipient(name, private_key_from_password(password, salt, params).public(), salt, params)
