"""Holds history against itself and against checkpoints, in one pass and in memory that does not grow with it.

It is fed entries in their order and checkpoints in the order of their sizes (`desks.histories`, `merged`).
docs/format/history-v1.md, section 6, says what shows against what.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from orvault.container.checkpoint import Checkpoint, CheckpointCheck
from orvault.container.checkpoint_files import CheckpointFolder, KeptCheckpoint
from orvault.container.proof import HASH_BYTES, GrowingRoot
from orvault.custody.history import Entry, entry_holds
from orvault.custody.history_verdict import HistoryVerdict
from orvault.custody.text import show_time
from orvault.errors import OrvaultError

LEDGER = "the ledger"
MOST_FINDINGS = 20


class Stamps(Protocol):
    """Whoever knows which time stamps to believe (time_stamps.py)."""

    def check(self, response: bytes, text: str) -> int:
        """When a stamp says that this text was there, UTC microseconds. Errors: ALTERED."""
        ...


@dataclass(frozen=True)
class Witnessed:
    """A checkpoint, where it was kept, and when it was made.

    `problem` says what is wrong with what lies there; with `breaks` it proves that history is not what it was, else
    it proves nothing.
    """

    place: str
    at_us: int
    checkpoint: Checkpoint | None
    problem: str = ""
    breaks: bool = False
    time_stamp: bytes | None = None

    @property
    def size(self) -> int:
        """Entries that it covers; 0 for what is none."""
        return 0 if self.checkpoint is None else self.checkpoint.size


def witnessed_in(folder: CheckpointFolder) -> Iterator[Witnessed]:
    """What a folder outside keeps, the oldest first. Errors: STORAGE."""
    place = f"the folder {folder.folder}"
    for each in folder.read():
        if isinstance(each, KeptCheckpoint):
            yield Witnessed(place, each.at_us, each.checkpoint, time_stamp=each.time_stamp)
        else:
            yield Witnessed(place, 0, None, str(each))


def ordered(found: Iterable[Witnessed]) -> Iterator[Witnessed]:
    """One place's checkpoints by size; one that is smaller than an earlier one becomes a problem of its own."""
    largest = 0
    for each in found:
        if each.checkpoint is not None and each.size < largest:
            said = f"a checkpoint of {each.size} entries ({show_time(each.at_us)}) follows one of {largest}"
            each = Witnessed(each.place, each.at_us, None, f"{said}: history was shorter than before.", True)
        largest = max(largest, each.size)
        yield each


def merged(places: Iterable[Iterable[Witnessed]]) -> Iterator[Witnessed]:
    """All places' checkpoints by size."""
    return heapq.merge(*map(ordered, places), key=lambda each: each.size)


@dataclass
class HistoryCheck:
    """One pass; `expected` is the number of the next entry."""

    signers: CheckpointCheck | None
    stamps: Stamps | None = None
    expected: int = 0
    _tree: GrowingRoot = field(default_factory=GrowingRoot)
    _comparable: bool = True  # until the first gap or difference, after which every root differs
    _broken_seq: int | None = None
    _first_us: int | None = None
    _last_us: int | None = None
    _findings: list[str] = field(default_factory=list)
    _more: int = 0
    _remarks: list[str] = field(default_factory=list)
    _agreed: int = 0  # the largest size at which a checkpoint agreed
    _kept: int = 0
    _outside: int = 0
    _covered: int = 0
    _uncovered_us: int | None = None
    _stamped: int = 0
    _stamped_us: int = 0
    _beyond: dict[str, Witnessed] = field(default_factory=dict)

    def entry(self, entry: Entry) -> None:
        """The next entry as it is stored."""
        if entry.seq != self.expected:
            self._missing(entry.seq)
        elif not entry_holds(entry, entry.seq):
            self._find(
                entry.seq,
                f"Entry {entry.seq} is not what was written there: it does not have the hash it had.",
            )
        elif self._broken_seq is None:
            self._first_us, self._last_us = (
                (entry.at_us if self._first_us is None else self._first_us),
                entry.at_us,
            )
        if self._outside and self._uncovered_us is None:
            self._uncovered_us = entry.at_us
        leaf = _leaf(entry)
        if leaf is None:
            self._comparable = False
        elif self._comparable:
            self._tree.append(leaf)
        self.expected = entry.seq + 1

    def checkpoint(self, found: Witnessed) -> None:
        """A checkpoint of exactly as many entries as were seen, or of more than there are."""
        checkpoint = found.checkpoint
        if checkpoint is None:
            (self._note if found.breaks else self._remark)(f"In {found.place}: {found.problem}")
            return
        if not self._signed(found, checkpoint):
            return
        if checkpoint.size > self.expected:
            self._beyond[found.place] = found
        elif self._comparable and checkpoint.size == self._tree.size:
            self._compare(found, checkpoint)

    def end(self, size: int) -> HistoryVerdict:
        """The verdict; `size` is the number of entries on record."""
        if self.expected < size:
            self._missing(size)
        elif self.expected > size:
            self._find(size, f"The ledger says it has {size} entries; there are {self.expected}.")
        for found in self._beyond.values():
            said = f"A checkpoint in {found.place} of {show_time(found.at_us)} proves {found.size} entries; there are"
            cause = (
                "the end was cut off"
                if found.place == LEDGER
                else "the end was cut off, or an older state restored"
            )
            self._find(self.expected, f"{said} {self.expected}: {cause}.")
        more = [f"There are {self._more} more findings."] if self._more else []
        return HistoryVerdict(
            size=size,
            broken_seq=self._broken_seq,
            first_us=self._first_us,
            last_us=self._last_us,
            findings=(*self._findings, *more),
            kept=self._kept,
            outside=self._outside,
            covered=self._covered,
            remarks=tuple(self._remarks),
            stamped=self._stamped,
            stamped_us=self._stamped_us,
            uncovered_us=self._uncovered_us,
        )

    def _compare(self, found: Witnessed, checkpoint: Checkpoint) -> None:
        if self._tree.root() == checkpoint.root:
            self._agreed = checkpoint.size
            if found.place == LEDGER:
                self._kept += 1
            else:
                self._outside, self._covered = self._outside + 1, checkpoint.size
                self._uncovered_us = None
                self._look_at_stamp(found, checkpoint)
            return
        self._comparable = False
        first, last = self._agreed, checkpoint.size - 1
        said = f"Entry {first} is" if first == last else f"Some of the entries {first} to {last} are"
        where = f"the checkpoint of {checkpoint.size} entries in {found.place}, {show_time(found.at_us)}"
        self._find(first, f"{said} not what was signed ({where}): rewritten together with the hash.")

    def _look_at_stamp(self, found: Witnessed, checkpoint: Checkpoint) -> None:
        if found.time_stamp is None:
            return
        if self.stamps is None:
            self._remark(
                f"A time stamp in {found.place} was not looked at: no authority is named to believe."
            )
            return
        try:
            self._stamped_us = self.stamps.check(found.time_stamp, checkpoint.note.text)
        except OrvaultError as error:
            self._note(f"The checkpoint of {checkpoint.size} entries in {found.place}: {error.message}")
        else:
            self._stamped = checkpoint.size

    def _signed(self, found: Witnessed, checkpoint: Checkpoint) -> bool:
        if self.signers is None:
            return True
        try:
            self.signers.check(checkpoint, found.at_us)
        except OrvaultError as error:
            where = f"{found.place} ({show_time(found.at_us)})"
            self._note(
                f"The checkpoint of {checkpoint.size} entries in {where} is not believed: {error.message}"
            )
            return False
        return True

    def _missing(self, upto: int) -> None:
        """Entries from the expected one on, up to without `upto`, are not there."""
        first, last = self.expected, upto - 1
        which = f"Entry {first} is" if first == last else f"Entries {first} to {last} are"
        self._find(first, f"{which} missing: what stands next is not what was written there.")
        self._comparable = False

    def _find(self, seq: int, words: str) -> None:
        if self._broken_seq is None or seq < self._broken_seq:
            self._broken_seq = seq
        self._note(words)

    def _note(self, words: str) -> None:
        if len(self._findings) < MOST_FINDINGS:
            self._findings.append(words)
        else:
            self._more += 1

    def _remark(self, words: str) -> None:
        if len(self._remarks) < MOST_FINDINGS:
            self._remarks.append(words)


def _leaf(entry: Entry) -> bytes | None:
    """The hash that is stored, even if the entry has another: what follows can still be compared."""
    try:
        leaf = bytes.fromhex(entry.leaf_hash)
    except ValueError:
        return None
    return leaf if len(leaf) == HASH_BYTES else None
