"""The one path to a picture that leaves: decode -> mask -> watermark -> encode.

Which pixels to cover is planned before (vision.mask); sealing the result is the sink's business
(container.package). Pictures stay in the planes in which they are coded; only what a detector looks at is turned
into colours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from orvault.clock import US_PER_S
from orvault.errors import ErrorKind, OrvaultError
from orvault.video.codec import Frame, Planes, decode_fragment
from orvault.video.encoding import THREADS, LumaPainter, Mp4Encoder, Sink
from orvault.video.placing import Placing, Reached, taken_us
from orvault.vision.mask import WHOLE, FramePlan, MaskPolicy
from orvault.vision.mask_planes import apply_mask_planes
from orvault.vision.planning import with_drawn
from orvault.vision.tracks import KeyedRegion
from orvault.vision.watermark import Mark, WatermarkPainter


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
    damaged: tuple[tuple[int, int], ...]  # (from, to) of pictures that were not recorded whole: black here
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
        threads: int = THREADS,
    ) -> None:
        self._policy = policy
        self._drawn = drawn
        self._size = (width, height)
        self._picture_us = round(US_PER_S / fps)
        self._range_us = (from_us, to_us)
        self._timeline = Placing(fps, after)
        self._before = self._timeline.count
        self._first_90k: int | None = None
        self._whole = 0
        self._damaged: list[tuple[int, int]] = []
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
        # Where the first copy's pictures show a watermark.
        self.marked = [
            box for painter in (self._painter, *self._painters[:1]) if painter for box in painter.boxes
        ]
        encoder = partial(
            Mp4Encoder, width=width, height=height, fps=fps, crf=crf, preset=preset, threads=threads
        )
        self._make_encoders = [partial(encoder, copy.sink, mark=copy.mark) for copy in copies]

    def add(self, fragment: bytes, plans: Sequence[FramePlan], start_us: int) -> int:
        """Write one fragment whose first picture was taken at `start_us`; `plans` holds one plan per picture.

        Returns how many pictures were written. A picture without a plan is covered whole; and since masks may
        then lie on the wrong pictures, plans and pictures that do not match in number are an INTERNAL error
        in the end. Damaged pictures are black and covered whole. BAD_MEDIA: another picture size than before, or no
        video.
        """
        count, written = 0, 0
        for frame, at_us in self._timed(fragment, start_us):
            plan = plans[count] if count < len(plans) and not frame.damaged else WHOLE
            count += 1
            if self._wanted(at_us):
                self._write(frame, plan, at_us)
                if frame.damaged:
                    self._note_damaged(round(at_us))
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
        for frame in decode_fragment(fragment, black_for_damaged=True):
            if frame.size != self._size:
                (wide, high), (width, height) = self._size, frame.size
                raise OrvaultError(
                    ErrorKind.BAD_MEDIA,
                    f"The camera's picture size changed from {wide}x{high} to {width}x{height}.",
                    where="rendition",
                    advice="Export the times before and after the change apart.",
                )
            first_90k = frame.pts_90k if first_90k is None else first_90k
            yield frame, taken_us(start_us, frame.pts_90k, first_90k)
        self._timeline.next_fragment()

    def _note_damaged(self, taken_us: int) -> None:
        begin, end = self._damaged[-1] if self._damaged else (taken_us, taken_us)
        if self._damaged and begin <= taken_us <= end + self._picture_us:
            self._damaged[-1] = begin, taken_us + self._picture_us
        else:
            self._damaged.append((taken_us, taken_us + self._picture_us))

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

    @property
    def begins(self) -> tuple[int, int]:
        """The place in the whole video (1/90000 s) of the first picture here, and when the whole begins (UTC us); to
        be asked once a picture was written.
        """
        return self._first_90k or 0, self._timeline.start_us

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
            damaged=tuple(self._damaged),
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
