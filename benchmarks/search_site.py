"""A ledger of the search benchmark behind the API it is asked through, and what was measured in it."""

from __future__ import annotations

import random
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import uvicorn
from fastapi import FastAPI

from api.app import Services, build_app
from api.paths import PREFIX
from api.security import LinkSigner, TokenSigner
from benchmarks.search_load import ROOMS, cameras_of, cases_for, load
from benchmarks.search_questions import Asker, Question
from orvault.clock import US_PER_S, SystemClock
from orvault.custody.account import Account, Role
from orvault.custody.case import CasePlan
from orvault.custody.ports import CameraInfo
from orvault.custody.scope import SITE, Scope, ScopeKind
from orvault.custody.service import CustodyService
from orvault.ledger.engine import Ledger, open_ledger
from orvault.ledger.migrate import migrate
from tests.contract.mariadb import MariaDb
from tests.contract.rows_read import Work, work_of
from tests.fake_parts import AnyNode, FakeCaseKeys, FakeRecorders, FakeRenderers, make_segment
from tests.fakes import PASSWORD, cheap_passwords

BATCH = 64  # what a node offers at once while it catches up (actors/outbox.py)
_UP_S = 20
Times = defaultdict[str, list[float]]


@dataclass
class Site:
    """One ledger and what was measured in it: milliseconds by phase and question, and work by question."""

    ledger: Ledger
    custody: CustodyService
    manager: Account
    database: str
    cases: int
    load_s: float
    _asker: Asker | None = None
    ms: defaultdict[str, Times] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    work: dict[str, Work] = field(default_factory=dict)
    indexed: list[float] = field(default_factory=list)

    def ask(self, name: str, question: Question, seed: str, phase: str) -> None:
        """Put one question and take its time."""
        chance = random.Random(seed)  # noqa: S311 - the same questions in every run
        begun = time.perf_counter()
        question(self.asker, chance)
        self.ms[phase][name].append((time.perf_counter() - begun) * 1000)

    def count(self, name: str, question: Question) -> None:
        """Count what one question takes of the database; reading the token's session is part of it."""
        self.work[name] = work_of(self.ledger, lambda: self.ask(name, question, f"rows {name}", "counting"))

    @property
    def asker(self) -> Asker:
        """Who asks; only while the site is served."""
        assert self._asker is not None, "the site is not served"
        return self._asker

    @contextmanager
    def served(self) -> Iterator[None]:
        """Serve the API on a port of 127.0.0.1, with two people signed in for 15 minutes."""
        clock = SystemClock()
        tokens, links = TokenSigner(b"t" * 32, clock), LinkSigner(b"l" * 32, clock)
        app = build_app(Services(self.custody, links, tokens, lambda: "https://media.test"))
        with _serving(app) as address, ExitStack() as clients:
            opened = []
            for name in ("officer", "auditor"):
                token = tokens.sign(self.custody.sign_in(name, PASSWORD).session)
                headers = {"Authorization": f"Bearer {token}"}
                client = httpx.Client(base_url=f"{address}{PREFIX}/", headers=headers, timeout=120)
                opened.append(clients.enter_context(client))
            self._asker = Asker(opened[0], opened[1], self.cases)
            yield


def build(server: MariaDb, database: str, segments: int, folder: Path) -> Site:
    """A ledger of so many segments, with the accounts that ask."""
    url = server.fresh(database)
    migrate(url)
    ledger = open_ledger(url)
    custody = CustodyService(
        ledger.uow, SystemClock(), FakeRecorders(), FakeCaseKeys(), FakeRenderers(), cheap_passwords()
    )
    custody.register_cameras(
        [CameraInfo(camera, camera, room, "node-1", "h264") for room in ROOMS for camera in cameras_of(room)]
    )
    manager = custody.create_account(None, "manager", "Manager", Role.RECORDS_MANAGER, PASSWORD, (SITE,))
    custody.create_account(None, "officer", "Officer", Role.PRIVACY_OFFICER, PASSWORD, (SITE,))
    one_room = (Scope(ScopeKind.ROOM, ROOMS[6]),)
    custody.create_account(None, "auditor", "Auditor", Role.AUDITOR, PASSWORD, one_room)
    begun = time.perf_counter()
    cases = cases_for(segments)
    load(server, database, cases, manager.account_id, folder)
    return Site(ledger, custody, manager, database, cases, time.perf_counter() - begun)


def index(site: Site, batches: int) -> Iterator[None]:
    """Segments come in, in batches, with a halt after each."""
    custody, by = site.custody, site.manager
    camera = CameraInfo("now-wall", "Now", "OR NOW", "node-1", "h264")
    custody.register_cameras([camera])
    case = custody.plan_case(by, CasePlan("NOW-1", camera.room, SystemClock().now_us(), "Form 1"))
    custody.arm_case(by, case.case_id)
    (run,) = custody.start_recording(by, case.case_id).view.runs
    start = SystemClock().now_us()
    for first in range(0, batches * BATCH, BATCH):
        segments = [
            make_segment(run.run_id, case.case_id, camera.camera_id, n, start + n * 2 * US_PER_S)
            for n in range(first, first + BATCH)
        ]
        begun = time.perf_counter()
        report = custody.index_segments(segments, AnyNode())
        site.indexed.append((time.perf_counter() - begun) * 1000)
        assert report.added == BATCH, report
        yield


@contextmanager
def _serving(app: FastAPI) -> Iterator[str]:
    """A uvicorn in a thread of its own; its address."""
    server = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", 0, log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + _UP_S
        while not server.started:
            assert thread.is_alive() and time.monotonic() < deadline, "uvicorn did not start"
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
