"""What of a track may be left clear: the parts in which there is no doubt whom it follows.

Two who pass each other may change tracks, and a link over a gap may join two people: so a track falls into parts
where another one comes near and where nobody was found for a while. What lies between parts, before the first finding
and after the last one is masked whatever anybody chooses; so is a whole track of somebody who lies. Who may choose is
custody's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from orvault.errors import ErrorKind, OrvaultError
from orvault.vision.boxes import Floats
from orvault.vision.tracks import Flags, MaskTrack, TrackKind, boxes_at

Spans = tuple[tuple[int, int], ...]  # first and last picture, both inside


@dataclass(frozen=True)
class PartRules:
    """When it is in doubt whom a track follows; times in seconds, distances in sizes (a region's longer side)."""

    near_sizes: float = (
        0.4  # two regions, each grown by half of it, that touch: a tracker may take one for the other
    )
    beside_s: float = 0.4  # before and after that
    gap_s: float = 1.1  # without a finding: it may be somebody else who was found next
    least_s: float = 1.0  # a part that is shorter is not worth a choice


@dataclass(frozen=True, slots=True)
class TrackPart:
    """Pictures `first` to `last`, both inside, of a track; `name` is `3.1` for the first part of track 3."""

    name: str
    track_id: int
    first: int
    last: int


def parts_of(
    tracks: Sequence[MaskTrack], fps: float, rules: PartRules | None = None, *, doubtful: Spans = ()
) -> list[TrackPart]:
    """The parts of all tracks that may be left clear, track by track, in the order of time.

    `doubtful` pictures are in no part: somebody else may have come unseen between them. The same tracks give the same
    parts. Time grows with the pictures in which two tracks are there at once.
    """
    rules = rules or PartRules()
    parts: list[TrackPart] = []
    for track, others in _with_neighbours(tracks):
        if track.kind is TrackKind.LYING:
            continue
        spans = _spans(track, others, fps, rules, doubtful)
        parts += [
            TrackPart(f"{track.track_id}.{number}", track.track_id, first, last)
            for number, (first, last) in enumerate(spans, 1)
        ]
    return parts


def chosen(parts: Iterable[TrackPart], names: Collection[str]) -> Mapping[int, Spans]:
    """By track the pictures in which it is left clear. BAD_REQUEST, naming it, for a name that no part has."""
    known = {part.name: part for part in parts}
    if unknown := sorted(set(names) - set(known)):
        raise OrvaultError(
            ErrorKind.BAD_REQUEST,
            f"There is no track {unknown[0][:20]!r} in this footage that may be left clear.",
            where="masking tracks",
        )
    spans: dict[int, Spans] = {}
    for name in sorted(names):
        part = known[name]
        spans[part.track_id] = (*spans.get(part.track_id, ()), (part.first, part.last))
    return spans


def _with_neighbours(tracks: Sequence[MaskTrack]) -> Iterable[tuple[MaskTrack, list[MaskTrack]]]:
    """Each track with those that it may be taken for: people with people, things with things."""
    firsts = np.array([track.first for track in tracks], np.int64)
    lasts = np.array([track.last for track in tracks], np.int64)
    things = np.array([track.kind is TrackKind.OBJECT for track in tracks], bool)
    for own, track in enumerate(tracks):
        together = (firsts <= track.last) & (lasts >= track.first) & (things == things[own])
        together[own] = False
        yield track, [tracks[i] for i in np.flatnonzero(together).tolist()]


def _spans(
    track: MaskTrack, others: Sequence[MaskTrack], fps: float, rules: PartRules, doubtful: Spans
) -> list[tuple[int, int]]:
    first, last = max(track.first, track.found_first), min(track.last, track.found_last)
    if first > last:
        return []
    sure = np.ones(last - first + 1, bool)
    _leave_out_gaps(sure, track, first, rules.gap_s * fps)
    own = boxes_at(track.frames, track.boxes, np.arange(first, last + 1))
    close = np.zeros_like(sure)
    for other in others:
        begin, end = max(first, other.first), min(last, other.last)
        if begin > end:
            continue
        theirs = boxes_at(other.frames, other.boxes, np.arange(begin, end + 1))
        here = slice(begin - first, end - first + 1)
        close[here] |= _near(own[here], theirs, rules.near_sizes)
    beside = round(rules.beside_s * fps)
    for a, b in _runs(close):
        sure[max(0, a - beside) : b + beside + 1] = False
    for a, b in doubtful:
        sure[max(0, a - first) : max(0, b - first + 1)] = False
    return [(first + a, first + b) for a, b in _runs(sure) if b - a + 1 >= rules.least_s * fps]


def _leave_out_gaps(sure: Flags, track: MaskTrack, first: int, longest: float) -> None:
    """`frames` holds every picture with a finding, and keys inside of gaps beside both ends of them."""
    frames = track.frames
    within = (frames[:-1] < track.found_last) & (frames[1:] > track.found_first)
    for i in np.flatnonzero(within & (np.diff(frames) > longest - 2)).tolist():
        begin, end = int(frames[i]) - 1, int(frames[i + 1]) + 1
        sure[max(0, begin - first) : max(0, end - first + 1)] = False


def _near(own: Floats, theirs: Floats, sizes: float) -> Flags:
    """(n,): whether two regions of the same picture touch, each grown on all sides."""
    grown = [_grown(boxes, sizes / 2) for boxes in (own, theirs)]
    low = np.maximum(grown[0][:, :2], grown[1][:, :2])
    high = np.minimum(grown[0][:, 2:], grown[1][:, 2:])
    return np.asarray((low < high).all(axis=1))


def _grown(boxes: Floats, sizes: float) -> Floats:
    more = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True) * sizes
    return np.concatenate([boxes[:, :2] - more, boxes[:, 2:] + more], axis=1)


def _runs(flags: Flags) -> Iterable[tuple[int, int]]:
    """First and last index of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return zip(edges[::2].tolist(), (edges[1::2] - 1).tolist(), strict=True)
