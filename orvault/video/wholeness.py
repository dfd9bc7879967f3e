"""Tells pictures that are what was recorded from those that are not: lost, damaged, or predicted from such.

It goes by times and by the order of coding; decoding, and what is shown instead, is codec.py's.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

Shown = TypeVar("Shown")


@dataclass(slots=True)
class _Coded:
    """One packet: when it is shown, the latest time of it and those before it, and where its group begins."""

    pts: int
    latest: int
    group: int


@dataclass(frozen=True, slots=True)
class Judged(Generic[Shown]):
    """A picture in the order of showing; None where one was recorded and cannot be shown. Times as in the stream."""

    pts: int
    picture: Shown | None
    whole: bool


class Wholeness(Generic[Shown]):
    """Given each packet before it is decoded and each picture that comes out; gives them back judged.

    A picture is held back until everything that was sent before it has been shown or is known to be lost: what is
    shown first may be predicted from what is shown later. Without such pictures nothing is held.
    """

    def __init__(self) -> None:
        self._coded: list[_Coded] = []
        self._places: dict[int, int] = {}  # in the order of coding, by time
        self._corrupt: dict[int, bool] = {}  # what was shown, by time
        self._waiting: list[int] = []  # a heap of times that were not given back yet
        self._held: deque[tuple[int, Shown]] = deque()
        self._reached: int | None = None

    def sent(self, pts: int, *, keyframe: bool) -> None:
        """A packet goes to the decoder."""
        before = self._coded[-1] if self._coded else None
        place = len(self._coded)
        group = place if keyframe or before is None else before.group
        self._coded.append(_Coded(pts, pts if before is None else max(pts, before.latest), group))
        self._places[pts] = place
        # Sent after the first keyframe and shown before it: predicted from before all this. Nobody expects it.
        if pts >= self._coded[0].pts:
            heapq.heappush(self._waiting, pts)

    def came(self, pts: int, picture: Shown, *, corrupt: bool) -> Iterator[Judged[Shown]]:
        """A picture came out, in the order of showing; what can be said now."""
        self._corrupt[pts] = corrupt
        self._reached = pts if self._reached is None else max(pts, self._reached)
        self._held.append((pts, picture))
        while self._held and self._reached >= self._known_at(self._held[0][0]):
            yield from self._given()

    def end(self) -> Iterator[Judged[Shown]]:
        """Nothing more comes: the rest."""
        self._reached = self._coded[-1].latest if self._coded else None
        while self._held:
            yield from self._given()
        while self._waiting:
            yield Judged(heapq.heappop(self._waiting), None, whole=False)

    def _known_at(self, pts: int) -> int:
        place = self._places.get(pts)
        return pts if place is None else self._coded[place].latest

    def _given(self) -> Iterator[Judged[Shown]]:
        """The picture that is held longest, behind what was lost before it."""
        pts, picture = self._held.popleft()
        while self._waiting and self._waiting[0] <= pts:
            other = heapq.heappop(self._waiting)
            if other != pts and other not in self._corrupt:
                yield Judged(other, None, whole=False)
        yield Judged(pts, picture, whole=self._is_whole(pts))

    def _is_whole(self, pts: int) -> bool:
        place = self._places.get(pts)
        if place is None:
            return not self._corrupt[pts]
        begin = self._coded[place].group
        needed = self._coded[begin : place + 1]
        if pts >= needed[0].pts:
            # What is shown before its keyframe is predicted from the group before too, and nothing later from it.
            needed = [each for each in needed if each.pts >= needed[0].pts]
        elif begin > 0:
            needed = self._coded[self._coded[begin - 1].group : place + 1]
        return not any(self._corrupt.get(each.pts, True) for each in needed)
