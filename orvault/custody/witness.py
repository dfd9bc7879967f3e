"""A witness of other machines' histories: takes a checkpoint only if it grew out of the one before, and cosigns it.

It holds no history and no secret of the hospital: names, sizes and hashes. HTTP is api/witness.py's.
Source: docs/format/history-v1.md, section 4 (C2SP tlog-witness).
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from orvault.clock import US_PER_S, Clock
from orvault.container.canonical import from_base64, to_base64
from orvault.container.checkpoint import Checkpoint
from orvault.container.checkpoint_files import CheckpointFolder, KeptCheckpoint
from orvault.container.note import MAX_NOTE_BYTES, Note, NoteKey, SignatureLine, Signs, sign_line
from orvault.container.proof import HASH_BYTES, verify_consistency
from orvault.errors import ErrorKind, OrvaultError

MAX_STEPS = 63
MAX_REQUEST_BYTES = MAX_NOTE_BYTES + 64 * 64

Logs = Callable[[], Mapping[str, Sequence[NoteKey]]]


@dataclass(frozen=True)
class Submission:
    """A checkpoint with the proof that it grew out of the one of `old_size` entries."""

    old_size: int
    steps: tuple[bytes, ...]
    checkpoint: Checkpoint

    def body(self) -> bytes:
        """As it is sent."""
        lines = [f"old {self.old_size}", *map(to_base64, self.steps), ""]
        return ("\n".join(lines) + "\n" + self.checkpoint.whole).encode()

    @classmethod
    def parse(cls, body: bytes) -> Submission:
        """Read one. Errors: BAD_REQUEST."""
        error = OrvaultError(ErrorKind.BAD_REQUEST, "This is not a checkpoint with its proof.", where="body")
        try:
            head, _, note = body.decode("utf-8").partition("\n\n")
        except UnicodeDecodeError:
            raise error from None
        first, *steps = head.split("\n")
        number = first.removeprefix("old ")
        plain = number.isascii() and number.isdigit() and len(number) <= 16 and str(int(number)) == number
        if first == number or not plain or len(steps) > MAX_STEPS or len(body) > MAX_REQUEST_BYTES:
            raise error
        hashes = tuple(from_base64(step, HASH_BYTES, error) for step in steps)
        return cls(int(number), hashes, Checkpoint.parse(note, "body", ErrorKind.BAD_REQUEST))


class OtherSizeError(OrvaultError):
    """CONFLICT: the newest checkpoint kept has another size than the submission begins at."""

    size: int = 0

    @classmethod
    def of(cls, size: int) -> OtherSizeError:
        """The newest kept has this size."""
        error = cls(ErrorKind.CONFLICT, f"The newest checkpoint kept here has {size} entries.")
        error.size = size
        return error


class Witness:
    """Keeps the checkpoints of the logs it knows, each log's in a folder of its own; one process at a time."""

    def __init__(self, store: Path, key: NoteKey, signer: Signs, logs: Logs, clock: Clock) -> None:
        self._store, self._key, self._signer, self._logs, self._clock = store, key, signer, logs, clock
        self._turn = threading.Lock()

    def take(self, body: bytes) -> str:
        """Judge a submission; the cosignature line of one that was taken, which is on the disk by then.

        1. it is readable; 2. its log is known; 3. signed by that log's key; 4. the old size is that of the newest
        kept; 5. it grew out of that one; 6. kept durably, as it will be read again; 7. only then answered.
        Errors: BAD_REQUEST, NOT_FOUND, FORBIDDEN, CONFLICT (`OtherSizeError`, or another root at the same size),
        ALTERED (not grown out of the newest kept), DAMAGED (the newest kept cannot be read), STORAGE.
        """
        asked = Submission.parse(body)
        checkpoint = asked.checkpoint
        by_log = self._checked_signature(checkpoint)
        if asked.old_size > checkpoint.size:
            raise OrvaultError(
                ErrorKind.BAD_REQUEST, "The old size is beyond the checkpoint's.", where="body"
            )
        with self._turn:
            folder = self._folder(checkpoint.origin)
            kept = folder.newest()
            self._check_grown(asked, None if kept is None else kept.checkpoint)
            now_us = self._clock.now_us()
            line = sign_line(checkpoint.note.text, self._key, self._signer, now_us // US_PER_S)
            if kept is None or kept.checkpoint.size < checkpoint.size:
                # Signatures that nobody here verified could make the line too long to be read again.
                cosigned = replace(checkpoint, note=Note(checkpoint.note.text, (by_log, line)))
                folder.append(_legible(KeptCheckpoint(now_us, cosigned)))
        return line.text

    def newest(self, origin: str) -> str | None:
        """The newest checkpoint of a log, with its cosignature; None if none is kept. Errors: DAMAGED, STORAGE."""
        kept = self._folder(origin).newest()
        return None if kept is None else kept.checkpoint.whole

    def _checked_signature(self, checkpoint: Checkpoint) -> SignatureLine:
        keys = self._logs().get(checkpoint.origin)
        if keys is None:
            raise OrvaultError(ErrorKind.NOT_FOUND, "This log is not known here.", where="origin")
        error = OrvaultError(
            ErrorKind.FORBIDDEN, "No key that is known for this log signed it.", where="checkpoint"
        )
        try:
            signed = [key for key in keys if checkpoint.note.signed_at(key) is not None]
        except OrvaultError:
            raise error from None
        line = checkpoint.note.line_of(signed[0]) if signed else None
        if line is None:
            raise error
        return line

    @staticmethod
    def _check_grown(asked: Submission, kept: Checkpoint | None) -> None:
        old_size, old_root = (0, b"") if kept is None else (kept.size, kept.root)
        if asked.old_size != old_size:
            raise OtherSizeError.of(old_size)
        new = asked.checkpoint
        if old_size == new.size and old_size and new.root != old_root:
            raise OrvaultError(
                ErrorKind.CONFLICT, "Another root is kept for this size: the log has two histories."
            )
        if not verify_consistency(old_size, old_root, new.size, new.root, asked.steps):
            message = "It does not begin with the newest checkpoint kept here: the log was rewritten."
            raise OrvaultError(ErrorKind.ALTERED, message, where="proof")

    def _folder(self, origin: str) -> CheckpointFolder:
        return CheckpointFolder(self._store / hashlib.sha256(origin.encode()).hexdigest())


def _legible(kept: KeptCheckpoint) -> KeptCheckpoint:
    """The same, if its line says it again. Errors: BAD_REQUEST.

    The newest line is all that a witness remembers: one that cannot be read would let any history follow.
    """
    try:
        again = KeptCheckpoint.read(kept.line().removesuffix(b"\n"), "checkpoint")
    except OrvaultError as error:
        raise OrvaultError(ErrorKind.BAD_REQUEST, error.message, where="checkpoint") from None
    if again != kept:
        raise OrvaultError(ErrorKind.BAD_REQUEST, "It would not be read as it was sent.", where="checkpoint")
    return kept
