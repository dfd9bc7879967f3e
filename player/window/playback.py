"""All cameras of an open package in step: one clock, a thread for each camera, small pictures beside.

Belongs to the window's thread; what the others find comes here through signals, one picture per camera at a time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from PySide6.QtCore import QObject, Signal

from orvault.container.package import MediaInfo
from orvault.errors import ErrorKind, OrvaultError
from player.reel import Picture, Reel
from player.session import Session
from player.window.budget import views
from player.window.clockwork import PlayClock
from player.window.closing import Leaving
from player.window.follower import Follower
from player.window.marks import span_of
from player.window.thumbnails import ThumbnailMaker
from player.window.timeline import THUMBNAIL_PX


class Mailbox:
    """Holds the newest picture of a camera until the window takes it: none pile up while it is busy."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: tuple[Picture, bool] | None = None

    def put(self, picture: Picture, stepped: bool) -> bool:
        """Replace what is held; whether nothing was, so that somebody is to be told."""
        with self._lock:
            was_empty = self._held is None
            self._held = (picture, stepped or (self._held is not None and self._held[1]))
            return was_empty

    def take(self) -> tuple[Picture, bool] | None:
        """The newest, once."""
        with self._lock:
            held, self._held = self._held, None
            return held


class Playback(QObject):
    """Signals: `shown(camera, picture)`, `stopped(camera, error)`, `small(asked_us, picture)` and `moved()`;
    `altered(error)`, if a small picture came upon it before the camera did.

    Waits for no thread: a decoder can take long over its last picture. Those `after` which it comes have theirs yet.
    """

    shown = Signal(int, object)
    stopped = Signal(int, object)
    small = Signal(object, object)
    moved = Signal()
    altered = Signal(object)
    _arrived = Signal(int)
    _small_arrived = Signal(int, object, object)

    def __init__(self, session: Session, media: Sequence[MediaInfo], after: Sequence[Leaving] = ()) -> None:
        super().__init__()
        self.media = list(media)
        self.clock = PlayClock(*span_of(media))
        self.lead = 0  # the camera that is stepped, and of which small pictures are made
        self._session = session
        self._standing: set[int] = set()  # cameras that were stopped
        self._closed = False
        self.stopped.connect(self._on_stopped)
        self._mail: dict[int, Mailbox] = {}
        self._arrived.connect(self._deliver)
        self._small_arrived.connect(self._deliver_small)
        self._followers: dict[int, Follower] = {}
        self._leaving: list[Leaving] = list(after)  # told to end; their decoders may still be there
        self.watch(views(self.media)[0])
        self._small = self._thumbnails()

    def watch(self, numbers: Iterable[int]) -> None:
        """Decode these cameras and no others; one that was stopped stays so."""
        wanted = [number for number in numbers if number not in self._standing]
        for number in self._followers.keys() - set(wanted):
            self._dismiss(self._followers.pop(number))
            del self._mail[number]  # what it puts there from now on, nobody takes
        for number in wanted:
            if number not in self._followers:
                self._followers[number] = self._follow(number, self.media[number])

    def toggle(self) -> None:
        """Play or pause."""
        if self.clock.running:
            self.pause()
        else:
            self._play()
            self._nudge()

    def pause(self) -> None:
        """Stand still, all cameras at the same time: one may have been late."""
        if self.clock.running:
            self.clock.pause()
            self.seek(self.clock.position_us)

    def seek(self, at_us: int) -> None:
        """All cameras jump there."""
        taken = self.clock.seek(at_us)
        for follower in self._followers.values():
            follower.seek(taken)
        self.moved.emit()

    def seek_by(self, us: int) -> None:
        """Jump on, or back."""
        self.seek(self.clock.position_us + us)

    def step(self, forward: bool) -> None:
        """Stand, and show the lead camera's neighbouring picture; the others follow to its time."""
        self.clock.pause()
        if self.lead in self._followers:
            self._followers[self.lead].step(forward)

    def change_speed(self, change: Callable[[PlayClock], None]) -> None:
        """Faster, slower, or as it was."""
        change(self.clock)
        self._nudge()

    def set_lead(self, number: int) -> None:
        """Choose the camera that is stepped and hovered over; the first that plays where this one was stopped."""
        if number in self._standing:
            number = next((at for at in self._followers if at not in self._standing), number)
        if number != self.lead:
            self.lead = number
            self._dismiss(self._small)
            self._small = self._thumbnails()

    def ask_small(self, at_us: int) -> None:
        """A small picture of the lead camera is wanted."""
        self._small.ask(at_us)

    def leave(self) -> Sequence[Leaving]:
        """Tell every thread to end, and show nothing any more; once all of these are gone, nothing is read."""
        if self._closed:
            return tuple(self._leaving)
        self._closed = True
        self._arrived.disconnect(self._deliver)
        self._small_arrived.disconnect(self._deliver_small)
        self._dismiss(self._small)
        for follower in self._followers.values():
            self._dismiss(follower)
        self._mail.clear()
        return tuple(self._leaving)

    def _dismiss(self, each: Follower | ThumbnailMaker) -> None:
        each.leave()
        self._leaving = [*(other for other in self._leaving if not other.gone), each]

    def _play(self) -> None:
        before = self.clock.position_us
        self.clock.play()
        if self.clock.position_us < before:  # it stood at the end
            self.seek(self.clock.first_us)

    def _nudge(self) -> None:
        for follower in self._followers.values():
            follower.nudge()
        self.moved.emit()

    def _follow(self, number: int, info: MediaInfo) -> Follower:
        box = self._mail[number] = Mailbox()

        def arrived(picture: Picture, stepped: bool) -> None:
            if box.put(picture, stepped):
                self._arrived.emit(number)

        make, stopped = partial(Reel, self._session, info), partial(self.stopped.emit, number)
        return Follower(info.camera_id, make, self.clock, arrived, stopped, tuple(self._leaving))

    def _thumbnails(self) -> ThumbnailMaker:
        make = partial(Reel, self._session, self.media[self.lead])
        ready = partial(self._small_arrived.emit, self.lead)
        return ThumbnailMaker(make, THUMBNAIL_PX, ready, self._small_failed)

    def _small_failed(self, error: OrvaultError) -> None:
        """What merely cannot be decoded, the camera tells where it comes to it."""
        if error.kind is ErrorKind.ALTERED:
            self.altered.emit(error)

    def _on_stopped(self, number: int, _error: OrvaultError) -> None:
        """Stepping and small pictures go over to a camera that still plays."""
        self._standing.add(number)
        if not self._closed:
            self.set_lead(self.lead)

    def _deliver_small(self, number: int, asked_us: int, picture: Picture) -> None:
        if number == self.lead:
            self.small.emit(asked_us, picture)

    def _deliver(self, number: int) -> None:
        box = self._mail.get(number)
        held = None if box is None else box.take()
        if held is None:
            return
        picture, stepped = held
        if stepped:
            self.clock.seek(picture.at_us)
            for other, follower in self._followers.items():
                if other != number:
                    follower.seek(picture.at_us)
        self.shown.emit(number, picture)
        if stepped:
            self.moved.emit()
