"""Small pictures for the time line, in a thread and with a decoder of their own; the last wish counts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from orvault.errors import OrvaultError
from player.reel import Picture
from player.window.own_thread import OwnThread


class SmallPictures(Protocol):
    """What is needed of a `player.reel.Reel`."""

    def thumbnail(self, at_us: int, width_px: int) -> Picture:
        """The picture at this time, small."""
        ...

    def close(self) -> None:
        """Let go of decoder and buffers."""
        ...


class ThumbnailMaker(OwnThread):
    """`ready(asked_us, picture)` and, at most once and at the end, `failed(error)` are called in its thread."""

    def __init__(
        self,
        make: Callable[[], SmallPictures],
        width_px: int,
        ready: Callable[[int, Picture], None],
        failed: Callable[[OrvaultError], None],
    ) -> None:
        self._make, self._width_px, self._ready, self._failed = make, width_px, ready, failed
        self._wake = threading.Condition()
        self._wanted: int | None = None
        self._closed = False
        self._start("thumbnails")

    def ask(self, at_us: int) -> None:
        """The picture at this time is wanted."""
        with self._wake:
            self._wanted = at_us
            self._wake.notify()

    def leave(self) -> None:
        """End the thread and do not wait for it: a picture under way may still be ready."""
        with self._wake:
            self._closed = True
            self._wake.notify()

    def _run(self) -> None:
        reel: SmallPictures | None = None
        try:
            while (at_us := self._next()) is not None:
                reel = reel or self._make()  # nobody may ever hover
                self._ready(at_us, reel.thumbnail(at_us, self._width_px))
        except OrvaultError as error:
            if not self._closed:
                self._failed(error)
        finally:
            if reel is not None:
                reel.close()

    def _next(self) -> int | None:
        with self._wake:
            while self._wanted is None and not self._closed:
                self._wake.wait()
            wanted, self._wanted = self._wanted, None
            return None if self._closed else wanted
