"""The single writer of segment rows and gaps; what it writes can always be rebuilt from the disks.

It also anchors in history where the runs stand.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from actors.repeating import repeat
from orvault.clock import SystemClock
from orvault.container.enrolment import EnrolledNodes, NodeTrust
from orvault.container.gap import Gap, check_gap
from orvault.custody.ports import CameraInfo
from orvault.custody.service import CustodyService
from orvault.errors import ErrorKind, OrvaultError
from orvault.recording.records import SegmentRecord

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

    def index(self, records: Sequence[SegmentRecord]) -> None:
        """Write rows; a record that is there already stays as it is. What is refused stays on its node's disk.

        Errors: UNAVAILABLE, also while nobody can say which nodes are enrolled: then it is offered again.
        """
        for segment_id, reason in self._custody.index_segments(records, self._enrolled()).refused:
            log.error("segment %s is not indexed: %s", segment_id, reason)

    def anchor(self) -> None:
        """Write into history where each run stands that moved since the last time."""
        self._custody.anchor_moved_runs()

    def gap(self, gap: Gap) -> None:
        """Write a gap; one that is there already stays as it is. Errors: UNTRUSTED, ALTERED (not its node's word)."""
        check_gap(gap, self._enrolled(), SystemClock().now_us())
        self._custody.record_gap(gap)

    def _enrolled(self) -> EnrolledNodes:
        try:
            return self._nodes.load()
        except OrvaultError as error:
            message = f"Nothing is indexed while it is not known which nodes to believe: {error.message}"
            raise OrvaultError(
                ErrorKind.UNAVAILABLE, message, where=error.where, advice=error.advice
            ) from error
