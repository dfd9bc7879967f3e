"""Pieces of tracks: findings that plainly continue each other, look by look. Linking them is linking.py's.

A piece ends where nothing continued it for a moment; whether the person is gone, hidden or missed is decided later,
when the whole clip is known.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeVar, cast

import numpy as np
import numpy.typing as npt

from orvault.clock import US_PER_S
from orvault.vision.boxes import Floats
from orvault.vision.candidates import Candidate
from orvault.vision.tracker import Tracker, TrackRules
from orvault.vision.tracks import Flags, Ints, Region

_UNSURE_WIDTH = 0.6  # of the top of a person's box: where the head most likely is, to compare with heads
_FINDING = np.dtype(
    [
        ("region", np.float64, 4),
        ("body", np.float32, 4),
        ("frame", np.int32),
        ("sure", np.bool_),
        ("turned", np.bool_),
        ("faint", np.bool_),
        ("is_face", np.bool_),
    ]
)
T = TypeVar("T")
_NO_BODY = (math.nan,) * 4
FOLLOWING = TrackRules(coast_s=1.0, least_overlap=0.1, enlarged_by=0.4, best_together=True)


class Piece:
    """One thing over some looks: in which pictures it was found, where, and what kind of findings they were.

    Findings lie in one array, some fifty bytes each: of hours of footage there are a million.
    """

    __slots__ = ("_count", "_rows", "_worked_out", "changes", "firm", "sources", "sure_ever")

    def __init__(self, *, noting: bool = False) -> None:
        self._rows = np.empty(1, _FINDING)
        self._count = 0
        self.firm = 0  # findings that are not faint, those that were cut off too
        self.sure_ever = 0  # sure findings, likewise
        self.sources: frozenset[str] = frozenset()
        self.changes = 0
        self._worked_out: dict[object, object] | None = {} if noting else None

    def __len__(self) -> int:
        return self._count

    def add(self, frame: int, found: Candidate) -> None:
        """What was found in a later picture than all before."""
        if self._count == len(self._rows):
            self._rows = np.concatenate([self._rows, np.empty(self._count, _FINDING)])
        body = _NO_BODY if found.body is None else found.body
        self._rows[self._count] = (
            found.box,
            body,
            frame,
            found.sure,
            found.turned,
            found.faint,
            found.is_face,
        )
        self._count += 1
        self._changed()
        self.firm += not found.faint
        self.sure_ever += found.sure
        if not found.sources <= self.sources:
            self.sources |= found.sources

    def once(self, what: object, work: Callable[[], T]) -> T:
        """What `work` makes of this piece: of one that is `noting`, kept under `what` until the piece changes.

        Nobody changes what comes out. Live, a hundred pieces stay as they are from look to look and one goes on; of
        stored hours it would only take memory.
        """
        if self._worked_out is None:
            return work()
        if what not in self._worked_out:
            self._worked_out[what] = work()
        return cast(T, self._worked_out[what])

    def _changed(self) -> None:
        self.changes += 1
        if self._worked_out:
            self._worked_out = {}

    @classmethod
    def chained(cls, pieces: Sequence[Piece]) -> Piece:
        """Several pieces, in the order of time, as one; of one alone the same."""
        if len(pieces) == 1:
            return pieces[0]
        whole = cls(noting=pieces[0]._worked_out is not None)
        whole._rows = np.concatenate([piece._found for piece in pieces])
        whole._count = len(whole._rows)
        whole.firm = sum(piece.firm for piece in pieces)
        whole.sure_ever = sum(piece.sure_ever for piece in pieces)
        whole.sources = frozenset().union(*(piece.sources for piece in pieces))
        return whole

    def cut(self, before: int, least: int) -> None:
        """Forget the findings before a picture, but for the last `least` ones."""
        gone = min(int(np.searchsorted(self.frames, before)), max(0, self._count - least))
        if gone:
            self._rows = self._found[gone:].copy()
            self._count = len(self._rows)
            self._changed()

    @property
    def first(self) -> int:
        """The first picture in which it was found."""
        return int(self.frames[0])

    @property
    def last(self) -> int:
        """The last one."""
        return int(self.frames[-1])

    @property
    def frames(self) -> Ints:
        """Picture numbers (k,)."""
        return self._found["frame"]

    @property
    def regions(self) -> npt.NDArray[np.float64]:
        """Where it was found (k, 4), as exactly as it was told."""
        return self._found["region"]

    @property
    def bodies(self) -> Floats:
        """The bodies found with it (k, 4); not a number where there was none."""
        return self._found["body"]

    @property
    def sure(self) -> Flags:
        """Which findings are the thing itself (k,)."""
        return self._found["sure"]

    @property
    def turned(self) -> Flags:
        """Which were found in a turned picture only (k,)."""
        return self._found["turned"]

    @property
    def lay(self) -> Flags:
        """Which tell that somebody lies there (k,): all that were found in a turned picture only.

        But one such find that no closer look confirmed tells nothing; two of them do, whatever a closer look says.
        """
        turned = self.turned
        alone = np.count_nonzero(turned) == 1 and self._found["faint"][turned].all()
        return np.zeros_like(turned) if alone else turned

    @property
    def is_face(self) -> Flags:
        """Which are faces (k,)."""
        return self._found["is_face"]

    @property
    def _found(self) -> npt.NDArray[np.void]:
        return self._rows[: self._count]

    def arrays(self) -> tuple[Ints, Floats]:
        """Picture numbers (k,) and regions (k, 4), to work on."""
        return self.frames.copy(), self.regions.astype(np.float32)


class Following:
    """Pieces that grow look by look.

    Every candidate is in exactly one piece. Faint ones too: whether they are a person's is known when pieces are
    linked, because they may come before what is sure.
    """

    def __init__(self, fps: float, *, noting: bool = False) -> None:
        self.pieces: dict[int, Piece] = {}  # in the order in which they begin
        self._fps, self._noting = fps, noting
        self._tracker = Tracker(FOLLOWING)

    def add(self, frame: int, found: Sequence[Candidate]) -> None:
        """What was found in a later picture than all before."""
        boxes = np.array([_compared(c) for c in found], np.float32).reshape(-1, 4)
        scores = np.ones(len(found), np.float32)
        for track in self._tracker.update(boxes, scores, round(frame * US_PER_S / self._fps)):
            if track.found is not None:
                self.pieces.setdefault(track.id, Piece(noting=self._noting)).add(frame, found[track.found])


def _compared(found: Candidate) -> Region:
    """The region by which a candidate is compared with others: of an unsure one the likely place of the head."""
    if found.sure:
        return found.box
    x1, y1, x2, y2 = found.box
    width = (x2 - x1) * _UNSURE_WIDTH
    middle, high = (x1 + x2) / 2, min(width * 1.1, y2 - y1)
    return (middle - width / 2, y1, middle + width / 2, y1 + high)
