"""Looks at one camera for raised hands: reads its sub-stream, decodes a few pictures a second, keeps none.

What a raised hand is, `orvault.vision.watcher` decides. Reading never waits for looking: a picture that comes while
the last one is still looked at takes the place of the one that waits.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from orvault.clock import Clock
from orvault.errors import OrvaultError
from orvault.recording.reconnect import PASSING, ReconnectPolicy, reconnecting
from orvault.video.codec import Image
from orvault.video.packet import PacketSource
from orvault.video.sparse import SparsePictures
from orvault.vision.gesture import Raise

SOON_S = 2.0
LATER_S = 30.0  # before what does not pass by itself is tried again: a codec, a model file

log = logging.getLogger(__name__)


class Watcher(Protocol):
    """`orvault.vision.watcher.GestureWatcher`."""

    def look(self, frame_bgr: Image, at_us: int) -> Sequence[Raise]:
        """Take one picture; the signals that it completes."""
        ...


class _Newest:
    """Holds at most one picture: the newest."""

    def __init__(self) -> None:
        self._there = threading.Condition()
        self._picture: tuple[Image, int] | None = None

    def put(self, picture: tuple[Image, int]) -> None:
        with self._there:
            self._picture = picture
            self._there.notify()

    def take(self) -> tuple[Image, int]:
        with self._there:
            while self._picture is None:
                self._there.wait()
            picture, self._picture = self._picture, None
            return picture


class GestureEye:
    """Two threads: one reads and decodes, one looks. `on_raise` is called from the second."""

    def __init__(
        self,
        camera_id: str,
        open_source: Callable[[], PacketSource],
        open_watcher: Callable[[], Watcher],
        clock: Clock,
        on_raise: Callable[[Raise], None],
        per_s: float = 5.0,
    ) -> None:
        self._camera_id, self._clock, self._on_raise = camera_id, clock, on_raise
        self._open_source, self._open_watcher = open_source, open_watcher
        self._pictures = SparsePictures(per_s)
        self._newest = _Newest()
        self._blind, self._dull = (
            "it was not opened yet",
            "",
        )  # why there is no picture, or nobody looks at it
        for name, work in (("reading", self._read_for_ever), ("looking", self._look_for_ever)):
            threading.Thread(target=work, name=name, daemon=True).start()

    @property
    def trouble(self) -> str:
        """Why hands are not seen now; empty if they are."""
        return self._blind or self._dull

    def _read_for_ever(self) -> None:
        policy = ReconnectPolicy(on_failure=self._failed)
        while True:
            pause_s = LATER_S  # a file that is over
            try:
                for packet in reconnecting(self._open_source, self._clock, lambda *_: None, policy):
                    if packet.begins is not None:
                        self._blind = ""
                    picture = self._pictures.feed(packet, self._clock.now_us())
                    if picture is not None:
                        self._newest.put(picture)
            except OrvaultError as error:
                self._failed(error)
                pause_s = SOON_S if error.kind in PASSING else LATER_S
            self._clock.sleep(pause_s)

    def _failed(self, error: OrvaultError) -> None:
        if error.message != self._blind:
            log.error("gestures on camera %s are not seen: %s", self._camera_id, error)
        self._blind = error.message

    def _look_for_ever(self) -> None:
        watcher = self._watcher()
        while True:
            bgr, at_us = self._newest.take()
            try:
                raises = watcher.look(bgr, at_us)
            except OrvaultError as error:
                self._cannot_look(error)
                continue
            finally:
                del bgr  # the thread would hold the picture until the next one
            self._dull = ""
            for raised in raises:
                self._on_raise(raised)

    def _watcher(self) -> Watcher:
        while True:
            try:
                return self._open_watcher()
            except OrvaultError as error:
                self._cannot_look(error)
                self._clock.sleep(LATER_S)

    def _cannot_look(self, error: OrvaultError) -> None:
        if error.message != self._dull:
            log.error("gestures on camera %s are not looked for: %s", self._camera_id, error)
        self._dull = error.message
