"""Reads a live camera's packets a few at a time, so that a process wakes up a few times a second and not for each.

A camera's picture arrives as a dozen small network packets, and a reader that waits for the next one is woken for
every single one of them. Reading what has arrived meanwhile in one go costs a third less (docs/perf, recording).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

FRESH_BYTES = 64 * 1024  # what the window of a fresh TCP connection holds (Linux: half of 128 KiB)
_FILLED = 15 / 16  # of what can wait: so much at most, or the camera would have to wait
_WAITED_S = 0.002  # a read that took longer had to wait: everything that had arrived was read
_BEHIND_S = 0.25  # a reader that is so much behind the camera takes no nap
_DRIFT = (
    0.0002  # of the time: a camera's clock may be slower than ours by so much, without a reader being behind
)
_ODD_S = 1.0  # one cycle cannot really put the reader farther back or forward; the camera's clock was set


@dataclass(frozen=True)
class Nap:
    """The longest that a reader sleeps: so many seconds, and while a camera sends what can wait, `room` bytes."""

    most_s: float = 0.125
    room: int = FRESH_BYTES


class Timed(Protocol):
    """A coded picture as it comes from the demuxer."""

    @property
    def size(self) -> int:
        """Its bytes."""
        ...

    @property
    def pts(self) -> int | None:
        """Its time on the screen, in ticks; None where the camera did not say."""
        ...


P = TypeVar("P", bound=Timed)


def in_batches(
    raw: Iterable[P],
    tick_s: float,
    nap: Nap = Nap(),
    *,
    now_s: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[P]:
    """The same packets in the same order; after one that had to be waited for, the reader sleeps a little.

    It does not sleep while the pictures' own times (`tick_s` seconds a tick) say that it falls behind: a nap must
    never grow into a queue.
    """
    cycle = _Cycle(tick_s, nap, now_s())
    packets = iter(raw)
    while True:
        asked_s = now_s()
        packet = next(packets, None)
        if packet is None:
            return
        came_s = now_s()
        cycle.add(packet.size, packet.pts)
        yield packet
        if came_s - asked_s > _WAITED_S and (nap_s := cycle.end(came_s)) > 0:
            sleep(nap_s)


class _Cycle:
    """What was read since the last time that everything had been read."""

    def __init__(self, tick_s: float, nap: Nap, began_s: float) -> None:
        self._tick_s, self._nap, self._began_s = tick_s, nap, began_s
        self._bytes = 0
        self._from: int | None = None
        self._to: int | None = None
        self._behind_s = 0.0

    def add(self, size: int, pts: int | None) -> None:
        self._bytes += size
        self._to = self._to if pts is None else pts

    def end(self, now_s: float) -> float:
        """Everything is read; how long to sleep now."""
        lasted_s = max(now_s - self._began_s, 1e-6)
        if self._from is None or self._to is None:
            shown_s = 0.0  # the first: what it took to connect says nothing of the camera's rate
            nap_s = 0.0
        else:
            shown_s = (self._to - self._from) * self._tick_s
            off_s = min(_ODD_S, max(-_ODD_S, lasted_s - shown_s))
            self._behind_s = max(0.0, self._behind_s + off_s - lasted_s * _DRIFT)
            room_s = self._nap.room * _FILLED * lasted_s / max(1, self._bytes)
            nap_s = 0.0 if self._behind_s > _BEHIND_S else min(self._nap.most_s, room_s)
        self._began_s, self._bytes, self._from = now_s, 0, self._to
        return nap_s
