"""The key store: case private keys, and the standing vault key, in a folder that opens under a KEK only.

Grants (who may open what) are the key service's business; how the KEK is made and ended is `kek`'s and `keyring`'s; a
key's file is `storedkey`'s.
What can be done while the store is locked is `vaultkey`'s.
Source: docs/format/keystore-v1.md.

    folder/ring.json         a key per stored private key, sealed under the KEK
    folder/cases/ID.json     one case: public key in clear, private key sealed under its key of the ring
    folder/vault/ID.json     the same for a standing vault key
    folder/vault.json        the public half of the vault key in use, in clear
    folder/handed/ID.json    a case that was given the vault key because the store was locked
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from orvault.container import canonical, vaultkey
from orvault.container.files import write_private
from orvault.container.kek import KekSource, PassphraseKek
from orvault.container.keyring import RING_FILE, KeyRing, entry_id
from orvault.container.keys import Argon2idParams, Kem, PrivateKey, PublicKey, generate_private_key
from orvault.container.storedkey import CASE, FOLDERS, VAULT, StoredKey, altered
from orvault.container.vaultkey import VaultUse
from orvault.errors import ErrorKind, OrvaultError

MARK = "mark"


def default_anchors(folder: Path) -> Path:
    """Where a store's anchor lies unless the settings say otherwise: beside the store, never in it."""
    return folder.with_name(f"{folder.name}.anchor")


class KeyStore:
    """An unlocked key store. Its representation shows the folder, never a key."""

    def __init__(self, folder: Path, ring: KeyRing) -> None:
        self._folder = folder
        self._ring = ring
        self._by_thumbprint: dict[str, Path] = {}

    def __repr__(self) -> str:
        return f"KeyStore({str(self._folder)!r})"

    @staticmethod
    def exists(folder: Path) -> bool:
        """Whether there is a key store in this folder."""
        return (folder / RING_FILE).is_file()

    @classmethod
    def create(cls, folder: Path, secret: str | KekSource, params: Argon2idParams | None = None) -> KeyStore:
        """A new key store with its vault key. `secret`: a passphrase (then with the anchor beside the folder), or
        another KEK.

        Raises:
            OrvaultError: BAD_REQUEST for a passphrase under 10 characters, CONFLICT if there is a store already.
        """
        store = cls(folder, KeyRing.create(folder, _source(folder, secret, params)))
        store.renew_vault_key()
        return store

    @classmethod
    def unlock(cls, folder: Path, secret: str | KekSource) -> KeyStore:
        """Open a key store, after finishing or undoing what a crash interrupted.

        Raises:
            OrvaultError: KEY_MISSING if there is none or its KEK has ended, WRONG_PASSPHRASE, DAMAGED if a file
            is not readable, or the vault key that nodes were given is none of this store's.
        """
        store = cls(folder, KeyRing.open(folder, _source(folder, secret, None)))
        store._check_vault_key()
        if any(use.thumbprint == store._current_vault() for use in vaultkey.uses(folder)):
            store.renew_vault_key()  # a used one has to end some day, with the cases that it was used for
        return store

    @property
    def generation(self) -> int:
        """How often its KEK was rolled, from 1."""
        return self._ring.generation

    def refresh(self) -> None:
        """Read what other processes wrote. Errors: KEYS_LOCKED (the passphrase was changed), KEY_MISSING."""
        _ = self._ring.generation

    def new_case_key(self, case_id: str, kem: Kem = Kem.MLKEM768_X25519) -> PublicKey:
        """Make a case's key pair, durably; returns its public half, also of a key that is there already.

        1. the ring gets a key for it; 2. the private key is written under that key. After a crash in between the call
        is made again.

        Raises:
            OrvaultError: BAD_REQUEST for something that is no case id, DAMAGED if the existing file does not open.
        """
        if not canonical.is_identifier(case_id):
            raise OrvaultError(ErrorKind.BAD_REQUEST, "This is not a case id.", where=case_id[:80])
        return self._new_key(CASE, case_id, lambda: generate_private_key(kem))

    def private_key(self, thumbprint: str) -> PrivateKey:
        """The private key that a thumbprint names; KEY_MISSING if it was never here or was destroyed."""
        path = self._find(thumbprint)
        if path is None:
            raise OrvaultError(
                ErrorKind.KEY_MISSING, "The key store holds no such key.", where=thumbprint[:16]
            )
        private = self._open(path)
        if private.public().thumbprint != thumbprint:
            raise OrvaultError(ErrorKind.DAMAGED, "The file holds another key than it says.", where=str(path))
        return private

    def holds(self, thumbprint: str) -> bool:
        """Whether `private_key` would find it."""
        return self._find(thumbprint) is not None

    def knows_case(self, case_id: str) -> bool:
        """Whether anything is left to destroy of a case: a key of its own, or a vault key that it was given."""
        given = [use.thumbprint for use in vaultkey.uses(self._folder) if use.case_id == case_id]
        return self._ring.get(entry_id(CASE, case_id)) is not None or any(map(self.is_vault_key, given))

    def destroy_case_key(self, case_id: str) -> None:
        """Destroy a case's key: its segments never open again, nor does any older copy of this store.

        A case that was sealed to a vault key takes that vault key with it. Whoever calls this has decided that it may
        be; calling it again is no error (a crash may have come in between).

        Raises:
            OrvaultError: KEY_MISSING if the case has no key; CONFLICT while other cases still need the same
            vault key.
        """
        names = [(CASE, case_id)]
        use = next((use for use in vaultkey.uses(self._folder) if use.case_id == case_id), None)
        if use is not None:
            self._require_settled(use)
            names.append((VAULT, use.thumbprint))
        known = [(kind, name) for kind, name in names if self._ring.get(entry_id(kind, name)) is not None]
        if not known:
            raise OrvaultError(ErrorKind.KEY_MISSING, "The case has no key here.", where=case_id[:80])
        marks = () if use is None else vaultkey.marks_of(self._folder, use.thumbprint)
        files = [*(self._path(kind, name) for kind, name in names), *marks]
        self._ring.roll([entry_id(kind, name) for kind, name in known], files=files)
        self._by_thumbprint.clear()

    def _require_settled(self, use: VaultUse) -> None:
        """Nothing but this case needs its vault key any more, and nobody is given it again."""
        others = [each for each in vaultkey.uses(self._folder) if each.thumbprint == use.thumbprint]
        waiting = sum(not each.settled for each in others if each.case_id != use.case_id)
        if waiting:
            raise OrvaultError(
                ErrorKind.CONFLICT,
                f"{waiting} other cases were sealed to the same vault key and are not re-wrapped yet.",
                where=use.case_id,
                advice="That happens by itself while the key store is unlocked and their nodes answer.",
            )
        if self._current_vault() == use.thumbprint:
            self.renew_vault_key()

    def rotate(self, secret: str | KekSource | None = None, params: Argon2idParams | None = None) -> None:
        """A new KEK, and with `secret` a new passphrase (or PIN); every older copy of the store stops opening.

        Vault keys that nobody needs any more go with the old one.
        """
        source = None if secret is None else _source(self._folder, secret, params)
        self.renew_vault_key()
        spent = self._spent_vault_keys()
        marks = [mark for name in spent for mark in vaultkey.marks_of(self._folder, name)]
        files = [*(self._path(VAULT, name) for name in spent), *marks]
        self._ring.roll([entry_id(VAULT, name) for name in spent], source, files)
        self._by_thumbprint.clear()

    def renew_vault_key(self) -> PublicKey:
        """A new vault key in use; the one before stays as long as something is sealed to it."""
        private = generate_private_key()
        public = self._new_key(VAULT, private.public().thumbprint, lambda: private)
        vaultkey.publish(self._folder, public)
        return public

    def site_mark_key(self) -> bytes:
        """The 32 bytes under which the invisible marks of this site's copies are made; made at the first call.

        It is an entry of the ring and no file: it opens nothing; only what is derived from it leaves (marks.keys).
        """
        return self._ring.add(entry_id(MARK, "site"))

    def is_vault_key(self, thumbprint: str) -> bool:
        """Whether this names a vault key, in use or not, that is still here."""
        return self._ring.get(entry_id(VAULT, thumbprint)) is not None

    def _current_vault(self) -> str:
        return vaultkey.read(self._folder).thumbprint

    def _spent_vault_keys(self) -> list[str]:
        """Vault keys neither in use nor needed by a case."""
        needed = {use.thumbprint for use in vaultkey.uses(self._folder) if not use.settled}
        needed.add(self._current_vault())
        names = [StoredKey.read(path).name for path in sorted((self._folder / FOLDERS[VAULT]).glob("*.json"))]
        return [name for name in names if name not in needed and self.is_vault_key(name)]

    def _check_vault_key(self) -> None:
        """What nodes were given while the store was locked must be ours: anybody could have written there."""
        try:
            current = vaultkey.read(self._folder)
        except OrvaultError as error:
            if error.kind is not ErrorKind.KEY_MISSING:
                raise
            self.renew_vault_key()
            return
        if not self.is_vault_key(current.thumbprint) or self._opened_public(current.thumbprint) != current:
            raise OrvaultError(
                ErrorKind.DAMAGED,
                "This vault key was not made by this key store; what was sealed to it since opens for a stranger.",
                where=str(vaultkey.path_in(self._folder)),
                advice="Find out who wrote it; then remove the file, and the next unlock makes a new one.",
            )

    def _opened_public(self, vault_name: str) -> PublicKey:
        return self._open(self._path(VAULT, vault_name)).public()

    def _new_key(self, kind: str, name: str, make: Callable[[], PrivateKey]) -> PublicKey:
        path = self._path(kind, name)
        key = self._ring.get(entry_id(kind, name))
        if key is None and path.exists():
            raise OrvaultError(
                ErrorKind.DAMAGED,
                "The key file is there, but the key ring does not know it.",
                where=str(path),
                advice="The ring may be an older copy: restore the newest one.",
            )
        if key is None or not path.exists():
            key = self._ring.add(entry_id(kind, name))  # 1
            try:
                write_private(path, StoredKey.seal(kind, name, make(), key).encode(), replace=False)  # 2
            except OrvaultError as error:
                if error.kind is not ErrorKind.CONFLICT:  # another was faster: its key is the case's key
                    raise
        # Opened even here: a public key somebody swapped in the file would make every later recording his.
        return self._open(path).public()

    def _path(self, kind: str, name: str) -> Path:
        return self._folder / FOLDERS[kind] / f"{entry_id(kind, name).hex()}.json"

    def _find(self, thumbprint: str) -> Path | None:
        path = self._by_thumbprint.get(thumbprint)
        if path is None or not path.exists():
            self._index()
            path = self._by_thumbprint.get(thumbprint)
        return path if path is not None and self._ring.get(bytes.fromhex(path.stem)) is not None else None

    def _open(self, path: Path) -> PrivateKey:
        stored = StoredKey.read(path)
        if self._path(stored.kind, stored.name) != path:
            raise altered(path)
        return stored.open(self._ring.get(entry_id(stored.kind, stored.name)), path)

    def _index(self) -> None:
        """Read every public half again: keys come and go by other hands than this object's too."""
        found: dict[str, Path] = {}
        for folder in FOLDERS.values():
            for path in sorted((self._folder / folder).glob("*.json")):
                found[StoredKey.read(path).public.thumbprint] = path
        self._by_thumbprint = found


def _source(folder: Path, secret: str | KekSource, params: Argon2idParams | None) -> KekSource:
    return PassphraseKek(secret, default_anchors(folder), params) if isinstance(secret, str) else secret
