"""Finds people in live pictures in time to cover them: a picture is shown once a look at it or a later one is done.

So what is shown lies a look behind what is; and nobody is shown who came between two looks. A detector that fails,
dies or does not answer in time makes every picture whole-masked, the waiting ones and those that come, at once.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import cv2

from orvault.clock import US_PER_S, Clock
from orvault.errors import OrvaultError
from orvault.video.codec import Image
from orvault.video.packet import TICKS_PER_S
from orvault.viewing.dressing import PEOPLE
from orvault.vision.detection import SKIPPED
from orvault.vision.detector import Detector
from orvault.vision.mask import WHOLE, FrameDetections, FramePlan, plan_regions

LIMIT_US = 2 * US_PER_S  # a look that takes longer has failed
AFTER_FAILURE_S = 0.5  # a detector that cannot be opened is not tried with every picture
_REMEMBERED = 30  # looks
_BETWEEN = 8  # steps from look to look in which the way between is planned
_MOST_WAITING = 64  # pictures of one camera
# What a detector may die of on one picture; anything else ends the process, and with it every view.
_FAILURES = (OrvaultError, RuntimeError, ValueError, ArithmeticError, LookupError, MemoryError, cv2.error)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Covered:
    """A picture that may be shown now under its plan."""

    bgr: Image = field(repr=False)
    pts_90k: int
    plan: FramePlan


@dataclass(frozen=True, slots=True)
class _Look:
    """A look that is under way, or done: then `plan` covers what was found up to it."""

    pts_90k: int
    began_us: int
    plan: FramePlan = WHOLE


class PeopleCover:
    """One camera's pictures, held until they can be covered. `take` from one thread; looking has one of its own.

    The pictures are only read, and must not be painted on by others.
    """

    def __init__(self, open_detector: Callable[[], Detector], clock: Clock) -> None:
        self._open_detector, self._clock = open_detector, clock
        self._waiting: deque[Covered] = deque()
        self._there = threading.Condition()
        self._next: tuple[Image, _Look] | None = None
        self._under_way: _Look | None = None
        self._done: deque[_Look] = deque()
        self._plan: FramePlan | None = None  # of the last look; None: there was none yet
        self._closed = False
        threading.Thread(target=self._look_for_ever, name="live looking", daemon=True).start()

    def take(self, bgr: Image, pts_90k: int) -> list[Covered]:
        """A picture comes; those that may be shown now, in order, this one or earlier ones."""
        self._waiting.append(Covered(bgr, pts_90k, WHOLE))
        self._begin(bgr, pts_90k)
        ready: list[Covered] = []
        while self._done:
            ready += self._judged(self._done.popleft())
        under_way = self._under_way
        if under_way is not None and self._clock.now_us() - under_way.began_us > LIMIT_US:
            self._plan = WHOLE
        blind = self._plan is not None and self._plan.whole
        if blind or len(self._waiting) > _MOST_WAITING:
            ready += self._waiting  # they are covered whole
            self._waiting.clear()
        return ready

    def close(self) -> None:
        """Look no more."""
        with self._there:
            self._closed = True
            self._there.notify()

    def _begin(self, bgr: Image, pts_90k: int) -> None:
        with self._there:
            if self._under_way is None:
                self._under_way = _Look(pts_90k, self._clock.now_us())
                self._next = (bgr, self._under_way)
                self._there.notify()

    def _judged(self, look: _Look) -> list[Covered]:
        """The waiting pictures up to a look, covered by what it and the one before it found."""
        before, self._plan = self._plan or WHOLE, look.plan
        plan = _both(before, look.plan)
        ready = []
        while self._waiting and self._waiting[0].pts_90k <= look.pts_90k:
            each = self._waiting.popleft()
            ready.append(Covered(each.bgr, each.pts_90k, plan))
        return ready

    def _look_for_ever(self) -> None:
        eye = _Eye(self._open_detector)
        while True:
            with self._there:
                self._there.wait_for(lambda: self._closed or self._next is not None)
                if self._closed or self._next is None:
                    return
                (bgr, look), self._next = self._next, None
            plan = eye.look(bgr, look.pts_90k)
            del bgr
            with self._there:
                self._under_way = None
                self._done.append(_Look(look.pts_90k, look.began_us, plan))
            if plan.whole:
                self._clock.sleep(AFTER_FAILURE_S)


class _Eye:
    """Looks at pictures, and remembers the last looks: who lies still is found only now and then."""

    def __init__(self, open_detector: Callable[[], Detector]) -> None:
        self._open_detector = open_detector
        self._detector: Detector | None = None
        self._looks: deque[tuple[int, FrameDetections]] = deque(maxlen=_REMEMBERED)

    def look(self, bgr: Image, pts_90k: int) -> FramePlan:
        """What of the pictures between the last look and this one is covered; all, where looking failed."""
        self._looks.append((pts_90k, self._found(bgr)))
        if self._looks[-1][1] is None:
            return WHOLE
        height, width = bgr.shape[:2]
        span_90k = max(1, pts_90k - self._looks[0][0])
        fps = min(30.0, max(1.0, (len(self._looks) - 1) * TICKS_PER_S / span_90k))
        # Pictures lie between two looks, and who walks is in another place in each of them.
        found: list[FrameDetections] = []
        for _, each in self._looks:
            found += [*([SKIPPED] * (_BETWEEN - 1) if found else []), each]
        plans = plan_regions(found, PEOPLE, width, height, fps=fps * _BETWEEN)
        return _both(*plans[-_BETWEEN - 1 :])

    def _found(self, bgr: Image) -> FrameDetections:
        try:
            self._detector = self._detector or self._open_detector()
            return self._detector.detect(bgr)
        except _FAILURES as error:
            log.warning("people cannot be found in live pictures, masking whole: %s", error)
            return None


def _both(*plans: FramePlan) -> FramePlan:
    """What any of them covers."""
    if any(plan.whole for plan in plans):
        return WHOLE
    boxes = dict.fromkeys(box for plan in plans for box in plan.boxes)
    polygons = dict.fromkeys(polygon for plan in plans for polygon in plan.polygons)
    return FramePlan(False, tuple(boxes), tuple(polygons))
