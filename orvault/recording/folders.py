"""Walks the folders of a segment store: one that cannot be listed is told, and hides no other.

Layout: `store`. Nothing here opens a file.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from itertools import chain
from pathlib import Path

from orvault.errors import OrvaultError
from orvault.recording.disk import PART, storage_error

OnFault = Callable[[str, OrvaultError], None]  # a path below the root, and what is wrong with it


def entries(folder: Path) -> list[Path]:
    """What lies in a folder, by name; nothing if there is no such folder. Errors: STORAGE."""
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise storage_error("The folder could not be listed", folder, error) from error


def leftovers(folder: Path) -> list[Path]:
    """What crashes left in a run's folder: .part files, and slots whose segment never came. Errors: STORAGE."""
    found = entries(folder)
    names = {path.name for path in found}
    orphans = [path for path in found if path.suffix == ".slots" and f"{path.stem}.seg" not in names]
    parts = [path for path in (*found, *entries(folder / "gaps")) if path.name.endswith(PART)]
    return sorted([*parts, *orphans])


def run_folders(
    root: Path, on_fault: OnFault | None = None, runs: Collection[tuple[str, str, str]] | None = None
) -> Iterator[Path]:
    """The folder of every run below the root, or of those named, by case, camera and run; faults as `listed` does."""
    if runs is not None:
        return (root.joinpath(*run) for run in sorted(runs))
    cases = listed(_folders, root, root, on_fault)
    cameras = chain.from_iterable(listed(_folders, case, root, on_fault) for case in cases)
    return chain.from_iterable(listed(_folders, camera, root, on_fault) for camera in cameras)


def listed(
    look: Callable[[Path], list[Path]], folder: Path, root: Path, on_fault: OnFault | None
) -> list[Path]:
    """What `look` finds in the folder. STORAGE is given to `on_fault`; without it the error is raised."""
    try:
        return look(folder)
    except OrvaultError as error:
        if on_fault is None:
            raise
        on_fault(folder.relative_to(root).as_posix(), error)
        return []


def _folders(folder: Path) -> list[Path]:
    try:
        return [path for path in entries(folder) if path.is_dir() and not path.is_symlink()]
    except OSError as error:
        raise storage_error("The folder could not be listed", folder, error) from error
