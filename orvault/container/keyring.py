"""The key ring: one small file that holds a key for every stored private key, sealed under the current KEK.

Rolling it (a new KEK, the old one ended) costs two file writes however many cases there are, because the private keys
themselves stay where they are under keys that move. What the entries open, and who may ask, is `keystore`'s part.
Source: docs/format/keystore-v1.md sections 2 to 4.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from orvault.container import canonical
from orvault.container.canonical import Fields
from orvault.container.files import read_bounded, storage_error, sync_folder, write_private
from orvault.container.kek import KEK_BYTES, NONCE_BYTES, KekPlace, KekSource
from orvault.errors import ErrorKind, OrvaultError

RING_FILE = "ring.json"
NEXT_FILE = "ring.next.json"
LOCK_FILE = ".lock"
ID_BYTES = 32
ENTRY_BYTES = ID_BYTES + KEK_BYTES
MAX_ENTRIES = 1_000_000
MAX_RING_BYTES = 128 << 20
MAX_DROPPED = 10_000
RING_CONTEXT = b"orvault/key-ring/v1\n"


def entry_id(kind: str, name: str) -> bytes:
    """Names an entry, and as hexadecimal digits its file: any name is a good file name this way."""
    return hashlib.sha256(f"orvault/stored-key/v1\n{kind}\n{name}".encode()).digest()


@dataclass(frozen=True)
class _Head:
    """What a ring says in clear; all of it is authenticated."""

    store_id: str
    generation: int
    kek: Mapping[str, object]
    dropped: tuple[str, ...] = ()

    @property
    def place(self) -> KekPlace:
        return KekPlace(self.store_id, self.generation, self.kek)

    def to_json(self) -> dict[str, object]:
        return {
            "dropped": list(self.dropped),
            "format": "orvault-key-ring",
            "generation": self.generation,
            "kek": dict(self.kek),
            "store_id": self.store_id,
            "version": 1,
        }


@dataclass(frozen=True)
class _Sealed:
    head: _Head
    sealed_key: bytes
    sealed: bytes


class KeyRing:
    """An open ring. Many processes may have it open: each writes under a lock, after reading what others wrote."""

    def __init__(self, folder: Path, source: KekSource) -> None:
        self._folder = folder
        self._source = source
        self._head = _Head("", 0, {})
        self._entries: dict[bytes, bytes] = {}
        self._seen: tuple[int, int, int] | None = None

    def __repr__(self) -> str:
        return f"KeyRing({str(self._folder)!r})"

    @classmethod
    def create(cls, folder: Path, source: KekSource) -> KeyRing:
        """A new, empty ring of generation 1. Errors: CONFLICT if there is one already; BAD_REQUEST; STORAGE."""
        if (folder / RING_FILE).exists():
            raise OrvaultError(
                ErrorKind.CONFLICT, "There is a key store already; it is kept.", where=str(folder)
            )
        ring = cls(folder, source)
        head = _Head(os.urandom(16).hex(), 1, source.fresh())
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with locked(folder):
            source.prepare(head.store_id, head.generation)
            write_private(folder / RING_FILE, ring._seal(source, head, {}), replace=False)
            ring._load()
        return ring

    @classmethod
    def open(cls, folder: Path, source: KekSource) -> KeyRing:
        """Finish or undo what a crash interrupted, then open the ring.

        Errors: KEY_MISSING (none here, or its KEK has ended), WRONG_PASSPHRASE, DAMAGED.
        """
        if not (folder / RING_FILE).exists():
            raise OrvaultError(ErrorKind.KEY_MISSING, "There is no key store here.", where=str(folder))
        ring = cls(folder, source)
        with locked(folder):
            ring._refresh()
        return ring

    @property
    def generation(self) -> int:
        """How often it was rolled, from 1."""
        self._refresh_if_changed()
        return self._head.generation

    def get(self, name: bytes) -> bytes | None:
        """An entry's key; None if it was never here or was destroyed."""
        self._refresh_if_changed()
        return self._entries.get(name)

    def add(self, name: bytes) -> bytes:
        """An entry's key, made now if there is none. Durable when it returns."""
        with locked(self._folder):
            self._refresh()
            if name not in self._entries:
                if len(self._entries) >= MAX_ENTRIES:
                    raise OrvaultError(
                        ErrorKind.STORAGE, "The key ring is full; destroy what has run out.", where=repr(self)
                    )
                entries = self._entries | {name: os.urandom(KEK_BYTES)}
                head = replace(self._head, dropped=())
                write_private(self._folder / RING_FILE, self._seal(self._source, head, entries))
                self._load()
            return self._entries[name]

    def roll(
        self, drop: Collection[bytes] = (), source: KekSource | None = None, files: Collection[Path] = ()
    ) -> None:
        """A new KEK over all entries but those of `drop`; the old KEK ends, and with it every copy of the old ring.

        `source` replaces the passphrase. `files` (below the folder) held the dropped keys and are removed.
        1. the new generation's KEK is prepared; 2. the new ring is written beside the old one; 3. the old generation
        is ended: this is the moment; 4. the new ring takes the old one's name; 5. the files are removed.
        After a crash the next opening undoes 1 and 2, or finishes 4 and 5.
        """
        new = source or self._source
        if new.kind != self._source.kind:
            raise OrvaultError(ErrorKind.BAD_REQUEST, f"A store under {self._source.kind} stays under it.")
        told = None if source is None else source.fresh()
        with locked(self._folder):
            self._refresh()
            old, entries = self._head, {k: v for k, v in self._entries.items() if k not in set(drop)}
            names = tuple(sorted(path.relative_to(self._folder).as_posix() for path in files))
            head = replace(old, generation=old.generation + 1, kek=told or old.kek, dropped=names)
            new.prepare(head.store_id, head.generation)  # 1
            write_private(self._folder / NEXT_FILE, self._seal(new, head, entries))  # 2
            self._source.drop(old.store_id, old.generation)  # 3
            self._source = new
            self._refresh()  # 4 and 5, by the same steps as after a crash

    def _refresh_if_changed(self) -> None:
        if _signature(self._folder / RING_FILE) != self._seen:
            with locked(self._folder):
                self._refresh()

    def _refresh(self) -> None:
        """Under the lock: settle what a crash left, and read the ring if another process wrote it."""
        self._settle()
        if _signature(self._folder / RING_FILE) != self._seen:
            self._load()

    def _settle(self) -> None:
        head = _read(self._folder / RING_FILE).head
        present = self._source.present(head.store_id)
        following = self._folder / NEXT_FILE
        if head.generation in present:
            _remove(following)
            for generation in present:
                if generation > head.generation:
                    self._source.drop(head.store_id, generation)
        elif following.exists() and (later := _read(following).head).generation in present:
            try:
                following.replace(self._folder / RING_FILE)  # 4
                sync_folder(self._folder)
            except OSError as error:
                raise storage_error(following, error) from error
            head = later
        else:
            raise _ended(self._folder, head, present)
        for name in head.dropped:  # 5
            path = self._folder / name
            for each in (path, *path.parent.glob(f".{path.name}.*.part")):
                _remove(each)
        for part in self._folder.glob(
            ".ring*.part"
        ):  # rings are written under the lock alone: a crash left these
            _remove(part)

    def _load(self) -> None:
        path = self._folder / RING_FILE
        seen, ring = _signature(path), _read(path)
        context = RING_CONTEXT + canonical.encode(ring.head.to_json())
        key = self._source.unwrap(ring.head.place, ring.sealed_key, context)
        try:
            nonce, body = ring.sealed[:NONCE_BYTES], ring.sealed[NONCE_BYTES:]
            plain = AESGCM(key).decrypt(nonce, body, context)
        except (InvalidTag, ValueError) as error:
            raise OrvaultError(ErrorKind.DAMAGED, "The key ring was altered.", where=str(path)) from error
        self._entries = {
            plain[at : at + ID_BYTES]: plain[at + ID_BYTES : at + ENTRY_BYTES]
            for at in range(0, len(plain), ENTRY_BYTES)
        }
        self._head, self._seen = ring.head, seen

    def _seal(self, source: KekSource, head: _Head, entries: Mapping[bytes, bytes]) -> bytes:
        context = RING_CONTEXT + canonical.encode(head.to_json())
        key, nonce = os.urandom(KEK_BYTES), os.urandom(NONCE_BYTES)
        plain = b"".join(name + entries[name] for name in sorted(entries))
        sealed = nonce + AESGCM(key).encrypt(nonce, plain, context)
        return canonical.encode(
            head.to_json()
            | {
                "sealed": canonical.to_base64(sealed),
                "sealed_key": canonical.to_base64(source.wrap(head.place, key, context)),
            }
        )


def _read(path: Path) -> _Sealed:
    data = read_bounded(path, MAX_RING_BYTES, ErrorKind.KEY_MISSING)
    value = canonical.decode(data, max_bytes=MAX_RING_BYTES, where=str(path), kind=ErrorKind.DAMAGED)
    fields = Fields(value, str(path), ErrorKind.DAMAGED)
    fields.constant("format", "orvault-key-ring")
    fields.constant("version", 1)
    kek = fields.take("kek")
    if not isinstance(kek, Mapping):
        raise fields.fail("kek", "is not an object")
    dropped = fields.texts("dropped", 0, MAX_DROPPED, 80)
    if any(name.startswith("/") or ".." in name for name in dropped):
        raise fields.fail("dropped", "names a file outside the store")
    head = _Head(fields.identifier("store_id"), fields.integer("generation", 1), kek, dropped)
    ring = _Sealed(head, fields.data("sealed_key", 256), fields.data("sealed", MAX_RING_BYTES))
    fields.end()
    return ring


def _ended(folder: Path, head: _Head, present: Collection[int]) -> OrvaultError:
    known = ", ".join(str(generation) for generation in sorted(present)) or "none"
    return OrvaultError(
        ErrorKind.KEY_MISSING,
        f"This key ring is of generation {head.generation}, whose KEK is not there (there: {known}).",
        where=str(folder),
        advice="It is a copy from before a key was destroyed or a passphrase changed, or the anchor is lost. "
        "An older copy of the store opens nothing; restore the newest one.",
    )


def _signature(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size


def _remove(path: Path) -> None:
    try:
        if path.exists():
            path.unlink()
            sync_folder(path.parent)
    except OSError as error:
        raise storage_error(path, error) from error


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One writer at a time, over all processes; the lock ends with its process, however that ends."""
    try:
        handle = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise storage_error(folder / LOCK_FILE, error) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
