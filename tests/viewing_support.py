"""A viewing server with real parts, without Ray: ledger, key store, recorded segments, cameras, uvicorn.

Drive it with a WebSocket client, over HTTP, or with a browser.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from actors.keys import KeyActor
from actors.media import MediaActor
from actors.stored_views import StoredTools
from actors.viewing import Viewing
from api.models_viewing import ViewOut
from api.security import LinkSigner
from api.viewing import build_viewing_app
from orvault.clock import SystemClock
from orvault.custody.account import Account, Role
from orvault.custody.case import Case
from orvault.custody.history import Act
from orvault.custody.ids import new_id
from orvault.custody.rows import UnitOfWork
from orvault.custody.service import CustodyService, OpenedView
from orvault.custody.site import Rules
from orvault.custody.steps import RequestState
from orvault.custody.viewing import MINUTE_US, Showing, ViewKind, ViewPolicy
from orvault.custody.viewing_request import ViewingRequest
from orvault.errors import ErrorKind, OrvaultError
from orvault.video.codec import Image
from orvault.video.packet import PacketSource
from orvault.video.source import CameraAddress, open_source
from orvault.vision.detection import Detection
from orvault.vision.detector import Detector
from tests.fakes import World, cheap_passwords
from tests.unit.actors_support import Site, make_site

CLIPS = Path(__file__).parent / "media" / "cameras"
LOOPBACK = "127.0.0.1"


@dataclass
class TestDetector:
    """Finds what the test says: `finds(picture)`; None of it is a fault of its own."""

    finds: Callable[[Image], list[Detection]] = lambda _bgr: []

    def detect(self, bgr: Image) -> list[Detection]:
        return self.finds(bgr)


@dataclass
class Cinema:
    """What a test needs of it."""

    site: Site
    custody: CustodyService
    viewing: Viewing
    links: LinkSigner
    base: str
    clock: SystemClock = field(default_factory=SystemClock)

    @property
    def world(self) -> World:
        return self.site.world

    def account(self, role: Role) -> Account:
        return self.world.accounts[role]

    def told(self, opened: OpenedView) -> ViewOut:
        """What the API answers."""
        return ViewOut.of(
            opened, self.base + self.links.sign_view(opened.view.view_id, opened.view.expires_us)
        )

    def live(
        self, role: Role, camera: str = "or1-wall", wanted: Showing = Showing.CLEAR, client: str = LOOPBACK
    ) -> ViewOut:
        return self.told(self.custody.ask_live(self.account(role), "s-1", camera, wanted, client))

    def stored(self, role: Role, case: Case, client: str = LOOPBACK) -> ViewOut:
        span = self.span(case)
        return self.told(
            self.custody.ask_stored(self.account(role), "s-1", case.case_id, "or1-wall", *span, client=client)
        )

    def span(self, case: Case) -> tuple[int, int]:
        """From the first to the last recorded microsecond."""
        with self.world.ledger.uow(read_only=True) as uow:
            metas = [s.header.meta for s in uow.segments.of(case.case_id, "or1-wall", 0, 1 << 60)]
        return metas[0].start_us, metas[-1].end_us

    def grant(self, role: Role, case: Case | None = None) -> None:
        """Clear pictures: of this case's recording, or live of a case that is armed now.

        Written as it would stand after two approvals: the recording's clock is not the server's.
        """
        kind = ViewKind.LIVE if case is None else ViewKind.STORED
        shown = case or self.world.armed_case("watched", participants=())
        begin, end = (None, None) if case is None else self.span(case)
        now, viewer = self.clock.now_us(), self.account(role).account_id
        changes: dict[str, object] = {"viewer_id": viewer, "until_us": now + 60 * MINUTE_US, "kind": kind}
        changes |= {"from_us": begin, "to_us": end}
        wish = self.world.viewing_wish(shown, **changes)
        asked, first, decided, *_ = (a.account_id for r, a in self.world.accounts.items() if r is not role)
        request = ViewingRequest(new_id(self.clock), wish, RequestState.APPROVED, asked, now)
        with self.world.ledger.uow() as uow:
            uow.viewing_requests.add(replace(request, decided_by=decided, decided_us=now))
            self._tell_grant(uow, request, asked, (first, decided), now)
            uow.commit()

    def _tell_grant(
        self, uow: UnitOfWork, request: ViewingRequest, asked: str, approvers: tuple[str, str], now: int
    ) -> None:
        """What history would hold of it: a grant is none by its row alone."""
        wish, (first, last) = request.wish, approvers
        told: dict[str, object] = {"viewer": wish.viewer_id, "kind": wish.kind.value, "case": wish.case_id}
        told |= {"cameras": list(wish.camera_ids), "showing": wish.showing.value, "until_us": wish.until_us}
        told |= {"from_us": wish.from_us, "to_us": wish.to_us}
        uow.history.append(now, f"account:{asked}", Act.VIEWING_ASKED, request.subject, told)
        uow.history.append(now, f"account:{first}", Act.APPROVAL_GIVEN, request.subject, {})
        given = {"viewer": wish.viewer_id, "approvals": list(approvers), "until_us": wish.until_us}
        uow.history.append(now, f"account:{last}", Act.VIEWING_GRANTED, request.subject, given)

    def lift(self, minutes: int = 5) -> None:
        self.custody.lift_mask(self.account(Role.PRIVACY_OFFICER), None, minutes, "the test looks")

    def mask(self) -> None:
        self.custody.set_mask(self.account(Role.AUDITOR))

    def history(self, act: str) -> list[Any]:
        return list(self.custody.history(self.account(Role.AUDITOR), limit=200, act=act))[::-1]


class _Told:
    """The viewing actor as custody reaches it."""

    viewing: Viewing | None = None

    def switched(self) -> None:
        if self.viewing is not None:
            self.viewing.switched()


def film(name: str = "or1-ceiling") -> Callable[[], PacketSource]:
    """A camera that plays this clip over and over."""
    return partial(open_source, CameraAddress(f"file:{CLIPS / name}.mp4"), SystemClock())


@contextmanager
def cinema(
    folder: Path,
    cameras: Mapping[str, Callable[[], PacketSource]] | None = None,
    *,
    policy: ViewPolicy | None = None,
    most_named: int = 8,
    eyes: Detector | None = None,
) -> Iterator[Cinema]:
    """A viewing server over fresh folders; camera or1-wall plays a clip unless told otherwise.

    `eyes` find people in place of what the test says.
    """
    clock, told = SystemClock(), _Told()
    folder.mkdir(exist_ok=True)
    site = make_site(folder)
    parts = (site.world.recorders, site.keys, site.world.renderers, cheap_passwords())
    custody = CustodyService(
        site.world.ledger.uow, clock, *parts, viewers=told, rules=Rules(viewing=policy or ViewPolicy())
    )
    keys = KeyActor(folder / "keys", folder / "passphrase", lambda: custody)
    detector = TestDetector()

    def opened() -> Detector:
        return eyes or detector

    tools = StoredTools(site.tools.segments, keys, site.tools.nodes, site.packages)
    viewing = Viewing(custody, cameras or {"or1-wall": film()}, opened, tools, clock, most_named)
    told.viewing = viewing
    links = LinkSigner(b"l" * 32, clock)
    server = MediaActor(partial(build_viewing_app, links, clock, viewing), LOOPBACK, 0)
    over = threading.Event()
    looking = threading.Thread(target=_look, args=(viewing, over))
    looking.start()
    try:
        yield Cinema(site, custody, viewing, links, f"http://{server.address()}")
    finally:
        over.set()
        looking.join()
        server._server.should_exit = True


def _look(viewing: Viewing, over: threading.Event) -> None:
    """What `Viewing.begin` does, for as long as the test lasts."""
    while not over.wait(0.05):
        viewing.board.refresh()
        viewing.end_over()


def away() -> PacketSource:
    """A camera that does not answer."""
    raise OrvaultError(ErrorKind.CAMERA_UNREACHABLE, "The camera does not answer.")
