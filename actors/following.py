"""Who is where in a camera's footage: found piece by piece, kept sealed on disk, then followed through the whole.

A scan and the rendering that comes after it share what was found, so that both follow the same tracks.
"""

from __future__ import annotations

import hashlib
import itertools
from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from actors.footage import Step
from actors.render_pieces import read_found, spans_of, write_found
from actors.render_tools import Answer, Detection
from actors.render_work import RenderWork, work_folder
from orvault import __version__
from orvault.clock import US_PER_S
from orvault.custody.recorded import SegmentLike, StoredGap
from orvault.custody.stretches import Track
from orvault.errors import ErrorKind, OrvaultError
from orvault.video.codec import decode_fragment
from orvault.vision.detection import SKIPPED, FrameDetections
from orvault.vision.following import find_tracks
from orvault.vision.looking import thorough_times
from orvault.vision.mask import MaskMode, MaskPolicy
from orvault.vision.numbering import Numbering
from orvault.vision.parts import Spans, TrackPart, chosen, parts_of
from orvault.vision.planning import trusted
from orvault.vision.site import SiteMasking
from orvault.vision.tracks import Ints, MaskTrack, digest_of

WINDOW_PER_ACTOR = 2  # fragments in flight: one being worked on, one waiting
_HOLE_US = US_PER_S // 2  # holes inside a segment are longer (video.gop.HOLE_S)

Found = list[list[FrameDetections]]  # by segment what was found in each of its pictures


class Opened(Protocol):
    """Opens some segments of the camera, each verified first."""

    def __call__(self, first: int, end: int) -> Iterator[tuple[SegmentLike, bytes]]: ...


def findings_work(
    packages: Path, request_id: str, masking: SiteMasking, mode: MaskMode, models: str
) -> RenderWork:
    """Where what was found for a request is kept. Other settings, models (their digest) or program version find
    anew.
    """
    made_by: dict[str, object] = {
        "found-for": request_id,
        "models": models,
        "looked": mode is not MaskMode.PICTURE,
        "objects": sorted(masking.objects),
        "version": __version__,
    }
    return RenderWork(work_folder(packages, request_id), made_by)


@dataclass(frozen=True)
class _There:
    """What is found in a segment, known already."""

    found: list[FrameDetections] = field(repr=False)

    def result(self) -> list[FrameDetections]:
        """As `Answer.result`, at once."""
        return self.found


@dataclass
class Finder:
    """Finds people in one camera's segments, whose `keys` these are. Errors: as for `Rendering.carry_out`."""

    track: Track
    keys: Sequence[bytes] = field(repr=False)
    opened: Opened
    detection: Detection
    work: RenderWork
    step: Step
    mode: MaskMode

    def __post_init__(self) -> None:
        self._spans = spans_of(self.track.segments, 1)
        metas = [segment.header.meta for segment in self.track.segments]
        self._thorough_s = thorough_times([(meta.start_us, meta.end_us) for meta in metas])
        self._read: set[int] = set()  # pieces that an earlier worker, or a scan, had kept
        self._read_last: tuple[int, Found | None] = (-1, None)

    def found(self) -> Iterator[list[FrameDetections]]:
        """What is found in each segment, one after the other; memory holds that of a piece and a few fragments."""
        looked = self._looked()
        for number, (begin, end) in enumerate(self._spans):
            found = list(itertools.islice(looked, end - begin))
            if number not in self._read:
                self.work.put(*self._place(number), write_found(found))
            yield from found

    def again(self, segment: int) -> list[FrameDetections]:
        """What was found in a segment, from disk.

        Errors: UNAVAILABLE where that cannot be read any more: taken up again, the job looks for it anew.
        """
        number = next(n for n, (_, end) in enumerate(self._spans) if segment < end)
        if self._read_last[0] != number:
            self._read_last = (number, self._kept(number))
        piece = self._read_last[1]
        if piece is None:
            message = "What was found in a part of the footage is not readable any more."
            raise OrvaultError(ErrorKind.UNAVAILABLE, message, where=f"camera {self.track.camera.camera_id}")
        return piece[segment - self._spans[number][0]]

    def _kept(self, number: int) -> Found | None:
        kept = self.work.get(*self._place(number))
        return None if kept is None else read_found(kept)

    def _place(self, number: int) -> tuple[str, bytes]:
        begin, end = self._spans[number]
        return f"{self.track.camera.camera_id}-{number:05d}-found", self.work.key(self.keys[begin:end])

    def _looked(self) -> Iterator[list[FrameDetections]]:
        """In order; as many fragments under way as the detection actors can take, over the ends of pieces too."""
        window = WINDOW_PER_ACTOR * self.detection.width()
        under_way: deque[Answer] = deque()
        for number, span in enumerate(self._spans):
            for answer in self._asked(number, *span):
                under_way.append(answer)
                if len(under_way) >= window:
                    yield self._answered(under_way)
        while under_way:
            yield self._answered(under_way)

    def _asked(self, number: int, begin: int, end: int) -> Iterator[Answer]:
        """For each segment of a piece what is found in it, begun or there already."""
        kept = self._kept(number)
        if kept is not None:
            self._read.add(number)
            yield from map(_There, kept)
            return
        for segment, (_, fragment) in zip(range(begin, end), self.opened(begin, end), strict=True):
            if self.mode is MaskMode.PICTURE:
                # The whole picture is masked: nothing is looked for, but every segment is still verified. Counted,
                # not taken from the header: a decoder may leave out pictures that were coded.
                yield _There([None] * sum(1 for _ in decode_fragment(fragment, black_for_damaged=True)))
            else:
                yield self.detection.detect(fragment, self._thorough_s[segment])

    def _answered(self, under_way: deque[Answer]) -> list[FrameDetections]:
        result = under_way.popleft().result()
        self._step()
        return result

    def _step(self) -> None:
        stage = "verifying" if self.mode is MaskMode.PICTURE else "finding people in"
        self.step(f"{stage} {self.track.camera.title}")


@dataclass(frozen=True)
class Followed:
    """All tracks of a camera's footage, and the pictures without a trustworthy result; `digest` stands for both and
    for the footage. `numbers`: those of each segment's pictures, by which tracks count, `fps` of them a second.

    `doubtful`: first and last number of segments inside which the camera was away for a while.
    """

    tracks: Sequence[MaskTrack]
    blind: frozenset[int]
    numbers: Sequence[Ints]
    digest: str
    fps: float
    doubtful: Spans = ()

    @classmethod
    def through(
        cls, track: Track, found: Iterable[Sequence[FrameDetections]], policy: MaskPolicy
    ) -> Followed:
        """Everybody followed through the whole of it; of what is `found` by segment one segment is held."""
        metas = [segment.header.meta for segment in track.segments]
        times = [(meta.start_us, meta.end_us) for meta in metas]
        away = [_away_us(track.gaps, *each) for each in times]
        numbering = Numbering([(*each, m.frames, us) for each, m, us in zip(times, metas, away, strict=True)])
        numbers: list[Ints] = []
        blind = array("i")

        def pictures() -> Iterator[FrameDetections]:
            reached = 0
            for fragment in found:
                numbers.append(numbering.take(len(fragment)))
                for number, picture in zip(numbers[-1].tolist(), fragment, strict=True):
                    yield from itertools.repeat(SKIPPED, number - reached)  # no picture was taken then
                    yield picture
                    reached = number + 1

        def judged() -> Iterator[FrameDetections]:
            for number, picture in enumerate(trusted(pictures(), numbering.fps)):
                if picture is None:
                    blind.append(number)
                yield picture

        size, fps = (metas[0].width, metas[0].height), numbering.fps
        tracks = find_tracks(judged(), policy.mode, *size, fps=fps, objects=policy.objects)
        doubtful = tuple(
            (int(each[0]), int(each[-1])) for each, us in zip(numbers, away, strict=True) if each.size and us
        )
        # Of hours of gaps nothing is kept.
        unjudged = np.intersect1d(np.array(blind, np.int32), np.concatenate(numbers)).tolist()
        digest = _digest(track, tracks, unjudged, repr((fps, doubtful)))
        return cls(tracks, frozenset(unjudged), numbers, digest, fps, doubtful)

    def parts(self) -> list[TrackPart]:
        """What may be left clear."""
        return parts_of(self.tracks, self.fps, doubtful=self.doubtful)

    def clear(self, names: Sequence[str], digest: str) -> Mapping[int, Spans]:
        """By track in which pictures it is left clear. BAD_REQUEST where these are not the tracks chosen from."""
        if not names:
            return {}
        if digest != self.digest:
            raise OrvaultError(
                ErrorKind.BAD_REQUEST,
                "The footage is not followed as it was when tracks were chosen; nobody is left clear by guess.",
                where="masking tracks",
                advice="Have a new draft scanned and choose again.",
            )
        return chosen(self.parts(), names)


def _away_us(gaps: Iterable[StoredGap], start_us: int, end_us: int) -> int:
    """How long of these times gaps take that lie inside them: one beside them may reach in by some pictures' time."""
    inside = (min(gap.to_us, end_us) - max(gap.from_us, start_us) for gap in gaps)
    return sum(length_us for length_us in inside if length_us > _HOLE_US)


def _digest(track: Track, tracks: Sequence[MaskTrack], blind: Iterable[int], times: str) -> str:
    told = hashlib.sha256(digest_of(tracks).encode())
    told.update(repr([segment.digest for segment in track.segments]).encode())
    told.update(repr(list(blind)).encode())
    told.update(times.encode())
    return told.hexdigest()
