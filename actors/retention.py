"""Destroys what is due: looks each minute, and goes on wherever it, or its predecessor, was interrupted.

It decides nothing: what may begin, and how far each destruction is, stands in the ledger
(`orvault.custody.desks.destroying`). Order for each case, every step harmless when it is done twice:
  1. the key service drops the case's key and rolls the KEK: from here on nothing opens, nor does an older copy of the
     key store; 2. the packages that were made of it, and unfinished work, are removed from the export server; 3. each
     node removes its files; 4. the receipt is signed.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from actors.package_files import remove_files
from actors.repeating import repeat
from orvault.container.trust import Identity
from orvault.custody.destruction import Destruction, Step
from orvault.custody.service import CustodyService
from orvault.errors import ErrorKind, OrvaultError, is_away
from orvault.recording.destroying import Erased

ROUND_S = 60.0

log = logging.getLogger(__name__)


class CaseKeyDestroyer(Protocol):
    """The key service (actors/keys.py)."""

    def destroy_case_key(self, case_id: str) -> None:
        """For good; again is no error. Errors: KEYS_LOCKED, GRANT_MISSING, CONFLICT (a vault key others need)."""
        ...


class NodeDisks(Protocol):
    """The disks of the client nodes (actors/encryption.py)."""

    def stored_cases(self, node_id: str) -> Sequence[str]:
        """Cases of which anything lies there. Errors: UNAVAILABLE, STORAGE."""
        ...

    def destroy_case(self, node_id: str, case_id: str, epoch: int) -> Erased:
        """Remove everything of a case. Errors: UNAVAILABLE, STORAGE, CONFLICT (an older epoch)."""
        ...


@dataclass(frozen=True)
class DestructionTools:
    """What a destruction reaches: keys, disks, packages, and the identity that signs receipts."""

    keys: CaseKeyDestroyer
    disks: NodeDisks
    nodes: tuple[str, ...]
    packages: Path
    server_identity: Path


class RetentionActor:
    """One per cluster, on the export server."""

    def __init__(
        self, open_custody: Callable[[], CustodyService], tools: DestructionTools, every_s: float = ROUND_S
    ) -> None:
        self._custody, self._tools = open_custody(), tools
        repeat("retention", self.round, every_s)

    def round(self) -> None:
        """Notice, begin, carry on, and look for what came back. One case must not hold up the others."""
        if noticed := self._custody.notice_due():
            log.warning("%d cases are due for destruction (`orvault retention plan`)", noticed)
        self._custody.begin_due()
        for destruction in self._custody.destructions_under_way():
            try:
                self.carry_on(destruction.case_id)
            except OrvaultError as error:
                log.warning("the destruction of case %s waits: %s", destruction.case_id, error)
        self._sweep()

    def carry_on(self, case_id: str) -> None:
        """Take every step of this destruction that is left and can be taken now."""
        custody, at = self._custody, self._custody.take_up(case_id)
        if at.step is Step.BEGUN:
            self._tools.keys.destroy_case_key(case_id)  # 1
            at = custody.key_destroyed(case_id, at.epoch)
        if at.step is Step.KEY_DESTROYED:
            self._remove_packages(case_id)  # 2
            at = custody.packages_removed(case_id, at.epoch)
        if at.step is Step.PACKAGES_REMOVED:
            self._remove_files(at)  # 3
            self._sign(at)  # 4

    def _remove_packages(self, case_id: str) -> None:
        for request in self._custody.exports_of(case_id):
            if not remove_files(self._tools.packages, request):
                message = "A package of it cannot be removed; the log says why."
                raise OrvaultError(ErrorKind.STORAGE, message, where=request.request_id)
            if request.package_id is not None:
                self._custody.files_removed(request.request_id)

    def _remove_files(self, at: Destruction) -> None:
        """Those that are known to have recorded it, and any other that has files of it: a camera may have moved."""
        nodes = {
            *self._custody.nodes_outstanding(at.case_id),
            *filter(self._has(at.case_id), self._tools.nodes),
        }
        for node_id in sorted(nodes):
            self._erase(node_id, at.case_id, at.epoch)

    def _has(self, case_id: str) -> Callable[[str], bool]:
        def has(node_id: str) -> bool:
            try:
                return case_id in self._tools.disks.stored_cases(node_id)
            except OrvaultError as error:
                log.debug("node %s is not looked through: %s", node_id, error)
                return False  # the sweep finds it later

        return has

    def _erase(self, node_id: str, case_id: str, epoch: int, *, again: bool = False) -> None:
        """A node that is away does it when it is back."""
        try:
            erased = self._tools.disks.destroy_case(node_id, case_id, epoch)
        except OrvaultError as error:
            if not is_away(error) and error.kind is not ErrorKind.STORAGE:
                raise
            log.warning("node %s still has files of destroyed case %s: %s", node_id, case_id, error)
            return
        self._custody.files_destroyed(case_id, node_id, erased.files, erased.bytes, again=again)

    def _sign(self, at: Destruction) -> None:
        receipt = self._custody.receipt_due(at.case_id, at.epoch)
        if receipt is not None:
            sealed = receipt.seal(Identity.load(self._tools.server_identity))
            digest = hashlib.sha256(sealed).hexdigest()
            self._custody.finish_destruction(at.case_id, at.epoch, sealed, digest)
            log.warning("the recordings of case %s are destroyed; receipt %s", at.case_id, digest[:16])

    def _sweep(self) -> None:
        """What a node that was away, or a disk that was brought back from a copy, still has of destroyed cases."""
        outstanding = set(self._custody.outstanding_files())
        for node_id in self._tools.nodes:
            try:
                present = list(self._tools.disks.stored_cases(node_id))
                gone = self._custody.destroyed_among(present)
            except OrvaultError as error:
                log.debug("node %s is not looked through: %s", node_id, error)
                continue
            for case_id in sorted(gone):
                self._erase_again(node_id, case_id)
            for each in [pair for pair in outstanding if pair[1] == node_id and pair[0] not in gone]:
                self._custody.files_destroyed(each[0], node_id, 0, 0)  # it has nothing of it any more

    def _erase_again(self, node_id: str, case_id: str) -> None:
        known = self._custody.destruction_of(case_id)
        if known is None or known.step is not Step.DESTROYED:
            return  # its turn comes with the destruction itself
        first = node_id in self._custody.nodes_outstanding(case_id)
        if not first:
            log.error("files of destroyed case %s came back on node %s, and are removed", case_id, node_id)
        self._erase(node_id, case_id, known.epoch, again=not first)
