"""A node and a site in one process: the actors as plain objects over real disks, keys and ledgers, faults at will."""

from __future__ import annotations

import functools
import itertools
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from actors.camera import CameraActor, CameraFeed
from actors.encryption import EncryptionActor
from actors.export import ExportActor
from actors.index import IndexActor
from actors.keys import KeyActor
from actors.outbox import Indexed
from actors.render_tools import RenderTools
from actors.second_looking import LookAnswer, LookOrder
from orvault.clock import US_PER_S, FakeClock
from orvault.container.enrolment import EnrolledNodes
from orvault.container.gap import Gap, check_gap
from orvault.container.keys import KeySlot, PrivateKey, Recipient, generate_private_key
from orvault.container.keystore import KeyStore
from orvault.container.revocation import RevocationList, RevocationLists
from orvault.container.segment import SealedContent, open_segment, seal_content, unwrap_dek, verify_segment
from orvault.container.trust import Identity
from orvault.custody.activation import ActivationKey
from orvault.custody.case import Case
from orvault.custody.ports import StartOrder
from orvault.custody.request import ExportRequest
from orvault.custody.service import CustodyService
from orvault.custody.site import Secrets
from orvault.errors import ErrorKind, OrvaultError
from orvault.recording.gaps import GapStore
from orvault.recording.recorder import Recorder, RecordingOrder
from orvault.recording.records import SegmentRecord, Tail
from orvault.recording.store import SegmentStore
from orvault.recording.unconfirmed import Landmark
from orvault.video.codec import decode_fragment
from orvault.video.file import PacedFile
from orvault.video.gop import Fragment, GopCutter
from orvault.video.packet import Packet, StreamInfo
from orvault.vision.mask import FrameDetections
from orvault.vision.second_look import Left, Trial
from tests.fakes import World, cheap_passwords, make_world, sqlite_url
from tests.unit.container_support import CHEAP, hospital, recipient_key

CAMERAS = Path(__file__).resolve().parents[1] / "media" / "cameras"
START_US = FakeClock().now_us()
PATIENCE_S = (
    30.0  # only a test that fails waits this long; other tests take their share of the machine beside it
)


def eventually(true: Callable[[], object], what: str) -> None:
    """Wait until threads have done what they were given."""
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.001)


@dataclass
class CalmClock(FakeClock):
    """Time moves only by the test's hand: who sleeps here is asked again at once. `over` ends its sleepers."""

    over: bool = False

    def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        if self.over:
            threading.Event().wait()  # in a daemon thread of an actor, which otherwise goes on for ever
        time.sleep(0.001)


@functools.cache
def clip(name: str) -> tuple[StreamInfo, tuple[Packet, ...]]:
    """A camera clip's stream and packets, as they came; the first carries `begins`."""
    source = PacedFile(CAMERAS / f"{name}.mp4", FakeClock(), loop=False)
    packets = tuple(source)
    source.close()
    return source.info, packets


@functools.cache
def fragments(name: str = "or1-ceiling", target_s: float = 2.0) -> tuple[Fragment, ...]:
    """The clip cut as a camera would, from `START_US` on."""
    clock = FakeClock(us=START_US)
    source = PacedFile(CAMERAS / f"{name}.mp4", clock, loop=False)
    cutter = GopCutter(source.info, clock, target_s)
    cut = [fragment for packet in source if (fragment := cutter.feed(packet)) is not None]
    last = cutter.flush()
    source.close()
    return (*cut, *([last] if last else []))


@functools.cache
def case_key() -> PrivateKey:
    return generate_private_key()


def order(run_id: str = "run-1", epoch: int = 1, **changes: object) -> RecordingOrder:
    value = RecordingOrder(run_id, "case-1", "or1-ceiling", case_key().public(), epoch, START_US)
    return replace(value, **changes)  # type: ignore[arg-type]


def away(what: str = "It") -> OrvaultError:
    return OrvaultError(ErrorKind.UNAVAILABLE, f"{what} does not answer.")


@dataclass
class MemoryIndex:
    """An index that keeps what it is told, in order; `down` is out of reach, `refuses` cannot take these."""

    records: list[SegmentRecord] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    down: bool = False
    refuses: set[str] = field(default_factory=set)
    unbelieved: set[str] = field(default_factory=set)  # segment ids
    calls: int = 0
    entries: int = 0
    name: int = field(default_factory=itertools.count().__next__)

    def index(self, records: Sequence[SegmentRecord]) -> Indexed:
        self._reach()
        if any(record.path in self.refuses for record in records):
            raise OrvaultError(ErrorKind.INTERNAL, "The ledger's database did not take a statement.")
        unbelieved = {r.header.meta.segment_id for r in records} & self.unbelieved
        self.records += [r for r in records if r.header.meta.segment_id not in unbelieved]
        return Indexed(self.landmark(), frozenset(unbelieved))

    def gap(self, gap: Gap) -> Landmark:
        self._reach()
        if gap.run_id in self.refuses:
            raise OrvaultError(ErrorKind.NOT_FOUND, "There is no such run.")
        self.gaps.append(gap)
        return self.landmark()

    def knows(self, landmark: Landmark) -> bool:
        self._reach()
        return landmark in (self.landmark(at) for at in range(-1, self.entries))

    def landmark(self, at: int | None = None) -> Landmark:
        """An entry of its history, which grows when the test says so (`entries`)."""
        seq = self.entries - 1 if at is None else at
        return Landmark(seq, f"{seq:056x}{self.name:08x}" if seq >= 0 else "")

    @property
    def paths(self) -> list[str]:
        return [record.path for record in self.records]

    def _reach(self) -> None:
        self.calls += 1
        if self.down:
            raise away("The index")


@dataclass
class FlakyKeeper:
    """An encryption actor seen over a bad line: `down` answers nothing, `before` and `after` raise once each.

    `before`: the call fails before anything was done. `after`: it was carried out, and then this is raised.
    """

    actor: EncryptionActor
    down: bool = False
    before: list[OrvaultError] = field(default_factory=list)
    after: list[OrvaultError] = field(default_factory=list)
    tail_fails: list[OrvaultError] = field(default_factory=list)
    gap_fails: list[OrvaultError] = field(default_factory=list)
    held: threading.Event = field(default_factory=threading.Event)
    calls: list[str] = field(default_factory=list)
    kept: list[SealedContent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.held.set()

    def keep(self, content: SealedContent, previous: str, claim: int = 0) -> SegmentRecord:
        self._reach("keep")
        self.held.wait(PATIENCE_S)
        if self.before:
            raise self.before.pop(0)
        self.kept.append(content)
        record = self.actor.keep(content, previous, claim)
        if self.after:
            raise self.after.pop(0)
        return record

    def tail(self, case_id: str, camera_id: str, run_id: str, claim: int = 0) -> Tail:
        self._reach("tail")
        if self.tail_fails:
            raise self.tail_fails.pop(0)
        return self.actor.tail(case_id, camera_id, run_id, claim)

    def record_gap(self, gap: Gap, claim: int = 0) -> None:
        self._reach("gap")
        if self.gap_fails:
            raise self.gap_fails.pop(0)
        self.actor.record_gap(gap, claim)

    def _reach(self, what: str) -> None:
        self.calls.append(what)
        if self.down:
            raise away("The encryption actor")


@dataclass
class Node:
    """A client node: its identity and disk, and the actor that signs and keeps there."""

    folder: Path
    identity: Identity
    index: MemoryIndex
    actor: EncryptionActor
    keeper: FlakyKeeper

    @property
    def root(self) -> Path:
        return self.folder / "segments"

    @property
    def orders(self) -> Path:
        return self.folder / "orders"

    def restart(self) -> EncryptionActor:
        """The actor anew over the same disk, as after a crash."""
        self.actor.close()
        self.actor = EncryptionActor(self.folder / "identity", self.root, self.index)
        self.keeper.actor = self.actor
        return self.actor

    def stored(self, run_id: str = "run-1") -> list[SegmentRecord]:
        """The run's segments on disk, each verified, opened, numbered and chained."""
        store = SegmentStore(self.root)
        found = [record for record in store.scan() if record.header.meta.run_id == run_id]
        before = ""
        for number, record in enumerate(found):
            data = store.read(record.path)
            assert verify_segment(data, self.identity.certificate_der) == record.header
            assert record.header.meta.sequence == number
            assert record.header.previous == before
            before = record.digest
            open_segment(data, unwrap_dek(record.slots, case_key(), record.header))
        return found

    def clear(self, run_id: str = "run-1") -> list[bytes]:
        """What lies in the run's segments."""
        store = SegmentStore(self.root)
        return [
            open_segment(store.read(r.path), unwrap_dek(r.slots, case_key(), r.header))
            for r in self.stored(run_id)
        ]

    def gaps(self, run_id: str = "run-1") -> list[Gap]:
        """The run's gap records on disk, each verified."""
        found = [gap for gap in GapStore(self.root).scan() if gap.run_id == run_id]
        nodes = EnrolledNodes(hospital()[0].certificate_der, [self.identity.certificate_der])
        for gap in found:
            check_gap(gap, nodes, gap.to_us)
        return found


def make_node(folder: Path, index: MemoryIndex | None = None) -> Node:
    identity = hospital()[2]
    identity.save(folder / "identity")
    index = index or MemoryIndex()
    actor = EncryptionActor(folder / "identity", folder / "segments", index)
    return Node(folder, identity, index, actor, FlakyKeeper(actor))


class Feed:
    """A camera whose packets the test hands out: `give` returns when the actor has taken them."""

    def __init__(self, clock: FakeClock, name: str = "or1-ceiling") -> None:
        self.info, self._clip = clip(name)
        self._clock = clock
        self._items: queue.Queue[Packet | OrvaultError] = queue.Queue()
        self._at = 0
        self._fresh = True
        self.opened = 0

    def __call__(self, _address: object, clock: object) -> Feed:
        """In place of `open_source`, for the camera of this test alone.

        One of an earlier test, whose thread was about to connect again, would take this one's packets away.
        """
        if clock is not self._clock:
            threading.Event().wait()
        self.opened += 1
        return self

    def __iter__(self) -> Iterator[Packet]:
        while True:
            item = self._items.get()
            if isinstance(item, OrvaultError):
                self._items.task_done()
                raise item
            yield item
            self._items.task_done()

    def close(self) -> None:
        """The next connection finds the queue as it is."""

    def give(self, frames: int) -> None:
        """So many pictures, each when it is due: the clock goes with them."""
        for _ in range(frames):
            packet = self._clip[self._at % len(self._clip)]
            begins, self._fresh = (self.info if self._fresh else None), False
            self.put(replace(packet, pts_90k=self._at * 6_000, dts_90k=self._at * 6_000, begins=begins))
            self.settle()
            self._clock.us += US_PER_S // 15
            self._at += 1

    def to_keyframe(self) -> None:
        """Go on in the clip where a keyframe is, as a camera does for a new viewer."""
        self._at += -self._at % 15

    def lose(self, seconds: float, why: str = "The camera does not answer.") -> None:
        """The connection breaks; the next `give` comes so much later over a new one."""
        opened = self.opened
        self.put(OrvaultError(ErrorKind.CAMERA_UNREACHABLE, why))
        self.settle()
        eventually(lambda: self.opened > opened, "the camera is opened again")
        self._clock.us += round(seconds * US_PER_S)
        self._at += round(seconds * 15)
        self.to_keyframe()
        self._fresh = True

    def put(self, item: Packet | OrvaultError) -> None:
        self._items.put(item)

    def settle(self) -> None:
        eventually(lambda: not self._items.unfinished_tasks, "the camera actor takes its packets")


def camera_feed(node: Node, **changes: object) -> CameraFeed:
    feed = CameraFeed("or1-ceiling", "node-1", "rtsp://192.0.2.1/1", "", None, 1.0, node.orders)
    return replace(feed, **changes)  # type: ignore[arg-type]


def make_camera(node: Node, clock: FakeClock, **changes: object) -> CameraActor:
    return CameraActor(camera_feed(node, **changes), node.keeper, clock)


WALL = ("or1-wall", "or1-ceiling")  # a camera, and the clip that it films
PASSPHRASE = "correct horse battery staple"


@dataclass
class FakeDetection:
    """Detection actors that find what the test says: `finds(picture)` per fragment, None where it failed.

    `raises` are given out first, one per fragment; `during` is called with each fragment under way.
    """

    finds: Callable[[int], FrameDetections] = lambda _picture: []
    raises: list[OrvaultError] = field(default_factory=list)
    during: Callable[[], None] = lambda: None
    asked: int = 0
    thorough_s: list[tuple[float, ...]] = field(default_factory=list)

    def width(self) -> int:
        return 2

    known: str = "the models of the first day"

    def models(self) -> str:
        return self.known

    looked: list[LookOrder] = field(default_factory=list)
    left: tuple[Left, ...] = ()
    trial: Trial = Trial.SEEN

    def look_again(self, order: LookOrder) -> FakeDetection._Look:
        self.looked.append(order)
        if order.trial is not None:
            return FakeDetection._Look(LookAnswer(0, (), self.trial))
        return FakeDetection._Look(LookAnswer(len(order.plans), self.left, Trial.NOBODY))

    @property
    def outputs(self) -> int:
        """How many parts of the output were looked at."""
        return sum(order.trial is None for order in self.looked)

    @dataclass
    class _Look:
        answer: LookAnswer

        def result(self) -> LookAnswer:
            return self.answer

    def detect(self, fragment: bytes, thorough_s: Sequence[float] = ()) -> FakeDetection._Answer:
        self.asked += 1
        self.thorough_s.append(tuple(thorough_s))
        return FakeDetection._Answer(self, fragment)

    @dataclass
    class _Answer:
        actors: FakeDetection
        fragment: bytes

        def result(self) -> list[FrameDetections]:
            self.actors.during()
            if self.actors.raises:
                raise self.actors.raises.pop(0)
            return [
                self.actors.finds(n)
                for n, _ in enumerate(decode_fragment(self.fragment, black_for_damaged=True))
            ]


@dataclass
class Enrolled:
    """Node certificates that the server has, and the lists that it holds."""

    root: bytes
    certificates: tuple[bytes, ...]
    lists: tuple[RevocationList, ...] = ()

    def load(self) -> EnrolledNodes:
        return EnrolledNodes(self.root, self.certificates, RevocationLists(self.lists))


@dataclass
class NodeSegments:
    """Reads segments from a node's encryption actor, as the server does."""

    node: Node

    def read(self, node_id: str, path: str) -> bytes:
        assert node_id == "node-1"
        return self.node.actor.read(path)

    def replace_slots(self, node_id: str, path: str, slots: Sequence[KeySlot]) -> None:
        assert node_id == "node-1"
        self.node.actor.replace_slots(path, slots)

    def waiting(self, node_id: str) -> int:
        return self.node.actor.waiting() if node_id == "node-1" else 0


@dataclass
class Site:
    """An export server and one client node, with a real ledger, key store and disks."""

    folder: Path
    world: World
    node: Node
    keys: KeyActor
    detection: FakeDetection
    tools: RenderTools

    @property
    def packages(self) -> Path:
        return self.tools.packages

    def record(
        self,
        number: str = "2026-1",
        count: int = 2,
        cameras: tuple[tuple[str, str], ...] = (WALL,),
        lasts_s: float = 60.0,
    ) -> Case:
        """A closed case; each camera recorded so many fragments of its clip, all sealed and indexed."""
        world = self.world
        case = world.armed_case(number)
        world.custody.start_recording(world.manager, case.case_id, [camera for camera, _ in cameras])
        for camera, clip_name in cameras:
            self._seal(world.recorders.orders[camera], fragments(clip_name)[:count])
        world.clock.us += round(lasts_s * US_PER_S)
        return world.custody.close_case(world.manager, case.case_id).view.case

    def _seal(self, told: StartOrder, several: Sequence[Fragment]) -> None:
        recorder = Recorder("node-1", told.camera_id)
        recorder.start(
            RecordingOrder(told.run_id, told.case_id, told.camera_id, told.case_key, told.epoch),
            self.world.clock.now_us(),
        )
        indexed = IndexActor(
            lambda: self.world.custody, self.world.custody.known_cameras(), self.tools.nodes, 3600.0
        )
        for fragment in several:
            offset = told.started_us - START_US
            moved = replace(fragment, start_us=fragment.start_us + offset, end_us=fragment.end_us + offset)
            content = seal_content(recorder.next_meta(moved), moved.data, told.case_key)
            record = self.node.actor.keep(content, recorder.tail.previous_digest)
            recorder.stored(record)
            indexed.index([record])

    def approved(self, case: Case, **changes: object) -> ExportRequest:
        """An approved request for the case, for the holder of `recipient_key`."""
        recipients = (Recipient("Court", recipient_key().public(), None, None),)
        wish = self.world.wish(case, **{"recipients": recipients, "from_us": START_US} | changes)
        request = self.world.custody.submit_export(self.world.manager, wish)
        return self.world.custody.approve_export(self.world.officer, request.request_id)

    def request(self, request_id: str) -> ExportRequest:
        return self.world.custody.export(self.world.manager, request_id)

    def worker(self, custody: CustodyService | None = None) -> ExportActor:
        """An export actor whose work the test calls for."""
        return _Called(lambda: custody or self.world.custody, self.tools)

    def segment(self, case: Case, number: int = 0, camera: str = "or1-wall") -> Path:
        """A segment's file."""
        return sorted((self.node.root / case.case_id / camera).glob("*/*.seg"))[number]


class _Called(ExportActor):
    """Waits for `work_off` instead of working by itself."""

    def _work_for_ever(self) -> None:
        return

    def _scan_for_ever(self) -> None:
        return


def make_site(folder: Path) -> Site:
    root, server, node_identity = hospital()
    server.save(folder / "server")
    (folder / "packages").mkdir()
    KeyStore.create(folder / "keys", PASSPHRASE, CHEAP)
    secret = folder / "passphrase"
    secret.write_text(PASSPHRASE + "\n")
    secret.chmod(0o600)
    world = make_world(sqlite_url(folder))
    keys = KeyActor(folder / "keys", secret, lambda: world.custody)
    custody = CustodyService(
        world.ledger.uow,
        world.clock,
        world.recorders,
        keys,
        world.renderers,
        cheap_passwords(),
        secrets=Secrets(activation=ActivationKey(lambda: b"a" * 32)),
    )
    world = replace(world, custody=custody)
    node = make_node(folder / "node-1")
    detection = FakeDetection()
    tools = RenderTools(
        segments=NodeSegments(node),
        keys=keys,
        detection=detection,
        clock=world.clock,
        server_identity=folder / "server",
        nodes=Enrolled(root.certificate_der, (node_identity.certificate_der,)),
        packages=folder / "packages",
        preset="ultrafast",
        crf=35,
        cores=1,
    )
    return Site(folder, world, node, keys, detection, tools)
