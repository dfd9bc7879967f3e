"""The key store: case private keys in a folder, each sealed under a key-encryption key (KEK).

The KEK is random and itself sealed under a passphrase (Argon2id), so changing the passphrase touches one
file. Grants (who may open what) are the key service's business, not this module's.

    folder/kek.json          the KEK, sealed under the passphrase
    folder/cases/HASH.json   one case: public key in clear, private key sealed under the KEK
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from orvault.container import canonical
from orvault.container.canonical import Fields
from orvault.container.files import read_bounded, write_private
from orvault.container.keys import Argon2idParams, PrivateKey, PublicKey, derive, generate_private_key
from orvault.errors import ErrorKind, OrvaultError

KEK_FILE = "kek.json"
CASES = "cases"
KEK_BYTES = 32
NONCE_BYTES = 12
SALT_BYTES = 16
MAX_FILE_BYTES = 64 << 10
MIN_PASSPHRASE_CHARS = 10
KEK_CONTEXT = b"orvault/kek/v1\n"
CASE_CONTEXT = b"orvault/case-key/v1\n"


def exists(folder: Path) -> bool:
    """Whether there is a key store in this folder."""
    return (folder / KEK_FILE).is_file()


class KeyStore:
    """An unlocked key store. Its representation shows the folder, never a key."""

    def __init__(self, folder: Path, kek: bytes) -> None:
        self._folder = folder
        self._cipher = AESGCM(kek)
        self._by_thumbprint: dict[str, Path] = {}

    def __repr__(self) -> str:
        return f"KeyStore({str(self._folder)!r})"

    @staticmethod
    def exists(folder: Path) -> bool:
        """Whether there is a key store in this folder."""
        return exists(folder)

    @classmethod
    def create(cls, folder: Path, passphrase: str, params: Argon2idParams | None = None) -> KeyStore:
        """A new, empty key store.

        Raises:
            OrvaultError: BAD_REQUEST for a passphrase under 10 characters, CONFLICT if there is a store
            already.
        """
        if len(passphrase) < MIN_PASSPHRASE_CHARS:
            raise OrvaultError(
                ErrorKind.BAD_REQUEST,
                f"The passphrase has fewer than {MIN_PASSPHRASE_CHARS} characters.",
                where="key store",
            )
        params = params or Argon2idParams()
        kek, salt, nonce = os.urandom(KEK_BYTES), os.urandom(SALT_BYTES), os.urandom(NONCE_BYTES)
        head: dict[str, object] = {
            "argon2id": params.to_json(),
            "format": "orvault-kek",
            "salt": canonical.to_base64(salt),
            "version": 1,
        }
        # The clear fields are authenticated too: nobody can make a later unlock cheaper to attack unnoticed.
        cipher = AESGCM(derive(passphrase, salt, params, KEK_BYTES))
        sealed = nonce + cipher.encrypt(nonce, kek, KEK_CONTEXT + canonical.encode(head))
        data = canonical.encode(head | {"sealed": canonical.to_base64(sealed)})
        write_private(folder / KEK_FILE, data, replace=False)
        return cls(folder, kek)

    @classmethod
    def unlock(cls, folder: Path, passphrase: str) -> KeyStore:
        """Open a key store.

        Raises:
            OrvaultError: KEY_MISSING if there is none, WRONG_PASSPHRASE, DAMAGED if its file is not readable.
        """
        path = folder / KEK_FILE
        data = read_bounded(path, MAX_FILE_BYTES, ErrorKind.KEY_MISSING)
        value = canonical.decode(data, max_bytes=MAX_FILE_BYTES, where=str(path), kind=ErrorKind.DAMAGED)
        fields = Fields(value, str(path), ErrorKind.DAMAGED)
        fields.constant("format", "orvault-kek")
        fields.constant("version", 1)
        params = Argon2idParams.take(fields.child("argon2id"))
        salt, sealed = fields.data("salt", SALT_BYTES), fields.data("sealed", 256)
        fields.end()
        if len(salt) != SALT_BYTES or len(sealed) < NONCE_BYTES:
            raise fields.fail("salt", "is too short")
        head = {name: value[name] for name in ("argon2id", "format", "salt", "version")}
        cipher = AESGCM(derive(passphrase, salt, params, KEK_BYTES))
        try:
            kek = cipher.decrypt(
                sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], KEK_CONTEXT + canonical.encode(head)
            )
        except InvalidTag as error:
            raise OrvaultError(
                ErrorKind.WRONG_PASSPHRASE, "The passphrase does not open the key store.", where=str(folder)
            ) from error
        return cls(folder, kek)

    def new_case_key(self, case_id: str) -> PublicKey:
        """Make a case's key pair, durably; returns its public half, also of a key that is there already.

        Raises:
            OrvaultError: BAD_REQUEST for something that is no case id, DAMAGED if the existing file does not
            open.
        """
        if not canonical.is_identifier(case_id):
            raise OrvaultError(ErrorKind.BAD_REQUEST, "This is not a case id.", where=case_id[:80])
        path = self._path(case_id)
        if not path.exists():
            try:
                write_private(path, self._seal(case_id, generate_private_key()), replace=False)
            except OrvaultError as error:
                if (
                    error.kind is not ErrorKind.CONFLICT
                ):  # another thread was faster: its key is the case's key
                    raise
        # Opened even here: a public key somebody swapped in the file would make every later recording his.
        return self._open(path).public()

    def private_key(self, thumbprint: str) -> PrivateKey:
        """The private key that a thumbprint names; KEY_MISSING if it was never here or was destroyed."""
        path = self._by_thumbprint.get(thumbprint)
        if path is None or not path.exists():
            self._index()
            path = self._by_thumbprint.get(thumbprint)
        if path is None:
            raise OrvaultError(
                ErrorKind.KEY_MISSING, "The key store holds no such key.", where=thumbprint[:16]
            )
        private = self._open(path)
        if private.public().thumbprint != thumbprint:
            raise OrvaultError(ErrorKind.DAMAGED, "The file holds another key than it says.", where=str(path))
        return private

    def _path(self, case_id: str) -> Path:
        # Hashed, so that any case id is a good file name and two that differ in letter case stay two files.
        return self._folder / CASES / f"{hashlib.sha256(case_id.encode()).hexdigest()}.json"

    def _seal(self, case_id: str, private: PrivateKey) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        head: dict[str, object] = {
            "case_id": case_id,
            "format": "orvault-case-key",
            "public_key": private.public().to_json(),
            "version": 1,
        }
        sealed = nonce + self._cipher.encrypt(nonce, private.raw, CASE_CONTEXT + canonical.encode(head))
        return canonical.encode(head | {"sealed": canonical.to_base64(sealed)})

    def _open(self, path: Path) -> PrivateKey:
        value, public, sealed = _read_case(path)
        head = {name: value[name] for name in ("case_id", "format", "public_key", "version")}
        try:
            raw = self._cipher.decrypt(
                sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], CASE_CONTEXT + canonical.encode(head)
            )
        except (InvalidTag, ValueError) as error:
            raise OrvaultError(
                ErrorKind.DAMAGED,
                "The case key was altered, or belongs to another key store.",
                where=str(path),
            ) from error
        private = PrivateKey(public.kem, raw)
        if private.public() != public or self._path(str(value["case_id"])) != path:
            raise OrvaultError(ErrorKind.DAMAGED, "The file holds another key than it says.", where=str(path))
        return private

    def _index(self) -> None:
        """Read every public half again: keys come and go by other hands than this object's too."""
        found: dict[str, Path] = {}
        for path in sorted((self._folder / CASES).glob("*.json")):
            _, public, _ = _read_case(path)
            found[public.thumbprint] = path
        self._by_thumbprint = found


def _read_case(path: Path) -> tuple[dict[str, object], PublicKey, bytes]:
    data = read_bounded(path, MAX_FILE_BYTES, ErrorKind.KEY_MISSING)
    value = canonical.decode(data, max_bytes=MAX_FILE_BYTES, where=str(path), kind=ErrorKind.DAMAGED)
    fields = Fields(value, str(path), ErrorKind.DAMAGED)
    fields.constant("format", "orvault-case-key")
    fields.constant("version", 1)
    fields.identifier("case_id")
    public = PublicKey.from_json(fields.take("public_key"), str(path), ErrorKind.DAMAGED)
    sealed = fields.data("sealed", 1024)
    fields.end()
    return value, public, sealed
