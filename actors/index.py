"""The single writer of segment rows and gaps; what it writes can always be rebuilt from the disks.

It also anchors in history where the runs stand.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from actors.outbox import Indexed
from actors.repeating import repeat
from orvault.clock import SystemClock
from orvault.container.enrolment import EnrolledNodes, NodeTrust
from orvault.container.gap import Gap, check_gap
from orvault.custody.ports import CameraInfo
from orvault.custody.service import CustodyService
from orvault.errors import ErrorKind, OrvaultError, is_away
from orvault.recording.records import SegmentRecord
from orvault.recording.unconfirmed import Landmark

log = logging.getLogger(__name__)


class IndexActor:
    """One per cluster, on the export server."""

    def __init__(
        self,
        open_custody: Callable[[], CustodyService],
        cameras: Sequence[CameraInfo],
        nodes: NodeTrust,
        anchor_every_s: float,
    ) -> None:
        self._custody = open_custody()
        self._custody.register_cameras(cameras)
        self._nodes = nodes
        repeat("anchoring", self.anchor, anchor_every_s)

    def index(self, records: Sequence[SegmentRecord]) -> Indexed:
        """Write rows; a record that is there already stays as it is. What is refused stays on its node's disk.

        Errors: UNAVAILABLE, also while nobody can say which nodes are enrolled: then it is offered again.
        """
        refused = self._custody.index_segments(records, self._enrolled()).refused
        for segment_id, reason in refused:
            log.error("segment %s is not indexed: %s", segment_id, reason)
        return Indexed(self._landmark(), frozenset(segment_id for segment_id, _ in refused))

    def knows(self, landmark: Landmark) -> bool:
        """Whether history has this entry: a ledger that came back from a back-up may not."""
        return self._custody.has_entry(landmark.seq, landmark.leaf_hash)

    def anchor(self) -> None:
        """Write into history where each run stands that moved since the last time."""
        self._custody.anchor_moved_runs()

    def gap(self, gap: Gap) -> Landmark:
        """Write a gap; one that is there already stays as it is. One that is refused is told to history.

        Errors: UNTRUSTED, ALTERED (not the word of its camera's node), NOT_FOUND (of no known run); UNAVAILABLE:
        offer it again.
        """
        enrolled = self._enrolled()
        try:
            node_id = check_gap(gap, enrolled, SystemClock().now_us())
            self._custody.record_gap(gap, node_id)
        except OrvaultError as error:
            if not is_away(error):
                self._custody.note_refused_gap(gap, error.message)
            raise
        return self._landmark()

    def _landmark(self) -> Landmark:
        newest = self._custody.newest_entry()
        return Landmark(-1, "") if newest is None else Landmark(newest.seq, newest.leaf_hash)

    def _enrolled(self) -> EnrolledNodes:
        try:
            return self._nodes.load()
        except OrvaultError as error:
            message = f"Nothing is indexed while it is not known which nodes to believe: {error.message}"
            raise OrvaultError(
                ErrorKind.UNAVAILABLE, message, where=error.where, advice=error.advice
            ) from error
