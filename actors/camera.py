"""One camera feed: reads its packets for ever, cuts fragments while an order says so, and puts them on its line.

While a case is armed and nothing records, the last seconds are cut too, and kept in memory for a start
(`orvault.recording.pre_event`). It decides nothing about recording (`orvault.recording.recorder` does) and seals
nothing: the line does (`recording_line`), in this process, which clear pictures never leave.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, replace
from pathlib import Path

from actors.keys import read_secret
from actors.recording_line import RecordingLine
from actors.recording_work import Keeper
from actors.repeating import repeat
from orvault.clock import US_PER_S, Clock
from orvault.custody.ports import ArmOrder, CameraStatus
from orvault.errors import ErrorKind, OrvaultError
from orvault.recording.orders import OrderStore
from orvault.recording.pre_event import PreEventBuffer
from orvault.recording.reconnect import PASSING, ReconnectPolicy, reconnecting
from orvault.recording.recorder import RecordingOrder
from orvault.recording.room import RoomLimits, RoomWatch
from orvault.video.gop import Fragment, GopCutter
from orvault.video.packet import Packet, PacketSource, StreamInfo
from orvault.video.source import CameraAddress, open_source

SOON_S = 2.0  # before a camera is asked again that sent something senseless
FORGET_S = 1.0  # between two looks for pictures from before a start that have become too old
LATER_S = 30.0  # before a camera is asked again whose trouble does not pass by itself (an unknown codec)
NAP_S = 0.25  # twice as long as for who looks on; so much of the end may miss a stop
_TROUBLES = {ErrorKind.CAMERA_REFUSED: "refused", ErrorKind.CAMERA_STALLED: "frozen"}

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
    ca_file: Path | None = None
    pre_event_s: float = 0.0
    store: Path | None = None  # where its segments go, for the room that is left there
    room: RoomLimits | None = None

    def address(self) -> CameraAddress:
        """Where to connect, with the password. Errors: BAD_SETTINGS."""
        password = read_secret(self.password_file) if self.password_file is not None else ""
        return CameraAddress(self.source, self.username, password, self.timeout_s, ca_file=self.ca_file)


class CameraActor:
    """One per camera, on its client node."""

    def __init__(self, feed: CameraFeed, keeper: Keeper, clock: Clock) -> None:
        self._feed = feed
        self._clock = clock
        limits = feed.room or RoomLimits()
        self._room = None if feed.store is None else RoomWatch(feed.store, limits, clock)
        self._cutting = threading.Lock()
        self._cutter: GopCutter | None = None
        self._cut_to_us = 0  # up to where fragments were cut
        self._recording = False  # where fragments go: on the line, or into the buffer
        self._before = PreEventBuffer(round(feed.pre_event_s * US_PER_S))
        self._info: StreamInfo | None = None
        self._loss = ""
        self._trouble: OrvaultError | None = None
        self._line = RecordingLine(
            feed.node_id, feed.camera_id, keeper, OrderStore(feed.orders), clock, self._cut
        )
        self._line.resume()
        threading.Thread(target=self._read_for_ever, name="reader", daemon=True).start()
        if feed.pre_event_s:
            repeat("forgetting", self._forget, FORGET_S)

    def start(self, order: RecordingOrder) -> None:
        """Record under this order; it is on disk before this returns. Errors: CONFLICT, STORAGE, UNAVAILABLE."""
        self._line.start(order)

    def stop(self, run_id: str) -> None:
        """End the run; returns when its last fragment is durable. Errors: STORAGE, UNAVAILABLE."""
        with self._cutting:
            if self._recording and self._line.run_id == run_id:
                self._flush()
                self._stand_by(self._cut_to_us)
        trouble = self._trouble
        self._line.stop(run_id, "" if trouble is None else trouble.message)

    def arm(self, order: ArmOrder) -> None:
        """Keep the seconds before a start of this case, from now on; lapses unless it is repeated."""
        with self._cutting:
            new = self._before.arm(order.case_id, self._clock.now_us()) and not self._wanted()
            if new:
                self._stand_by(order.since_us)
        if new:
            self._line.expect(order.case_id)

    def disarm(self, case_id: str) -> None:
        """Forget what was kept for this case; what is being recorded goes on."""
        with self._cutting:
            if self._before.case_id == case_id:
                self._before.disarm()
                self._end_standing_by()

    def idle(self) -> bool:
        """Whether it follows no order: nothing is lost when it is replaced now."""
        return self._line.run_id is None

    def status(self) -> CameraStatus:
        """What it does now, in one word, and what is wrong, if anything is."""
        line, trouble = self._line, self._trouble
        run_id, storing, room = line.run_id, line.trouble, self._room_alarm()
        if trouble is not None:
            state = _TROUBLES.get(trouble.kind, "unreachable")
        elif storing:  # also without a run: its order waits to be taken up
            state = "not-storing"
        elif self._info is None:
            state = "connecting"
        elif room:
            state = "disk-low"
        else:
            state = "idle" if run_id is None else "recording"
        detail = str(trouble) if trouble is not None else storing or room
        return CameraStatus(self._feed.camera_id, state, detail, run_id, line.segments, line.last_us)

    def _room_alarm(self) -> str:
        return "" if self._room is None else self._room.alarm()

    def _cut(self, on: bool) -> None:
        """Begin or end cutting for a run; the line calls it when an order begins or ends."""
        with self._cutting:
            if not on:
                # Unless `stop` has seen to it.
                if self._recording or self._cutter is None or self._before.case_id is None:
                    self._stand_by(self._cut_to_us)
                return
            self._recording = True
            earlier = self._earlier(self._line.case_id, self._clock.now_us())
            if not earlier:
                self._loss = ""  # what was lost before nobody wanted recorded
            self._line.put_earlier(earlier)
            # The reader may have been faster; its cutter holds the first keyframe already.
            if self._cutter is None and self._info is not None:
                self._cutter = self._run_cutter(self._info)

    def _run_cutter(self, info: StreamInfo) -> GopCutter:
        return GopCutter(info, self._clock, not_before_us=self._line.last_us or 0)

    def _earlier(self, case_id: str, now_us: int) -> tuple[Fragment, ...]:
        """What was cut before the start and belongs to its recording; the cutter goes on where that ends."""
        armed, stored_us = self._before.case_id, self._line.last_us or 0
        # The second: the clock was set back, and what was cut since lies before what is stored of the run.
        if armed is not None and (armed != case_id or stored_us > now_us):
            self._before.disarm()
            self._cutter = None
        return self._before.take(case_id, now_us)

    def _stand_by(self, not_before_us: int) -> None:
        """Nothing records any more, or yet; with an armed case, cut for its next start from now on.

        From behind what the last run has, or the arming: no picture is recorded twice, or was taken before it.
        """
        self._recording, self._cutter = False, None
        if self._before.case_id is not None and self._info is not None:
            not_before_us = min(not_before_us, self._clock.now_us())  # the server's clock may be ahead
            self._cutter = GopCutter(self._info, self._clock, not_before_us=not_before_us)

    def _end_standing_by(self) -> None:
        if not self._wanted():
            self._cutter = None

    def _forget(self) -> None:
        with self._cutting:
            if not self._before.forget(self._clock.now_us()):
                self._end_standing_by()

    def _wanted(self) -> bool:
        """Whether a run wants pictures; its line may not have said so yet."""
        return self._recording or self._line.run_id is not None

    def _keep(self, fragment: Fragment, reason: str) -> None:
        """On the line, or into the buffer: whatever was kept there is put on the line before anything newer."""
        self._cut_to_us = fragment.end_us
        if self._recording or (self._wanted() and self._before.case_id is None):
            self._line.put(fragment, reason)
        else:
            self._before.put(replace(fragment, lost=fragment.lost or reason), self._clock.now_us())

    def _flush(self) -> None:
        if self._cutter is not None and (fragment := self._cutter.flush()) is not None:
            self._keep(fragment, self._loss)
            self._loss = ""

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
        return open_source(replace(self._feed.address(), nap_s=NAP_S), self._clock)

    def _failed(self, error: OrvaultError) -> None:
        with self._cutting:  # what came before the loss is made durable now, not when the camera is back
            self._flush()
        if self._trouble is None or self._trouble.kind is not error.kind:
            log.warning("camera %s: %s", self._feed.camera_id, error)
        # Anew: one that was raised keeps the frames that it passed through, and with them the last pictures.
        self._trouble = OrvaultError(error.kind, error.message, where=error.where, advice=error.advice)

    def _gone(self, _from_us: int, _to_us: int, reason: str) -> None:
        self._loss = reason

    def _take(self, packet: Packet) -> None:
        with self._cutting:
            if packet.begins is not None:
                self._info, self._trouble = packet.begins, None
                if self._cutter is None and self._wanted():
                    self._cutter = self._run_cutter(self._info)
                elif self._cutter is None:
                    self._stand_by(self._line.last_us or 0)
            if self._cutter is None:
                return
            fragment = self._cutter.feed(packet)
            if fragment is None:
                return
            # A fragment that a new connection ended lies before the loss; the next one comes after it.
            reason = "" if packet.begins is not None else self._loss
            if packet.begins is None:
                self._loss = ""
            self._keep(fragment, reason)
