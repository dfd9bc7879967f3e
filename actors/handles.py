"""The one meeting with Ray: starts the actors and gives callers a typed face for each.

Every facade is a plain, picklable object that finds its actor by name at each call, so that it outlives
restarts. What an actor raises arrives as it was; an actor that does not answer is UNAVAILABLE.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayError, RayTaskError

from orvault.container.keys import PublicKey
from orvault.container.segment import SegmentMeta
from orvault.custody.ports import CameraStatus, StartOrder
from orvault.custody.recorded import SegmentLike
from orvault.errors import ErrorKind, OrvaultError
from orvault.recording.recorder import Gap, RecordingOrder
from orvault.recording.records import SegmentRecord, Tail

if TYPE_CHECKING:
    # Every actor's process loads this module: it must not load the vision libraries with it.
    from actors.rendering import Answer
    from orvault.vision.mask import FrameDetections

NAMESPACE = "orvault"
INDEX, KEYS, EXPORT, MEDIA = "index", "keys", "export", "media"
CALL_S = 15.0  # an actor of ours answers in milliseconds; a restarting one in a few seconds
STOP_S = 60.0  # stopping waits until the last fragment is on disk
START_S = 120.0  # loading models on a busy machine
DETECT_S = 600.0  # one fragment on the slowest supported CPU

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Placed:
    """Where an actor goes, in Ray's terms."""

    resources: Mapping[str, float]
    num_gpus: float = 0.0


def camera_name(camera_id: str) -> str:
    """The actor's name of a camera."""
    return f"camera:{camera_id}"


def encryption_name(node: str) -> str:
    """The actor's name of a node's encryption."""
    return f"encryption:{node}"


def detection_name(index: int) -> str:
    """The actor's name of one detection actor."""
    return f"detection:{index}"


@dataclass(frozen=True)
class Starting:
    """An actor on its way up."""

    name: str
    reference: Any

    def node_id(self) -> str:
        """Wait until it is up; the Ray node that it runs on.

        Errors: what its constructor raises; UNAVAILABLE when it does not come up.
        """
        return cast("str", _wait(self.name, self.reference, START_S))


def start(
    name: str, actor: Callable[P, object], place: Placed, threads: int, /, *args: P.args, **kwargs: P.kwargs
) -> Starting:
    """Start a named, detached actor that Ray restarts for ever, or find the one that runs; does not wait."""
    remote: Any = ray.remote(cast("type", actor))
    handle = remote.options(
        name=name,
        namespace=NAMESPACE,
        lifetime="detached",
        get_if_exists=True,
        num_cpus=0,
        num_gpus=place.num_gpus,
        resources=dict(place.resources),
        max_restarts=-1,
        max_concurrency=threads,
    ).remote(*args, **kwargs)
    return Starting(name, handle.__ray_call__.remote(_node_id))


def stop(name: str) -> None:
    """End an actor for good; one that is not there is no error."""
    try:
        ray.kill(ray.get_actor(name, namespace=NAMESPACE), no_restart=True)
    except ValueError:
        return


def _node_id(_actor: object) -> str:
    return ray.get_runtime_context().get_node_id()


def _submit(name: str, method: str, *args: object) -> Any:
    try:
        actor = ray.get_actor(name, namespace=NAMESPACE)
    except ValueError:
        raise OrvaultError(ErrorKind.UNAVAILABLE, f"{name} is not running.") from None
    return getattr(actor, method).remote(*args)


def _wait(name: str, reference: Any, timeout_s: float) -> Any:
    try:
        return ray.get(reference, timeout=timeout_s)
    except RayTaskError as error:
        raise (error.cause if isinstance(error.cause, OrvaultError) else error) from None
    except GetTimeoutError:
        raise OrvaultError(ErrorKind.UNAVAILABLE, f"{name} did not answer in {timeout_s:g} s.") from None
    except RayActorError as error:
        raise _start_failure(name, error) from None
    except RayError as error:
        raise OrvaultError(
            ErrorKind.UNAVAILABLE, f"{name} cannot be reached ({type(error).__name__})."
        ) from None


def _start_failure(name: str, error: RayActorError) -> BaseException:
    """An actor that died while it was made carries its constructor's error; any other death is UNAVAILABLE."""
    made = error.__cause__
    if isinstance(made, RayTaskError) and isinstance(made.cause, OrvaultError):
        return made.cause
    return OrvaultError(ErrorKind.UNAVAILABLE, f"{name} died or is being restarted.")


def call(name: str, method: str, *args: object, timeout_s: float = CALL_S) -> Any:
    """Call an actor's method and wait for its answer."""
    return _wait(name, _submit(name, method, *args), timeout_s)


class IndexHandle:
    """`actors.index.IndexActor`."""

    def index(self, records: Sequence[SegmentRecord]) -> None:
        """Write segment rows."""
        call(INDEX, "index", records)

    def gap(self, gap: Gap) -> None:
        """Write a gap."""
        call(INDEX, "gap", gap)


@dataclass(frozen=True)
class EncryptionHandle:
    """`actors.encryption.EncryptionActor` of one node."""

    node: str

    def seal(self, meta: SegmentMeta, fragment: bytes, case_key: PublicKey, previous: str) -> SegmentRecord:
        """Seal a fragment durably."""
        name = encryption_name(self.node)
        return cast("SegmentRecord", call(name, "seal", meta, fragment, case_key, previous))

    def tail(self, case_id: str, camera_id: str, run_id: str) -> Tail:
        """Where a run stands."""
        return cast("Tail", call(encryption_name(self.node), "tail", case_id, camera_id, run_id))

    def record_gap(self, gap: Gap) -> None:
        """Make a gap durable."""
        call(encryption_name(self.node), "record_gap", gap)


class SegmentsHandle:
    """Reads sealed segments from the node that recorded them."""

    def read(self, node_id: str, path: str) -> bytes:
        """The sealed bytes."""
        return cast("bytes", call(encryption_name(node_id), "read", path))

    def waiting(self, node_id: str) -> int:
        """Records of a node that the ledger has not confirmed yet."""
        return cast("int", call(encryption_name(node_id), "waiting"))


@dataclass(frozen=True)
class CamerasHandle:
    """The camera actors: what the custody service starts and stops."""

    camera_ids: tuple[str, ...]

    def start(self, order: StartOrder) -> None:
        """Begin recording."""
        told = RecordingOrder(order.run_id, order.case_id, order.camera_id, order.case_key, order.epoch)
        call(camera_name(order.camera_id), "start", told)

    def stop(self, camera_id: str, run_id: str) -> None:
        """End recording; returns when the last fragment is durable."""
        call(camera_name(camera_id), "stop", run_id, timeout_s=STOP_S)

    def statuses(self) -> list[CameraStatus]:
        """Each camera's state now; asked all at once."""
        asked = [(camera_id, self._ask(camera_id)) for camera_id in self.camera_ids]
        return [self._status(camera_id, reference) for camera_id, reference in asked]

    def _ask(self, camera_id: str) -> Any:
        try:
            return _submit(camera_name(camera_id), "status")
        except OrvaultError:
            return None

    def _status(self, camera_id: str, reference: Any) -> CameraStatus:
        try:
            if reference is not None:
                return cast("CameraStatus", _wait(camera_name(camera_id), reference, CALL_S))
        except OrvaultError as error:
            return CameraStatus(camera_id, "lost", str(error), None, 0, None)
        return CameraStatus(camera_id, "lost", "its actor is not running", None, 0, None)


class KeysHandle:
    """`actors.keys.KeyActor`."""

    def create(self, case_id: str) -> PublicKey:
        """The public half of a case's key."""
        return cast("PublicKey", call(KEYS, "create", case_id))

    def open_for_render(self, request_id: str, records: Sequence[SegmentLike]) -> list[bytes]:
        """Segment keys on a render grant."""
        return cast("list[bytes]", call(KEYS, "open_for_render", request_id, records))

    def unlock(self, passphrase: str) -> None:
        """Open the key store."""
        call(KEYS, "unlock", passphrase)

    def unlocked(self) -> bool:
        """Whether it is open."""
        return cast("bool", call(KEYS, "unlocked"))


class ExportHandle:
    """`actors.export.ExportActor`."""

    def wake(self) -> None:
        """Look for approved work; an export actor that is away looks by itself when it is back."""
        try:
            _submit(EXPORT, "wake")
        except OrvaultError as error:
            if error.kind is not ErrorKind.UNAVAILABLE:
                raise


@dataclass(frozen=True)
class _DetectionAnswer:
    name: str
    reference: Any

    def result(self) -> list[FrameDetections]:
        return cast("list[FrameDetections]", _wait(self.name, self.reference, DETECT_S))


class DetectionHandle:
    """The detection actors, in turn."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._turn = 0

    def width(self) -> int:
        """How many fragments they work on at once."""
        return self._count

    def detect(self, fragment: bytes) -> Answer:
        """Begin detecting in one clear fragment, on the next actor."""
        name = detection_name(self._turn % self._count)
        self._turn += 1
        return _DetectionAnswer(name, _submit(name, "detect", fragment))

    def providers(self) -> list[str]:
        """What each of them runs on."""
        names = [detection_name(index) for index in range(self._count)]
        return [cast("str", call(name, "provider", timeout_s=START_S)) for name in names]


class MediaHandle:
    """`actors.media.MediaActor`."""

    def address(self) -> str:
        """HOST:PORT of the byte server."""
        return cast("str", call(MEDIA, "address", timeout_s=START_S))
