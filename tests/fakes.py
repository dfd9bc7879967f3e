"""Custody over a real ledger, with an account for each role and the fakes of `fake_parts` around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from orvault.clock import US_PER_S, FakeClock
from orvault.container.keys import Recipient
from orvault.custody.account import Account, Role
from orvault.custody.activation import ActivationKey
from orvault.custody.basis import BasisKind, LegalBasis
from orvault.custody.case import Case, CasePlan
from orvault.custody.consents import Consent, Scope, Subject
from orvault.custody.passwords import Passwords
from orvault.custody.patients import PatientKey
from orvault.custody.recorded import IndexReport, SegmentLike
from orvault.custody.request import ExportRequest, Wish
from orvault.custody.scope import SITE
from orvault.custody.scope import Scope as AccountScope
from orvault.custody.second_factor import FactorKey
from orvault.custody.second_look import SecondLook, Trial
from orvault.custody.service import CustodyService, RenderJob
from orvault.custody.site import Secrets
from orvault.custody.steps import RequestState
from orvault.custody.terms import Masking, Redaction, Style
from orvault.custody.viewing import MINUTE_US, Showing, ViewKind
from orvault.custody.viewing_request import ViewingRequest, ViewingWish
from orvault.custody.watermark import Position
from orvault.errors import OrvaultError
from orvault.ledger.engine import Ledger, open_ledger
from orvault.ledger.migrate import migrate
from tests.fake_parts import (
    CAMERAS,
    KEY,
    AnyNode,
    FakeCaseKeys,
    FakeRecorders,
    FakeRenderers,
    make_segment,
)

PASSWORD = "Correct-horse-battery-7"
NOTHING_LEFT = SecondLook(1, 0, (), Trial.SEEN)  # what a rendering without a fault says of its pictures


@dataclass
class World:
    """Custody over a real ledger with fakes around it, and an account for each role."""

    clock: FakeClock
    ledger: Ledger
    recorders: FakeRecorders
    case_keys: FakeCaseKeys
    renderers: FakeRenderers
    custody: CustodyService
    accounts: dict[Role, Account]

    @property
    def manager(self) -> Account:
        return self.accounts[Role.RECORDS_MANAGER]

    @property
    def officer(self) -> Account:
        return self.accounts[Role.PRIVACY_OFFICER]

    def account(self, role: Role, name: str, scopes: Sequence[AccountScope] = (SITE,)) -> Account:
        """One more account."""
        return self.custody.create_account(None, name, name.title(), role, PASSWORD, scopes)

    def armed_case(
        self, number: str = "2026-1", room: str = "OR 1", participants: tuple[str, ...] = ("Lee", "Park")
    ) -> Case:
        """A case of this room that is armed."""
        plan = CasePlan(number, room, self.clock.now_us(), "Form 1, patient", participants)
        case = self.custody.plan_case(self.manager, plan)
        return self.custody.arm_case(self.manager, case.case_id)

    def recorded_case(self, segments: int = 5, number: str = "2026-1") -> Case:
        """A case closed after each camera of OR 1 recorded so many segments of 2 s, all indexed."""
        case = self.armed_case(number)
        switched = self.custody.start_recording(self.manager, case.case_id)
        start = self.clock.now_us()
        self.clock.us += segments * 2 * US_PER_S
        for run in switched.view.runs:
            offered = [
                make_segment(
                    run.run_id, case.case_id, run.camera_id, n, start + n * 2 * US_PER_S, epoch=run.epoch
                )
                for n in range(segments)
            ]
            report = self.index(offered)
            assert report.added == segments, report
        return self.custody.close_case(self.manager, case.case_id).view.case

    def index(self, segments: Sequence[SegmentLike]) -> IndexReport:
        """Offer segments whose nodes are all believed."""
        return self.custody.index_segments(segments, AnyNode())

    def wish(self, case: Case, **changes: object) -> Wish:
        """A request for the whole of a recorded case by a court's order."""
        assert case.armed_us is not None
        fields: dict[str, object] = {
            "case_id": case.case_id,
            "camera_ids": ("or1-wall",),
            "from_us": case.armed_us,
            "to_us": self.clock.now_us(),
            "purpose": "Court proceedings 2026-77",
            "basis": LegalBasis(BasisKind.COURT, document_number="2026-77"),
            "recipients": (Recipient("Court", KEY.public(), None, None),),
            "redaction": Redaction(Masking.HEAD, Style.SOLID, "Hospital 2026-77", Position.BOTTOM_RIGHT),
        }
        return Wish(**(fields | changes))  # type: ignore[arg-type]

    def approved(self, case: Case) -> ExportRequest:
        """A request that the privacy officer approved."""
        request = self.custody.submit_export(self.manager, self.wish(case))
        return self.custody.approve_export(self.officer, request.request_id)

    def ready(self, case: Case, path: str = "p.orvpkg", size: int = 1000) -> ExportRequest:
        """A request whose package is finished."""
        request = self.approved(case)
        job = self.claimed()
        assert job.request.request_id == request.request_id
        self.custody.finish_render(
            request.request_id, job.epoch, path, size, "f" * 64, second_look=NOTHING_LEFT
        )
        return self.custody.export(self.manager, request.request_id)

    def claimed(self, worker: str = "export") -> RenderJob:
        """The next job; there must be one."""
        job = self.custody.claim_render(worker)
        assert job is not None
        return job

    def viewing_wish(self, case: Case, **changes: object) -> ViewingWish:
        """A request to see clear recordings of the camera or1-wall by a court's order, for an hour."""
        stored = changes.get("kind") is not ViewKind.LIVE
        fields: dict[str, object] = {
            "viewer_id": "",
            "kind": ViewKind.STORED,
            "case_id": case.case_id,
            "camera_ids": ("or1-wall",),
            "showing": Showing.CLEAR,
            "purpose": "Court proceedings 2026-77",
            "basis": LegalBasis(BasisKind.COURT, document_number="2026-77"),
            "until_us": self.clock.now_us() + 60 * MINUTE_US,
            "from_us": case.armed_us if stored else None,
            "to_us": self.clock.now_us() if stored else None,
        }
        return ViewingWish(**(fields | changes))  # type: ignore[arg-type]

    def grant(self, viewer: Account, wish: ViewingWish) -> ViewingRequest:
        """What an account may see, asked for and approved as people do: clear pictures take two privacy officers."""
        asking = self.custody.ask_viewing(self._another(Role.RECORDS_MANAGER, "asks"), viewer.name, wish)
        for name in ("first.eyes", "second.eyes"):
            if asking.state is not RequestState.APPROVED:
                officer = self._another(Role.PRIVACY_OFFICER, name)
                asking = self.custody.approve_viewing(officer, asking.request_id)
        assert asking.state is RequestState.APPROVED
        return asking

    def _another(self, role: Role, name: str) -> Account:
        with self.ledger.uow(read_only=True) as uow:
            found = uow.accounts.by_name(name)
        return found or self.account(role, name)

    def acts(self) -> list[str]:
        """History's acts, the oldest first."""
        entries = self.custody.history(self.accounts[Role.AUDITOR], limit=200)
        return [entry.act for entry in reversed(entries)]


def consented(
    subject: Subject, name: str, scope: Scope = Scope.MASKED, paper_sha256: str = "ab" * 32
) -> Consent:
    """A consent on a paper, as it comes in."""
    return Consent(subject, name, "Form 3", paper_sha256, scope)


def consents_of(*staff: str) -> LegalBasis:
    """The basis by consent: the patient's, and that of these staff."""
    given = (consented(Subject.PATIENT, "Han"), *(consented(Subject.STAFF, name) for name in staff))
    return LegalBasis(BasisKind.CONSENT, consents=given)


def cheap_passwords() -> Passwords:
    """Argon2id at its smallest: tests need its results, not its cost."""
    return Passwords(memory_kib=32, iterations=1, lanes=4)


def kind_of_sign_in(world: World, name: str, password: str) -> str:
    """What became of it: "in", or the error's kind and words."""
    try:
        world.custody.sign_in(name, password)
    except OrvaultError as error:
        return f"{error.kind.value}: {error}"
    return "in"


def make_world(url: str) -> World:
    """A world over a fresh ledger at this URL."""
    path = Path(url.removeprefix("sqlite:///"))
    if url.startswith("sqlite:") and not path.exists():
        ledger, accounts = _beginning()
        path.write_bytes(ledger)
        path.chmod(0o600)
        return world_as_begun(open_ledger(url), accounts)
    migrate(url)
    return world_over(open_ledger(url))


@cache
def _beginning() -> tuple[bytes, dict[Role, Account]]:
    """An SQLite ledger as every world begins, and its accounts; made once, for it costs more than most tests do."""
    with TemporaryDirectory() as folder:
        url = sqlite_url(Path(folder))
        migrate(url)
        world = world_over(open_ledger(url))
        world.ledger.close()
        return (Path(folder) / "ledger.sqlite").read_bytes(), world.accounts


def world_over(ledger: Ledger) -> World:
    """A world over an open ledger without accounts."""
    world = world_as_begun(ledger, {})
    world.custody.register_cameras(CAMERAS)
    for role in Role:
        world.accounts[role] = world.account(role, role.value)
    return world


def world_as_begun(ledger: Ledger, accounts: Mapping[Role, Account]) -> World:
    """A world over an open ledger that has these accounts, and its cameras, already."""
    clock, recorders, keys, renderers = FakeClock(), FakeRecorders(), FakeCaseKeys(), FakeRenderers()
    custody = CustodyService(
        ledger.uow,
        clock,
        recorders,
        keys,
        renderers,
        cheap_passwords(),
        hospital="서울병원",
        secrets=Secrets(
            PatientKey(lambda: b"p" * 32), FactorKey(lambda: b"f" * 32), ActivationKey(lambda: b"a" * 32)
        ),
    )
    return World(clock, ledger, recorders, keys, renderers, custody, dict(accounts))


def sqlite_url(folder: Path) -> str:
    """A ledger's URL in this folder."""
    return f"sqlite:///{folder / 'ledger.sqlite'}"
