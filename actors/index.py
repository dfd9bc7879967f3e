"""The single writer of segment rows and gaps; what it writes can always be rebuilt from the disks.

It also repeats orders that a crash may have swallowed, because it is the actor that is always there.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from orvault.custody.ports import CameraInfo
from orvault.custody.service import CustodyService
from orvault.errors import OrvaultError
from orvault.recording.recorder import Gap
from orvault.recording.records import SegmentRecord

SETTLE_S = 15.0  # between two looks; a camera that follows its order already answers in a millisecond

log = logging.getLogger(__name__)


class IndexActor:
    """One per cluster, on the export server."""

    def __init__(self, open_custody: Callable[[], CustodyService], cameras: Sequence[CameraInfo]) -> None:
        self._custody = open_custody()
        self._custody.register_cameras(cameras)
        threading.Thread(target=self._settle_for_ever, name="settling", daemon=True).start()

    def index(self, records: Sequence[SegmentRecord]) -> None:
        """Write rows; a record that is there already stays as it is. What is refused stays on its node's disk."""
        for segment_id, reason in self._custody.index_segments(records).refused:
            log.error("segment %s is not indexed: %s", segment_id, reason)

    def settle(self) -> None:
        """Tell cameras again what they may have missed: runs that should record, and stops not yet confirmed."""
        for problem in (*self._custody.resume_recordings(), *self._custody.settle_stops()):
            log.warning("camera %s does not follow yet: %s", problem.camera_id, problem.message)

    def _settle_for_ever(self) -> None:
        pause = threading.Event()
        while True:
            try:
                self.settle()
            except OrvaultError as error:  # tried again: cameras must not stay without their orders
                log.error("orders could not be repeated: %s", error)
            pause.wait(SETTLE_S)

    def gap(self, gap: Gap) -> None:
        """Write a gap; one that is there already stays as it is."""
        self._custody.record_gap(gap)
