"""The single writer of segment rows and gaps; what it writes can always be rebuilt from the disks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from orvault.custody.ports import CameraInfo
from orvault.custody.service import CustodyService
from orvault.recording.recorder import Gap
from orvault.recording.records import SegmentRecord

log = logging.getLogger(__name__)


class IndexActor:
    """One per cluster, on the export server."""

    def __init__(self, open_custody: Callable[[], CustodyService], cameras: Sequence[CameraInfo]) -> None:
        self._custody = open_custody()
        self._custody.register_cameras(cameras)

    def index(self, records: Sequence[SegmentRecord]) -> None:
        """Write rows; a record that is there already stays as it is. What is refused stays on its node's disk."""
        for segment_id, reason in self._custody.index_segments(records).refused:
            log.error("segment %s is not indexed: %s", segment_id, reason)

    def gap(self, gap: Gap) -> None:
        """Write a gap; one that is there already stays as it is."""
        self._custody.record_gap(gap)
