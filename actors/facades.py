"""Typed faces of the actors: what the rest of the system calls.

Each is a plain, picklable object that finds its actor by name at each call, so that it outlives restarts.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from actors import handover
from actors.handles import CALL_S, call, submit, wait
from orvault.clock import SystemClock
from orvault.container.gap import Gap
from orvault.container.keys import KeySlot, PublicKey
from orvault.container.segment import SealedContent
from orvault.custody.ports import (
    ArmOrder,
    CameraStatus,
    StartOrder,
    TriggerReport,
    Trouble,
    TroubleKind,
)
from orvault.custody.recorded import SegmentLike
from orvault.custody.viewing import Showing
from orvault.errors import OrvaultError
from orvault.recording.recorder import RecordingOrder
from orvault.recording.records import SegmentRecord, Tail

if TYPE_CHECKING:
    # Every actor's process loads this module: it must not load the vision libraries with it.
    from actors.outbox import Indexed
    from orvault.custody.control import Signal
    from orvault.custody.service import Alarm, SignalOutcome
    from orvault.marks.keys import MarkKey
    from orvault.recording.destroying import Erased
    from orvault.recording.unconfirmed import Landmark

INDEX, KEYS, CONTROL, NOTICES, EXPORT, MEDIA = "index", "keys", "control", "notices", "export", "media"
VIEWING, WITNESSING, RETENTION = "viewing", "witnessing", "retention"
ARM_S = 3.0  # nobody is to wait for it: it is told again
ERASE_S = 600.0  # hours of several cameras are tens of thousands of files
STOP_S = 60.0  # stopping waits until the last fragment is on disk


def camera_name(camera_id: str) -> str:
    """The actor's name of a camera."""
    return f"camera:{camera_id}"


def encryption_name(node: str) -> str:
    """The actor's name of a node's encryption."""
    return f"encryption:{node}"


def trigger_name(room: str) -> str:
    """The actor's name of a room's triggers."""
    return f"trigger:{room}"


def detection_name(index: int) -> str:
    """The actor's name of one detection actor."""
    return f"detection:{index}"


def _begin(name: str, method: str) -> Any:
    """A call that has begun; None where there is nobody to call."""
    try:
        return submit(name, method)
    except OrvaultError:
        return None


class IndexHandle:
    """`actors.index.IndexActor`."""

    def index(self, records: Sequence[SegmentRecord]) -> Indexed:
        """Write segment rows."""
        return cast("Indexed", call(INDEX, "index", records))

    def gap(self, gap: Gap) -> Landmark:
        """Write a gap."""
        return cast("Landmark", call(INDEX, "gap", gap))

    def knows(self, landmark: Landmark) -> bool:
        """Whether history has this entry."""
        return cast("bool", call(INDEX, "knows", landmark))


@dataclass(frozen=True)
class EncryptionHandle:
    """`actors.encryption.EncryptionActor` of one node."""

    node: str

    def keep(self, content: SealedContent, previous: str, claim: int) -> SegmentRecord:
        """Sign a sealed content and make it durable; only for cameras of the same node."""
        name, bare = encryption_name(self.node), replace(content, ciphertext=b"")
        with handover.offered(content.ciphertext) as place:
            return cast("SegmentRecord", call(name, "keep_offered", bare, place, previous, claim))

    def tail(self, case_id: str, camera_id: str, run_id: str, claim: int) -> Tail:
        """Where a run stands."""
        return cast("Tail", call(encryption_name(self.node), "tail", case_id, camera_id, run_id, claim))

    def record_gap(self, gap: Gap, claim: int) -> None:
        """Make a gap durable."""
        call(encryption_name(self.node), "record_gap", gap, claim)


class SegmentsHandle:
    """Reads sealed segments from the node that recorded them."""

    def read(self, node_id: str, path: str) -> bytes:
        """The sealed bytes."""
        return cast("bytes", call(encryption_name(node_id), "read", path))

    def replace_slots(self, node_id: str, path: str, slots: Sequence[KeySlot]) -> None:
        """Give a segment re-wrapped key slots."""
        call(encryption_name(node_id), "replace_slots", path, slots)

    def waiting(self, node_id: str) -> int:
        """Records of a node that the ledger has not confirmed yet."""
        return cast("int", call(encryption_name(node_id), "waiting"))

    def stored_cases(self, node_id: str) -> list[str]:
        """Cases of which anything lies on a node's disk."""
        return cast("list[str]", call(encryption_name(node_id), "stored_cases"))

    def destroy_case(self, node_id: str, case_id: str, epoch: int) -> Erased:
        """Remove everything of a destroyed case from a node's disk."""
        name = encryption_name(node_id)
        return cast("Erased", call(name, "destroy_case", case_id, epoch, timeout_s=ERASE_S))


@dataclass(frozen=True)
class CamerasHandle:
    """The camera actors: what the custody service starts and stops."""

    camera_ids: tuple[str, ...]

    def start(self, order: StartOrder) -> None:
        """Begin recording."""
        told = RecordingOrder(
            order.run_id, order.case_id, order.camera_id, order.case_key, order.epoch, order.started_us
        )
        call(camera_name(order.camera_id), "start", told)

    def stop(self, camera_id: str, run_id: str) -> None:
        """End recording; returns when the last fragment is durable."""
        call(camera_name(camera_id), "stop", run_id, timeout_s=STOP_S)

    def arm(self, order: ArmOrder) -> None:
        """Keep the seconds before a start."""
        call(camera_name(order.camera_id), "arm", order, timeout_s=ARM_S)

    def disarm(self, camera_id: str, case_id: str) -> None:
        """Forget them."""
        call(camera_name(camera_id), "disarm", case_id, timeout_s=ARM_S)

    def statuses(self) -> list[CameraStatus]:
        """Each camera's state now; asked all at once, and waited for no longer than for one."""
        since = time.monotonic()
        asked = [(camera_id, _begin(camera_name(camera_id), "status")) for camera_id in self.camera_ids]
        return [self._status(camera_id, reference, since) for camera_id, reference in asked]

    def _status(self, camera_id: str, reference: Any, since: float) -> CameraStatus:
        try:
            if reference is not None:
                return cast("CameraStatus", wait(camera_name(camera_id), reference, CALL_S, since))
        except OrvaultError as error:
            return CameraStatus(camera_id, "lost", error.outside_words, None, 0, None)
        return CameraStatus(camera_id, "lost", "its actor is not running", None, 0, None)


class KeysHandle:
    """`actors.keys.KeyActor`."""

    def create(self, case_id: str) -> PublicKey:
        """The public half of a case's key."""
        return cast("PublicKey", call(KEYS, "create", case_id))

    def open_for_render(self, request_id: str, records: Sequence[SegmentLike]) -> list[bytes]:
        """Segment keys on a render grant."""
        return cast("list[bytes]", call(KEYS, "open_for_render", request_id, records))

    def mark_keys(self, request_id: str, camera_id: str, copy_ids: Sequence[str]) -> list[MarkKey]:
        """What marks one camera's pictures in copies of a request that is being rendered."""
        return cast("list[MarkKey]", call(KEYS, "mark_keys", request_id, camera_id, copy_ids))

    def open_for_view(self, view_id: str, records: Sequence[SegmentLike]) -> tuple[Showing, list[bytes]]:
        """How much a view may show, and segment keys for it."""
        return cast("tuple[Showing, list[bytes]]", call(KEYS, "open_for_view", view_id, records))

    def open_for_result(self, view_id: str, made_by: str, records: Sequence[SegmentLike]) -> bytes:
        """What opens a piece of a masked result."""
        return cast("bytes", call(KEYS, "open_for_result", view_id, made_by, records))

    def unlock(self, passphrase: str) -> None:
        """Open the key store."""
        call(KEYS, "unlock", passphrase)

    def rotate(self, passphrase: str | None) -> int:
        """A new KEK, and a new passphrase if one is given; the store's generation."""
        return cast("int", call(KEYS, "rotate", passphrase))

    def destroy_case_key(self, case_id: str) -> None:
        """Destroy a case's key for good."""
        call(KEYS, "destroy_case_key", case_id)

    def unlocked(self) -> bool:
        """Whether it is open."""
        return cast("bool", call(KEYS, "unlocked"))

    def locked_because(self) -> str:
        """Why it did not open by itself at its last start; empty where there is nothing to say."""
        return cast("str", call(KEYS, "locked_because"))


class ControlHandle:
    """`actors.control.ControlActor`: where a room's gestures and pedals send their signals."""

    def signal(self, signal: Signal) -> SignalOutcome:
        """Hear a signal and order the recorders. Errors: UNAVAILABLE; then send the same one again, id and all."""
        return cast("SignalOutcome", call(CONTROL, "signal", signal))

    def records(self, room: str) -> bool:
        """Whether the room records now."""
        return cast("bool", call(CONTROL, "records", room))

    def alarms(self) -> tuple[Alarm, ...]:
        """What was wrong in the rooms when it last looked."""
        return cast("tuple[Alarm, ...]", call(CONTROL, "alarms"))


@dataclass(frozen=True)
class TriggersHandle:
    """`actors.trigger.TriggerActor` of each room that has one."""

    rooms: tuple[str, ...]

    def statuses(self) -> list[TriggerReport]:
        """How each room's pedal and gestures do; asked all at once, and waited for no longer than for one."""
        since = time.monotonic()
        asked = [(room, _begin(trigger_name(room), "status")) for room in self.rooms]
        return [self._report(room, reference, since) for room, reference in asked]

    def _report(self, room: str, reference: Any, since: float) -> TriggerReport:
        detail = "Their actor is not running."
        try:
            if reference is not None:
                return cast("TriggerReport", wait(trigger_name(room), reference, CALL_S, since))
        except OrvaultError as error:
            detail = error.outside_words
        now_us = SystemClock().now_us()
        return TriggerReport(room, (Trouble(TroubleKind.TRIGGERS_LOST, "", now_us, detail),))
