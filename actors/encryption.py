"""Signs what the cameras of one node sealed and makes it durable; sees no picture, and no key that opens one.

Camera -> `keep` -> disk -> index. The index may be away: records wait here, and after a restart the disk is
read again, so nothing that was made durable is ever forgotten by the ledger.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Protocol

from actors import handover
from actors.repeating import repeat
from orvault.clock import SystemClock
from orvault.container.gap import Gap, signed_gap
from orvault.container.keys import KeySlot
from orvault.container.segment import SealedContent, SegmentSigner
from orvault.container.trust import Identity
from orvault.errors import ErrorKind, OrvaultError
from orvault.recording.gaps import GapStore
from orvault.recording.records import SegmentRecord, Tail
from orvault.recording.room import RoomLimits, RoomWatch
from orvault.recording.store import SegmentStore

RETRY_S = 1.0  # how long the outbox waits before it offers its records to the index again
ROOM_S = 60.0  # between two looks at the room that is left
BATCH = 64  # records per call while catching up

log = logging.getLogger(__name__)


class Index(Protocol):
    """Where segment rows are written (actors/index.py)."""

    def index(self, records: Sequence[SegmentRecord]) -> None:
        """Write these rows; the same record twice is one row."""
        ...

    def gap(self, gap: Gap) -> None:
        """Write this gap; the same gap twice is one row."""
        ...


class EncryptionActor:
    """One per client node."""

    def __init__(
        self, identity_folder: Path, store_root: Path, index: Index, room: RoomLimits | None = None
    ) -> None:
        self._identity = Identity.load(identity_folder)
        self._signer = SegmentSigner(self._identity)
        self._store = SegmentStore(store_root)
        self._gaps = GapStore(store_root)
        self._outbox = Outbox(index)
        self._turns: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        # Read in the outbox's thread: a disk with years of segments must not keep the cameras waiting.
        self._outbox.start(self._store.scan(on_fault=_tell_fault), self._gaps.scan(on_fault=_tell_fault))
        self._room, self._alarm = RoomWatch(store_root, room or RoomLimits(), SystemClock()), ""
        repeat("room", self._look_at_room, ROOM_S)

    def keep(self, content: SealedContent, previous: str) -> SegmentRecord:
        """Sign a sealed content and make it durable. A call that is repeated after a crash is answered from disk.

        `previous`: the digest of the segment before, "" for the first. Errors: STORAGE, CONFLICT (another segment
        has this number), BAD_REQUEST, DAMAGED (not what was sealed).
        """
        # In turn: a camera that gave up waiting repeats a call that may be still at work.
        with self._turns[content.meta.camera_id]:
            stored = self._store.find(content.meta)
            if stored is None:
                stored = self._store.write(self._signer.sign(content, previous))
                self._outbox.offer([stored])
            return stored

    def keep_offered(self, content: SealedContent, place: str, previous: str) -> SegmentRecord:
        """`keep`, with the ciphertext that its camera offers at `place` (`handover`). Errors: UNAVAILABLE too."""
        return self.keep(replace(content, ciphertext=handover.taken(place)), previous)

    def tail(self, case_id: str, camera_id: str, run_id: str) -> Tail:
        """Where a run stands on this node's disk: what a restarted camera goes on from.

        Removes what a crash left of the run. Only here: a start must not cost more with every year of recordings.
        """
        with self._turns[camera_id]:
            self._store.clean(case_id, camera_id, run_id, on_fault=_tell_fault)
            return self._store.tail(case_id, camera_id, run_id)

    def record_gap(self, gap: Gap) -> None:
        """Sign a gap, make it durable and tell the index."""
        signed = signed_gap(gap, self._identity)
        self._gaps.write(signed)
        self._outbox.offer_gaps([signed])

    def read(self, path: str) -> bytes:
        """A sealed segment, as it lies on disk. Errors: STORAGE, NOT_FOUND, BAD_REQUEST."""
        return self._store.read(path)

    def replace_slots(self, path: str, slots: Sequence[KeySlot]) -> None:
        """Give a sealed segment re-wrapped key slots, durably. Errors: STORAGE, NOT_FOUND, BAD_REQUEST."""
        camera_id = self._store.record(path).header.meta.camera_id
        with self._turns[camera_id]:
            self._store.replace_slots(path, slots)

    def _look_at_room(self) -> None:
        """Tell the log when the disk fills up, and when it has room again; cameras show it in their status."""
        alarm, before = self._room.alarm(), self._alarm
        self._alarm = alarm
        if bool(alarm) != bool(before):
            log.error(alarm) if alarm else log.warning("the recordings' disk has room again")

    def waiting(self) -> int:
        """How many records the ledger has not confirmed yet; after a start, of those read from disk so far."""
        return len(self._outbox)


def _tell_fault(path: str, error: OrvaultError) -> None:
    """A file that cannot be read or removed must not keep a node from recording; `orvault fsck` looks into it."""
    log.error("%s: %s", path, error)


class Outbox:
    """Records on their way to the ledger: in order, again and again until it has them.

    Holds no truth: what is lost with the process is read from disk at the next start.
    """

    def __init__(self, index: Index) -> None:
        self._index = index
        self._records: list[SegmentRecord] = []
        self._gaps: list[Gap] = []
        self._ready = threading.Condition()

    def __len__(self) -> int:
        with self._ready:
            return len(self._records) + len(self._gaps)

    def start(self, records: Iterator[SegmentRecord], gaps: Iterator[Gap]) -> None:
        """Begin delivering, in a thread of its own: first what was there before, a batch at a time."""
        thread = threading.Thread(
            target=self._deliver_for_ever, args=(records, gaps), name="outbox", daemon=True
        )
        thread.start()

    def offer(self, records: Iterable[SegmentRecord]) -> None:
        """Take records over for delivery."""
        with self._ready:
            self._records.extend(records)
            self._ready.notify()

    def offer_gaps(self, gaps: Iterable[Gap]) -> None:
        """Take gaps over for delivery."""
        with self._ready:
            self._gaps.extend(gaps)
            self._ready.notify()

    def deliver_once(self) -> None:
        """One attempt at what waits. Errors: UNAVAILABLE while the index is away; what waits then stays."""
        with self._ready:
            records, gaps = self._records[:BATCH], self._gaps[:BATCH]
        if records:
            self._index_records(records)
            with self._ready:
                del self._records[: len(records)]
        for gap in gaps:
            self._index_gap(gap)
            with self._ready:
                self._gaps.remove(gap)

    def _index_records(self, records: Sequence[SegmentRecord]) -> None:
        try:
            self._index.index(records)
        except OrvaultError as error:
            if error.kind is ErrorKind.UNAVAILABLE:
                raise
            if len(records) == 1:
                _tell_refused(f"segment {records[0].path}", error)
                return
            for record in records:  # one that the ledger cannot take must not hold up the others
                self._index_records([record])

    def _index_gap(self, gap: Gap) -> None:
        try:
            self._index.gap(gap)
        except OrvaultError as error:
            if error.kind is ErrorKind.UNAVAILABLE:
                raise
            _tell_refused(f"gap {gap.from_us} to {gap.to_us} of run {gap.run_id}", error)

    def _deliver_for_ever(self, records: Iterator[SegmentRecord], gaps: Iterator[Gap]) -> None:
        while earlier := list(islice(records, BATCH)):
            self.offer(earlier)
            self._deliver_all()
        while holes := list(islice(gaps, BATCH)):
            self.offer_gaps(holes)
            self._deliver_all()
        while True:
            with self._ready:
                self._ready.wait_for(lambda: bool(self._records or self._gaps))
            self._deliver_all()

    def _deliver_all(self) -> None:
        while len(self):
            try:
                self.deliver_once()
            except OrvaultError as error:
                log.debug("the index does not answer: %s", error)
                threading.Event().wait(RETRY_S)


def _tell_refused(what: str, error: OrvaultError) -> None:
    """It stays on disk and is offered again at the next start."""
    log.error("the ledger does not take %s: %s", what, error)
