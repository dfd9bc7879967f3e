"""Moves what was sealed to a vault key over to its case's own key, on the nodes' disks and in the ledger.

Order per segment: 1 the key service makes the new slots, 2 the node's sidecar (the truth) gets them, 3 the ledger's
row and a history entry are committed. After a crash it is done again, which changes nothing that was done. A node
that is away is left for the next round.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import Protocol

from orvault.container.keys import KeySlot
from orvault.container.vaultkey import VaultUse
from orvault.custody.recorded import SegmentLike, StoredSegment
from orvault.custody.service import CustodyService
from orvault.errors import ErrorKind, OrvaultError

BATCH = 100

log = logging.getLogger(__name__)


class Sidecars(Protocol):
    """The key slots beside the segments, on the nodes that recorded them."""

    def replace_slots(self, node_id: str, path: str, slots: Sequence[KeySlot]) -> None:
        """Durable when it returns. Errors: UNAVAILABLE, NOT_FOUND, STORAGE."""
        ...

    def waiting(self, node_id: str) -> int:
        """Records of the node that the ledger has not confirmed yet. Errors: UNAVAILABLE."""
        ...


class VaultKeys(Protocol):
    """The key service (actors/keys.py)."""

    def vault_uses(self) -> list[VaultUse]:
        """Cases that were given a vault key."""
        ...

    def rewrap(self, records: Sequence[SegmentLike]) -> list[tuple[KeySlot, ...]]:
        """New slots, in the order of `records`."""
        ...

    def settle(self, case_id: str, thumbprint: str) -> None:
        """Nothing of this case is sealed to that vault key any more."""
        ...


class Rewrapper:
    """Works off the cases that were given a vault key, until each is over and settled."""

    def __init__(self, custody: CustodyService, keys: VaultKeys, sidecars: Sidecars) -> None:
        self._custody = custody
        self._keys = keys
        self._sidecars = sidecars
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, every_s: float) -> None:
        """Work in a thread of its own as long as the process lives; called again, it looks at once."""
        self._woken.set()
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._work_for_ever, args=(every_s,), name="rewrap", daemon=True
            )
            self._thread.start()

    def run_once(self) -> int:
        """One round over all open cases; how many of them are left."""
        left = 0
        for use in self._keys.vault_uses():
            if use.settled:
                continue
            try:
                left += not self._work_off(use)
            except OrvaultError as error:  # one case must not hold up the others
                log.warning("case %s is not re-wrapped yet: %s", use.case_id, error)
                left += 1
        return left

    def _work_off(self, use: VaultUse) -> bool:
        """Re-wrap what the ledger knows of this case; True once it is over and nothing can come after."""
        over = self._custody.recording_over(use.case_id)  # asked first: what comes later is then all there
        failed, nodes, after = False, self._nodes(), ""
        quiet = over and all(self._is_quiet(node) for node in nodes)
        while batch := self._custody.sealed_to(use.case_id, use.thumbprint, after, BATCH):
            failed |= not self._replace(use.case_id, batch)
            after = batch[-1].header.meta.segment_id
        if failed or not quiet:
            return False
        self._keys.settle(use.case_id, use.thumbprint)
        return True

    def _nodes(self) -> set[str]:
        return {camera.node_id for camera in self._custody.known_cameras()}

    def _is_quiet(self, node: str) -> bool:
        """Whether the ledger has all that this node has on its disk."""
        try:
            return self._sidecars.waiting(node) == 0
        except OrvaultError as error:
            if error.kind is not ErrorKind.UNAVAILABLE:
                raise
            return False

    def _replace(self, case_id: str, batch: Sequence[StoredSegment]) -> bool:
        done: dict[str, tuple[KeySlot, ...]] = {}
        for segment, slots in zip(batch, self._keys.rewrap(batch), strict=True):
            meta = segment.header.meta
            try:
                self._sidecars.replace_slots(meta.node_id, segment.path, slots)
            except OrvaultError as error:
                log.warning("segment %s keeps its slots for now: %s", meta.segment_id, error)
            else:
                done[meta.segment_id] = slots
        if done:
            self._custody.replace_slots(case_id, done)
        return len(done) == len(batch)

    def _work_for_ever(self, every_s: float) -> None:
        left = 0
        while True:
            self._woken.wait(every_s if left else None)
            self._woken.clear()
            try:
                left = self.run_once()
            except OrvaultError as error:
                left = 1
                log.warning("re-wrapping waits: %s", error)
