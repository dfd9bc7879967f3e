"""What there is to jump to on the time line: gaps, events of the room, parts left clear, regions covered by hand.

Where pictures begin and end is each camera's own.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import accumulate
from operator import itemgetter

import numpy as np

from orvault.clock import US_PER_S
from orvault.container.happened import Happened
from orvault.container.package import Manifest, MediaInfo

Held = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
NEAR_US = 500_000  # closer than this a mark counts as where one is
EDGE_US = (
    5 * US_PER_S
)  # a start and its first picture lie so far apart at most: such an event stands at the edge


class MarkKind(Enum):
    """Why somebody may want to look here."""

    GAP = "gap"
    CLEAR = "left-clear"
    COVERED = "covered-by-hand"
    EVENT = "event"


@dataclass(frozen=True)
class Mark:
    """A stretch of the time line (UTC microseconds) of one camera; an event's is a point, and may be the room's."""

    from_us: int
    to_us: int
    kind: MarkKind
    camera_id: str = ""
    event: Happened | None = None


def span_of(media: Sequence[MediaInfo]) -> tuple[int, int]:
    """From the first camera's beginning to the last one's end."""
    return min(info.start_us for info in media), max(info.end_us for info in media)


def marks_of(manifest: Manifest) -> list[Mark]:
    """Every mark of a package, by time."""
    first_us, last_us = span_of(manifest.media)
    found = [
        Mark(from_us, to_us, MarkKind.GAP, info.camera_id)
        for info in manifest.media
        for from_us, to_us in info.gaps
    ]
    choice = manifest.terms.masking_choice
    if choice is not None:
        found += [Mark(part.from_us, part.to_us, MarkKind.CLEAR, part.camera_id) for part in choice.clear]
        found += [
            Mark(region.keys[0].at_us, region.keys[-1].at_us, MarkKind.COVERED, region.camera_id)
            for region in choice.drawn
            if len(region.keys) > 1  # with one key it is there in every picture: nothing to jump to
        ]
    found += _events(manifest.terms.events, first_us, last_us)
    within = (mark for mark in found if mark.to_us >= first_us and mark.from_us <= last_us)
    return sorted(within, key=lambda mark: (mark.from_us, mark.to_us, mark.camera_id))


def _events(events: Iterable[Happened], first_us: int, last_us: int) -> Iterable[Mark]:
    for event in events:
        nearest_us = min(max(event.at_us, first_us), last_us)
        at_us = nearest_us if abs(event.at_us - nearest_us) <= EDGE_US else event.at_us
        yield Mark(at_us, at_us, MarkKind.EVENT, event.camera_id or "", event)


def next_mark(marks: Sequence[Mark], at_us: int) -> Mark | None:
    """The first that begins behind here; `marks` as `marks_of` gives them."""
    number = bisect_right(marks, at_us + NEAR_US, key=_begin)
    return marks[number] if number < len(marks) else None


def previous_mark(marks: Sequence[Mark], at_us: int) -> Mark | None:
    """The last that begins before here; `marks` as `marks_of` gives them."""
    number = bisect_left(marks, at_us - NEAR_US, key=_begin)
    return marks[number - 1] if number else None


def _begin(mark: Mark) -> int:
    return mark.from_us


class Events:
    """The events of a package, by their marks' times: looked up thirty times a second."""

    def __init__(self, marks: Sequence[Mark]) -> None:
        self._marks = [mark for mark in marks if mark.event is not None]

    def __bool__(self) -> bool:
        return bool(self._marks)

    def between(self, from_us: int, to_us: int, most: int) -> tuple[list[Happened], int]:
        """The first of those that stand in from-to, both included, and how many there are besides."""
        begin = bisect_left(self._marks, from_us, key=_begin)
        end = bisect_right(self._marks, to_us, key=_begin)
        found = [mark.event for mark in self._marks[begin : min(end, begin + most)] if mark.event is not None]
        return found, end - begin - len(found)


class Gaps:
    """The recorded gaps of a camera: up to 65,536, asked thirty times a second. A file may name them in any order."""

    def __init__(self, gaps: Iterable[tuple[int, int]]) -> None:
        self._gaps = sorted(gaps)
        # Of those that begin so far, the one that lasts longest: if that has ended, all have.
        self._reaching = list(accumulate(self._gaps, _longer))

    def at(self, at_us: int) -> tuple[int, int] | None:
        """The gap that holds this time."""
        begun = bisect_right(self._gaps, at_us, key=itemgetter(0))
        gap = self._reaching[begun - 1] if begun else None
        return gap if gap is not None and at_us < gap[1] else None


def _longer(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return one if one[1] >= other[1] else other


class Columns:
    """Which columns of a time line hold marks of a kind: drawing takes as long as the line is wide, however many."""

    def __init__(self, marks: Sequence[Mark], first_us: int, last_us: int) -> None:
        self._shares = {
            kind: np.array(
                [(mark.from_us - first_us, mark.to_us - first_us) for mark in marks if mark.kind is kind]
            )
            / (last_us - first_us)
            for kind in {mark.kind for mark in marks}
        }

    def held(self, width: int, least: int) -> dict[MarkKind, Held]:
        """Per kind a bool for each of `width` columns; a mark takes `least` of them at least."""
        found = {}
        for kind, shares in self._shares.items():
            across = np.clip(shares, 0.0, 1.0) * width
            left = np.clip(np.floor(across[:, 0]), 0, width - least).astype(np.intp)
            right = np.clip(np.ceil(across[:, 1]).astype(np.intp), left + least, width)
            steps = np.bincount(left, minlength=width + 1) - np.bincount(right, minlength=width + 1)
            found[kind] = np.cumsum(steps)[:width] > 0
        return found


def runs(held: Held) -> list[tuple[int, int]]:
    """From where to where columns are held, without a break."""
    edges = np.flatnonzero(np.diff(held, prepend=False, append=False))
    return [(int(left), int(right)) for left, right in edges.reshape(-1, 2)]
