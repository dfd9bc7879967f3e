"""The world around custody, in memory: recorders, keys and export workers that do what they are told, or refuse.

The ledger in these tests is a real one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from orvault.clock import US_PER_S, FakeClock
from orvault.container.keys import Kem, KeySlot, PublicKey, Recipient, generate_private_key, wrap_key
from orvault.container.segment import SegmentHeader, SegmentMeta
from orvault.custody.account import Account, Role
from orvault.custody.activation import ActivationKey
from orvault.custody.basis import BasisKind, LegalBasis
from orvault.custody.case import Case, CasePlan
from orvault.custody.consents import Consent, Scope, Subject
from orvault.custody.passwords import Passwords
from orvault.custody.patients import PatientKey
from orvault.custody.ports import ArmOrder, CameraInfo, CameraStatus, StartOrder
from orvault.custody.recorded import IndexReport, SegmentLike, StoredSegment
from orvault.custody.request import ExportRequest, Wish
from orvault.custody.scope import SITE
from orvault.custody.scope import Scope as AccountScope
from orvault.custody.second_factor import FactorKey
from orvault.custody.service import CustodyService, RenderJob
from orvault.custody.steps import RequestState
from orvault.custody.terms import Masking, Redaction, Style
from orvault.custody.viewing import MINUTE_US, Showing, ViewKind
from orvault.custody.viewing_request import ViewingRequest, ViewingWish
from orvault.custody.watermark import Position
from orvault.errors import ErrorKind, OrvaultError
from orvault.ledger.engine import Ledger, open_ledger
from orvault.ledger.migrate import migrate

PASSWORD = "Correct-horse-battery-7"
CAMERAS = (
    CameraInfo("or1-wall", "OR 1 wall", "OR 1", "node-1", "h264"),
    CameraInfo("or1-lamp", "OR 1 lamp", "OR 1", "node-1"),
    CameraInfo("or2-wall", "OR 2 wall", "OR 2", "node-2"),
)
KEY = generate_private_key(Kem.X25519)
SLOT = wrap_key(b"k" * 32, KEY.public(), b"test")


@dataclass
class FakeRecorders:
    """Remembers what it was told; cameras named in `unreachable` raise, those in `deaf` obey and raise."""

    orders: dict[str, StartOrder] = field(default_factory=dict)
    stopped: list[str] = field(default_factory=list)
    armed: dict[str, ArmOrder] = field(default_factory=dict)
    unreachable: set[str] = field(default_factory=set)
    deaf: set[str] = field(default_factory=set)
    down: bool = False
    states: dict[str, str] = field(
        default_factory=dict
    )  # what cameras say of themselves, if not what they do

    def start(self, order: StartOrder) -> None:
        self._reach(order.camera_id)
        self.orders[order.camera_id] = order
        self._answer(order.camera_id)

    def stop(self, camera_id: str, run_id: str) -> None:
        self._reach(camera_id)
        order = self.orders.get(camera_id)
        if order is not None and order.run_id == run_id:
            del self.orders[camera_id]
        self.stopped.append(run_id)
        self._answer(camera_id)

    def arm(self, order: ArmOrder) -> None:
        self._reach(order.camera_id)
        self.armed[order.camera_id] = order

    def disarm(self, camera_id: str, case_id: str) -> None:
        self._reach(camera_id)
        if camera_id in self.armed and self.armed[camera_id].case_id == case_id:
            del self.armed[camera_id]

    def statuses(self) -> Sequence[CameraStatus]:
        if self.down:
            raise OrvaultError(ErrorKind.UNAVAILABLE, "No recorder answers.")
        known = [camera.camera_id for camera in CAMERAS if camera.camera_id not in self.unreachable]
        return [self._status(camera_id) for camera_id in known]

    def _status(self, camera_id: str) -> CameraStatus:
        order = self.orders.get(camera_id)
        return CameraStatus(
            camera_id,
            self.states.get(camera_id, "recording" if order else "idle"),
            run_id=order.run_id if order else None,
        )

    def _reach(self, camera_id: str) -> None:
        if camera_id in self.unreachable:
            raise OrvaultError(ErrorKind.CAMERA_UNREACHABLE, "The camera does not answer.", where=camera_id)

    def _answer(self, camera_id: str) -> None:
        if camera_id in self.deaf:
            raise OrvaultError(ErrorKind.CAMERA_UNREACHABLE, "The camera's answer was lost.", where=camera_id)


@dataclass
class FakeCaseKeys:
    """Gives each case a key of its own; `locked` is a key store that waits for its passphrase."""

    keys: dict[str, PublicKey] = field(default_factory=dict)
    locked: bool = False

    def create(self, case_id: str) -> PublicKey:
        if self.locked:
            raise OrvaultError(ErrorKind.KEYS_LOCKED, "The key store is locked.")
        return self.keys.setdefault(case_id, generate_private_key(Kem.X25519).public())


class AnyNode:
    """Believes every node."""

    def check_first_seen(self, header: SegmentHeader, seen_us: int) -> None:
        return


@dataclass
class FakeRenderers:
    """Counts how often it was woken."""

    woken: int = 0

    def wake(self) -> None:
        self.woken += 1


def _digest(sequence: int) -> str:
    """Made up; not 64 zeros, which stand for one that could not be read."""
    return f"a{sequence:063x}"


def make_segment(
    run_id: str,
    case_id: str,
    camera_id: str,
    sequence: int,
    start_us: int,
    *,
    seconds: float = 2.0,
    epoch: int = 1,
    digest: str = "",
    slots: tuple[KeySlot, ...] = (SLOT,),
    indexed_us: int = 0,
) -> StoredSegment:
    """A segment's record as a node would offer it; nothing lies on a disk."""
    meta = SegmentMeta(
        segment_id=f"{run_id}-{sequence:06d}",
        node_id="node-1",
        case_id=case_id,
        camera_id=camera_id,
        run_id=run_id,
        sequence=sequence,
        epoch=epoch,
        start_us=start_us,
        end_us=start_us + round(seconds * US_PER_S),
        codec="h264",
        width=1280,
        height=720,
        frames=round(seconds * 15),
    )
    header = SegmentHeader(
        meta=meta,
        previous=_digest(sequence - 1) if sequence else "",
        key_commitment="c" * 64,
        ciphertext_sha256="d" * 64,
        plaintext_bytes=1000,
        chunk_bytes=1 << 20,
        node_certificate="e" * 64,
        key_thumbprint=KEY.public().thumbprint,
    )
    path = f"{case_id}/{camera_id}/{run_id}/{sequence:06d}.seg"
    return StoredSegment(header, digest or _digest(sequence), 2048, path, slots, indexed_us)


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
        self.custody.finish_render(request.request_id, job.epoch, path, size, "f" * 64)
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


def make_world(url: str) -> World:
    """A world over a fresh ledger at this URL."""
    path = Path(url.removeprefix("sqlite:///"))
    if url.startswith("sqlite:") and not path.exists():
        path.write_bytes(_empty_ledger())
        path.chmod(0o600)
    else:
        migrate(url)
    return world_over(open_ledger(url))


@cache
def _empty_ledger() -> bytes:
    """An SQLite ledger with its tables, made once: its migrations cost more than most tests that need one."""
    with TemporaryDirectory() as folder:
        migrate(sqlite_url(Path(folder)))
        return (Path(folder) / "ledger.sqlite").read_bytes()


def world_over(ledger: Ledger) -> World:
    """A world over an open, empty ledger."""
    clock, recorders, keys, renderers = FakeClock(), FakeRecorders(), FakeCaseKeys(), FakeRenderers()
    custody = CustodyService(
        ledger.uow,
        clock,
        recorders,
        keys,
        renderers,
        cheap_passwords(),
        hospital="서울병원",
        patients=PatientKey(lambda: b"p" * 32),
        factors=FactorKey(lambda: b"f" * 32),
        activation=ActivationKey(lambda: b"a" * 32),
    )
    custody.register_cameras(CAMERAS)
    accounts = {
        role: custody.create_account(None, role.value, role.value.title(), role, PASSWORD, (SITE,))
        for role in Role
    }
    return World(clock, ledger, recorders, keys, renderers, custody, accounts)


def sqlite_url(folder: Path) -> str:
    """A ledger's URL in this folder."""
    return f"sqlite:///{folder / 'ledger.sqlite'}"
