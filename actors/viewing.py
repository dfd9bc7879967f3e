"""Shows pictures: live cameras and stored views, each under what custody says at that moment.

A process of its own, with a byte server of its own: it decodes what cameras send, and what breaks it must not end
downloads. It opens its own connections to the cameras; recorders are not asked (docs/adr/0018).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from actors.camera import CameraFeed
from actors.media import MediaActor
from actors.result_views import ResultView
from actors.shared_detector import SharedDetector, VisionPlan
from actors.stored_views import StoredTools, StoredView
from orvault.clock import Clock
from orvault.custody.service import CustodyService, OpenedView
from orvault.custody.viewing import ViewKind
from orvault.errors import ErrorKind, OrvaultError
from orvault.video.packet import PacketSource
from orvault.video.source import open_source
from orvault.viewing.board import Board
from orvault.viewing.channels import Places
from orvault.viewing.dressing import people_policy
from orvault.viewing.live import LiveCamera
from orvault.viewing.outlet import Outlet
from orvault.viewing.seen import Seen
from orvault.vision.detector import Detector
from orvault.vision.site import SiteMasking

if TYPE_CHECKING:
    from starlette.types import ASGIApp

LOOK_S = 0.25  # between readings of what views show; a switch is told at once besides
NOTE_S = 30.0  # between entries of what was seen: so much of it a crash may lose
MOST_VIEWS = 64  # open at once

log = logging.getLogger(__name__)


@dataclass(eq=False)
class Visit:
    """One open view: what it is, what its viewer is sent next (live), and what of it history does not know yet."""

    opened: OpenedView
    seen: Seen
    outlet: Outlet | None = None


class Viewing:
    """Everybody who watches now. Called from the byte server's threads and loop; `begin` starts what runs beside."""

    def __init__(
        self,
        custody: CustodyService,
        cameras: Mapping[str, Callable[[], PacketSource]],
        open_detector: Callable[[], Detector],
        tools: StoredTools,
        clock: Clock,
        most_named: int,
        masking: SiteMasking | None = None,
    ) -> None:
        self._custody, self._tools, self._clock = custody, tools, clock
        self.board = Board(custody.views_now, clock)
        places, people = Places(most_named), partial(people_policy, masking or SiteMasking())
        self._cameras = {
            camera_id: LiveCamera(
                camera_id, source, self.board, clock, open_detector, places, people(camera_id)
            )
            for camera_id, source in cameras.items()
        }
        self._lock = threading.Lock()
        self._visits: list[Visit] = []
        self._entering = 0  # views that are being opened
        self._left: list[Visit] = []  # over, and perhaps not in history yet
        self._stored: dict[str, tuple[Visit, StoredView | ResultView]] = {}

    def begin(self) -> None:
        """Keep reading what views show, and noting what was seen."""
        threading.Thread(target=self._look_for_ever, name="view switch", daemon=True).start()
        threading.Thread(target=self._note_for_ever, name="view notes", daemon=True).start()

    def switched(self) -> None:
        """Read now what views show."""
        self.board.refresh()

    def is_live(self, view_id: str) -> bool:
        """Whether it is a view of a camera, not of a recording. Errors: LINK_EXPIRED."""
        return self._custody.view_kind(view_id) is ViewKind.LIVE

    def watch(self, view_id: str, client: str, notify: Callable[[], None]) -> Visit:
        """Open a live view; its outlet is filled from now on, until `leave`.

        Errors: LINK_EXPIRED, FORBIDDEN, NOT_FOUND, TOO_MANY_ATTEMPTS, UNAVAILABLE.
        """
        visit = self._enter(view_id, client)
        camera = self._cameras.get(visit.opened.view.camera_id)
        if camera is None:
            self.leave(visit)
            raise OrvaultError(ErrorKind.NOT_FOUND, "This camera is not one of this site any more.")
        visit.outlet = Outlet(view_id, visit.opened.viewer, notify)
        camera.join(visit.outlet)
        return visit

    def stored(self, view_id: str, client: str) -> StoredView | ResultView:
        """A stored view, or a result's, opened at its first request. Errors: as for `watch`."""
        with self._lock:
            known = self._stored.get(view_id)
        if known is not None:
            if known[0].opened.view.client != client:
                raise OrvaultError(ErrorKind.LINK_EXPIRED, "This view is of another address.")
            return known[1]
        if self.is_live(view_id):
            raise OrvaultError(ErrorKind.NOT_FOUND, "This view is a live one.")
        visit = self._enter(view_id, client)
        try:
            make = StoredView if visit.opened.view.request_id is None else ResultView
            view = make(visit.opened, self._custody, self.board, self._tools, visit.seen)
        except OrvaultError:
            self.leave(visit)
            raise
        with self._lock:
            kept, first = self._stored.setdefault(view_id, (visit, view))
        if kept is not visit:
            self.leave(visit)  # another request of this view was faster
        return first

    def leave(self, visit: Visit) -> None:
        """This view is not watched any more."""
        if visit.outlet is not None:
            self._cameras[visit.opened.view.camera_id].leave(visit.outlet)
        view_id = visit.opened.view.view_id
        with self._lock:
            if visit in self._visits:
                self._visits.remove(visit)
                self._left.append(visit)
            others = any(each.opened.view.view_id == view_id for each in self._visits)
        if not others:
            self.board.close(view_id)

    def note(self) -> None:
        """Write into history what was seen since the last time. Errors: none; what is not taken is tried again."""
        with self._lock:
            left, open_ones = list(self._left), list(self._visits)
        for visit in (*left, *open_ones):
            if not self._note(visit):
                continue
            with self._lock:
                if visit in self._left:
                    self._left.remove(visit)

    def forget(self) -> None:
        """Have the ledger forget views that ended long ago. Errors: none; it is done again."""
        with self._lock:
            unsaid = {visit.opened.view.view_id for visit in (*self._left, *self._visits)}
        try:
            self._custody.forget_views(unsaid)
        except OrvaultError as error:
            log.warning("views of the past are not forgotten yet: %s", error)

    def end_over(self) -> None:
        """Forget stored views that may not be shown any more."""
        with self._lock:
            over = [view_id for view_id in self._stored if not self.board.decision(view_id).allowed]
            visits = [self._stored.pop(view_id)[0] for view_id in over]
        for visit in visits:
            self.leave(visit)

    def _enter(self, view_id: str, client: str) -> Visit:
        with self._lock:
            if len(self._visits) + self._entering >= MOST_VIEWS:
                message = f"{MOST_VIEWS} views are open; no more are shown at once."
                raise OrvaultError(ErrorKind.TOO_MANY_ATTEMPTS, message, advice="Close one, and try again.")
            self._entering += 1
        try:
            visit = Visit(self._custody.open_view(view_id, client), Seen())
            with self._lock:
                self._visits.append(visit)
        finally:
            with self._lock:
                self._entering -= 1
        self.board.open(view_id)
        return visit

    def _note(self, visit: Visit) -> bool:
        spans = visit.seen.take()
        if not spans:
            return True
        try:
            self._custody.note_viewed(visit.opened.view.view_id, spans)
        except OrvaultError as error:
            visit.seen.put_back(spans)
            log.warning("what was seen is not in history yet: %s", error)
            return False
        return True

    def _look_for_ever(self) -> None:
        said = ""
        while True:
            trouble = self.board.refresh()
            if trouble and trouble != said:
                log.error("the quick mask cannot be read, everything is masked: %s", trouble)
            said = trouble
            self.end_over()
            self._clock.sleep(LOOK_S)

    def _note_for_ever(self) -> None:
        while True:
            self._clock.sleep(NOTE_S)
            self.note()
            self.forget()


class ViewingActor:
    """One per cluster, on the export server."""

    def __init__(
        self,
        open_custody: Callable[[], CustodyService],
        feeds: tuple[CameraFeed, ...],
        vision: VisionPlan,
        tools: StoredTools,
        clock: Clock,
        most_named: int,
        build: Callable[[Viewing], ASGIApp],
        host: str,
        port: int,
        tls: tuple[Path, Path] | None = None,
    ) -> None:
        cameras = {feed.camera_id: partial(_open, feed, clock) for feed in feeds}
        detector = SharedDetector(vision)
        self._viewing = Viewing(
            open_custody(), cameras, detector.opened, tools, clock, most_named, vision.masking
        )
        self._server = MediaActor(partial(build, self._viewing), host, port, tls)
        self._viewing.begin()

    def address(self) -> str:
        """HOST:PORT that it really listens on."""
        return self._server.address()

    def switched(self) -> None:
        """The quick mask changed."""
        self._viewing.switched()


def _open(feed: CameraFeed, clock: Clock) -> PacketSource:
    return open_source(feed.address(), clock)
