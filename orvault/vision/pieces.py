"""Pieces of tracks: findings that plainly continue each other, look by look. Linking them is linking.py's.

A piece ends where nothing continued it for a moment; whether the person is gone, hidden or missed is decided later,
when the whole clip is known.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from orvault.clock import US_PER_S
from orvault.vision.boxes import Floats
from orvault.vision.candidates import Candidate
from orvault.vision.tracker import Tracker, TrackRules
from orvault.vision.tracks import Ints, Region

_UNSURE_WIDTH = 0.6  # of the top of a person's box: where the head most likely is, to compare with heads
FOLLOWING = TrackRules(coast_s=1.0, least_overlap=0.1, enlarged_by=0.4, best_together=True)


@dataclass(slots=True)
class Piece:
    """One thing over some looks: picture numbers, regions, and what kind of findings they were."""

    frames: list[int] = field(default_factory=list)
    boxes: list[Region] = field(default_factory=list)
    sure: list[bool] = field(default_factory=list)
    turned: list[bool] = field(default_factory=list)
    is_face: list[bool] = field(default_factory=list)
    bodies: list[Region | None] = field(default_factory=list)
    firm: int = 0  # findings that are not faint, those that were cut off too
    sure_ever: int = 0  # sure findings, likewise
    sources: set[str] = field(default_factory=set)

    def add(self, frame: int, found: Candidate) -> None:
        """What was found in a later picture than all before."""
        self.frames.append(frame)
        self.boxes.append(found.box)
        self.sure.append(found.sure)
        self.turned.append(found.turned)
        self.firm += not found.faint
        self.sure_ever += found.sure
        self.is_face.append(found.is_face)
        self.bodies.append(found.body)
        self.sources |= found.sources

    @classmethod
    def chained(cls, pieces: Sequence[Piece]) -> Piece:
        """Several pieces, in the order of time, as one."""
        whole = cls()
        for piece in pieces:
            whole.frames += piece.frames
            whole.boxes += piece.boxes
            whole.sure += piece.sure
            whole.turned += piece.turned
            whole.firm += piece.firm
            whole.sure_ever += piece.sure_ever
            whole.is_face += piece.is_face
            whole.bodies += piece.bodies
            whole.sources |= piece.sources
        return whole

    def cut(self, before: int, least: int) -> None:
        """Forget the findings before a picture, but for the last `least` ones."""
        gone = min(bisect_left(self.frames, before), max(0, len(self.frames) - least))
        for each in (self.frames, self.boxes, self.sure, self.turned, self.is_face, self.bodies):
            del each[:gone]

    @property
    def first(self) -> int:
        """The first picture in which it was found."""
        return self.frames[0]

    @property
    def last(self) -> int:
        """The last one."""
        return self.frames[-1]

    def arrays(self) -> tuple[Ints, Floats]:
        """Picture numbers (k,) and regions (k, 4)."""
        return np.array(self.frames, np.int32), np.array(self.boxes, np.float32)


class Following:
    """Pieces that grow look by look.

    Every candidate is in exactly one piece. Faint ones too: whether they are a person's is known when pieces are
    linked, because they may come before what is sure.
    """

    def __init__(self, fps: float) -> None:
        self.pieces: dict[int, Piece] = {}  # in the order in which they begin
        self._fps = fps
        self._tracker = Tracker(FOLLOWING)

    def add(self, frame: int, found: Sequence[Candidate]) -> None:
        """What was found in a later picture than all before."""
        boxes = np.array([_compared(c) for c in found], np.float32).reshape(-1, 4)
        scores = np.ones(len(found), np.float32)
        for track in self._tracker.update(boxes, scores, round(frame * US_PER_S / self._fps)):
            if track.found is not None:
                self.pieces.setdefault(track.id, Piece()).add(frame, found[track.found])


def follow(looks: Iterable[tuple[int, Sequence[Candidate]]], fps: float) -> list[Piece]:
    """The pieces of all looks (picture number, what was found), in the order in which they begin."""
    following = Following(fps)
    for frame, found in looks:
        following.add(frame, found)
    return list(following.pieces.values())


def _compared(found: Candidate) -> Region:
    """The region by which a candidate is compared with others: of an unsure one the likely place of the head."""
    if found.sure:
        return found.box
    x1, y1, x2, y2 = found.box
    width = (x2 - x1) * _UNSURE_WIDTH
    middle, high = (x1 + x2) / 2, min(width * 1.1, y2 - y1)
    return (middle - width / 2, y1, middle + width / 2, y1 + high)
