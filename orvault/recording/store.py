"""Keeps sealed segments on a node's disk: durable once written, never overwritten, found after any crash.

It cannot open a segment and verifies no signature (`container.segment`); the ledger indexes what lies here.

Layout under the root: CASE/CAMERA/RUN/000123.seg, its key slots beside it in 000123.slots. Ids are checked to
be plain names, so no id can lead out of the root.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath

from orvault.container.canonical import is_identifier
from orvault.container.chain import UNREADABLE
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
from orvault.container.wire import Bytes
from orvault.errors import ErrorKind, OrvaultError
from orvault.recording.disk import Disk, RealDisk, make_folders, own_part_of, read_file, storage_error
from orvault.recording.folders import OnFault, entries, leftovers, listed, run_folders
from orvault.recording.records import FRESH, SegmentRecord, Tail
from orvault.recording.room import RESERVE_BYTES

__all__ = ["SegmentRecord", "SegmentStore", "Tail"]

MISPLACED = "It lies where another segment belongs."
MAX_SEGMENT_BYTES = 256 * 1024 * 1024  # the cutter's fragments end at 32 MiB
MAX_SLOTS_BYTES = 1 << 20
_HEAD_BYTES = PREAMBLE_BYTES + MAX_HEADER_BYTES + SIGNATURE_BYTES
_NAME = re.compile(r"([0-9]{6,12})\.seg")


class SegmentStore:
    """The segments under one root. One writer (`lock`); any number of readers.

    `write`, in this order:
      1. the folders CASE, CAMERA, RUN are made, each synced into its parent;
      2. NNNNNN.slots.XXXXXXXX.part is written and synced; its name is nobody else's;
      3. it takes the name NNNNNN.slots, unless that is taken: who has it has the number;
      4. the folder is synced: no segment can be there without its keys, which would be lost for good;
      5. NNNNNN.seg.XXXXXXXX.part is written and synced;
      6. it takes the name NNNNNN.seg, unless that is taken; slots that another cleaned away until then come back;
      7. the folder is synced. Now, and not before, the segment is durable and `write` returns.
    Before all of it: the disk keeps its reserve, or nothing is begun. No step replaces a file, so that two writers,
    which must not be, still cannot undo what one of them was told is durable, or give it the other's keys.
    After a crash a segment is there whole (steps 6, 7) or it is not there. What steps 2 to 5 left keeps its number
    until `clean` removes it.
    """

    def __init__(self, root: Path, disk: Disk | None = None, reserve_bytes: int = RESERVE_BYTES) -> None:
        self._root = root
        self._disk = disk or RealDisk()
        self._reserve = reserve_bytes  # that no segment may take: gap records must find room to the last

    def write(self, sealed: SealedSegment) -> SegmentRecord:
        """Make a segment durable; see the class for the steps. The same segment again is no error.

        Errors: STORAGE (it is not durable; write it again); CONFLICT if another segment has its number.
        """
        meta = sealed.header.meta
        path = self._root / _relative(meta)
        record = SegmentRecord(sealed.header, sealed.digest, sealed.size, str(_relative(meta)), sealed.slots)
        try:
            if not path.exists():
                self._write(path, meta, sealed)
            elif self.record(record.path).digest == sealed.digest:
                self._sync(path.parent)
            else:
                raise _taken(path)
        except FileExistsError as error:
            raise _taken(path) from error
        except OSError as error:
            raise storage_error("The segment could not be stored", path, error) from error
        return record

    def _write(self, path: Path, meta: SegmentMeta, sealed: SealedSegment) -> None:
        slots = path.with_suffix(".slots")
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._disk.free(self._root) < sealed.size + self._reserve:
            raise _full(path)
        folder = make_folders(self._disk, self._root, (meta.case_id, meta.camera_id, meta.run_id))  # 1
        keys = encode_slots(sealed.slots)
        self._name(slots, keys)  # 2, 3
        try:
            self._disk.sync(folder)  # 4
            self._name(path, sealed.head, sealed.ciphertext)  # 5, 6
            if not slots.exists() or slots.read_bytes() != keys:
                self._replace(slots, keys)
        except OSError:
            if not path.exists():
                self._drop(slots)  # our own; they would hold the number against the next attempt
            raise
        self._disk.sync(folder)  # 7

    def _replace(self, path: Path, data: bytes) -> None:
        part = own_part_of(path)
        self._disk.write(part, data)
        self._disk.replace(part, path)

    def _name(self, path: Path, *pieces: Bytes) -> None:
        """Write a file whole under a name that nobody has."""
        part = own_part_of(path)
        try:
            self._disk.write(part, *pieces)
            self._disk.publish(part, path)
        except OSError:
            self._drop(part)
            raise

    def _sync(self, folder: Path) -> None:
        """Step 7 once more: it may be what failed the first time."""
        try:
            self._disk.sync(folder)
        except OSError as error:
            raise storage_error("The segment could not be stored", folder, error) from error

    def _drop(self, path: Path) -> None:
        # On a full disk half a segment would take the room that the next needs. Failing again here changes
        # nothing: the first error is the one to tell, and `clean` comes later.
        with suppress(OSError):
            self._disk.remove(path)

    def read(self, path: str) -> bytes:
        """A whole segment, as `SegmentRecord.path` names it.

        Errors: BAD_REQUEST for a path that names no segment; NOT_FOUND; STORAGE.
        """
        return read_file(self._root / _checked(path), MAX_SEGMENT_BYTES)

    def record(self, path: str) -> SegmentRecord:
        """What stands in a segment's header and sidecar. Errors: those of `read`; ALTERED or DAMAGED."""
        return replace(self.head(path), slots=self.slots(path))

    def slots(self, path: str) -> tuple[KeySlot, ...]:
        """A segment's key slots. Errors: those of `record`."""
        sidecar = (self._root / _checked(path)).with_suffix(".slots")
        return decode_slots(read_file(sidecar, MAX_SLOTS_BYTES), where=f"key slots of {path}")

    def head(self, path: str) -> SegmentRecord:
        """`record` without the key slots, whose file is not looked at."""
        full = self._root / _checked(path)
        head = read_file(full, MAX_SEGMENT_BYTES, _HEAD_BYTES)
        header = read_header(head)
        if str(_relative(header.meta)) != path:
            raise OrvaultError(ErrorKind.ALTERED, MISPLACED, where=str(full))
        try:
            return SegmentRecord(header, segment_digest(head), full.stat().st_size, path, ())
        except OSError as error:
            raise storage_error("It could not be read", full, error) from error

    def replace_slots(self, path: str, slots: Sequence[KeySlot]) -> None:
        """Give a segment other key slots, durably; the segment itself, which was signed, is not touched.

        1. NNNNNN.slots.XXXXXXXX.part is written and synced; 2. it takes the name NNNNNN.slots; 3. the folder is
        synced. A crash leaves the slots of before or the new ones.
        Errors: those of `record`; BAD_REQUEST without a slot, which would be a destruction by accident.
        """
        self.record(path)
        sidecar = (self._root / _checked(path)).with_suffix(".slots")
        if not slots:
            raise OrvaultError(ErrorKind.BAD_REQUEST, "A segment keeps one key slot at least.", where=path)
        try:
            self._replace(sidecar, encode_slots(slots))  # 1, 2
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

    def scan(
        self, on_fault: OnFault | None = None, runs: Collection[tuple[str, str, str]] | None = None
    ) -> Iterator[SegmentRecord]:
        """Every segment, or those of some runs (case, camera, run), by case, camera, run and number.

        What cannot be listed or read is given to `on_fault` with its path; without it the error is raised.
        """
        for folder in run_folders(self._root, on_fault, runs):
            for path in listed(segments_in, folder, self._root, on_fault):
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
        """Where a run stands on this disk; `FRESH` if nothing of it is here. Errors: STORAGE, BAD_REQUEST.

        A last segment that cannot be read keeps its number, and the run goes on behind it (segment-v1, 3.6).
        """
        paths = segments_in(self._root / _folder(case_id, camera_id, run_id))
        following = int(paths[-1].stem) + 1 if paths else 0
        lost = ""
        for path in reversed(paths):
            try:
                last = self.head(path.relative_to(self._root).as_posix())
            except OrvaultError as error:
                lost = (
                    lost or f"segment {int(path.stem)} was written and cannot be read back: {error.message}"
                )
                continue
            previous = UNREADABLE if lost else last.digest
            return Tail(following, previous, last.header.meta.end_us, lost)
        return Tail(following, UNREADABLE, 0, lost) if paths else FRESH

    def clean(self, case_id: str, camera_id: str, run_id: str, on_fault: OnFault | None = None) -> list[str]:
        """Remove what crashes left of a run: .part files, and slots whose segment never came; their paths.

        Only while nothing is being written for this run. It never removes a segment. What cannot be removed is
        given to `on_fault`; without it the error is raised (STORAGE).
        """
        folder = self._root / _folder(case_id, camera_id, run_id)
        removed = []
        for path in listed(leftovers, folder, self._root, on_fault):
            relative = path.relative_to(self._root).as_posix()
            try:
                self._disk.remove(path)
                self._disk.sync(path.parent)
            except OSError as error:
                fault = storage_error("A leftover could not be removed", path, error)
                if on_fault is None:
                    raise fault from error
                on_fault(relative, fault)
                continue
            removed.append(relative)
        return removed


def _full(path: Path) -> OrvaultError:
    return OrvaultError(
        ErrorKind.STORAGE,
        "The disk is full; what is left is kept for gap records.",
        where=str(path),
        advice="Make room; recording goes on by itself.",
    )


def _taken(path: Path) -> OrvaultError:
    return OrvaultError(
        ErrorKind.CONFLICT,
        "Another segment has this number already, and is kept.",
        where=str(path),
        advice="Two recorders may be writing the same run; only the newer one may go on.",
    )


def segments_in(folder: Path) -> list[Path]:
    """The segments of one run, by number. Errors: STORAGE."""
    found = [path for path in entries(folder) if _NAME.fullmatch(path.name)]
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
