"""Finds people in live pictures in time to cover them: a picture is shown once a look at it or a later one is done.

So what is shown lies a look behind what is; and nobody is shown who came between two looks. Where looks come slowly,
the pictures between them are left out: who walks through them stands where no look found them. The first look, and
the first after a failure, is a thorough one: whoever lies is seen in turned pictures only. What was found is
remembered as for stored video (vision/ongoing.py). A detector that fails, dies or does not answer in time makes every
picture whole-masked, the waiting ones and those that come, at once.
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
from orvault.viewing.dressing import PEOPLE
from orvault.vision.detector import Detection, Detector, SteppedDetector, ThoroughDetector
from orvault.vision.mask import WHOLE, FramePlan, MaskPolicy
from orvault.vision.ongoing import Ongoing
from orvault.vision.planning import together

LIMIT_US = 2 * US_PER_S  # a look that takes longer has failed
_PAUSE_90K = 900_000  # nobody knows what happened meanwhile: looked at thoroughly again
AFTER_FAILURE_S = 0.5  # a detector that cannot be opened is not tried with every picture
EVERY_90K = 22_500  # from look to look at the least: more of them cost much and show little (ADR 0016)
# Between looks farther apart than that, who walks is where neither of them says (docs/perf/2026-11-viewing.md).
APART_90K = 36_000
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

    `policy` says what is covered, and what the site always covers in this camera's pictures.
    """

    def __init__(
        self, open_detector: Callable[[], Detector], clock: Clock, policy: MaskPolicy = PEOPLE
    ) -> None:
        self._eye, self._clock = Eye(open_detector, policy), clock
        self._waiting: deque[Covered] = deque()
        self._there = threading.Condition()
        self._next: tuple[Image, _Look] | None = None
        self._under_way: _Look | None = None
        self._done: deque[_Look] = deque()
        self._plan: FramePlan | None = None  # of the last look; None: there was none yet
        self._looked_90k: int | None = None  # when the last look began
        self._judged_90k: int | None = None  # the picture of the last look that is done
        self._closed = self._ended = False
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
        blind = self._ended or (self._plan is not None and self._plan.whole)
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
            due = self._looked_90k is None or pts_90k - self._looked_90k >= EVERY_90K
            if self._under_way is None and due:
                self._looked_90k = pts_90k
                self._under_way = _Look(pts_90k, self._clock.now_us())
                self._next = (bgr, self._under_way)
                self._there.notify()

    def _judged(self, look: _Look) -> list[Covered]:
        """The waiting pictures up to a look, covered by what it and the one before it found; of looks that lie far
        apart the picture looked at alone.
        """
        before, self._plan = self._plan or WHOLE, look.plan
        near = self._judged_90k is None or look.pts_90k - self._judged_90k <= APART_90K
        self._judged_90k = look.pts_90k
        plan = together(before, look.plan)
        ready = []
        while self._waiting and self._waiting[0].pts_90k <= look.pts_90k:
            each = self._waiting.popleft()
            if near or plan.whole or each.pts_90k == look.pts_90k:
                ready.append(Covered(each.bgr, each.pts_90k, plan))
        return ready

    def _look_for_ever(self) -> None:
        try:
            while (due := self._due()) is not None:
                bgr, look = due
                plan = self._eye.look(bgr, look.pts_90k)
                del due, bgr
                with self._there:
                    self._under_way = None
                    self._done.append(_Look(look.pts_90k, look.began_us, plan))
                if plan.whole:
                    self._clock.sleep(AFTER_FAILURE_S)
        finally:
            self._ended = True  # by a fault of this program: nothing more is shown of what comes

    def _due(self) -> tuple[Image, _Look] | None:
        """The next picture to look at; None: no more."""
        with self._there:
            self._there.wait_for(lambda: self._closed or self._next is not None)
            due, self._next = self._next, None
            return None if self._closed else due


class Eye:
    """Looks at one camera's pictures, and remembers who is where. Not safe between threads."""

    def __init__(self, open_detector: Callable[[], Detector], policy: MaskPolicy = PEOPLE) -> None:
        self._open_detector, self._policy = open_detector, policy
        self._detector: Detector | None = None
        self._size: tuple[int, int] | None = None
        self._ongoing: Ongoing | None = None
        self._blind = True  # nothing was looked at yet, or the last look failed
        self._looked_90k = 0
        self._number = 0

    def look(self, bgr: Image, pts_90k: int) -> FramePlan:
        """What of the pictures between the last look and this one is covered; all, where looking failed."""
        size = (bgr.shape[1], bgr.shape[0])
        if self._ongoing is None or self._size != size:
            self._size, self._ongoing, self._blind = size, Ongoing(self._policy, *size), True
        found = self._found(bgr, thoroughly=self._blind or pts_90k - self._looked_90k > _PAUSE_90K)
        self._blind, self._looked_90k = found is None, pts_90k
        return WHOLE if found is None else self._ongoing.look(pts_90k, found)

    def _found(self, bgr: Image, *, thoroughly: bool) -> list[Detection] | None:
        try:
            detector = self._detector = self._detector or self._open_detector()
            if thoroughly and isinstance(detector, ThoroughDetector):
                found = detector.detect_thoroughly(bgr)
            elif isinstance(detector, SteppedDetector):
                number, self._number = self._number, self._number + 1
                found = detector.look(bgr, number)
            else:
                found = detector.detect(bgr)
        except _FAILURES as error:
            log.warning("people cannot be found in live pictures, masking whole: %s", error)
            return None
        if all(each.plausible for each in found):
            return found
        log.warning("people cannot be found in live pictures, masking whole: boxes that are no numbers")
        return None
