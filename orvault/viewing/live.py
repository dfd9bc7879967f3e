"""One camera live: its packets read once, decoded once, and made into each variant once, for all who watch it.

It opens a connection of its own to the camera and touches no recorder (docs/adr/0018). Who sees which variant the
board says, at every picture.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from orvault.clock import US_PER_S, Clock
from orvault.custody.viewing import Showing, shows_more
from orvault.errors import OrvaultError
from orvault.recording.reconnect import PASSING, ReconnectPolicy, reconnecting
from orvault.video.codec import Image
from orvault.video.live import LiveDecoder, picture
from orvault.video.packet import TICKS_PER_S, Packet, PacketSource
from orvault.video.timeline import to_90k
from orvault.viewing.board import Board
from orvault.viewing.channels import MASKED, Channel, Places, Variant
from orvault.viewing.dressing import PEOPLE
from orvault.viewing.outlet import Notice, Outlet
from orvault.viewing.people import Covered, PeopleCover
from orvault.vision.detector import Detector
from orvault.vision.mask import WHOLE, MaskPolicy

MOST_WIDE = 1280  # pixels of a live picture: what is larger is for exports
MOST_BEHIND = 4  # packets that wait: of more, only the newest picture is shown
MOST_PACKETS = 300  # of more, none is decoded, up to the next keyframe
AGAIN_S = 5.0  # before a camera whose trouble does not pass is opened again
_IDLE_S = 0.5

log = logging.getLogger(__name__)


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
        people: MaskPolicy = PEOPLE,
    ) -> None:
        self.camera_id, self.open_source, self.open_detector = camera_id, open_source, open_detector
        self.people = people  # what people-masked pictures cover
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
        self._channels: dict[Variant, Channel] = {}
        self._placed: set[Variant] = set()  # those that hold a place
        self._left_out: dict[Variant, _LeftOut] = {}
        self._people: PeopleCover | None = None
        self._people_size: tuple[int, ...] = ()
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
        self._look_no_more()

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
        now_us = self._clock.now_us()
        self._left_out = {each: left for each, left in self._left_out.items() if now_us < left.until_us}
        groups = self._grouped(self._end_refused(self._camera.viewers()))
        self._keep(set(groups))
        plain = [Covered(bgr, pts_90k, WHOLE)]
        people = self._with_people(bgr, pts_90k, groups)
        for variant, viewers in groups.items():
            if variant.showing is Showing.PEOPLE:
                self._blank(list(viewers))  # its first picture may take a while
            try:
                channel = self._channel(variant, bgr, pts_90k)
                channel.show(people if variant.showing is Showing.PEOPLE else plain, viewers)
            except OrvaultError as error:  # the others' pictures go on
                self._leave_out(variant, viewers, error)

    def _with_people(self, bgr: Image, pts_90k: int, groups: Iterable[Variant]) -> list[Covered]:
        """The pictures in which people can be covered by now: looked for once, for all variants that cover them."""
        if all(variant.showing is not Showing.PEOPLE for variant in groups):
            self._look_no_more()
            return []
        if self._people is not None and self._people_size != bgr.shape[:2]:
            self._look_no_more()
        if self._people is None:
            self._people_size = bgr.shape[:2]
            self._people = PeopleCover(self._camera.open_detector, self._clock, self._camera.people)
        return self._people.take(bgr, pts_90k)

    def _look_no_more(self) -> None:
        if self._people is not None:
            self._people.close()
            self._people = None

    def _grouped(self, viewers: list[Outlet]) -> dict[Variant, dict[Outlet, str]]:
        """Who gets which variant of this picture, and why."""
        groups: dict[Variant, dict[Outlet, str]] = {}
        for viewer in viewers:
            variant, reason = self._variant_for(viewer)
            if variant not in self._left_out:
                groups.setdefault(variant, {})[viewer] = reason
        return groups

    def _variant_for(self, viewer: Outlet) -> tuple[Variant, str]:
        """The mosaic, where no place for another name is left, or where what the viewer may see cannot be made."""
        decision = self._board.decision(viewer.view_id)
        if decision.showing is Showing.MASKED:
            return MASKED, decision.reason
        variant = Variant(decision.showing, viewer.name)
        if variant in self._left_out:
            return MASKED, self._left_out[variant].words
        if variant not in self._placed:
            if not self._places.take():
                return MASKED, "As many views with a name are open as the site makes at once."
            self._placed.add(variant)
        return variant, decision.reason

    def _leave_out(self, variant: Variant, viewers: Iterable[Outlet], error: OrvaultError) -> None:
        """This variant cannot be made: its viewers are told, and get the mosaic for a while."""
        log.warning("camera %s, a view (%s): %s", self._camera.camera_id, variant.showing.value, error)
        words = f"This view cannot be made: {error.message}"
        self._left_out[variant] = _LeftOut(self._clock.now_us() + round(AGAIN_S * US_PER_S), words)
        self._channels.pop(variant, None)
        for viewer in viewers:
            viewer.tell(Notice(words))

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
            if isinstance(source, Channel) and shows_more(source.variant.showing, decision.showing):
                viewer.tell(Notice(decision.reason))

    def _channel(self, variant: Variant, bgr: Image, pts_90k: int) -> Channel:
        channel = self._channels.get(variant)
        if channel is None or channel.size != bgr.shape[:2]:
            channel = self._channels[variant] = Channel(variant, bgr, self._fps, pts_90k)
        return channel

    def _keep(self, variants: set[Variant]) -> None:
        """End the channels that nobody watches any more."""
        for variant in set(self._channels) - variants:
            del self._channels[variant]
        for variant in self._placed - variants:
            self._placed.remove(variant)
            self._places.give_back()


@dataclass(frozen=True, slots=True)
class _LeftOut:
    """A variant that could not be made is tried again from then on."""

    until_us: int
    words: str


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
