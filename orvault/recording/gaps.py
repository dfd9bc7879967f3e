"""Keeps gap records beside the segments they interrupt, so that a hole in a recording is never silent.

It decides nothing about gaps (`recorder`). Signing and checking them is `container.gap`'s.
Source: docs/format/gap-v1.md.

Layout: CASE/CAMERA/RUN/gaps/FROM-TO.json, both in UTC microseconds: the same gap told twice is one file.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path, PurePosixPath

from orvault.container.canonical import is_identifier
from orvault.container.gap import MAX_GAP_BYTES, Gap, read_gap
from orvault.errors import ErrorKind, OrvaultError
from orvault.recording.disk import Disk, RealDisk, make_folders, own_part_of, storage_error
from orvault.recording.folders import OnFault, entries, listed, run_folders


class GapStore:
    """The gap records under a segment store's root.

    `write`: 1. folders, each synced into its parent; 2. FROM-TO.json.XXXXXXXX.part written and synced; 3. it takes
    its name, unless that is taken: the same gap was told before; 4. folder synced.
    """

    def __init__(self, root: Path, disk: Disk | None = None) -> None:
        self._root = root
        self._disk = disk or RealDisk()

    def write(self, gap: Gap) -> str:
        """Make a signed gap durable; its path below the root. Errors: BAD_REQUEST (ids, not signed), STORAGE."""
        names = (gap.case_id, gap.camera_id, gap.run_id)
        if not all(map(is_identifier, names)) or not 0 <= gap.from_us < gap.to_us or not gap.envelope:
            raise OrvaultError(ErrorKind.BAD_REQUEST, "This is no gap of a recording.", where="gap record")
        relative = PurePosixPath(*names, "gaps", f"{gap.from_us:016d}-{gap.to_us:016d}.json")
        path = self._root / relative
        try:
            self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder = make_folders(self._disk, self._root, (*names, "gaps"))  # 1
            if not path.exists():
                part = own_part_of(path)
                self._disk.write(part, gap.envelope)  # 2
                with suppress(FileExistsError):
                    self._disk.publish(part, path)  # 3
                self._disk.sync(folder)  # 4
        except OSError as error:
            raise storage_error("The gap record could not be stored", path, error) from error
        return str(relative)

    def scan(
        self, on_fault: OnFault | None = None, runs: Collection[tuple[str, str, str]] | None = None
    ) -> Iterator[Gap]:
        """Every gap, or those of some runs (case, camera, run), by case, camera, run and time.

        What cannot be listed or read (STORAGE) or is no gap record (DAMAGED) is given to `on_fault` with its path;
        without it the error is raised. Signatures are not checked: `check_gap` does, where the certificates are.
        """
        folders = run_folders(self._root, on_fault, runs)
        found = (listed(entries, folder / "gaps", self._root, on_fault) for folder in folders)
        for path in chain.from_iterable(found):
            if path.suffix != ".json":
                continue
            try:
                gap = _read(path)
            except OrvaultError as error:
                if on_fault is None:
                    raise
                on_fault(path.relative_to(self._root).as_posix(), error)
                continue
            yield gap


def _read(path: Path) -> Gap:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_GAP_BYTES + 1)
    except OSError as error:
        raise storage_error("The gap record could not be read", path, error) from error
    return read_gap(data, str(path))
