"""Lets a detector look at a stretch of pictures, now and then, and says for each picture what was found."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable, Iterable, Sequence

import cv2

from orvault.clock import US_PER_S
from orvault.errors import OrvaultError
from orvault.video.codec import CLOCK_90K, Frame, Image, decode_fragment
from orvault.vision.detection import BatchDetector, Detection
from orvault.vision.detector import (
    Detector,
    DetectorProfile,
    EnsembleDetector,
    SteppedDetector,
    ThoroughDetector,
)
from orvault.vision.mask import SKIPPED, FrameDetections

_log = logging.getLogger(__name__)
_Asked = tuple[int, Frame, int]  # place in the results, picture, number of the look

# What a detector may die of on one picture. A programming error (TypeError, AttributeError ...) is not among
# them: it would come with every picture, and must end the export instead of quietly turning it black.
_DETECTION_FAILURES = (
    OrvaultError,
    RuntimeError,
    ValueError,
    ArithmeticError,
    LookupError,
    MemoryError,
    cv2.error,
)
_LAST_SHARE = 0.75  # of the time between looks: a shorter rest at a stretch's end is left to the next stretch
_GAP_US = US_PER_S  # more than two fragments without a gap lie apart
SHORT_S = 16.0  # in less footage not every turn of a DetectorProfile comes: about fifteen turned looks
_THOROUGH_LOOKS = 3  # of short footage: one look in four misses a face that lies as the turn wants it


def thorough_times(recorded_us: Sequence[tuple[int, int]]) -> list[tuple[float, ...]]:
    """When the fragments of one request are looked at thoroughly: of each, the seconds from its first picture.

    `recorded_us` is when each fragment begins and ends, in microseconds, in the order of time. A short stretch, from
    gap to gap, gets three such looks, one in the middle of each third, however short it is: who lies must not hang on
    which turns fall into it. Of a longer one every turn comes by itself, and nothing is asked for.
    """
    stretches: list[list[float]] = []
    for number, (begin_us, end_us) in enumerate(recorded_us):
        if not number or begin_us - recorded_us[number - 1][1] > _GAP_US:
            stretches.append([])
        stretches[-1].append((end_us - begin_us) / US_PER_S)
    return [times for lengths_s in stretches for times in _in_stretch(lengths_s)]


def _in_stretch(lengths_s: Sequence[float]) -> list[tuple[float, ...]]:
    total_s = sum(lengths_s)
    wanted = [total_s * (k + 0.5) / _THOROUGH_LOOKS for k in range(_THOROUGH_LOOKS) if total_s < SHORT_S]
    times, begin_s = [], 0.0
    for length_s in lengths_s:
        times.append(tuple(at - begin_s for at in wanted if begin_s <= at < begin_s + length_s))
        begin_s += length_s
    return times


def detect_fragment(
    data: bytes,
    detector: Detector,
    profile: DetectorProfile | None = None,
    *,
    thorough_s: Sequence[float] = (),
) -> list[FrameDetections]:
    """What is found in each picture of a fragment: one entry per picture, in the order of showing.

    See `detect_frames`. BAD_MEDIA if the fragment cannot be decoded. Two decoded pictures are held at a time,
    and those that a detector takes together.
    """
    # Rare looks take turns from fragment to fragment: the fragment's own bytes say whose turn it is, so that the
    # same footage is looked at in the same way whichever actor gets which fragment.
    frames = decode_fragment(data, black_for_damaged=True)
    return detect_frames(frames, detector, profile, first_look=zlib.crc32(data), thorough_s=thorough_s)


def detect_frames(
    frames: Iterable[Frame],
    detector: Detector,
    profile: DetectorProfile | None = None,
    *,
    first_look: int = 0,
    thorough_s: Sequence[float] = (),
) -> list[FrameDetections]:
    """What is found in each of the pictures of a stretch that is shown without a break.

    The detector looks at most `profile.every_s` apart, and half of that from the first picture; the others are
    SKIPPED. A look that fails gives None, and so do those taken together with it. `first_look` is the number of the
    first look: see `SteppedDetector`. `thorough_s` are times in seconds from the first picture: the last look that
    comes by then is thorough, of a ThoroughDetector. Without `profile`, that of an EnsembleDetector is taken, or the
    default.
    """
    if profile is None:
        profile = detector.profile if isinstance(detector, EnsembleDetector) else DetectorProfile()
    looks = _Looks(detector, profile.every_s, first_look, thorough_s)
    current: Frame | None = None
    for following in frames:
        if current is not None:
            looks.take(current, following.pts_90k)
        current = following
    if current is not None:
        looks.take(current, None)
    looks.look()
    return looks.results


class _Looks:
    """Decides which pictures the detector looks at; one that takes several looks together gets them together."""

    def __init__(
        self, detector: Detector, every_s: float, first_look: int, thorough_s: Sequence[float]
    ) -> None:
        self.results: list[FrameDetections] = []
        self._detector = detector
        self._batch = detector.batch if isinstance(detector, BatchDetector) else 1
        self._waiting: list[_Asked] = []
        self._every_90k = every_s * CLOCK_90K
        self._number = first_look
        self._thorough_90k = [at * CLOCK_90K for at in thorough_s]
        self._first_90k: int | None = None
        self._looked_90k: int | None = None

    def take(self, frame: Frame, next_pts_90k: int | None) -> None:
        """One picture, and when the next one is shown (None: this is the last)."""
        if self._first_90k is None:
            self._first_90k = frame.pts_90k
        if not self._due(frame.pts_90k, next_pts_90k, self._first_90k):
            self.results.append(SKIPPED)
            return
        self.results.append(None)  # nobody was seen to leave: what stays of a look that fails
        if not frame.damaged:
            self._ask(frame, self._is_thorough(frame.pts_90k - self._first_90k))
        self._number += 1
        self._looked_90k = frame.pts_90k

    def _due(self, pts_90k: int, next_pts_90k: int | None, first_90k: int) -> bool:
        """Whether the next picture, or the next stretch's first look, would come too long after the last look."""
        if self._looked_90k is None:
            return next_pts_90k is None or next_pts_90k - first_90k > self._every_90k / 2
        if next_pts_90k is None:
            return pts_90k - self._looked_90k > self._every_90k * _LAST_SHARE
        return next_pts_90k - self._looked_90k > self._every_90k

    def _ask(self, frame: Frame, thorough: bool) -> None:
        """Look at the picture whose result is the last one; thoroughly at once, else when enough wait."""
        place = len(self.results) - 1
        if thorough and isinstance(self._detector, ThoroughDetector):
            detect = self._detector.detect_thoroughly
            self._put([(place, frame, self._number)], lambda: [detect(frame.bgr)])
            return
        self._waiting.append((place, frame, self._number))
        if len(self._waiting) >= self._batch:
            self.look()

    def _is_thorough(self, since_90k: float) -> bool:
        """Whether a thorough look is wanted before the next look can come: then it is this one."""
        left = [at for at in self._thorough_90k if at > since_90k + self._every_90k]
        wanted, self._thorough_90k = len(left) < len(self._thorough_90k), left
        return wanted

    def look(self) -> None:
        """Look at the pictures that wait; a look that fails takes those with it that were taken together."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._put(waiting, lambda: self._found([(frame.bgr, number) for _, frame, number in waiting]))

    def _put(self, asked: Sequence[_Asked], look: Callable[[], Iterable[list[Detection]]]) -> None:
        """What the look at these finds, in their places."""
        try:
            found = look()
        except _DETECTION_FAILURES as error:
            at_90k = asked[0][1].pts_90k
            _log.warning("detection failed at %d/90000 s, masking whole: %s", at_90k, error)
            return
        for (place, _, _), findings in zip(asked, found, strict=True):
            self.results[place] = findings

    def _found(self, looks: list[tuple[Image, int]]) -> Iterable[list[Detection]]:
        detector = self._detector
        if isinstance(detector, BatchDetector):
            return detector.look_each(looks)
        if isinstance(detector, SteppedDetector):
            return [detector.look(*look) for look in looks]
        return [detector.detect(bgr) for bgr, _ in looks]
