"""Follows persons, or anything with a box, through time: who in this picture is whom of the last.

It sees boxes and times only, no picture, and does not care who found them. A backward pass over a clip is the same
with negated times. What a track means is its user's business (mask.py, watcher.py).

Source: the two rounds of ByteTrack (arXiv 2110.06864: sure findings first, unsure ones only for tracks that exist)
over boxes enlarged on every side, so that somebody who walks between two rare looks still overlaps (C-BIoU, arXiv
2211.14317). In place of their Kalman filter a plain smoothed speed: looks come at uneven times.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace

import numpy as np

from orvault.clock import US_PER_S
from orvault.errors import ErrorKind, OrvaultError
from orvault.vision.boxes import Floats, overlap


@dataclass(frozen=True)
class TrackRules:
    """When a box continues a track, and how long a track outlives its last box."""

    sure_score: float = 0.35  # 0..1; from here on a box may begin a track
    least_overlap: float = 0.15  # intersection over union of the enlarged boxes
    enlarged_by: float = 0.3  # of width and height, on every side
    coast_s: float = 2.0  # a track that is not found for longer ends
    foresee_s: float = 0.6  # its speed is believed for this long after its last box
    speed_share: float = 0.5  # of the newest step in the smoothed speed
    best_together: bool = (
        False  # where people pass each other, the best choice for all goes before each one's own
    )

    def __post_init__(self) -> None:
        shares = (self.sure_score, self.least_overlap, self.speed_share)
        if not all(0 < share <= 1 for share in shares) or min(self.enlarged_by, self.foresee_s) < 0:
            raise _bad_rules("A share is above 0 and at most 1; margins and times are not negative.")
        if self.coast_s <= 0:
            raise _bad_rules("A track outlives its last box by a positive time.")


def _bad_rules(message: str) -> OrvaultError:
    return OrvaultError(ErrorKind.BAD_SETTINGS, message, where="tracker rules")


@dataclass(frozen=True, slots=True)
class Track:
    """One thing followed: `box` (4,) where it is now (found or foreseen), pixels.

    `found` is the row of the boxes given last that continued it, None while it coasts.
    """

    id: int
    box: Floats
    score: float  # of the last box found
    began_us: int
    seen_us: int  # when it was found last
    found: int | None
    _seen_box: Floats = field(repr=False)
    _speed: Floats = field(repr=False)  # (4,) pixels per second

    def foreseen(self, at_us: int, foresee_s: float) -> Floats:
        """Where the box should lie at `at_us`, (4,)."""
        ahead = min(max(at_us - self.seen_us, 0) / US_PER_S, foresee_s)
        return (self._seen_box + self._speed * np.float32(ahead)).astype(np.float32)


class Tracker:
    """The tracks of one camera. Ids count up from 1 and are never used again."""

    def __init__(self, rules: TrackRules | None = None) -> None:
        self._rules = rules or TrackRules()
        self._tracks: list[Track] = []
        self._next_id = 1

    def update(self, boxes: Floats, scores: Floats, at_us: int) -> list[Track]:
        """Take the boxes (n, 4) found at `at_us` with their scores (n,); the tracks that live, oldest first.

        A time before the last one ends nothing and foresees nothing: tracks continue where boxes overlap.
        """
        rules = self._rules
        open_tracks = list(self._tracks)
        sure = scores >= rules.sure_score
        matched: dict[int, int] = {}
        for rows in (np.flatnonzero(sure), np.flatnonzero(~sure)):
            rest = [track for track in open_tracks if track.id not in matched]
            matched |= self._assign(rest, boxes, rows, at_us)
        kept = [self._follow(track, boxes, scores, matched.get(track.id), at_us) for track in open_tracks]
        taken = set(matched.values())
        born = [
            self._begin(boxes[i], float(scores[i]), int(i), at_us)
            for i in np.flatnonzero(sure)
            if int(i) not in taken
        ]
        self._tracks = [t for t in kept if abs(at_us - t.seen_us) <= rules.coast_s * US_PER_S] + born
        return list(self._tracks)

    def confirm(self, track_id: int, box: Floats, at_us: int) -> None:
        """Tell that a track was found at `box` (4,) by other means than the boxes of `update`."""
        self._tracks = [
            replace(t, box=box, _seen_box=box, seen_us=at_us) if t.id == track_id else t for t in self._tracks
        ]

    def drop(self, track_id: int) -> None:
        """End a track, for instance because it follows what an older one follows."""
        self._tracks = [t for t in self._tracks if t.id != track_id]

    def _assign(
        self, tracks: list[Track], boxes: Floats, rows: np.ndarray[tuple[int], np.dtype[np.intp]], at_us: int
    ) -> dict[int, int]:
        """Track id -> row, best overlap first. Of few people the greedy choice is the best one nearly always."""
        if not tracks or not rows.size:
            return {}
        candidates = self._enlarged(boxes[rows])
        table = np.stack(
            [
                overlap(self._enlarged(t.foreseen(at_us, self._rules.foresee_s)[None])[0], candidates)
                for t in tracks
            ]
        )
        overlaps = table.copy()
        result: dict[int, int] = {}
        while table.max() >= self._rules.least_overlap:
            which, column = np.unravel_index(int(table.argmax()), table.shape)
            result[tracks[which].id] = int(rows[column])
            table[which, :] = -1
            table[:, column] = -1
        return self._exchanged(result, tracks, overlaps, rows) if self._rules.best_together else result

    def _exchanged(
        self,
        chosen: dict[int, int],
        tracks: list[Track],
        overlaps: Floats,
        rows: np.ndarray[tuple[int], np.dtype[np.intp]],
    ) -> dict[int, int]:
        """Let two tracks exchange their boxes for as long as both together overlap more."""
        place = {track.id: i for i, track in enumerate(tracks)}
        column = {int(row): i for i, row in enumerate(rows)}

        def gain(a: int, b: int) -> float:
            (i, j), (k, m) = (place[a], column[chosen[a]]), (place[b], column[chosen[b]])
            after = min(overlaps[i, m], overlaps[k, j])
            if after < self._rules.least_overlap:
                return 0.0
            return float(overlaps[i, m] + overlaps[k, j] - overlaps[i, j] - overlaps[k, m])

        pairs = list(itertools.combinations(chosen, 2))
        while pairs and (best := max(pairs, key=lambda pair: gain(*pair))) and gain(*best) > 1e-6:
            a, b = best
            chosen[a], chosen[b] = chosen[b], chosen[a]
        return chosen

    def _enlarged(self, boxes: Floats) -> Floats:
        margin = self._rules.enlarged_by * (boxes[:, 2:] - boxes[:, :2])
        return np.concatenate([boxes[:, :2] - margin, boxes[:, 2:] + margin], axis=1)

    def _follow(self, track: Track, boxes: Floats, scores: Floats, row: int | None, at_us: int) -> Track:
        if row is None:
            return replace(track, found=None, box=track.foreseen(at_us, self._rules.foresee_s))
        box = boxes[row].astype(np.float32)
        past_s = (at_us - track.seen_us) / US_PER_S
        speed = track._speed
        if past_s > 0:
            newest = (box - track._seen_box) / np.float32(past_s)
            speed = speed + np.float32(self._rules.speed_share) * (newest - speed)
        return replace(
            track, box=box, score=float(scores[row]), seen_us=at_us, found=row, _seen_box=box, _speed=speed
        )

    def _begin(self, box: Floats, score: float, row: int, at_us: int) -> Track:
        track_id, self._next_id = self._next_id, self._next_id + 1
        box = box.astype(np.float32)
        return Track(track_id, box, score, at_us, at_us, row, box, np.zeros(4, np.float32))
