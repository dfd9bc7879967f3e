"""Key-encryption keys (KEK) of the key store: what a key ring is sealed under, by generations that can be ended.

Here: the passphrase together with an *anchor*, a random value outside the store's folder. A KEK in a PKCS#11 token
is `orvault.custody.token`. When a generation ends, and why, is `keyring`'s part.
Source: docs/format/keystore-v1.md section 3; Argon2id is RFC 9106, HKDF is RFC 5869.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from orvault.container import canonical
from orvault.container.canonical import Fields
from orvault.container.files import flush_to_disk, read_bounded, storage_error, sync_folder, write_private
from orvault.container.keys import Argon2idParams, derive
from orvault.errors import ErrorKind, OrvaultError

KEK_BYTES = 32
NONCE_BYTES = 12
SALT_BYTES = 16
ANCHOR_BYTES = 32
MIN_PASSPHRASE_CHARS = 10
MAX_ANCHOR_FILE_BYTES = 4096
KEK_CONTEXT = b"orvault/kek/v1\n"
PART = ".part"
DROPPED = ".dropped"  # the ending of an anchor that has ended and is about to be overwritten
_ANCHOR_NAME = re.compile(r"([0-9]{8})\.json")


@dataclass(frozen=True)
class KekPlace:
    """Which KEK: of which store, which generation, with what the ring says about it in clear."""

    store_id: str
    generation: int
    told: Mapping[str, object]


class KekSource(Protocol):
    """Where KEKs come from. One generation is in use; a second exists only while the store is being rolled."""

    @property
    def kind(self) -> str:
        """`passphrase` or `pkcs11`."""
        ...

    def fresh(self) -> dict[str, object]:
        """The clear fields of a new ring's `kek`, `kind` among them."""
        ...

    def present(self, store_id: str) -> frozenset[int]:
        """Generations that exist. Needs no passphrase; a token has to be logged into."""
        ...

    def prepare(self, store_id: str, generation: int) -> None:
        """Make a generation, durably; in place of one that a crash left."""
        ...

    def drop(self, store_id: str, generation: int) -> None:
        """End a generation for good: what was wrapped under it never opens again. In one step, durably."""
        ...

    def wrap(self, place: KekPlace, key: bytes, context: bytes) -> bytes:
        """Seal 32 bytes; `context` is authenticated."""
        ...

    def unwrap(self, place: KekPlace, sealed: bytes, context: bytes) -> bytes:
        """What `wrap` sealed. Errors: WRONG_PASSPHRASE, KEY_MISSING, KEYS_LOCKED, DAMAGED."""
        ...


def wrong_passphrase(where: str) -> OrvaultError:
    """What a KEK that does not open says."""
    return OrvaultError(
        ErrorKind.WRONG_PASSPHRASE, "The passphrase does not open the key store.", where=where
    )


class PassphraseKek:
    """KEK = HKDF(Argon2id(passphrase, salt) || anchor of the generation).

    The passphrase itself is forgotten after its first use; what is kept opens nothing without the anchor.
    """

    kind = "passphrase"

    def __init__(self, passphrase: str, anchors: Path, params: Argon2idParams | None = None) -> None:
        self._passphrase: str | None = passphrase
        self._params = params or Argon2idParams()
        self._anchors = Anchors(anchors)
        self._stretched: dict[bytes, bytes] = {}

    def __repr__(self) -> str:
        return "PassphraseKek(...)"

    def fresh(self) -> dict[str, object]:
        """A new salt. Errors: BAD_REQUEST for a passphrase under 10 characters."""
        if self._passphrase is not None and len(self._passphrase) < MIN_PASSPHRASE_CHARS:
            raise OrvaultError(
                ErrorKind.BAD_REQUEST,
                f"The passphrase has fewer than {MIN_PASSPHRASE_CHARS} characters.",
                where="key store",
            )
        salt = canonical.to_base64(os.urandom(SALT_BYTES))
        return {"argon2id": self._params.to_json(), "kind": self.kind, "salt": salt}

    def present(self, store_id: str) -> frozenset[int]:
        """See `KekSource`."""
        return self._anchors.present(store_id)

    def prepare(self, store_id: str, generation: int) -> None:
        """See `KekSource`."""
        self._anchors.prepare(store_id, generation)

    def drop(self, store_id: str, generation: int) -> None:
        """See `KekSource`."""
        self._anchors.drop(generation)

    def wrap(self, place: KekPlace, key: bytes, context: bytes) -> bytes:
        """See `KekSource`."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + AESGCM(self._kek(place)).encrypt(nonce, key, context)

    def unwrap(self, place: KekPlace, sealed: bytes, context: bytes) -> bytes:
        """See `KekSource`."""
        try:
            return AESGCM(self._kek(place)).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context)
        except (InvalidTag, ValueError) as error:
            self._stretched.clear()
            raise wrong_passphrase(f"key store {place.store_id[:8]}") from error

    def _kek(self, place: KekPlace) -> bytes:
        anchor = self._anchors.read(place.store_id, place.generation)
        info = KEK_CONTEXT + f"{place.store_id}\n{place.generation}".encode()
        hkdf = HKDF(algorithm=SHA256(), length=KEK_BYTES, salt=None, info=info)
        return hkdf.derive(self._stretch(place) + anchor)

    def _stretch(self, place: KekPlace) -> bytes:
        where = f"key store {place.store_id[:8]}"
        fields = Fields(place.told, where, ErrorKind.DAMAGED)
        fields.constant("kind", self.kind)
        params = Argon2idParams.take(fields.child("argon2id"))
        salt = fields.data("salt", SALT_BYTES)
        fields.end()
        if len(salt) != SALT_BYTES:
            raise fields.fail("salt", f"does not hold {SALT_BYTES} bytes")
        if salt not in self._stretched:
            if self._passphrase is None:
                raise OrvaultError(
                    ErrorKind.KEYS_LOCKED,
                    "The passphrase was changed since the store was unlocked.",
                    where=where,
                    advice="Unlock it again.",
                )
            self._stretched[salt] = derive(self._passphrase, salt, params, KEK_BYTES)
            self._passphrase = None
        return self._stretched[salt]


class Anchors:
    """The anchors in one folder, `GENERATION.json` each; the folder is never part of a back-up.

    `drop`: 1. rename to an ending that no reader looks at; 2. fsync the folder: from here on it has ended;
    3. overwrite and fsync; 4. remove. Overwriting is best effort: a flash disk may keep old blocks, so the disk
    should be encrypted.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def present(self, store_id: str) -> frozenset[int]:
        """Generations that have an anchor here; what a crash left of ended ones is erased first.

        Errors: DAMAGED for another store's anchor; STORAGE.
        """
        self._sweep()
        found = {int(match[1]) for path in self._files() if (match := _ANCHOR_NAME.fullmatch(path.name))}
        for generation in found:
            self.read(store_id, generation)
        return frozenset(found)

    def prepare(self, store_id: str, generation: int) -> None:
        """A new anchor, durably."""
        self._sweep()
        value: dict[str, object] = {
            "anchor": canonical.to_base64(os.urandom(ANCHOR_BYTES)),
            "format": "orvault-anchor",
            "generation": generation,
            "store_id": store_id,
            "version": 1,
        }
        write_private(self._path(generation), canonical.encode(value))

    def drop(self, generation: int) -> None:
        """End one. Errors: STORAGE."""
        path = self._path(generation)
        try:
            if path.exists():
                path.replace(path.with_suffix(DROPPED))
                sync_folder(self._folder)
        except OSError as error:
            raise storage_error(path, error) from error
        self._sweep()

    def read(self, store_id: str, generation: int) -> bytes:
        """The anchor. Errors: KEY_MISSING, DAMAGED."""
        path = self._path(generation)
        data = read_bounded(path, MAX_ANCHOR_FILE_BYTES, ErrorKind.KEY_MISSING)
        value = canonical.decode(
            data, max_bytes=MAX_ANCHOR_FILE_BYTES, where=str(path), kind=ErrorKind.DAMAGED
        )
        fields = Fields(value, str(path), ErrorKind.DAMAGED)
        fields.constant("format", "orvault-anchor")
        fields.constant("version", 1)
        fields.constant("generation", generation)
        fields.constant("store_id", store_id)
        anchor = fields.data("anchor", ANCHOR_BYTES)
        fields.end()
        if len(anchor) != ANCHOR_BYTES:
            raise fields.fail("anchor", f"does not hold {ANCHOR_BYTES} bytes")
        return anchor

    def _sweep(self) -> None:
        """Overwrite what has ended, and what a crash left half written; only one process at a time writes here."""
        for path in self._files():
            if path.suffix in (DROPPED, PART):
                _erase(path)

    def _files(self) -> list[Path]:
        return sorted(self._folder.iterdir()) if self._folder.is_dir() else []

    def _path(self, generation: int) -> Path:
        return self._folder / f"{generation:08d}.json"


def _erase(path: Path) -> None:
    try:
        size = path.stat().st_size
        with path.open("r+b") as file:
            file.write(bytes(size))
            flush_to_disk(file)
        path.unlink()
        sync_folder(path.parent)
    except OSError as error:
        raise storage_error(path, error) from error
