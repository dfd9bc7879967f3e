"""Looks at one camera for raised hands: reads its sub-stream, decodes a few pictures a second, keeps none.

What a raised hand is, `orvault.vision.watcher` decides. Reading never waits for looking: a picture that comes while
the last one is still looked at takes the place of the one that waits.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from orvault.clock import US_PER_S, Clock
from orvault.custody.ports import Trouble, TroubleKind
from orvault.errors import OrvaultError
from orvault.recording.reconnect import PASSING, ReconnectPolicy, reconnecting
from orvault.video.codec import Image
from orvault.video.packet import PacketSource
from orvault.video.sparse import SparsePictures
from orvault.vision.gesture import Raise

SOON_S = 2.0
LATER_S = 30.0  # before what does not pass by itself is tried again: a codec, a model file
STUCK_US = 20 * US_PER_S  # a look takes a tenth of a second; keyframes may be 10 s apart

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
        self.waits_since_us: int | None = None  # since when nobody has come for one

    def put(self, picture: tuple[Image, int]) -> None:
        with self._there:
            if self._picture is None:
                self.waits_since_us = picture[1]
            self._picture = picture
            self._there.notify()

    def take(self) -> tuple[Image, int]:
        with self._there:
            while self._picture is None:
                self._there.wait()
            picture, self._picture, self.waits_since_us = self._picture, None, None
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
        # why there is no picture, and why nobody judges it
        self._blind: Trouble | None = self._trouble(TroubleKind.GESTURES_BLIND, "It was not opened yet.")
        self._dull: Trouble | None = None
        self._seen_us = clock.now_us()  # when the newest picture came
        for name, work in (("reading", self._read_for_ever), ("looking", self._look_for_ever)):
            threading.Thread(target=work, name=name, daemon=True).start()

    @property
    def trouble(self) -> Trouble | None:
        """Why hands are not seen now; None if they are."""
        now_us, waits_us, found = self._clock.now_us(), self._newest.waits_since_us, self._blind
        if found is None and now_us - self._seen_us >= STUCK_US:
            words = "None of its pictures can be decoded."
            found = self._trouble(TroubleKind.GESTURES_BLIND, words, self._seen_us)
        if found is None and waits_us is not None and now_us - waits_us >= STUCK_US:
            found = self._trouble(TroubleKind.GESTURES_FAILING, "The model does not answer.", waits_us)
        return found or self._dull

    def _trouble(self, kind: TroubleKind, words: str, since_us: int | None = None) -> Trouble:
        return Trouble(kind, self._camera_id, self._clock.now_us() if since_us is None else since_us, words)

    def _read_for_ever(self) -> None:
        policy = ReconnectPolicy(on_failure=self._failed)
        while True:
            pause_s = LATER_S  # a file that is over
            try:
                for packet in reconnecting(self._open_source, self._clock, lambda *_: None, policy):
                    if packet.begins is not None:
                        self._blind, self._seen_us = None, self._clock.now_us()
                    picture = self._pictures.feed(packet, self._clock.now_us())
                    if picture is not None:
                        self._seen_us = picture[1]
                        self._newest.put(picture)
            except OrvaultError as error:
                self._failed(error)
                pause_s = SOON_S if error.kind in PASSING else LATER_S
            self._clock.sleep(pause_s)

    def _failed(self, error: OrvaultError) -> None:
        known = self._blind
        if known is None or error.message != known.detail:
            log.error("gestures on camera %s are not seen: %s", self._camera_id, error)
        since_us = None if known is None else known.since_us
        self._blind = self._trouble(TroubleKind.GESTURES_BLIND, error.message, since_us)

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
            self._dull = None
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
        known = self._dull
        if known is None or error.message != known.detail:
            log.error("gestures on camera %s are not looked for: %s", self._camera_id, error)
        since_us = None if known is None else known.since_us
        self._dull = self._trouble(TroubleKind.GESTURES_FAILING, error.message, since_us)
