"""The few acts on the file system that durable storage is made of: one at a time, so a test can stop there.

Which acts, and in which order, is for `store`, `gaps` and `orders`.
"""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path
from typing import Protocol

from orvault.container.wire import Bytes
from orvault.errors import ErrorKind, OrvaultError

PART = ".part"  # the ending of a file that is not whole yet


class Disk(Protocol):
    """What storage needs of a file system. Every act raises OSError and changes nothing else."""

    def make_folder(self, folder: Path) -> None:
        """Make one folder (0700) and its entry in the parent durable; one that exists is left as it is."""
        ...

    def write(self, path: Path, *pieces: Bytes) -> None:
        """Write a file (0600) anew, piece after piece; its contents durable, its name not yet."""
        ...

    def publish(self, part: Path, final: Path) -> None:
        """Give a file its final name; FileExistsError if the name is taken."""
        ...

    def replace(self, part: Path, final: Path) -> None:
        """Give a file its final name in place of whatever has it, in one step."""
        ...

    def remove(self, path: Path) -> None:
        """Remove a name; one that is gone is no error."""
        ...

    def sync(self, folder: Path) -> None:
        """Make the names in a folder durable."""
        ...

    def free(self, folder: Path) -> int:
        """Bytes that may still be written there."""
        ...


class RealDisk:
    """A POSIX file system (servers run Linux)."""

    def make_folder(self, folder: Path) -> None:
        """See `Disk`."""
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            return
        self.sync(folder.parent)

    def write(self, path: Path, *pieces: Bytes) -> None:
        """See `Disk`."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            for piece in pieces:
                left = memoryview(piece)
                while left:
                    left = left[file.write(left) :]
            os.fsync(file.fileno())

    def publish(self, part: Path, final: Path) -> None:
        """See `Disk`. A hard link refuses a taken name in one step; a rename would overwrite it."""
        final.hardlink_to(part)
        self.remove(part)

    def replace(self, part: Path, final: Path) -> None:
        """See `Disk`."""
        part.replace(final)

    def remove(self, path: Path) -> None:
        """See `Disk`."""
        path.unlink(missing_ok=True)

    def sync(self, folder: Path) -> None:
        """See `Disk`."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def free(self, folder: Path) -> int:
        """See `Disk`."""
        return shutil.disk_usage(folder).free


def make_folders(disk: Disk, root: Path, below: tuple[str, ...]) -> Path:
    """root/A/B/..., each made durably; the folder."""
    folder = root
    for name in below:
        folder = folder / name
        if not folder.is_dir():
            disk.make_folder(folder)
    return folder


def part_of(path: Path) -> Path:
    """The name under which a file is written before it is whole."""
    return path.with_name(path.name + PART)


def own_part_of(path: Path) -> Path:
    """As `part_of`, under a name that no other writer uses, living or dead."""
    return path.with_name(f"{path.name}.{secrets.token_hex(4)}{PART}")


def storage_error(what: str, path: Path, error: OSError) -> OrvaultError:
    """An OSError for a person: what could not be done and why; the place, for the log, with the room that is left."""
    reason = error.strerror or type(error).__name__
    message = f"{what}: {reason}."
    advice = "Make room or repair the disk; recording goes on by itself when it can be written again."
    return OrvaultError(ErrorKind.STORAGE, message, where=f"{path}{_room(path)}", advice=advice)


def read_file(path: Path, max_bytes: int, head_bytes: int = -1) -> bytes:
    """A file, or its beginning, through no symbolic link. Errors: NOT_FOUND, STORAGE; ALTERED if it is too large."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        with os.fdopen(descriptor, "rb") as file:
            if os.fstat(file.fileno()).st_size > max_bytes:
                raise OrvaultError(
                    ErrorKind.ALTERED, f"It is larger than {max_bytes} bytes.", where=str(path)
                )
            return file.read(head_bytes)
    except FileNotFoundError as error:
        raise OrvaultError(ErrorKind.NOT_FOUND, "It is not on this node's disk.", where=str(path)) from error
    except OSError as error:
        raise storage_error("It could not be read", path, error) from error


def _room(path: Path) -> str:
    for folder in path.parents:
        try:
            usage = shutil.disk_usage(folder)
        except OSError:
            continue
        return f" ({usage.free // 2**20} of {usage.total // 2**20} MiB are free there)"
    return ""
