"""The one path to a picture that leaves: decode -> mask -> watermark -> encode.

Which pixels to cover is planned before (vision.mask); sealing the result is the sink's business
(container.package).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import cv2

from orvault.errors import ErrorKind, OrvaultError
from orvault.video.codec import CLOCK_90K, Frame, Image, Mp4Encoder, Sink, decode_fragment
from orvault.vision.detector import Detector, DetectorProfile, EnsembleDetector, ThoroughDetector
from orvault.vision.mask import WHOLE, FrameDetections, FramePlan, MaskPolicy, apply_mask
from orvault.vision.watermark import TextWatermark, WatermarkPainter

_log = logging.getLogger(__name__)

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
_GAP_90K = CLOCK_90K // 2  # pictures farther apart than half a second are a gap that the recipient is told of


def detect_fragment(
    data: bytes, detector: Detector, profile: DetectorProfile | None = None
) -> list[FrameDetections]:
    """What is found in each picture of a fragment: one entry per picture, in the order of showing.

    The detector looks at the first and the last picture and, in between, at most `profile.every_s` apart; a
    picture that was not looked at gets the findings of both its neighbours. A look that fails gives None for
    that picture, and for the skipped ones beside it: those are covered whole. BAD_MEDIA if the fragment
    cannot be decoded. Without `profile`, that of an EnsembleDetector is taken, or the default. Two decoded
    pictures are held at a time.
    """
    if profile is None:
        profile = detector.profile if isinstance(detector, EnsembleDetector) else DetectorProfile()
    looks = _Looks(detector, profile)
    current: Frame | None = None
    for following in decode_fragment(data):
        if current is not None:
            looks.take(current, following.pts_90k)
        current = following
    if current is not None:
        looks.take(current, None)
    return looks.results


class _Looks:
    """Decides which pictures the detector looks at, and fills in those between."""

    def __init__(self, detector: Detector, profile: DetectorProfile) -> None:
        self.results: list[FrameDetections] = []
        self._detector = detector
        self._every_90k = profile.every_s * CLOCK_90K
        self._thorough_90k = profile.thorough_every_s * CLOCK_90K
        self._looked_90k: int | None = None
        self._thorough_at_90k: float = float("-inf")
        self._skipped = 0

    def take(self, frame: Frame, next_pts_90k: int | None) -> None:
        """One picture, and when the next one is shown (None: this is the last)."""
        if not self._due(next_pts_90k):
            self._skipped += 1
            return
        found = self._look(frame)
        if self._skipped:
            before = self.results[-1]
            both = None if before is None or found is None else [*before, *found]
            self.results += [both] * self._skipped
            self._skipped = 0
        self.results.append(found)
        self._looked_90k = frame.pts_90k

    def _due(self, next_pts_90k: int | None) -> bool:
        """This picture must be looked at, because the next one would come too long after the last look."""
        if next_pts_90k is None or self._looked_90k is None:
            return True
        return next_pts_90k - self._looked_90k > self._every_90k

    def _look(self, frame: Frame) -> FrameDetections:
        try:
            return self._detect(frame)
        except _DETECTION_FAILURES as error:
            _log.warning("detection failed at %d/90000 s, masking whole: %s", frame.pts_90k, error)
            return None

    def _detect(self, frame: Frame) -> FrameDetections:
        detector = self._detector
        if (
            isinstance(detector, ThoroughDetector)
            and frame.pts_90k - self._thorough_at_90k >= self._thorough_90k
        ):
            self._thorough_at_90k = frame.pts_90k
            return detector.detect_thoroughly(frame.bgr)
        return detector.detect(frame.bgr)


@dataclass(frozen=True)
class RenditionReport:
    """What came out: pictures written, how many of them covered whole or partly, when they were taken."""

    frames: int
    masked_whole: int
    masked_partly: int
    start_us: int
    end_us: int  # when the last picture was taken, plus one picture's time
    gaps: tuple[tuple[int, int], ...]  # (last picture before, first after) of pauses over half a second
    clock_steps: int  # fragments that claimed to start before their predecessor's end and were set behind it
    watermark_box: tuple[int, int, int, int] | None


class Rendition:
    """Writes one camera's masked and watermarked video into a sink, fragment by fragment.

    `width`, `height` of all its pictures, `fps` nominal; pictures taken outside `from_us` <= t < to_us are
    left out. One decoded picture is held at a time, however long the video is.
    """

    def __init__(
        self,
        sink: Sink,
        width: int,
        height: int,
        fps: float,
        policy: MaskPolicy,
        watermark: TextWatermark | None = None,
        *,
        from_us: int | None = None,
        to_us: int | None = None,
        crf: int = 23,
        preset: str = "veryfast",
        threads: int = 0,
    ) -> None:
        self._policy = policy
        self._painter = WatermarkPainter(watermark, width, height) if watermark else None
        self._size = (width, height)
        self._range_us = (from_us, to_us)
        self._timeline = _Timeline(fps)
        self._whole = 0
        self._partly = 0
        self._encoder: Mp4Encoder | None = None
        self._make_encoder = partial(
            Mp4Encoder, sink, width, height, fps, crf=crf, preset=preset, threads=threads
        )

    def add(self, fragment: bytes, plans: Sequence[FramePlan], start_us: int) -> int:
        """Write one fragment whose first picture was taken at `start_us`; `plans` holds one plan per picture.

        Returns how many pictures were written. A picture without a plan is covered whole; and since masks may
        then lie on the wrong pictures, plans and pictures that do not match in number are an INTERNAL error
        in the end. BAD_MEDIA: damage, or another picture size than before.
        """
        count, written = 0, 0
        for frame, taken_us in self._timed(fragment, start_us):
            plan = plans[count] if count < len(plans) else WHOLE
            count += 1
            if self._wanted(taken_us):
                self._write(frame, plan, taken_us)
                written += 1
        if count != len(plans):
            raise OrvaultError(
                ErrorKind.INTERNAL,
                f"A fragment of {count} pictures came with plans for {len(plans)}.",
                where="rendition",
                advice="The output must not be handed out: its masks may be on the wrong pictures.",
            )
        return written

    def _timed(self, fragment: bytes, start_us: int) -> Iterator[tuple[Frame, float]]:
        first_90k: int | None = None
        for frame in decode_fragment(fragment):
            height, width = frame.bgr.shape[:2]
            if (width, height) != self._size:
                wide, high = self._size
                raise OrvaultError(
                    ErrorKind.BAD_MEDIA,
                    f"The camera's picture size changed from {wide}x{high} to {width}x{height}.",
                    where="rendition",
                    advice="Export the times before and after the change apart.",
                )
            first_90k = frame.pts_90k if first_90k is None else first_90k
            yield frame, start_us + (frame.pts_90k - first_90k) * 100 / 9
        self._timeline.next_fragment()

    def _wanted(self, taken_us: float) -> bool:
        from_us, to_us = self._range_us
        return (from_us is None or taken_us >= from_us) and (to_us is None or taken_us < to_us)

    def _write(self, frame: Frame, plan: FramePlan, taken_us: float) -> None:
        self._cover(frame.bgr, plan)
        if self._encoder is None:
            self._encoder = self._make_encoder(bt709=frame.bt709)
        self._encoder.write(frame.bgr, self._timeline.place(taken_us))

    def _cover(self, bgr: Image, plan: FramePlan) -> None:
        apply_mask(bgr, plan, self._policy)
        self._whole += plan.whole
        self._partly += bool(plan.boxes) and not plan.whole
        if self._painter is not None:
            self._painter.paint(bgr)

    def close(self) -> RenditionReport:
        """End the video (the sink stays open) and say what it holds; EMPTY_RANGE if it holds no picture."""
        if self._encoder is None:
            raise OrvaultError(
                ErrorKind.EMPTY_RANGE, "No picture was recorded in the time asked for.", where="rendition"
            )
        self._encoder.close()
        line = self._timeline
        return RenditionReport(
            frames=line.count,
            masked_whole=self._whole,
            masked_partly=self._partly,
            start_us=line.start_us,
            end_us=line.end_us,
            gaps=tuple(line.gaps),
            clock_steps=line.steps,
            watermark_box=self._painter.box if self._painter else None,
        )


class _Timeline:
    """Turns the time at which a picture was taken into its place in the video: from 0, growing, gaps kept."""

    def __init__(self, fps: float) -> None:
        self.count = 0
        self.steps = 0
        self.gaps: list[tuple[int, int]] = []
        self._frame_us = 1_000_000 / fps
        self._origin_us = 0.0
        self._last_us = 0.0
        self._last_90k = -1
        self._shift_us = 0.0

    def next_fragment(self) -> None:
        """A new fragment brings its own start time: what was corrected in the last one is over."""
        self._shift_us = 0.0

    def place(self, taken_us: float) -> int:
        """The time stamp, in 1/90000 s, of the picture taken at `taken_us`."""
        at_us = taken_us + self._shift_us
        if self.count == 0:
            self._origin_us = at_us
        elif at_us <= self._last_us:
            # The recorder's clock was set back between two fragments: the picture follows the last one.
            self.steps += 1
            self._shift_us += self._last_us + self._frame_us - at_us
            at_us = self._last_us + self._frame_us
        elif (at_us - self._last_us) * 9 / 100 > _GAP_90K:
            self.gaps.append((round(self._last_us), round(at_us)))
        self.count += 1
        self._last_us = at_us
        self._last_90k = max(self._last_90k + 1, round((at_us - self._origin_us) * 9 / 100))
        return self._last_90k

    @property
    def start_us(self) -> int:
        """When the first picture was taken."""
        return round(self._origin_us)

    @property
    def end_us(self) -> int:
        """When the last picture's time was over."""
        return round(self._last_us + self._frame_us)
