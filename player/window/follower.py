"""One camera that keeps in step with the clock, in a thread of its own; late pictures are left out, never waited for.

Knows no window: pictures and failures go to callbacks, which are called in this thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from orvault.clock import US_PER_S
from orvault.errors import OrvaultError
from player.reel import Picture
from player.window.clockwork import PlayClock
from player.window.closing import Leaving
from player.window.own_thread import OwnThread

LATE_US = 1_500_000  # further behind, jumping costs less than decoding what nobody will see
MOST_LEFT_OUT = 8  # then a late picture is shown rather than none
LONGEST_WAIT_S = 0.25


class Pictures(Protocol):
    """What is needed of a `player.reel.Reel`."""

    def seek(self, at_us: int) -> Picture:
        """The picture that is shown at this time."""
        ...

    def next(self) -> Picture | None:
        """The one after the last that was given; None at the end."""
        ...

    def previous(self) -> Picture | None:
        """The one before; None at the beginning."""
        ...

    def close(self) -> None:
        """Let go of decoder and buffers."""
        ...


class Cursor:
    """Where one camera stands; holds one picture at most, the one that is due next."""

    def __init__(self, reel: Pictures) -> None:
        self._reel = reel
        self._shown_us: int | None = None
        self._ahead: Picture | None = None

    def seek(self, at_us: int) -> Picture:
        """The picture that is shown at this time."""
        self._ahead = None
        picture = self._reel.seek(at_us)
        self._shown_us = picture.at_us
        return picture

    def step(self, forward: bool) -> Picture | None:
        """The neighbour of the picture shown; None where there is none."""
        if forward and self._ahead is not None:
            found: Picture | None = self._ahead
        else:
            if self._ahead is not None and self._shown_us is not None:
                self._reel.seek(self._shown_us)  # it had gone one further
            found = self._reel.next() if forward else self._reel.previous()
        self._ahead = None
        if found is not None:
            self._shown_us = found.at_us
        return found

    def due(self, at_us: int) -> Picture | None:
        """The newest picture that is due and not shown yet; those that it overtook are dropped."""
        if self._shown_us is None or at_us < self._shown_us:
            return self.seek(at_us)
        newest: Picture | None = None
        for _ in range(MOST_LEFT_OUT):
            self._ahead = self._ahead or self._reel.next()
            if self._ahead is None or self._ahead.at_us > at_us:
                break
            if at_us - self._ahead.at_us > LATE_US:
                return self.seek(at_us)
            newest, self._ahead = self._ahead, None
            self._shown_us = newest.at_us
        return newest

    def wait_s(self, clock: PlayClock) -> float:
        """How long nothing will be due, in seconds of the machine."""
        if self._ahead is None:
            return LONGEST_WAIT_S
        ahead_s = (self._ahead.at_us - clock.position_us) / US_PER_S / clock.speed
        return min(max(ahead_s, 0.0), LONGEST_WAIT_S)


@dataclass(frozen=True)
class _Wish:
    """Jump to `at_us`, or step from where it stands."""

    at_us: int | None = None
    forward: bool = True


class Follower(OwnThread):
    """Runs a `Cursor` along the clock. `show(picture, stepped)` and `failed(error)` are called in its thread.

    It opens its decoder when those `after` which it comes are gone: what is shown next takes no memory beside them.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[], Pictures],
        clock: PlayClock,
        show: Callable[[Picture, bool], None],
        failed: Callable[[OrvaultError], None],
        after: Sequence[Leaving] = (),
    ) -> None:
        self._make, self._clock, self._show, self._failed = make, clock, show, failed
        self._after = after
        self._wake = threading.Condition()
        self._wish: _Wish | None = _Wish(clock.position_us)
        self._nudged = self._closed = False
        self._start(f"camera {name}")

    def seek(self, at_us: int) -> None:
        """Jump; of several wishes the last one counts."""
        self._tell(_Wish(at_us))

    def step(self, forward: bool) -> None:
        """Show the neighbour of the picture shown."""
        self._tell(_Wish(forward=forward))

    def nudge(self) -> None:
        """The clock was started, stopped or set to another speed."""
        with self._wake:
            self._nudged = True
            self._wake.notify()

    def leave(self) -> None:
        """End the thread and do not wait for it: a picture under way may still be shown."""
        with self._wake:
            self._closed = True
            self._wake.notify()

    def _tell(self, wish: _Wish) -> None:
        with self._wake:
            self._wish = wish
            self._wake.notify()

    def _run(self) -> None:
        for each in self._after:
            each.wait()
        self._after = ()
        if self._closed:
            return
        try:
            reel = self._make()
        except OrvaultError as error:
            self._failed(error)
            return
        try:
            self._follow(Cursor(reel))
        except OrvaultError as error:
            if not self._closed:
                self._failed(error)
        finally:
            reel.close()

    def _follow(self, cursor: Cursor) -> None:
        wait_s = 0.0
        while (taken := self._next_wish(wait_s)) is not None:
            picture = self._answer(cursor, taken)
            if picture is not None and not self._closed:
                self._show(picture, taken.at_us is None and taken is not _GO_ON)
            del picture  # the window has it; nothing clear waits here
            wait_s = cursor.wait_s(self._clock) if self._clock.running else LONGEST_WAIT_S

    def _answer(self, cursor: Cursor, wish: _Wish) -> Picture | None:
        if wish is _GO_ON:
            return cursor.due(self._clock.position_us) if self._clock.running else None
        return cursor.step(wish.forward) if wish.at_us is None else cursor.seek(wish.at_us)

    def _next_wish(self, wait_s: float) -> _Wish | None:
        """What to do next; None when it is over."""
        with self._wake:
            if self._wish is None and not self._nudged and not self._closed:
                self._wake.wait(wait_s)
            if self._closed:
                return None
            wish, self._wish, self._nudged = self._wish or _GO_ON, None, False
            return wish


_GO_ON = _Wish()
