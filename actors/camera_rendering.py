"""Renders one camera of a request: who is where in all of it, then the pictures, in pieces side by side.

Clear pictures exist here in memory only. A piece that is finished lies sealed on disk (kept_pieces.py); a worker that
was restarted takes it from there. The rules were decided before and stand in the job.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from actors.following import Finder, Followed, Opened
from actors.footage import Step
from actors.kept_pieces import KeptPieces
from actors.picture_times import PictureTimes
from actors.piece_rendering import Look, PieceRenderer
from actors.render_pieces import Piece, spans_of
from actors.render_tools import RenderTools
from actors.render_work import RenderWork
from actors.self_testing import SelfTest
from actors.side_by_side import SideBySide, own_cores, pieces_at_once
from orvault.custody.service import Track
from orvault.marks.keys import MarkKey
from orvault.video.encoding import Sink
from orvault.video.joining import Joiner
from orvault.video.placing import Reached
from orvault.vision.mask import FramePlan, MaskPolicy, plan_tracks
from orvault.vision.numbering import at_numbers
from orvault.vision.second_look import Trial
from orvault.vision.tracks import KeyedRegion
from orvault.vision.watermark import Mark


@dataclass(frozen=True)
class CameraJob:
    """What is rendered and how; `keys` of all its segments, `mark_keys` and `watermarks` of each copy its own.

    `clear` names the parts of tracks that are left clear, chosen from the tracks whose digest is `chosen_from`;
    `drawn` are covered besides. `result_of`: the request whose participants the last copy is for; "": for none.
    """

    track: Track
    fps: float
    range_us: tuple[int, int]
    policy: MaskPolicy
    watermark: Sequence[Mark]
    watermarks: Sequence[Sequence[Mark]]
    keys: Sequence[bytes] = field(repr=False)
    mark_keys: Sequence[MarkKey] = field(repr=False)
    clear: Sequence[str] = ()
    chosen_from: str = ""
    drawn: Sequence[KeyedRegion] = ()
    result_of: str = ""


class CameraRendering:
    """The pieces of one camera, in two passes over the footage: who is where, then the rendering.

    `found_work` keeps what the first pass found, `work` the pieces (and both where it is None). `step` is called by
    one thread at a time.
    Errors: as for `Rendering.carry_out`.
    """

    def __init__(
        self,
        job: CameraJob,
        opened: Opened,
        tools: RenderTools,
        work: RenderWork,
        step: Step,
        found_work: RenderWork | None = None,
    ) -> None:
        self._job = job
        self._opened = opened
        self._tools = tools
        self._step = step
        self._stepping = threading.Lock()
        track, first_work = job.track, found_work or work
        self._times = PictureTimes(track, job.keys, opened, first_work)
        self._finder = Finder(
            track, job.keys, self._times.noted, tools.detection, first_work, step, job.policy.mode
        )
        self._title, camera_id = track.camera.title, track.camera.camera_id
        self._copies = max(1, len(job.mark_keys))
        self._spans = spans_of(track.segments, self._copies)
        self._kept = KeptPieces(camera_id, work, self._spans, job.keys, len(job.mark_keys), job.result_of)
        self._self_test = SelfTest(
            self._finder, opened, tools, job.policy, self._spans,
            work, f"{camera_id}-self-test", work.key(job.keys),
        )  # fmt: skip
        self._made: dict[int, Piece] = {}
        self.trial = Trial.NOBODY  # what became of the masks that were left out on purpose
        self.pieces: list[Piece] = []

    def render(self) -> None:
        """Have every piece finished and kept; memory holds all tracks, and seconds of what is being made."""
        job = self._job
        followed = Followed.through(job.track, self._finder.found(), job.policy)
        counts = [each.size for each in followed.numbers]
        reached = self._times.reached(self._spans, counts, job.fps, job.range_us)
        with SideBySide(self._at_once()) as side_by_side:
            renderer = PieceRenderer(self._look(), self._tools, self._kept, partial(self._told, side_by_side))
            side_by_side.beside(partial(self._try_second_look, followed))
            planned = self._planned(followed)
            for number, (begin, end) in enumerate(self._spans):
                plans = list(itertools.islice(planned, end - begin))
                if (finished := self._kept.finished(number)) is not None:
                    self._taken(number, finished, side_by_side)
                    continue
                span = reached[number], reached[number + 1]
                side_by_side.begin(partial(self._make, renderer, side_by_side, number, plans, span))
        self.pieces = [self._made[number] for number in range(len(self._spans))]

    def _make(
        self,
        renderer: PieceRenderer,
        side_by_side: SideBySide,
        number: int,
        plans: Sequence[Sequence[FramePlan]],
        span: tuple[Reached, Reached],
    ) -> None:
        with side_by_side.turn():
            rendered = renderer.render(number, self._opened(*self._spans[number]), plans, span)
        # What is left of its second look is awaited while the next one is rendered.
        self._made[number] = rendered.keep(self._kept)
        self._told(side_by_side, advanced=True)

    def _taken(self, number: int, piece: Piece, side_by_side: SideBySide) -> None:
        """An earlier worker made it."""
        self._made[number] = piece
        for _ in range(*self._spans[number]):
            self._told(side_by_side)
        self._told(side_by_side)  # no advance: only what is made now is one

    def _told(self, side_by_side: SideBySide, *, advanced: bool = False) -> None:
        if not advanced:  # what is kept for good is told in any case
            side_by_side.check()
        with self._stepping:
            self._step(f"masking {self._title}", advanced=advanced)

    def _try_second_look(self, followed: Followed) -> None:
        self.trial = self._self_test.outcome(self._planned(followed))

    def _at_once(self) -> int:
        meta, cores = self._job.track.segments[0].header.meta, self._tools.cores
        return pieces_at_once(own_cores() if cores is None else cores, self._copies, meta.width, meta.height)

    def _look(self) -> Look:
        job, meta = self._job, self._job.track.segments[0].header.meta
        return Look(
            meta.width,
            meta.height,
            job.fps,
            job.range_us,
            job.policy,
            job.watermark,
            job.watermarks,
            job.drawn,
            job.mark_keys,
        )

    def result_spans(self) -> list[list[str]]:
        """The segments that each piece was made of, in order."""
        segments = self._job.track.segments
        return [[each.header.meta.segment_id for each in segments[first:end]] for first, end in self._spans]

    def write(self, copy: int, sink: Sink) -> None:
        """One copy's video, joined from its pieces, into `sink`."""
        joiner = Joiner(sink)
        for number, piece in enumerate(self.pieces):
            if piece.frames:
                data = self._kept.copy(number, copy)
                assert data is not None, "kept before the piece's own record"
                joiner.add(data, piece.first_90k)
        joiner.close()

    def _planned(self, followed: Followed) -> Iterator[list[FramePlan]]:
        """The plans of each segment's pictures, one segment after the other."""
        plans = self._plans(followed)
        for numbers in followed.numbers:
            yield list(itertools.islice(plans, numbers.size))

    def _plans(self, followed: Followed) -> Iterator[FramePlan]:
        """The plan of each picture of the whole clip, one after the other.

        Segment by segment: while a span is planned every region of every track in it is held, those that others hide
        too, and of hours in which places stay covered these are many.
        """
        job, meta = self._job, self._job.track.segments[0].header.meta
        clear = followed.clear(job.clear, job.chosen_from)
        for begin, last in self._spans:
            numbers = [each.tolist() for each in followed.numbers[begin:last] if each.size]
            tracks = [
                track
                for track in followed.tracks
                if numbers and track.first <= numbers[-1][-1] and track.last >= numbers[0][0]
            ]
            for each in numbers:
                span = (each[0], each[-1] + 1)
                plans = plan_tracks(
                    tracks,
                    span,
                    job.policy,
                    meta.width,
                    meta.height,
                    blind=[number for number in each if number in followed.blind],
                    clear=clear,
                )
                yield from at_numbers(plans, each)


def steps_of(track: Track, copies: int) -> int:
    """How many steps a camera takes: each segment twice, each piece once."""
    return 2 * len(track.segments) + len(spans_of(track.segments, max(1, copies)))
