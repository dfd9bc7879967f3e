"""The one path to a picture that leaves: decode -> mask -> watermark -> encode.

Which pixels to cover is planned before (vision.mask); sealing the result is the sink's business
(container.package). Pictures stay in the planes in which they are coded; only what a detector looks at is turned
into colours.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import cv2

from orvault.errors import ErrorKind, OrvaultError
from orvault.video.codec import CLOCK_90K, Frame, Planes, decode_fragment
from orvault.video.encoding import LumaPainter, Mp4Encoder, Sink
from orvault.video.placing import Placing, Reached
from orvault.vision.detector import Detector, DetectorProfile, EnsembleDetector, SteppedDetector
from orvault.vision.mask import SKIPPED, WHOLE, FrameDetections, FramePlan, MaskPolicy
from orvault.vision.mask_planes import apply_mask_planes
from orvault.vision.planning import with_drawn
from orvault.vision.tracks import KeyedRegion
from orvault.vision.watermark import Mark, WatermarkPainter

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
_LAST_SHARE = 0.75  # of the time between looks: a shorter rest at a stretch's end is left to the next stretch


def detect_fragment(
    data: bytes, detector: Detector, profile: DetectorProfile | None = None
) -> list[FrameDetections]:
    """What is found in each picture of a fragment: one entry per picture, in the order of showing.

    See `detect_frames`. BAD_MEDIA if the fragment cannot be decoded. Two decoded pictures are held at a time.
    """
    # Rare looks take turns from fragment to fragment: the fragment's own bytes say whose turn it is, so that the
    # same footage is looked at in the same way whichever actor gets which fragment.
    return detect_frames(decode_fragment(data), detector, profile, first_look=zlib.crc32(data))


def detect_frames(
    frames: Iterable[Frame],
    detector: Detector,
    profile: DetectorProfile | None = None,
    *,
    first_look: int = 0,
) -> list[FrameDetections]:
    """What is found in each of the pictures of a stretch that is shown without a break.

    The detector looks at most `profile.every_s` apart, and half of that from the first picture; the others are
    SKIPPED. A look that fails gives None. `first_look` is the number of the first look: see `SteppedDetector`.
    Without `profile`, that of an EnsembleDetector is taken, or the default.
    """
    if profile is None:
        profile = detector.profile if isinstance(detector, EnsembleDetector) else DetectorProfile()
    looks = _Looks(detector, profile.every_s, first_look)
    current: Frame | None = None
    for following in frames:
        if current is not None:
            looks.take(current, following.pts_90k)
        current = following
    if current is not None:
        looks.take(current, None)
    return looks.results


class _Looks:
    """Decides which pictures the detector looks at."""

    def __init__(self, detector: Detector, every_s: float, first_look: int) -> None:
        self.results: list[FrameDetections] = []
        self._detector = detector
        self._every_90k = every_s * CLOCK_90K
        self._number = first_look
        self._first_90k: int | None = None
        self._looked_90k: int | None = None

    def take(self, frame: Frame, next_pts_90k: int | None) -> None:
        """One picture, and when the next one is shown (None: this is the last)."""
        if self._first_90k is None:
            self._first_90k = frame.pts_90k
        if not self._due(frame.pts_90k, next_pts_90k, self._first_90k):
            self.results.append(SKIPPED)
            return
        self.results.append(self._look(frame))
        self._number += 1
        self._looked_90k = frame.pts_90k

    def _due(self, pts_90k: int, next_pts_90k: int | None, first_90k: int) -> bool:
        """Whether the next picture, or the next stretch's first look, would come too long after the last look."""
        if self._looked_90k is None:
            return next_pts_90k is None or next_pts_90k - first_90k > self._every_90k / 2
        if next_pts_90k is None:
            return pts_90k - self._looked_90k > self._every_90k * _LAST_SHARE
        return next_pts_90k - self._looked_90k > self._every_90k

    def _look(self, frame: Frame) -> FrameDetections:
        detector = self._detector
        try:
            if isinstance(detector, SteppedDetector):
                return detector.look(frame.bgr, self._number)
            return detector.detect(frame.bgr)
        except _DETECTION_FAILURES as error:
            _log.warning("detection failed at %d/90000 s, masking whole: %s", frame.pts_90k, error)
            return None


@dataclass(frozen=True)
class CopySink:
    """Where one recipient's copy goes, what marks it as theirs unseen (orvault.marks; None: nothing does) and what in
    the sight of all.
    """

    sink: Sink
    mark: LumaPainter | None = None
    watermark: Sequence[Mark] = ()


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
    watermark_box: tuple[int, int, int, int] | None  # of what all copies have
    first_90k: int  # place in the whole video of the first picture here; the sink's own times begin at 0
    reached: Reached  # what a further rendition goes on from


class Rendition:
    """Writes one camera's masked and watermarked video into a sink, fragment by fragment.

    Several copies (`CopySink`) are masked once and get the common watermark; then each gets its own, is marked and
    encoded for itself.

    `width`, `height` of all its pictures, `fps` nominal; pictures taken outside `from_us` <= t < to_us are
    left out. `after`: this video continues another one. `mark` is drawn into the luma behind all else. `drawn`
    regions are covered besides what is planned. One decoded picture is held at a time, however long the video is.
    """

    def __init__(
        self,
        sink: Sink | Sequence[CopySink],
        width: int,
        height: int,
        fps: float,
        policy: MaskPolicy,
        watermark: Mark | Sequence[Mark] | None = None,
        *,
        from_us: int | None = None,
        to_us: int | None = None,
        after: Reached | None = None,
        drawn: Sequence[KeyedRegion] = (),
        mark: LumaPainter | None = None,
        crf: int = 23,
        preset: str = "veryfast",
        threads: int = 0,
    ) -> None:
        self._policy = policy
        self._drawn = drawn
        self._size = (width, height)
        self._range_us = (from_us, to_us)
        self._timeline = Placing(fps, after)
        self._before = self._timeline.count
        self._first_90k: int | None = None
        self._whole = 0
        self._partly = 0
        self._encoders: list[Mp4Encoder] = []
        # Of the pictures written, by their time in the sink (1/90000 s).
        self.plans: dict[int, FramePlan] = {}
        copies = sink if isinstance(sink, Sequence) else [CopySink(sink, mark)]
        common = [watermark] if isinstance(watermark, Mark) else list(watermark or ())
        self._painter, *self._painters = (
            WatermarkPainter(marks, width, height) if marks else None
            for marks in (common, *(copy.watermark for copy in copies))
        )
        encoder = partial(
            Mp4Encoder, width=width, height=height, fps=fps, crf=crf, preset=preset, threads=threads
        )
        self._make_encoders = [partial(encoder, copy.sink, mark=copy.mark) for copy in copies]

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
            if frame.size != self._size:
                (wide, high), (width, height) = self._size, frame.size
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
        planes = frame.planes()
        plan = with_drawn(plan, self._drawn, round(taken_us), *self._size)
        self._cover(planes, plan, round(taken_us), bt709=frame.bt709)
        if not self._encoders:
            self._encoders = [make(bt709=frame.bt709) for make in self._make_encoders]
        place_90k = self._timeline.place(taken_us)
        self._first_90k = place_90k if self._first_90k is None else self._first_90k
        self.plans[place_90k - self._first_90k] = plan
        last = len(self._encoders) - 1
        for number, (encoder, painter) in enumerate(zip(self._encoders, self._painters, strict=True)):
            own = planes if number == last else planes.copied()  # each copy's marks are drawn into it
            if painter is not None:
                painter.paint_planes(own, round(taken_us), bt709=frame.bt709)
            encoder.write_planes(own, place_90k - self._first_90k)

    def _cover(self, planes: Planes, plan: FramePlan, taken_us: int, *, bt709: bool) -> None:
        apply_mask_planes(planes, plan, self._policy, bt709=bt709)
        self._whole += plan.whole
        self._partly += bool(plan.boxes or plan.polygons) and not plan.whole
        if self._painter is not None:
            self._painter.paint_planes(planes, taken_us, bt709=bt709)

    def close(self) -> RenditionReport:
        """End the video (the sink stays open) and say what it holds; EMPTY_RANGE if it holds no picture."""
        report = self.end()
        if not report.frames:
            raise empty_range()
        return report

    def end(self) -> RenditionReport:
        """As `close`, of a piece of a video, which may hold no picture: then nothing was written into the sink."""
        for encoder in self._encoders:
            encoder.close()
        line = self._timeline
        return RenditionReport(
            frames=line.count - self._before,
            masked_whole=self._whole,
            masked_partly=self._partly,
            start_us=line.start_us,
            end_us=line.end_us,
            gaps=tuple(line.gaps),
            clock_steps=line.steps,
            watermark_box=self._painter.box if self._painter else None,
            first_90k=self._first_90k or 0,
            reached=line.reached(),
        )


def empty_range() -> OrvaultError:
    """The error for an export without a picture."""
    return OrvaultError(
        ErrorKind.EMPTY_RANGE, "No picture was recorded in the time asked for.", where="rendition"
    )
