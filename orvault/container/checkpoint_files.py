"""Checkpoints in a folder outside the ledger: one file a month, only ever appended to, each line fsynced.

Whether a checkpoint may be written there, and whether one that lies there is believed, is decided elsewhere.
Source: docs/format/history-v1.md, section 3.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from orvault.clock import US_PER_S
from orvault.container import canonical
from orvault.container.canonical import Fields, to_base64
from orvault.container.checkpoint import Checkpoint
from orvault.container.files import storage_error, sync_folder
from orvault.container.note import MAX_NOTE_BYTES
from orvault.errors import ErrorKind, OrvaultError

MAX_STAMP_BYTES = 32 << 10
MAX_LINE_BYTES = 128 << 10
_NAME = re.compile(r"\d{4}-\d{2}\.checkpoints")
_TAIL = 2 * MAX_LINE_BYTES
_CUT_OFF = b"\x18"  # CAN: ends a piece whose writing was cut off; no line of ours ends in it


@dataclass(frozen=True)
class KeptCheckpoint:
    """One line: a checkpoint, when it was made, and, where there is one, an RFC 3161 response over its text (DER)."""

    at_us: int
    checkpoint: Checkpoint
    time_stamp: bytes | None = None

    def line(self) -> bytes:
        """As it is written, with its end."""
        fields: dict[str, object] = {"at_us": self.at_us, "checkpoint": self.checkpoint.whole}
        if self.time_stamp is not None:
            fields["time_stamp"] = to_base64(self.time_stamp)
        return canonical.encode(fields) + b"\n"

    @classmethod
    def read(cls, line: bytes, where: str) -> KeptCheckpoint:
        """What `line` wrote. Errors: DAMAGED."""
        value = canonical.decode(line, max_bytes=MAX_LINE_BYTES, where=where, kind=ErrorKind.DAMAGED)
        fields = Fields(value, where, ErrorKind.DAMAGED)
        at_us = fields.integer("at_us")
        note = fields.text("checkpoint", MAX_NOTE_BYTES, lines=True)
        stamp = fields.data("time_stamp", MAX_STAMP_BYTES) if fields.has("time_stamp") else None
        fields.end()
        return cls(at_us, Checkpoint.parse(note, where, ErrorKind.DAMAGED), stamp)


class CheckpointFolder:
    """Such a folder; made at the first write. Safe for one writer and any readers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def newest(self) -> KeptCheckpoint | None:
        """The last line; None if there is none. Pieces that were cut off were never counted as written.

        Errors: DAMAGED (it cannot be read), STORAGE.
        """
        for file, line in self._last_lines():
            return KeptCheckpoint.read(line, f"{file.name}, last line")
        return None

    def newest_readable(self) -> KeptCheckpoint | None:
        """The last line that can be read, for whom the ledger tells what comes next. Errors: STORAGE."""
        found = (_read(line, file.name) for file, line in self._last_lines())
        return next((each for each in found if isinstance(each, KeptCheckpoint)), None)

    def append(self, kept: KeptCheckpoint) -> None:
        """Write one more line, durably; nothing that lies there is changed. Errors: STORAGE.

        1. open for appending; 2. mark a line that was cut off; 3. the line, in one call; 4. fsync the file, then the
        folder.
        """
        month = datetime.fromtimestamp(kept.at_us / US_PER_S, UTC).strftime("%Y-%m")
        name = max([f"{month}.checkpoints", *(file.name for file in self._files())])
        path = self.folder / name
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                size = os.lseek(handle, 0, os.SEEK_END)
                cut_off = size > 0 and _last_byte(handle, size) != b"\n"
                data = (_CUT_OFF + b"\n" if cut_off else b"") + kept.line()
                if os.write(handle, data) != len(data):
                    raise OSError("the line was not written whole")
                os.fsync(handle)
            finally:
                os.close(handle)
            sync_folder(self.folder)
        except OSError as error:
            raise storage_error(path, error) from error

    def read(self) -> Iterator[KeptCheckpoint | OrvaultError]:
        """Every line, the oldest first; the error of one that cannot be read, in its place. Errors: STORAGE."""
        for file in self._files():
            try:
                with file.open("rb") as opened:
                    number = 0
                    while line := opened.readline(MAX_LINE_BYTES + 1):
                        number += 1
                        yield _read(line.rstrip(b"\n"), f"{file.name}, line {number}")
            except OSError as error:
                raise storage_error(file, error) from error

    def _last_lines(self) -> Iterator[tuple[Path, bytes]]:
        """The ends of the files, the newest line first, without what was cut off."""
        for file in reversed(self._files()):
            try:
                with file.open("rb") as opened:
                    opened.seek(max(0, file.stat().st_size - _TAIL))
                    *lines, _ = opened.read().split(b"\n")
            except OSError as error:
                raise storage_error(file, error) from error
            yield from ((file, line) for line in reversed(lines) if not line.endswith(_CUT_OFF))

    def _files(self) -> list[Path]:
        if not self.folder.is_dir():
            return []
        try:
            return sorted(file for file in self.folder.iterdir() if _NAME.fullmatch(file.name))
        except OSError as error:
            raise storage_error(self.folder, error) from error


def _last_byte(handle: int, size: int) -> bytes:
    os.lseek(handle, size - 1, os.SEEK_SET)
    return os.read(handle, 1)


def _read(line: bytes, where: str) -> KeptCheckpoint | OrvaultError:
    try:
        return KeptCheckpoint.read(line, where)
    except OrvaultError as error:
        return error
