"""Renders one camera of a request, piece by piece: open, detect, mask, mark, encode, look again, keep.

Clear pictures exist here in memory only. A piece that is finished lies sealed on disk (render_work.py); a worker that
was restarted takes it from there. The rules were decided before and stand in the job.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from actors.following import Finder, Followed, Opened
from actors.footage import Step
from actors.looks_along import LooksAlong
from actors.render_pieces import Piece, spans_of
from actors.render_tools import RenderTools
from actors.render_work import RenderWork, result_key
from actors.result_pieces import pack, piece_name
from actors.second_looking import TrialOrder, picks
from orvault.custody.service import Track
from orvault.marks.keys import MarkKey
from orvault.marks.painter import MarkPainter
from orvault.rendition import CopySink, Rendition, RenditionReport
from orvault.video.encoding import Sink
from orvault.video.joining import Joiner
from orvault.vision.mask import FramePlan, MaskPolicy, plan_tracks
from orvault.vision.numbering import at_numbers
from orvault.vision.second_look import Trial
from orvault.vision.tracks import KeyedRegion
from orvault.vision.watermark import Mark

MOST_TRIALS = 5  # pieces in which the second look is tried, until it saw the mask that was left out


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


@dataclass(slots=True)
class _Pending:
    """A rendered piece whose second look is under way."""

    number: int
    report: RenditionReport
    outputs: list[bytes]
    looks: LooksAlong


class CameraRendering:
    """The pieces of one camera, in two passes over the footage: who is where, then the rendering.

    `found_work` keeps what the first pass found, `work` the pieces (and both where it is None).
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
        self._work = work
        self._step = step
        self._finder = Finder(
            job.track, job.keys, opened, tools.detection, found_work or work, step, job.policy.mode
        )
        self._title, self._camera_id = job.track.camera.title, job.track.camera.camera_id
        self._spans = spans_of(job.track.segments, max(1, len(job.mark_keys)))
        self._trials: list[Trial] = []
        self.pieces: list[Piece] = []

    def render(self) -> None:
        """Have every piece finished and kept; memory holds two of them and all the tracks."""
        job = self._job
        followed = Followed.through(job.track, self._finder.found(), job.policy)
        plans = self._plans(followed)
        pending: _Pending | None = None
        for number, (begin, end) in enumerate(self._spans):
            planned = [list(itertools.islice(plans, len(each))) for each in followed.numbers[begin:end]]
            kept = self._kept(number)
            if kept is not None:
                if pending is not None:  # a piece before it was spoiled: they stay in their order
                    self._keep(pending)
                    pending = None
                self.pieces.append(kept)
                self._trials.append(kept.trial)
                self._step_through(number, f"masking {self._title}")
                self._step(f"masking {self._title}")  # no advance: only what is made now is one
                continue
            # What is left of the second look at a piece is taken while the next one is rendered.
            rendered = self._render(number, planned, pending)
            if pending is not None:
                self._keep(pending)
            pending = rendered
        if pending is not None:
            self._keep(pending)

    def write(self, copy: int, sink: Sink) -> None:
        """One copy's video, joined from its pieces, into `sink`."""
        joiner = Joiner(sink)
        for number, piece in enumerate(self.pieces):
            if piece.frames:
                data = self._work.get(self._name(number, f"copy{copy}"), self._key(number))
                assert data is not None, "kept before the piece's own record"
                joiner.add(data, piece.first_90k)
        joiner.close()

    @property
    def trial(self) -> Trial:
        """What became of the masks that were left out on purpose: seen, if any was."""
        for each in (Trial.SEEN, Trial.MISSED):
            if each in self._trials:
                return each
        return Trial.NOBODY

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

    # --- rendering ---

    def _render(self, number: int, plans: Sequence[Sequence[FramePlan]], before: _Pending | None) -> _Pending:
        sinks = [io.BytesIO() for _ in self._job.mark_keys]
        rendition = self._rendition(sinks, before)
        looks = LooksAlong(
            self._tools.detection, self._job.policy, sinks[0], rendition.plans, rendition.marked
        )
        tried = False
        opened = zip(self._opened(*self._spans[number]), plans, strict=True)
        for at, ((segment, fragment), planned) in enumerate(opened, self._spans[number][0]):
            written = rendition.add(fragment, planned, segment.header.meta.start_us)
            trial = self._trial(at, fragment, planned) if written and not tried else None
            if trial is not None:
                looks.try_without(trial)
                tried = True
            looks.go_on()
            self._step(f"masking {self._title}")
        report = rendition.end()
        looks.end()
        return _Pending(number, report, [sink.getvalue() for sink in sinks], looks)

    def _rendition(self, sinks: Sequence[Sink], before: _Pending | None) -> Rendition:
        job, meta = self._job, self._job.track.segments[0].header.meta
        after = before.report.reached if before else self.pieces[-1].reached if self.pieces else None
        painters = [MarkPainter(key, meta.width, meta.height) for key in job.mark_keys]
        return Rendition(
            [CopySink(*copy) for copy in zip(sinks, painters, job.watermarks, strict=True)],
            meta.width,
            meta.height,
            job.fps,
            job.policy,
            job.watermark,
            from_us=job.range_us[0],
            to_us=job.range_us[1],
            after=after,
            drawn=job.drawn,
            crf=self._tools.crf,
            preset=self._tools.preset,
        )

    def _trial(self, segment: int, fragment: bytes, plans: Sequence[FramePlan]) -> TrialOrder | None:
        tried = [trial for trial in self._trials if trial is not Trial.NOBODY]
        if Trial.SEEN in tried or len(tried) >= MOST_TRIALS:
            return None
        picked = picks(self._finder.again(segment), plans)
        return TrialOrder(fragment, picked, self._tools.crf, self._tools.preset) if picked else None

    # --- keeping ---

    def _keep(self, pending: _Pending) -> None:
        """1. every copy's part; 2. the piece's record, with which it counts as finished."""
        answer = pending.looks.answer()
        key = self._key(pending.number)
        report = pending.report
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
            trial=answer.trial,
        )
        for copy, output in enumerate(pending.outputs):
            if output and self._is_result(copy):
                self._keep_result(pending.number, piece, output)
            elif output:
                self._work.put(self._name(pending.number, f"copy{copy}"), key, output)
        self._work.put(self._name(pending.number, "piece"), key, piece.to_bytes())
        self.pieces.append(piece)
        self._trials.append(piece.trial)
        self._step(f"masking {self._title}", advanced=True)

    def _kept(self, number: int) -> Piece | None:
        """A piece that an earlier worker finished, with every copy's part of it."""
        key = self._key(number)
        data = self._work.get(self._name(number, "piece"), key)
        if data is None:
            return None
        piece = Piece.read(data)
        copies = range(len(self._job.mark_keys)) if piece.frames else ()
        whole = all(
            self._has_result(number)
            if self._is_result(copy)
            else self._work.get(self._name(number, f"copy{copy}"), key) is not None
            for copy in copies
        )
        return piece if whole else None

    def _is_result(self, copy: int) -> bool:
        return bool(self._job.result_of) and copy == len(self._job.mark_keys) - 1

    def _keep_result(self, number: int, piece: Piece, output: bytes) -> None:
        """Under a key that opens nothing but this."""
        name = piece_name(self._camera_id, number)
        self._work.put(name, self._result_key(number), pack(piece, output))

    def _has_result(self, number: int) -> bool:
        return self._work.get(piece_name(self._camera_id, number), self._result_key(number)) is not None

    def _result_key(self, number: int) -> bytes:
        first, end = self._spans[number]
        return result_key(self._job.result_of, self._work.made_by, self._job.keys[first:end])

    def result_spans(self) -> list[list[str]]:
        """The segments that each piece was made of, in order."""
        segments = self._job.track.segments
        return [[each.header.meta.segment_id for each in segments[first:end]] for first, end in self._spans]

    def _key(self, number: int) -> bytes:
        first, end = self._spans[number]
        return self._work.key(self._job.keys[first:end])

    def _name(self, number: int, what: str) -> str:
        return f"{self._camera_id}-{number:05d}-{what}"

    def _step_through(self, number: int, stage: str) -> None:
        for _ in range(*self._spans[number]):
            self._step(stage)


def steps_of(track: Track, copies: int) -> int:
    """How many steps a camera takes: each segment twice, each piece once."""
    return 2 * len(track.segments) + len(spans_of(track.segments, max(1, copies)))
