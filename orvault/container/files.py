"""Durable, private files: what is written here is either wholly there after a crash, or not at all.

Numbered order: 1. write under a name ending in .part; 2. fsync the file; 3. rename; 4. fsync the directory.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import BinaryIO

from orvault.errors import ErrorKind, OrvaultError


def write_private(path: Path, data: bytes | bytearray, *, replace: bool = True) -> None:
    """Write `data` durably with mode 0600. Without `replace`, an existing file is left as it is.

    Raises:
        OrvaultError: CONFLICT if the file exists and may not be replaced; STORAGE.
    """
    with PrivateFile(path) as file:
        file.write(data)
        file.keep(replace=replace)


class PrivateFile:
    """A private file that is written bit by bit: after `keep` it is there, durably; else nothing of it stays.

    Errors of all it does: STORAGE.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # mkstemp: exclusive and 0600 from the first moment, so no other account ever sees a key file open.
            handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        except OSError as error:
            raise storage_error(path, error) from error
        self._part, self._file = Path(name), os.fdopen(handle, "wb")

    def write(self, data: bytes | bytearray | memoryview, /) -> int:
        """Take all of `data`."""
        try:
            return self._file.write(data)
        except OSError as error:
            raise storage_error(self._path, error) from error

    def keep(self, *, replace: bool = True) -> None:
        """It is whole. CONFLICT if its name is taken and may not be."""
        try:
            flush_to_disk(self._file)
            self._file.close()
            _put(self._part, self._path, replace)
            sync_folder(self._path.parent)
        except FileExistsError as error:
            raise OrvaultError(
                ErrorKind.CONFLICT, "The file exists and is not overwritten.", where=str(self._path)
            ) from error
        except OSError as error:
            raise storage_error(self._path, error) from error

    def __enter__(self) -> PrivateFile:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._file.close()
        except OSError as error:  # what was buffered found no room
            raise storage_error(self._path, error) from error
        finally:
            self._part.unlink(missing_ok=True)


def _put(part: Path, path: Path, replace: bool) -> None:
    if replace:
        part.replace(path)
    elif os.name == "posix":
        path.hardlink_to(part)  # unlike rename, fails atomically if the name is taken
    else:
        part.rename(path)  # on Windows rename itself refuses an existing name


def flush_to_disk(file: BinaryIO) -> None:
    """Flush Python's buffer and fsync."""
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make a rename in this folder durable; a no-op where folders cannot be opened (Windows)."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def storage_error(path: Path, error: OSError) -> OrvaultError:
    """What an OSError means to a person; the space that is left stands beside the place, for the log alone."""
    reason = error.strerror or type(error).__name__
    try:
        free = f" ({shutil.disk_usage(path.parent).free // 2**20} MiB are free there)"
    except OSError:
        free = ""
    return OrvaultError(ErrorKind.STORAGE, f"It could not be written: {reason}.", where=f"{path}{free}")


def read_bounded(path: Path, max_bytes: int, kind: ErrorKind = ErrorKind.NOT_FOUND) -> bytes:
    """The whole of a small file.

    Raises:
        OrvaultError: `kind` if it cannot be read, BAD_REQUEST if it is larger than `max_bytes`.
    """
    try:
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise OrvaultError(kind, f"It could not be read: {reason}.", where=str(path)) from error
    if len(data) > max_bytes:
        raise OrvaultError(
            ErrorKind.BAD_REQUEST,
            f"It is larger than {max_bytes} bytes, which no such file is.",
            where=str(path),
        )
    return data
