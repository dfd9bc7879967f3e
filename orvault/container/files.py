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


def write_private(path: Path, data: bytes, *, replace: bool = True) -> None:
    """Write `data` durably with mode 0600. Without `replace`, an existing file is left as it is.

    Raises:
        OrvaultError: CONFLICT if the file exists and may not be replaced; STORAGE.
    """
    part = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # mkstemp: exclusive and 0600 from the first moment, so no other account ever sees a key file open.
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        part = Path(name)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            flush_to_disk(file)
        _put(part, path, replace)
        sync_folder(path.parent)
    except FileExistsError as error:
        raise OrvaultError(
            ErrorKind.CONFLICT, "The file exists and is not overwritten.", where=str(path)
        ) from error
    except OSError as error:
        raise storage_error(path, error) from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)


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
