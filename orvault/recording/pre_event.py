"""Keeps the last seconds of an armed camera in memory, so that a recording can begin before its start signal.

Clear pictures, and so: none without an armed case, none older than it takes to cover those seconds, none on a disk,
and what is not recorded is overwritten. Cutting is `video.gop`'s, recording `recorder`'s part.
"""

from __future__ import annotations

from collections import deque

from orvault.clock import US_PER_S
from orvault.container.wire import wipe
from orvault.video.gop import Fragment

MAX_BYTES = 48 * 1024 * 1024  # a camera of 30 Mbit/s for 12 s; beyond it the oldest go first
LEASE_US = 60 * US_PER_S  # an arming that nobody repeats lapses: the message that ends it may be lost


class PreEventBuffer:
    """The fragments of the last `keep_us` microseconds; 0 keeps nothing. Not for several threads at once.

    Times are UTC microseconds of the machine that the camera is read on.
    """

    def __init__(self, keep_us: int, max_bytes: int = MAX_BYTES) -> None:
        self._keep_us, self._max_bytes = keep_us, max_bytes
        self._fragments: deque[Fragment] = deque()
        self._bytes = 0
        self._armed_us = 0
        self.case_id: str | None = None  # the armed case that the pictures belong to

    def __len__(self) -> int:
        return len(self._fragments)

    def arm(self, case_id: str, now_us: int) -> bool:
        """Keep pictures for this case until it is disarmed or not armed again in time; True if that is new.

        What was kept for another case is overwritten first: nothing from before an arming belongs to its case.
        """
        if not self._keep_us:
            return False
        new = self.case_id != case_id
        if new:
            self.disarm()
        self.case_id, self._armed_us = case_id, now_us
        return new

    def disarm(self) -> None:
        """Overwrite what is kept, and keep nothing more."""
        self.case_id = None
        while self._fragments:
            self._drop()

    def put(self, fragment: Fragment, now_us: int) -> None:
        """Take over a fragment; without an armed case it is overwritten at once."""
        self._fragments.append(fragment)
        self._bytes += len(fragment.data)
        self.forget(now_us)

    def forget(self, now_us: int) -> bool:
        """Overwrite what is too old by now; False if the arming has lapsed, and with it everything kept."""
        if self.case_id is None or abs(now_us - self._armed_us) > LEASE_US:
            self.disarm()  # also when the clock was set back: nobody can tell then how old the arming is
        while self._fragments and (
            self._fragments[0].end_us <= now_us - self._keep_us or self._bytes > self._max_bytes
        ):
            self._drop()
        return self.case_id is not None

    def take(self, case_id: str, now_us: int) -> tuple[Fragment, ...]:
        """Hand over what is kept for this case, oldest first. Pictures of any other case are overwritten."""
        self.forget(now_us)
        if self.case_id != case_id:
            self.disarm()
        taken = tuple(self._fragments)
        self._fragments.clear()
        self._bytes = 0
        return taken

    def _drop(self) -> None:
        fragment = self._fragments.popleft()
        self._bytes -= len(fragment.data)
        wipe(fragment.data)
