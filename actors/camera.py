"""One camera feed: reads its packets for ever, cuts fragments while an order says so, and hands them on.

It decides nothing about recording (`recording_line` and `orvault.recording.recorder` do) and seals nothing.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from pathlib import Path

from actors.keys import read_secret
from actors.recording_line import RecordingLine, Sealer
from orvault.clock import Clock
from orvault.custody.ports import CameraStatus
from orvault.errors import ErrorKind, OrvaultError
from orvault.recording.orders import OrderStore
from orvault.recording.reconnect import PASSING, ReconnectPolicy, reconnecting
from orvault.recording.recorder import RecordingOrder
from orvault.video.gop import GopCutter
from orvault.video.packet import Packet, PacketSource, StreamInfo
from orvault.video.source import CameraAddress, open_source

SOON_S = 2.0  # before a camera is asked again that sent something senseless
LATER_S = 30.0  # before a camera is asked again whose trouble does not pass by itself (an unknown codec)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CameraFeed:
    """What an actor is told of its camera; the password stays in its file until the camera is opened."""

    camera_id: str
    node_id: str
    source: str
    username: str
    password_file: Path | None
    timeout_s: float
    orders: Path

    def address(self) -> CameraAddress:
        """Where to connect, with the password. Errors: BAD_SETTINGS."""
        password = read_secret(self.password_file) if self.password_file is not None else ""
        return CameraAddress(self.source, self.username, password, self.timeout_s)


class CameraActor:
    """One per camera, on its client node."""

    def __init__(self, feed: CameraFeed, sealer: Sealer, clock: Clock) -> None:
        self._feed = feed
        self._clock = clock
        self._cutting = threading.Lock()
        self._cutter: GopCutter | None = None
        self._info: StreamInfo | None = None
        self._loss = ""
        self._trouble: OrvaultError | None = None
        self._line = RecordingLine(
            feed.node_id, feed.camera_id, sealer, OrderStore(feed.orders), clock, self._cut
        )
        self._line.resume()
        threading.Thread(target=self._read_for_ever, name="reader", daemon=True).start()

    def start(self, order: RecordingOrder) -> None:
        """Record under this order; it is on disk before this returns. Errors: CONFLICT, STORAGE, UNAVAILABLE."""
        self._line.start(order)

    def stop(self, run_id: str) -> None:
        """End the run; returns when its last fragment is durable. Errors: STORAGE, UNAVAILABLE."""
        with self._cutting:
            if self._cutter is not None and self._line.run_id == run_id:
                self._line.put(self._cutter.flush(), self._loss)
                self._cutter = None
        trouble = self._trouble
        self._line.stop(run_id, "" if trouble is None else trouble.message)

    def status(self) -> CameraStatus:
        """What it does now, in one word, and what is wrong, if anything is."""
        run_id, trouble = self._line.run_id, self._trouble
        if trouble is not None:
            state = "refused" if trouble.kind is ErrorKind.CAMERA_REFUSED else "unreachable"
        elif self._info is None:
            state = "connecting"
        else:
            state = "idle" if run_id is None else "recording"
        detail = str(trouble) if trouble is not None else self._line.trouble
        return CameraStatus(
            self._feed.camera_id, state, detail, run_id, self._line.segments, self._line.last_us
        )

    def _cut(self, on: bool) -> None:
        """Begin or end cutting fragments; the line calls it when an order begins or ends."""
        with self._cutting:
            if not on:
                self._cutter = None
                return
            self._loss = ""  # what was lost before nobody wanted recorded
            # The reader may have been faster; its cutter holds the first keyframe already.
            if self._cutter is None and self._info is not None:
                self._cutter = GopCutter(self._info, self._clock)

    def _read_for_ever(self) -> None:
        policy = ReconnectPolicy(on_failure=self._failed)
        while True:
            try:
                for packet in reconnecting(self._open, self._clock, self._gone, policy):
                    self._take(packet)
            except OrvaultError as error:
                self._failed(error)
                self._loss = error.message  # a new round of connections knows nothing of this one's end
                self._clock.sleep(SOON_S if error.kind in PASSING else LATER_S)
            else:
                self._clock.sleep(LATER_S)

    def _open(self) -> PacketSource:
        return open_source(self._feed.address(), self._clock)

    def _failed(self, error: OrvaultError) -> None:
        with self._cutting:  # what came before the loss is made durable now, not when the camera is back
            if self._cutter is not None and (fragment := self._cutter.flush()) is not None:
                self._line.put(fragment, self._loss)
                self._loss = ""
        if self._trouble is None or self._trouble.kind is not error.kind:
            log.warning("camera %s: %s", self._feed.camera_id, error)
        self._trouble = error

    def _gone(self, _from_us: int, _to_us: int, reason: str) -> None:
        self._loss = reason

    def _take(self, packet: Packet) -> None:
        with self._cutting:
            if packet.begins is not None:
                self._info, self._trouble = packet.begins, None
                if self._cutter is None and self._line.run_id is not None:
                    self._cutter = GopCutter(self._info, self._clock)
            if self._cutter is None:
                return
            fragment = self._cutter.feed(packet)
            if fragment is None:
                return
            # A fragment that a new connection ended lies before the loss; the next one comes after it.
            reason = "" if packet.begins is not None else self._loss
            if packet.begins is None:
                self._loss = ""
            self._line.put(fragment, reason)
