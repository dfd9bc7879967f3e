"""Puts a whole file on disk, or nothing: the one way in which this product writes what must not be lost."""

from __future__ import annotations

import os
from pathlib import Path

PART = ".part"  # the ending of a file that is not whole yet


def write_durably(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write `data` as `path`; after this returns, a power cut leaves the whole file.

    1. write PATH.part with its final permissions; 2. fsync it; 3. rename it; 4. fsync the folder.
    Errors: OSError, with PATH untouched.
    """
    part = path.with_name(path.name + PART)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    fsync_folder(path.parent)


def fsync_folder(folder: Path) -> None:
    """Make renames in a folder survive a power cut. A no-op where folders cannot be opened (Windows)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_secret(path: Path, data: bytes) -> None:
    """Write a file that only its owner may read, making its folders (0700) as needed."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_durably(path, data, mode=0o600)
