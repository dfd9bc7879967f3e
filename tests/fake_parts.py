"""What stands round custody in tests: recorders, keys and export workers that do what they are told, or refuse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from orvault.clock import US_PER_S
from orvault.container.keys import Kem, KeySlot, PublicKey, generate_private_key, wrap_key
from orvault.container.segment import SegmentHeader, SegmentMeta
from orvault.custody.ports import ArmOrder, CameraInfo, CameraStatus, StartOrder
from orvault.custody.recorded import StoredSegment
from orvault.errors import ErrorKind, OrvaultError

CAMERAS = (
    CameraInfo("or1-wall", "OR 1 wall", "OR 1", "node-1", "h264"),
    CameraInfo("or1-lamp", "OR 1 lamp", "OR 1", "node-1"),
    CameraInfo("or2-wall", "OR 2 wall", "OR 2", "node-2"),
)
_NODES = {camera.camera_id: camera.node_id for camera in CAMERAS}
KEY = generate_private_key(Kem.X25519)
SLOT = wrap_key(b"k" * 32, KEY.public(), b"test")


@dataclass
class FakeRecorders:
    """Remembers what it was told; cameras named in `unreachable` raise, those in `deaf` obey and raise, those in
    `refusing` start nothing.
    """

    orders: dict[str, StartOrder] = field(default_factory=dict)
    stopped: list[str] = field(default_factory=list)
    armed: dict[str, ArmOrder] = field(default_factory=dict)
    unreachable: set[str] = field(default_factory=set)
    deaf: set[str] = field(default_factory=set)
    refusing: set[str] = field(default_factory=set)
    down: bool = False
    states: dict[str, str] = field(
        default_factory=dict
    )  # what cameras say of themselves, if not what they do

    def start(self, order: StartOrder) -> None:
        self._reach(order.camera_id)
        if order.camera_id in self.refusing:
            raise OrvaultError(ErrorKind.CONFLICT, "It already records another run.", where=order.camera_id)
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
        node_id=_NODES.get(camera_id, "node-1"),
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
