"""One private key of the key store as a file: its public half in clear, its private half sealed under a ring's key.

Which files there are, and which keys the ring has for them, is `keystore`'s business.
Source: docs/format/keystore-v1.md.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from orvault.container import canonical
from orvault.container.canonical import Fields
from orvault.container.files import read_bounded
from orvault.container.kek import NONCE_BYTES
from orvault.container.keys import PrivateKey, PublicKey
from orvault.errors import ErrorKind, OrvaultError

CASE, VAULT = "case", "vault"
FOLDERS = {CASE: "cases", VAULT: "vault"}
MAX_FILE_BYTES = 64 << 10
KEY_CONTEXT = b"orvault/stored-key/v1\n"


@dataclass(frozen=True)
class StoredKey:
    """What the file says. `kind`: CASE or VAULT; `name`: the case's id or the vault key's thumbprint."""

    kind: str
    name: str
    public: PublicKey
    sealed: bytes = field(repr=False)  # nonce || sealed private key || tag

    @classmethod
    def seal(cls, kind: str, name: str, private: PrivateKey, key: bytes) -> StoredKey:
        """A private key sealed under `key` (32 bytes); kind, name and public half are bound to it."""
        nonce, public = os.urandom(NONCE_BYTES), private.public()
        sealed = AESGCM(key).encrypt(nonce, private.raw, _context(kind, name, public))
        return cls(kind, name, public, nonce + sealed)

    @classmethod
    def read(cls, path: Path) -> StoredKey:
        """What `encode` made. Errors: KEY_MISSING, DAMAGED."""
        data = read_bounded(path, MAX_FILE_BYTES, ErrorKind.KEY_MISSING)
        value = canonical.decode(data, max_bytes=MAX_FILE_BYTES, where=str(path), kind=ErrorKind.DAMAGED)
        fields = Fields(value, str(path), ErrorKind.DAMAGED)
        fields.constant("format", "orvault-stored-key")
        fields.constant("version", 1)
        kind, name = fields.text("kind", 16), fields.identifier("name")
        if kind not in FOLDERS:
            raise fields.fail("kind", "is unknown")
        public = PublicKey.from_json(fields.take("public_key"), str(path), ErrorKind.DAMAGED)
        sealed = fields.data("sealed", 1024)
        fields.end()
        return cls(kind, name, public, sealed)

    def encode(self) -> bytes:
        """The file's bytes."""
        return canonical.encode(
            _head(self.kind, self.name, self.public) | {"sealed": canonical.to_base64(self.sealed)}
        )

    def open(self, key: bytes | None, where: Path) -> PrivateKey:
        """The private key, checked against its public half. `key` None: the ring has none for it.

        Raises:
            OrvaultError: DAMAGED.
        """
        try:
            if key is not None:
                context = _context(self.kind, self.name, self.public)
                raw = AESGCM(key).decrypt(self.sealed[:NONCE_BYTES], self.sealed[NONCE_BYTES:], context)
                private = PrivateKey(self.public.kem, raw)
                if private.public() == self.public:
                    return private
        except (InvalidTag, ValueError) as error:
            raise altered(where) from error
        raise altered(where)


def altered(where: Path) -> OrvaultError:
    """The error of a file that is not what this store wrote there."""
    return OrvaultError(
        ErrorKind.DAMAGED, "The key was altered, or belongs to another key store.", where=str(where)
    )


def _head(kind: str, name: str, public: PublicKey) -> dict[str, object]:
    head = {"format": "orvault-stored-key", "kind": kind, "name": name}
    return head | {"public_key": public.to_json(), "version": 1}


def _context(kind: str, name: str, public: PublicKey) -> bytes:
    return KEY_CONTEXT + canonical.encode(_head(kind, name, public))
