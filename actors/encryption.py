"""Signs what the cameras of one node sealed and makes it durable; sees no picture, and no key that opens one.

Camera -> `keep` -> disk -> index. The index may be away: records wait in the outbox, and after a restart those runs
are read again that the ledger has not confirmed, so nothing that was made durable is ever forgotten by it.
Of two selves of a camera, or of this actor, one writes: docs/adr/0038.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from actors import handover
from actors.outbox import Index, OnDisk, Outbox
from actors.repeating import repeat
from orvault.clock import SystemClock
from orvault.container.gap import Gap, signed_gap
from orvault.container.keys import KeySlot
from orvault.container.segment import SealedContent, SegmentSigner
from orvault.container.trust import Identity
from orvault.errors import ErrorKind, OrvaultError
from orvault.recording.destroying import DestroyedCases, Erased
from orvault.recording.gaps import GapStore
from orvault.recording.lock import writing_below
from orvault.recording.records import SegmentRecord, Tail
from orvault.recording.room import RoomLimits, RoomWatch
from orvault.recording.store import SegmentStore
from orvault.recording.unconfirmed import RunKey, Unconfirmed

ROOM_S = 60.0  # between two looks at the room that is left

log = logging.getLogger(__name__)


class EncryptionActor:
    """One per client node."""

    def __init__(
        self, identity_folder: Path, store_root: Path, index: Index, room: RoomLimits | None = None
    ) -> None:
        self._held = writing_below(store_root, SystemClock())
        self._identity = Identity.load(identity_folder)
        self._signer = SegmentSigner(self._identity)
        self._store = SegmentStore(store_root)
        self._gaps = GapStore(store_root)
        self._destroyed = DestroyedCases(store_root)
        self._outbox = Outbox(index, Unconfirmed(store_root))
        self._turns: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._claims: dict[str, int] = {}  # by camera, of its newest self that was heard
        self._cleaned: set[RunKey] = set()  # what crashes left of these runs is gone
        # Read in the outbox's thread: a disk with years of segments must not keep the cameras waiting.
        scans = partial(self._store.scan, _tell_fault), partial(self._gaps.scan, _tell_fault)
        self._outbox.start(OnDisk(*scans))
        self._room, self._alarm = RoomWatch(store_root, room or RoomLimits(), SystemClock()), ""
        repeat("room", self._look_at_room, ROOM_S)

    def keep(self, content: SealedContent, previous: str, claim: int = 0) -> SegmentRecord:
        """Sign a sealed content and make it durable. A call that is repeated after a crash is answered from disk.

        `previous`: the digest of the segment before, "" for the first. `claim`: see `tail`. Errors: STORAGE, CONFLICT
        (another segment has this number, or a newer self of the camera records), BAD_REQUEST, DAMAGED (not what was
        sealed).
        """
        # In turn: a camera that gave up waiting repeats a call that may be still at work.
        meta = content.meta
        run = RunKey(meta.case_id, meta.camera_id, meta.run_id)
        self._destroyed.check(meta.case_id)
        with self._turns[meta.camera_id], self._outbox.writing(run):
            self._admit(meta.camera_id, claim)
            self._clean(run)
            stored = self._store.find(meta)
            if stored is None:
                stored = self._store.write(self._signer.sign(content, previous))
            self._outbox.offer(
                [stored]
            )  # also one that was found: the call of before may not have come so far
            return stored

    def keep_offered(
        self, content: SealedContent, place: str, previous: str, claim: int = 0
    ) -> SegmentRecord:
        """`keep`, with the ciphertext that its camera offers at `place` (`handover`). Errors: UNAVAILABLE too."""
        return self.keep(replace(content, ciphertext=handover.taken(place)), previous, claim)

    def tail(self, case_id: str, camera_id: str, run_id: str, claim: int = 0) -> Tail:
        """Where a run stands on this node's disk: what a restarted camera goes on from.

        `claim` is the number of the camera's self that asks, which grows with each (`recording_line`); from here on
        nothing is taken from older ones. Removes what a crash left of the run. Only here, and before a run's first
        segment: a start must not cost more with every year of recordings. Errors: CONFLICT (a newer self records),
        STORAGE, BAD_REQUEST.
        """
        run = RunKey(case_id, camera_id, run_id)
        with self._turns[camera_id]:
            self._admit(camera_id, claim)
            self._cleaned.discard(run)
            self._clean(run)
            return self._store.tail(*run)

    def record_gap(self, gap: Gap, claim: int = 0) -> None:
        """Sign a gap, make it durable and tell the index. `claim`: see `tail`. Errors: CONFLICT, STORAGE."""
        self._destroyed.check(gap.case_id)
        signed = signed_gap(gap, self._identity)
        run = RunKey(gap.case_id, gap.camera_id, gap.run_id)
        with self._turns[gap.camera_id], self._outbox.writing(run):
            self._admit(gap.camera_id, claim)
            self._gaps.write(signed)
            self._outbox.offer_gaps([signed])

    def _admit(self, camera_id: str, claim: int) -> None:
        """CONFLICT for a self of the camera that a newer one has followed. In the camera's turn."""
        if claim < self._claims.get(camera_id, 0):
            message = "A newer process of this camera records; nothing is taken from the older one."
            raise OrvaultError(ErrorKind.CONFLICT, message, where=f"camera {camera_id}")
        self._claims[camera_id] = claim

    def _clean(self, run: RunKey) -> None:
        """In the camera's turn. What a crash left holds its number, and is removed once."""
        if run not in self._cleaned:
            self._store.clean(*run, on_fault=_tell_fault)
            self._cleaned.add(run)

    def close(self) -> None:
        """Leave the disk to another; nothing may be asked for any more. The end of the process does the same."""
        if self._held is not None:
            self._held.close()

    def read(self, path: str) -> bytes:
        """A sealed segment, as it lies on disk. Errors: STORAGE, NOT_FOUND, BAD_REQUEST."""
        return self._store.read(path)

    def replace_slots(self, path: str, slots: Sequence[KeySlot]) -> None:
        """Give a sealed segment re-wrapped key slots, durably. Errors: STORAGE, NOT_FOUND, BAD_REQUEST."""
        camera_id = self._store.record(path).header.meta.camera_id
        with self._turns[camera_id]:
            self._store.replace_slots(path, slots)

    def stored_cases(self) -> list[str]:
        """Cases of which anything lies on this disk. Errors: STORAGE."""
        return self._destroyed.present()

    def destroy_case(self, case_id: str, epoch: int) -> Erased:
        """Remove everything of a case, whose key is destroyed, from this disk; again is no error.

        Errors: STORAGE, CONFLICT (an older epoch), BAD_REQUEST.
        """
        return self._destroyed.erase(case_id, epoch)

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
