"""Picture numbers that are times: following counts seconds in pictures, and no camera keeps time in them.

A camera slows down when the lights are dimmed, and recordings have gaps. So pictures get their numbers on one line of
`fps` numbers a second; a number at which no picture was taken is one at which nobody looked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from orvault.clock import US_PER_S
from orvault.vision.tracks import Ints

LONGEST_GAP_S = 90.0  # as numbers; longer than all that following remembers by time
_MOST_FPS = 240.0
_LEAST_US = US_PER_S  # a stretch that is shorter tells little of the camera's rate

T = TypeVar("T")
# From, to (UTC microseconds), how many pictures were coded, and how long of it the camera was away (microseconds).
Recorded = tuple[int, int, int, int]


class Numbering:
    """Numbers for the pictures of a recording, stretch by stretch, each spread evenly over its time.

    Where in a stretch the camera was away is not known: it counts as its end.

    `recorded` are all of the stretches, in order. Regular footage without gaps is numbered 0, 1, 2 ...; `fps` is that
    of its fastest stretch, so that two pictures never share a number.
    """

    def __init__(self, recorded: Sequence[Recorded]) -> None:
        self._recorded = list(recorded)
        self._stretch = 0  # the next one
        self._next = 0.0  # where its pictures begin if no time lies between
        self.fps = _fastest(self._recorded)

    def take(self, count: int) -> Ints:
        """The numbers (count,) of the pictures that the next stretch really holds; they grow strictly over all."""
        begin_us, end_us, _, away_us = self._recorded[self._stretch]
        if self._stretch:
            gap_s = (begin_us - self._recorded[self._stretch - 1][1]) / US_PER_S
            self._next += min(max(0.0, gap_s), LONGEST_GAP_S) * self.fps
        self._stretch += 1
        length = (end_us - begin_us) / US_PER_S * self.fps
        step = max(1.0, (length - away_us / US_PER_S * self.fps) / max(1, count))
        numbers: Ints = np.floor(self._next + np.arange(count) * step).astype(np.int32)
        last = int(numbers[-1]) if count else -1
        self._next = max(self._next + length, last + 1.0)
        return numbers


def _fastest(recorded: Sequence[Recorded]) -> float:
    """Pictures a second in the stretch that has the most of them, or over all where every stretch is short."""
    lengths_us = [max(1, end_us - begin_us) for begin_us, end_us, _, _ in recorded]
    pictures = [count for _, _, count, _ in recorded]
    rates = [sum(pictures) * US_PER_S / max(1, sum(lengths_us))]
    rates += [
        count * US_PER_S / length_us
        for count, length_us in zip(pictures, lengths_us, strict=True)
        if length_us >= _LEAST_US
    ]
    return min(_MOST_FPS, max(1.0, *rates))


def at_numbers(each: Iterable[T], numbers: Sequence[int]) -> Iterator[T]:
    """Of what there is for every number from the first of `numbers` on, that of `numbers` (growing)."""
    wanted = iter(numbers)
    due = next(wanted, None)
    for number, one in enumerate(each, numbers[0] if numbers else 0):
        if number == due:
            yield one
            due = next(wanted, None)
