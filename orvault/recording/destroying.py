"""Removes what a node's disk holds of a case, for good, and remembers that nothing of it may be written any more.

That the case's recordings are to be destroyed, and that their key is gone already, the server knows. Nothing here is
overwritten: what a disk keeps of a removed file is sealed to a key that no longer exists.

Layout: ROOT/.destroyed/CASE.json, one mark for each such case.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from orvault.container import canonical
from orvault.container.canonical import Fields, is_identifier
from orvault.container.files import read_bounded
from orvault.errors import ErrorKind, OrvaultError
from orvault.recording.disk import Disk, RealDisk, make_folders, part_of, storage_error
from orvault.recording.folders import entries

FOLDER = ".destroyed"  # no case has this id
MAX_MARK_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Erased:
    """What was removed of a case: how many files, and how many bytes those had."""

    files: int
    bytes: int


class DestroyedCases:
    """The marks under one segment store's root; safe to share between threads.

    `erase`, in this order, each step doing nothing where it was done before a crash:
      1. CASE.json.part is written and synced; 2. it is renamed; 3. the folder is synced: from here on nothing of the
      case is written on this node; 4. every file of key slots is removed; 5. every other file; 6. the folders, from
      the innermost outwards; 7. the root is synced.
    """

    def __init__(self, root: Path, disk: Disk | None = None) -> None:
        self._root, self._disk = root, disk or RealDisk()
        self._turn = threading.Lock()
        marks = [path for path in entries(root / FOLDER) if path.suffix == ".json"]
        self._epochs = {path.stem: _read(path) for path in marks}

    def check(self, case_id: str) -> None:
        """CONFLICT for a case whose recordings are destroyed: a camera that missed its stop goes nowhere with it."""
        if case_id in self._epochs:
            raise OrvaultError(
                ErrorKind.CONFLICT,
                "The recordings of this case are destroyed; nothing more is kept for it.",
                where=case_id,
            )

    def present(self) -> list[str]:
        """Ids of the cases of which anything lies on this disk. Errors: STORAGE."""
        return [path.name for path in entries(self._root) if is_identifier(path.name) and path.is_dir()]

    def erase(self, case_id: str, epoch: int) -> Erased:
        """Remove the case from this disk; see the class for the steps. Again is no error, and removes what came
        since.

        Errors: BAD_REQUEST; CONFLICT for an order with an older `epoch` than one that was carried out; STORAGE (what
        is left is removed by the next call).
        """
        if not is_identifier(case_id):
            raise OrvaultError(ErrorKind.BAD_REQUEST, "This is no case's id.", where="segment store")
        with self._turn:
            known = self._epochs.get(case_id, -1)
            if epoch < known:
                message = f"This order is of epoch {epoch}; one of epoch {known} was carried out."
                raise OrvaultError(ErrorKind.CONFLICT, message, where=case_id)
            folder = self._root / case_id
            try:
                if epoch > known:
                    self._mark(case_id, epoch)  # 1 to 3
                return self._remove(folder)  # 4 to 7
            except OSError as error:
                raise storage_error(
                    "Files of a destroyed case could not be removed", folder, error
                ) from error

    def _mark(self, case_id: str, epoch: int) -> None:
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder = make_folders(self._disk, self._root, (FOLDER,))
        path = folder / f"{case_id}.json"
        value = {"case_id": case_id, "epoch": epoch, "format": "orvault-destroyed", "version": 1}
        self._disk.write(part_of(path), canonical.encode(value))  # 1
        self._disk.replace(part_of(path), path)  # 2
        self._disk.sync(folder)  # 3
        self._epochs[case_id] = epoch

    def _remove(self, folder: Path) -> Erased:
        if not folder.is_dir():
            return Erased(0, 0)
        found = sorted(folder.rglob("*"))
        files = [path for path in found if path.is_symlink() or not path.is_dir()]
        size = sum(path.lstat().st_size for path in files)
        for path in sorted(files, key=lambda path: path.suffix != ".slots"):
            self._disk.remove(path)  # 4, 5
        folders = [path for path in found if path.is_dir() and not path.is_symlink()]
        for inner in sorted([folder, *folders], reverse=True):
            inner.rmdir()  # 6
        self._disk.sync(self._root)  # 7
        return Erased(len(files), size)


def _read(path: Path) -> int:
    """The epoch of a mark; -1 for one that cannot be read, so that the next order writes it anew."""
    try:
        data = read_bounded(path, MAX_MARK_BYTES, ErrorKind.STORAGE)
        value = canonical.decode(data, max_bytes=MAX_MARK_BYTES, where=str(path), kind=ErrorKind.DAMAGED)
        fields = Fields(value, str(path), ErrorKind.DAMAGED)
        fields.constant("format", "orvault-destroyed")
        fields.constant("version", 1)
        fields.constant("case_id", path.stem)
        epoch = fields.integer("epoch")
        fields.end()
    except OrvaultError:
        return -1
    return epoch
