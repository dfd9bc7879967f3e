"""Which runs on a node's disk hold records that the ledger may not have: what is read again after a restart.

It knows runs, not records, and nothing of who tells the ledger (`actors.outbox`). Without it everything on the disk
is offered again, which costs more with every year.

Layout: ROOT/.unconfirmed/RUN.json for each such run, and .ledger.json: the newest entry of history that the ledger
had when the last mark was taken away. The marks mean something only beside a ledger that has that entry: one that was
brought back from an older back-up lacks it, and lacks what was confirmed since.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from orvault.container import canonical
from orvault.container.canonical import Fields, is_identifier
from orvault.errors import ErrorKind, OrvaultError
from orvault.recording.disk import Disk, RealDisk, make_folders, part_of, storage_error
from orvault.recording.folders import entries

FOLDER = ".unconfirmed"  # no case has this id
_LEDGER = ".ledger.json"  # no run has this id
_MAX_BYTES = 4096


class RunKey(NamedTuple):
    """Where a run lies below the root."""

    case_id: str
    camera_id: str
    run_id: str


@dataclass(frozen=True, slots=True)
class Landmark:
    """An entry of history by its number and hash, by which a ledger is known again; no entry: -1 and ""."""

    seq: int
    leaf_hash: str


class Unconfirmed:
    """The marks under one segment store's root; safe to share between threads.

    `begin`, before the first record of a run that may be unconfirmed becomes durable:
      1. the folder is made, synced into its parent; 2. RUN.json.part is written and synced; 3. it is renamed; 4. the
      folder is synced. Now, and not before, a record of the run may be written.
    `settle`, when the ledger has confirmed all records of some runs, and then shown a newer entry of history:
      1. .ledger.json.part is written and synced; 2. it is renamed; 3. the folder is synced; 4. the marks are removed.
    After a crash anywhere a mark may be there for a run that is confirmed, which costs a few repeated offers. None is
    missing for one that is not.
    """

    def __init__(self, root: Path, disk: Disk | None = None) -> None:
        self._root, self._folder = root, root / FOLDER
        self._disk = disk or RealDisk()
        self._turn = threading.Lock()
        self._known: set[str] = set()  # runs whose mark is durable

    def begin(self, run: RunKey) -> None:
        """Mark a run, durably; one that is marked costs nothing. Errors: STORAGE, BAD_REQUEST."""
        if not all(map(is_identifier, run)):
            raise OrvaultError(ErrorKind.BAD_REQUEST, "An id cannot be a file's name.", where="run")
        with self._turn:
            if run.run_id not in self._known:
                self._write(self._path(run), {"format": "orvault-unconfirmed", "version": 1} | run._asdict())
                self._known.add(run.run_id)

    def settle(self, runs: Iterable[RunKey], landmark: Landmark) -> None:
        """Take marks away: this ledger, which has this entry, has confirmed these runs. Errors: STORAGE.

        The landmark is younger than the confirmations. The caller sees to it that no record of these runs is written
        meanwhile.
        """
        with self._turn:
            self._write(  # 1 to 3
                self._folder / _LEDGER,
                {
                    "format": "orvault-ledger",
                    "leaf_hash": landmark.leaf_hash,
                    "seq": landmark.seq,
                    "version": 1,
                },
            )
            for run in runs:  # 4
                self._remove(self._path(run))  # not synced: one that comes back costs repeated offers
                self._known.discard(run.run_id)

    def distrust(self) -> None:
        """Forget the ledger: until the next `settle` the marks do not say all. Errors: STORAGE."""
        with self._turn:
            self._remove(self._folder / _LEDGER)
            if self._folder.is_dir():
                self._sync()

    def landmark(self) -> Landmark | None:
        """The entry that the ledger must have for the marks to say all; None if nothing may be left out."""
        try:
            fields = self._read(self._folder / _LEDGER, "orvault-ledger")
            if fields is None:
                return None
            landmark = Landmark(fields.integer("seq", -1), fields.digest("leaf_hash", empty=True))
            fields.end()
        except OrvaultError:
            return None
        return landmark

    def runs(self) -> list[RunKey] | None:
        """The marked runs, by name; None if a mark cannot be read, so that nothing may be left out."""
        found = []
        try:
            for path in entries(self._folder):
                if path.suffix != ".json" or path.name == _LEDGER:
                    continue
                fields = self._read(path, "orvault-unconfirmed")
                if fields is None:
                    continue
                found.append(RunKey(*(fields.identifier(name) for name in RunKey._fields)))
                fields.end()
        except OrvaultError:
            return None
        return found

    def _path(self, run: RunKey) -> Path:
        return self._folder / f"{run.run_id}.json"

    def _write(self, path: Path, value: dict[str, object]) -> None:
        try:
            self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
            make_folders(self._disk, self._root, (FOLDER,))
            self._disk.write(part_of(path), canonical.encode(value))
            self._disk.replace(part_of(path), path)
            self._disk.sync(self._folder)
        except OSError as error:
            raise storage_error("What the ledger lacks could not be noted", path, error) from error

    def _remove(self, path: Path) -> None:
        try:
            self._disk.remove(path)
        except OSError as error:
            raise storage_error("A mark could not be removed", path, error) from error

    def _sync(self) -> None:
        try:
            self._disk.sync(self._folder)
        except OSError as error:
            raise storage_error("A mark could not be removed", self._folder, error) from error

    @staticmethod
    def _read(path: Path, form: str) -> Fields | None:
        """The fields of one file; None if it is not there. Errors: DAMAGED, STORAGE."""
        try:
            with path.open("rb") as file:
                data = file.read(_MAX_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise storage_error("A mark could not be read", path, error) from error
        where, kind = str(path), ErrorKind.DAMAGED
        value = canonical.decode(data, max_bytes=_MAX_BYTES, where=where, kind=kind)
        fields = Fields(value, where, kind)
        fields.constant("format", form)
        fields.constant("version", 1)
        return fields
