"""Renders one piece of a camera: open, mask, mark, encode, seal, and have it looked at while it comes out.

Its place in the whole is known before (picture_times.py): pieces are rendered in any order, and side by side.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from actors.kept_pieces import KeptPieces
from actors.looks_along import LooksAlong
from actors.render_pieces import Piece
from actors.render_tools import RenderTools
from actors.result_pieces import place_line
from orvault.custody.recorded import SegmentLike
from orvault.errors import ErrorKind, OrvaultError
from orvault.marks.keys import MarkKey
from orvault.marks.painter import MarkPainter
from orvault.rendition import CopySink, Rendition, RenditionReport
from orvault.video.encoding import Sink
from orvault.video.placing import Reached
from orvault.vision.mask import FramePlan, MaskPolicy
from orvault.vision.tracks import KeyedRegion
from orvault.vision.watermark import Mark


@dataclass(frozen=True)
class Look:
    """How a camera's pieces look: what all of them have in common. As for `Rendition`."""

    width: int
    height: int
    fps: float
    range_us: tuple[int, int]
    policy: MaskPolicy
    watermark: Sequence[Mark]
    watermarks: Sequence[Sequence[Mark]]
    drawn: Sequence[KeyedRegion]
    mark_keys: Sequence[MarkKey] = field(repr=False)


@dataclass
class Rendered:
    """A piece whose copies are kept and whose second look is under way."""

    number: int
    report: RenditionReport
    looks: LooksAlong

    def keep(self, kept: KeptPieces) -> Piece:
        """Wait for the second look, and keep the piece for good."""
        answer, report = self.looks.answer(), self.report
        piece = Piece(
            first_90k=report.first_90k,
            frames=report.frames,
            gaps=report.gaps,
            damaged=report.damaged,
            start_us=report.start_us,
            end_us=report.end_us,
            reached=report.reached,
            pictures=answer.pictures,
            left=answer.left,
        )
        kept.finish(self.number, piece)
        return piece


class _Both:
    """Writes into two sinks."""

    def __init__(self, *sinks: Sink) -> None:
        self._sinks = sinks

    def write(self, data: bytes, /) -> int:
        for sink in self._sinks:
            sink.write(data)
        return len(data)


class _Headed:
    """Writes a head before the first bytes; it is asked for then."""

    def __init__(self, sink: Sink, head: Callable[[], bytes]) -> None:
        self._sink, self._head = sink, head
        self._begun = False

    def write(self, data: bytes, /) -> int:
        if not self._begun:
            self._begun = True
            self._sink.write(self._head())
        self._sink.write(data)
        return len(data)


@dataclass(frozen=True)
class PieceRenderer:
    """Renders pieces into what is `kept`; `step` is called for each segment, from the thread that is at work."""

    look: Look
    tools: RenderTools
    kept: KeptPieces
    step: Callable[[], None]

    def render(
        self,
        number: int,
        opened: Iterable[tuple[SegmentLike, bytes]],
        plans: Sequence[Sequence[FramePlan]],
        span: tuple[Reached, Reached],
    ) -> Rendered:
        """A piece that begins and ends where `span` says. Errors: as for `Rendering.carry_out`; INTERNAL where it
        turns out otherwise.
        """
        watched = io.BytesIO()
        with ExitStack() as stack:
            sinks: list[Sink] = [
                stack.enter_context(self.kept.writing(number, copy))
                for copy in range(len(self.look.mark_keys))
            ]
            if self.kept.is_result(len(sinks) - 1):
                sinks[-1] = _Headed(sinks[-1], lambda: place_line(*rendition.begins))
            sinks[0] = _Both(sinks[0], watched)
            rendition = self._rendition(sinks, span[0])
            stack.callback(rendition.end)  # whatever happens: a coder left open writes when it is collected
            looks = LooksAlong(
                self.tools.detection, self.look.policy, watched, rendition.plans, rendition.marked
            )
            for (segment, fragment), planned in zip(opened, plans, strict=True):
                rendition.add(fragment, planned, segment.header.meta.start_us)
                looks.go_on()
                self.step()
            report = rendition.end()
            looks.end()
        if report.reached != span[1]:
            raise _misplaced()
        return Rendered(number, report, looks)

    def _rendition(self, sinks: Sequence[Sink], after: Reached) -> Rendition:
        look = self.look
        painters = [MarkPainter(key, look.width, look.height) for key in look.mark_keys]
        return Rendition(
            [CopySink(*copy) for copy in zip(sinks, painters, look.watermarks, strict=True)],
            look.width,
            look.height,
            look.fps,
            look.policy,
            look.watermark,
            from_us=look.range_us[0],
            to_us=look.range_us[1],
            after=after,
            drawn=look.drawn,
            crf=self.tools.crf,
            preset=self.tools.preset,
        )


def _misplaced() -> OrvaultError:
    return OrvaultError(
        ErrorKind.INTERNAL,
        "Pictures of a piece were taken at other times than its packets told.",
        where="rendition",
        advice="The output must not be handed out: its pieces may not follow each other.",
    )
