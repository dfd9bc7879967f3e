"""Keeps sealed segments on a node's disk: durable once written, never overwritten, found after any crash.

It cannot open a segment and verifies no signature (`container.segment`); the ledger indexes what lies here.

Layout under the root: CASE/CAMERA/RUN/000123.seg, its key slots beside it in 000123.slots. Ids are checked to
be plain names, so no id can lead out of the root.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath

from orvault.container.canonical import is_identifier
from orvault.container.keys import KeySlot, decode_slots, encode_slots
from orvault.container.segment import (
    MAX_HEADER_BYTES,
    PREAMBLE_BYTES,
    SIGNATURE_BYTES,
    SealedSegment,
    SegmentMeta,
    read_header,
    segment_digest,
)
from orvault.errors import ErrorKind, OrvaultError
from orvault.recording.disk import PART, Disk, RealDisk, make_folders, part_of, storage_error
from orvault.recording.records import FRESH, SegmentRecord, Tail

__all__ = ["SegmentRecord", "SegmentStore", "Tail"]

MAX_SEGMENT_BYTES = 256 * 1024 * 1024  # the cutter's fragments end at 32 MiB
MAX_SLOTS_BYTES = 1 << 20
_HEAD_BYTES = PREAMBLE_BYTES + MAX_HEADER_BYTES + SIGNATURE_BYTES
_NAME = re.compile(r"([0-9]{6,12})\.seg")


class SegmentStore:
    """The segments under one root. One writer per run; any number of readers.

    `write`, in this order:
      1. the folders CASE, CAMERA, RUN are made, each synced into its parent;
      2. NNNNNN.slots.part is written and synced;
      3. it takes the name NNNNNN.slots;
      4. the folder is synced: no segment can be there without its keys, which would be lost for good;
      5. NNNNNN.seg.part is written and synced;
      6. it takes the name NNNNNN.seg, unless that is taken;
      7. the folder is synced. Now, and not before, the segment is durable and `write` returns.
    After a crash a segment is there whole (steps 6, 7) or it is not there; `clean` removes what steps 2 to 5
    left.
    """

    def __init__(self, root: Path, disk: Disk | None = None) -> None:
        self._root = root
        self._disk = disk or RealDisk()

    def write(self, sealed: SealedSegment) -> SegmentRecord:
        """Make a segment durable; see the class for the steps. The same segment again is no error.

        Errors: STORAGE (it is not durable; write it again); CONFLICT if another segment has its number.
        """
        meta = sealed.header.meta
        path = self._root / _relative(meta)
        record = SegmentRecord(
            sealed.header, sealed.digest, len(sealed.data), str(_relative(meta)), sealed.slots
        )
        try:
            if not path.exists():
                self._write(path, meta, sealed)
            elif self.record(record.path).digest == sealed.digest:
                self._sync(path.parent)
            else:
                raise _taken(path)
        except FileExistsError as error:
            self._drop_parts(path)
            raise _taken(path) from error
        except OSError as error:
            self._drop_parts(path)
            raise storage_error("The segment could not be stored", path, error) from error
        return record

    def _write(self, path: Path, meta: SegmentMeta, sealed: SealedSegment) -> None:
        slots = path.with_suffix(".slots")
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder = make_folders(self._disk, self._root, (meta.case_id, meta.camera_id, meta.run_id))  # 1
        self._disk.write(part_of(slots), encode_slots(sealed.slots))  # 2
        # 3: slots without a segment are a crash's leftover, and their key opens nothing: they may be
        # replaced.
        self._disk.replace(part_of(slots), slots)
        self._disk.sync(folder)  # 4
        self._disk.write(part_of(path), sealed.data)  # 5
        self._disk.publish(part_of(path), path)  # 6
        self._disk.sync(folder)  # 7

    def _sync(self, folder: Path) -> None:
        """Step 7 once more: it may be what failed the first time."""
        try:
            self._disk.sync(folder)
        except OSError as error:
            raise storage_error("The segment could not be stored", folder, error) from error

    def _drop_parts(self, path: Path) -> None:
        # On a full disk half a segment would take the room that the next needs. Failing again here changes
        # nothing: the first error is the one to tell, and `clean` comes later.
        for part in (part_of(path), part_of(path.with_suffix(".slots"))):
            with suppress(OSError):
                self._disk.remove(part)

    def read(self, path: str) -> bytes:
        """A whole segment, as `SegmentRecord.path` names it.

        Errors: BAD_REQUEST for a path that names no segment; NOT_FOUND; STORAGE.
        """
        return _read(self._root / _checked(path), MAX_SEGMENT_BYTES)

    def record(self, path: str) -> SegmentRecord:
        """What stands in a segment's header and sidecar. Errors: those of `read`; ALTERED or DAMAGED."""
        full = self._root / _checked(path)
        head = _read(full, MAX_SEGMENT_BYTES, _HEAD_BYTES)
        slots = decode_slots(_read(full.with_suffix(".slots"), MAX_SLOTS_BYTES), where=f"key slots of {path}")
        header = read_header(head)
        if str(_relative(header.meta)) != path:
            raise OrvaultError(ErrorKind.ALTERED, "It lies where another segment belongs.", where=str(full))
        return SegmentRecord(header, segment_digest(head), full.stat().st_size, path, slots)

    def replace_slots(self, path: str, slots: Sequence[KeySlot]) -> None:
        """Give a segment other key slots, durably; the segment itself, which was signed, is not touched.

        1. NNNNNN.slots.part is written and synced; 2. it takes the name NNNNNN.slots; 3. the folder is synced.
        A crash leaves the slots of before or the new ones.
        Errors: those of `record`; BAD_REQUEST without a slot, which would be a destruction by accident.
        """
        self.record(path)
        sidecar = (self._root / _checked(path)).with_suffix(".slots")
        if not slots:
            raise OrvaultError(ErrorKind.BAD_REQUEST, "A segment keeps one key slot at least.", where=path)
        try:
            self._disk.write(part_of(sidecar), encode_slots(slots))  # 1
            self._disk.replace(part_of(sidecar), sidecar)  # 2
            self._disk.sync(sidecar.parent)  # 3
        except OSError as error:
            raise storage_error("The key slots could not be replaced", sidecar, error) from error

    def find(self, meta: SegmentMeta) -> SegmentRecord | None:
        """The segment of this very fragment, if it is durable already: what a repeated call asks first.

        Sealing again would make other bytes (every segment has a key of its own), so `write` could not know
        it as the same. Errors: CONFLICT if another fragment has its number; those of `record`.
        """
        path = self._root / _relative(meta)
        if not path.exists():
            return None
        record = self.record(str(_relative(meta)))
        if record.header.meta != meta:
            raise _taken(path)
        self._sync(path.parent)
        return record

    def scan(self, on_fault: Callable[[str, OrvaultError], None] | None = None) -> Iterator[SegmentRecord]:
        """Every segment, by case, camera, run and number.

        What cannot be read is given to `on_fault` with its path; without it the error is raised.
        """
        for folder in self._folders("*/*/*"):
            for path in _segments(folder):
                relative = path.relative_to(self._root).as_posix()
                try:
                    record = self.record(relative)
                except OrvaultError as error:
                    if on_fault is None:
                        raise
                    on_fault(relative, error)
                    continue
                yield record

    def tail(self, case_id: str, camera_id: str, run_id: str) -> Tail:
        """Where a run stands on this disk; `FRESH` if nothing of it is here. Errors: those of `record`."""
        folder = self._root / _folder(case_id, camera_id, run_id)
        paths = _segments(folder) if folder.is_dir() else []
        if not paths:
            return FRESH
        last = self.record(paths[-1].relative_to(self._root).as_posix())
        return Tail(last.header.meta.sequence + 1, last.digest, last.header.meta.end_us)

    def clean(self, camera_id: str = "*") -> list[str]:
        """Remove what crashes left: .part files, and slots whose segment never came; their paths.

        Only while nothing is being written for these cameras. It never removes a segment.
        """
        if camera_id != "*":
            _folder(camera_id, camera_id, camera_id)
        removed = []
        for folder in self._folders(f"*/{camera_id}/*"):
            orphans = (path for path in folder.glob("*.slots") if not path.with_suffix(".seg").exists())
            leftovers = sorted([*folder.glob(f"*{PART}"), *folder.glob(f"gaps/*{PART}"), *orphans])
            try:
                for path in leftovers:
                    self._disk.remove(path)
                if leftovers:
                    self._disk.sync(folder)
            except OSError as error:
                raise storage_error("A leftover could not be removed", folder, error) from error
            removed += [path.relative_to(self._root).as_posix() for path in leftovers]
        return removed

    def _folders(self, pattern: str) -> list[Path]:
        return sorted(path for path in self._root.glob(pattern) if path.is_dir() and not path.is_symlink())


def _taken(path: Path) -> OrvaultError:
    return OrvaultError(
        ErrorKind.CONFLICT,
        "Another segment has this number already, and is kept.",
        where=str(path),
        advice="Two recorders may be writing the same run; only the newer one may go on.",
    )


def _segments(folder: Path) -> list[Path]:
    """The segments of one run, by number."""
    found = [path for path in folder.iterdir() if _NAME.fullmatch(path.name)]
    return sorted(found, key=lambda path: int(path.stem))


def _relative(meta: SegmentMeta) -> PurePosixPath:
    return _folder(meta.case_id, meta.camera_id, meta.run_id) / f"{meta.sequence:06d}.seg"


def _folder(case_id: str, camera_id: str, run_id: str) -> PurePosixPath:
    for name in (case_id, camera_id, run_id):
        if not is_identifier(name):
            raise OrvaultError(
                ErrorKind.BAD_REQUEST, "An id cannot be a folder's name.", where="segment store"
            )
    return PurePosixPath(case_id, camera_id, run_id)


def _checked(path: str) -> PurePosixPath:
    parts = path.split("/")
    if len(parts) != 4 or not _NAME.fullmatch(parts[3]):
        raise OrvaultError(ErrorKind.BAD_REQUEST, "This path names no segment.", where="segment store")
    return _folder(*parts[:3]) / parts[3]


def _read(path: Path, max_bytes: int, head_bytes: int = -1) -> bytes:
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
