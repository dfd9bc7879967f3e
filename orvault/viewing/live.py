"""One camera live: its packets read once, decoded once, and made into each variant once, for all who watch it.

It opens a connection of its own to the camera and touches no recorder (docs/adr/0018). Who sees which variant the
board says, at every picture.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass

from orvault.clock import Clock
from orvault.custody.viewing import Showing, shows_more
from orvault.errors import OrvaultError
from orvault.recording.reconnect import PASSING, ReconnectPolicy, reconnecting
from orvault.video.codec import Image
from orvault.video.live import LiveDecoder, Piece, StreamEncoder, picture
from orvault.video.packet import TICKS_PER_S, Packet, PacketSource
from orvault.video.timeline import to_90k
from orvault.viewing.board import Board
from orvault.viewing.dressing import Dressing, tiny
from orvault.viewing.outlet import Begin, Notice, Outlet, Shown
from orvault.viewing.people import Covered, PeopleCover
from orvault.vision.detector import Detector
from orvault.vision.mask import WHOLE

MOST_WIDE = 1280  # pixels of a live picture: what is larger is for exports
MOST_BEHIND = 4  # packets that wait: of more, only the newest picture is shown
MOST_PACKETS = 300  # of more, none is decoded, up to the next keyframe
AGAIN_S = 5.0  # before a camera whose trouble does not pass is opened again
_IDLE_S = 0.5

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Variant:
    """What pictures of a camera may be made into: how much they show, and whose name is in them ("" in none)."""

    showing: Showing
    name: str


MASKED = Variant(Showing.MASKED, "")


class Places:
    """How many variants with a name may be made at once, over all cameras."""

    def __init__(self, most: int) -> None:
        self._left = threading.Semaphore(most)

    def take(self) -> bool:
        """Whether there was one left."""
        return self._left.acquire(blocking=False)

    def give_back(self) -> None:
        """One that was taken."""
        self._left.release()


class _Channel:
    """One variant of a camera's pictures, encoded once for all of its viewers."""

    def __init__(self, variant: Variant, bgr: Image, fps: float, cover: PeopleCover | None) -> None:
        self.variant, self._cover = variant, cover
        height, width = bgr.shape[:2]
        self.size = (height, width)
        self._dressing = Dressing(variant.showing, variant.name, width, height)
        if variant.showing is Showing.MASKED:
            height, width = tiny(bgr).shape[:2]
        self._encoder = StreamEncoder(width, height, fps)

    def show(self, bgr: Image, pts_90k: int, viewers: list[Outlet], reason: str) -> None:
        """Send what may be shown now to these viewers; those who are new to it begin with a keyframe."""
        for covered in self._covered(bgr, pts_90k):
            new = [viewer for viewer in viewers if viewer.source is not self]
            piece = self._made(covered, bool(new))
            begin = Begin(self.variant.showing, reason, self._encoder.codec, self._encoder.init)
            for viewer in new:
                viewer.begin(self, begin)
            for viewer in viewers:
                viewer.put(Shown(self.variant.showing, piece.data))

    def close(self) -> None:
        """No more pictures."""
        if self._cover is not None:
            self._cover.close()

    def _covered(self, bgr: Image, pts_90k: int) -> list[Covered]:
        if self._cover is None:
            return [Covered(bgr, pts_90k, WHOLE)]
        return self._cover.take(bgr, pts_90k)

    def _made(self, covered: Covered, keyframe: bool) -> Piece:
        dressed = self._dressing.dress(covered.bgr, covered.plan)
        return self._encoder.encode(dressed, covered.pts_90k, keyframe)


class LiveCamera:
    """One camera's live pictures; it is open while somebody watches. Safe to join and leave from every thread."""

    def __init__(
        self,
        camera_id: str,
        open_source: Callable[[], PacketSource],
        board: Board,
        clock: Clock,
        open_detector: Callable[[], Detector],
        places: Places,
    ) -> None:
        self.camera_id, self.open_source, self.open_detector = camera_id, open_source, open_detector
        self._parts = board, clock, places
        self._lock = threading.Lock()
        self._viewers: list[Outlet] = []
        self._running: _Session | None = None

    def join(self, viewer: Outlet) -> None:
        """Send this viewer pictures from now on."""
        with self._lock:
            self._viewers.append(viewer)
            if self._running is None:
                self._running = _Session(self, *self._parts)
                self._running.start()

    def leave(self, viewer: Outlet) -> None:
        """Send it no more."""
        with self._lock:
            if viewer in self._viewers:
                self._viewers.remove(viewer)

    @property
    def watched(self) -> bool:
        """Whether the camera is open for anybody."""
        return self._running is not None

    def viewers(self) -> list[Outlet]:
        """Those who watch now."""
        with self._lock:
            return list(self._viewers)

    def done(self) -> bool:
        """Whether nobody watches any more; then the session that asks has ended."""
        with self._lock:
            if self._viewers:
                return False
            self._running = None
            return True


class _Session:
    """Two threads from the first viewer to the last: one reads, that the camera never waits; one makes pictures."""

    def __init__(self, camera: LiveCamera, board: Board, clock: Clock, places: Places) -> None:
        self._camera, self._board, self._clock, self._places = camera, board, clock, places
        self._packets: queue.SimpleQueue[Packet] = queue.SimpleQueue()
        self._channels: dict[Variant, _Channel] = {}
        self._placed: set[Variant] = set()  # those that hold a place
        self._decoder = LiveDecoder()
        self._line = _Line(self._clock)
        self._fps = 25.0
        self._ended = False

    def start(self) -> None:
        for name, work in (("live reading", self._read), ("live showing", self._show_all)):
            threading.Thread(target=work, name=name, daemon=True).start()

    def _read(self) -> None:
        while not self._ended:
            policy = ReconnectPolicy(stopping=lambda: self._ended, on_failure=self._failed)
            try:
                for packet in reconnecting(self._camera.open_source, self._clock, lambda *_: None, policy):
                    self._packets.put(packet)
            except OrvaultError as error:
                self._failed(error)
                if error.kind not in PASSING:
                    self._clock.sleep(AGAIN_S)
            self._clock.sleep(_IDLE_S)  # a file that is over

    def _failed(self, error: OrvaultError) -> None:
        log.warning("camera %s cannot be seen live: %s", self._camera.camera_id, error)
        for viewer in self._camera.viewers():
            viewer.tell(Notice(f"The camera sends no pictures: {error.message}"))

    def _show_all(self) -> None:
        while not self._camera.done():
            try:
                packets = [self._packets.get(timeout=_IDLE_S)]
            except queue.Empty:
                self._blank(self._end_refused(self._camera.viewers()))
                continue
            packets += [self._packets.get() for _ in range(self._packets.qsize())]
            self._take(packets)
        self._ended = True
        self._keep(set())

    def _take(self, packets: list[Packet]) -> None:
        """Decode all that came, and show it; only the newest picture where making them lasts longer than they do."""
        begun = next((each.begins for each in reversed(packets) if each.begins is not None), None)
        self._fps = self._fps if begun is None else begun.fps
        if len(packets) > MOST_PACKETS:
            self._decoder.skip(begun)
            self._blank(self._end_refused(self._camera.viewers()))
            return
        try:
            frames = [(f, self._line.place(f.pts or 0)) for p in packets for f in self._decoder.feed(p)]
            if (
                not frames
            ):  # packets come, and no picture is made of them: the switch takes effect all the same
                self._blank(self._end_refused(self._camera.viewers()))
            for frame, at_90k in frames if len(packets) <= MOST_BEHIND else frames[-1:]:
                self._show(picture(frame, MOST_WIDE), at_90k)
        except OrvaultError as error:
            self._failed(error)
            self._decoder.skip()

    def _show(self, bgr: Image, pts_90k: int) -> None:
        groups = self._grouped(self._end_refused(self._camera.viewers()))
        self._keep(set(groups))
        for variant, viewers in groups.items():
            # What is painted into one variant must not show in the next.
            own = bgr if variant.showing is Showing.MASKED else bgr.copy()
            reason = self._board.decision(viewers[0].view_id).reason
            if variant.showing is Showing.PEOPLE:
                self._blank(viewers)  # its first picture may take a while
            self._channel(variant, bgr).show(own, pts_90k, viewers, reason)

    def _grouped(self, viewers: list[Outlet]) -> dict[Variant, list[Outlet]]:
        """Who gets which variant of this picture; where no place for another name is left, the mosaic."""
        groups: dict[Variant, list[Outlet]] = {}
        for viewer in viewers:
            showing = self._board.decision(viewer.view_id).showing
            variant = MASKED if showing is Showing.MASKED else Variant(showing, viewer.name)
            if variant is not MASKED and variant not in self._placed:
                if self._places.take():
                    self._placed.add(variant)
                else:
                    variant = MASKED
            groups.setdefault(variant, []).append(viewer)
        return groups

    def _end_refused(self, viewers: list[Outlet]) -> list[Outlet]:
        """Those who may still watch; the others are told and leave."""
        still = []
        for viewer in viewers:
            decision = self._board.decision(viewer.view_id)
            if decision.allowed:
                still.append(viewer)
            else:
                self._camera.leave(viewer)
                viewer.tell(Notice(decision.reason, over=True))
        return still

    def _blank(self, viewers: list[Outlet]) -> None:
        """No picture comes now: who has one on the screen that shows more than is allowed by now loses it."""
        for viewer in viewers:
            decision, source = self._board.decision(viewer.view_id), viewer.source
            if isinstance(source, _Channel) and shows_more(source.variant.showing, decision.showing):
                viewer.tell(Notice(decision.reason))

    def _channel(self, variant: Variant, bgr: Image) -> _Channel:
        channel = self._channels.get(variant)
        if channel is None or channel.size != bgr.shape[:2]:
            if channel is not None:
                channel.close()
            channel = self._channels[variant] = self._new_channel(variant, bgr)
        return channel

    def _new_channel(self, variant: Variant, bgr: Image) -> _Channel:
        cover = None
        if variant.showing is Showing.PEOPLE:
            cover = PeopleCover(self._camera.open_detector, self._clock)
        return _Channel(variant, bgr, self._fps, cover)

    def _keep(self, variants: set[Variant]) -> None:
        """End the channels that nobody watches any more."""
        for variant in set(self._channels) - variants:
            self._channels.pop(variant).close()
        for variant in self._placed - variants:
            self._placed.remove(variant)
            self._places.give_back()


class _Line:
    """Puts a camera's times on one line that only grows, over resets and pauses."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last: int | None = None
        self._arrived_us = 0
        self._at = 0

    def place(self, pts_90k: int) -> int:
        now_us = self._clock.now_us()
        if self._last is not None:
            step = pts_90k - self._last
            if not 0 < step <= TICKS_PER_S:
                step = max(1, to_90k(now_us - self._arrived_us))
            self._at += step
        self._last, self._arrived_us = pts_90k, now_us
        return self._at
