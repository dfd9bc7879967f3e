"""What custody needs of the services around it (recorders, keys, export workers), as protocols with their values.

The actors and the tests implement them. What it needs of the ledger is in `rows`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from orvault.container.keys import PublicKey


@dataclass(frozen=True, slots=True)
class CameraInfo:
    """One camera as the settings name it; `codec` is known once it was seen.

    One that the settings named once has no room: its recordings can be asked for, and nothing else is done with it.
    """

    camera_id: str
    title: str
    room: str
    node_id: str
    codec: str | None = None

    @property
    def removed(self) -> bool:
        """Whether the settings name it no more."""
        return not self.room


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """What a camera does now; `state` is idle, recording, unreachable or another word of the recorder's (OPERATIONS,
    "When a camera fails").
    """

    camera_id: str
    state: str
    detail: str = ""
    run_id: str | None = None
    segments: int = 0
    last_segment_us: int | None = None


class TroubleKind(StrEnum):
    """What may be wrong with the pedal and the gestures of a room; `custody.desks.alarms` words it for staff."""

    PEDAL_LOST = "pedal-lost"
    GESTURES_BLIND = "gestures-blind"  # no picture comes
    GESTURES_FAILING = "gestures-failing"  # pictures come, and nobody can judge them
    TRIGGERS_LOST = "triggers-lost"  # neither answers


@dataclass(frozen=True, slots=True)
class Trouble:
    """A trigger that hears nothing; `device` names the pedal or the camera, `detail` says why."""

    kind: TroubleKind
    device: str
    since_us: int
    detail: str


@dataclass(frozen=True, slots=True)
class TriggerReport:
    """How the pedal and the gestures of a room do."""

    room: str
    troubles: tuple[Trouble, ...] = ()


@dataclass(frozen=True, slots=True)
class StartOrder:
    """What a recorder is told at a start; field for field `orvault.recording.recorder.RecordingOrder`."""

    run_id: str
    case_id: str
    camera_id: str
    case_key: PublicKey
    epoch: int
    started_us: int


@dataclass(frozen=True, slots=True)
class ArmOrder:
    """What a recorder is told while a case is armed: it may keep its last seconds, none from before `since_us`."""

    case_id: str
    camera_id: str
    since_us: int


class Recorders(Protocol):
    """The cameras' recorders, told from several threads at once. All acts are idempotent.

    A recorder out of reach raises CAMERA_UNREACHABLE.
    """

    def start(self, order: StartOrder) -> None:
        """Record under this run until told to stop."""
        ...

    def stop(self, camera_id: str, run_id: str) -> None:
        """Stop this run; one that is not running is left as it is."""
        ...

    def arm(self, order: ArmOrder) -> None:
        """Keep the last seconds in memory, for a start of this case; lapses soon unless it is repeated."""
        ...

    def disarm(self, camera_id: str, case_id: str) -> None:
        """Forget what was kept for this case."""
        ...

    def statuses(self) -> Sequence[CameraStatus]:
        """What each camera does now; one that does not answer may be left out."""
        ...


class CaseKeys(Protocol):
    """The key service's public side."""

    def create(self, case_id: str) -> PublicKey:
        """The public half of the case's key, made at the first call."""
        ...


class Renderers(Protocol):
    """The export workers."""

    def wake(self) -> None:
        """There may be work: ask `claim_render`. Losing this call only delays the work."""
        ...


class Viewers(Protocol):
    """Whoever shows pictures now."""

    def switched(self) -> None:
        """The quick mask changed: ask `views_now`. Losing this call delays it until they ask by themselves."""
        ...


class NoViewers:
    """Nobody shows pictures."""

    def switched(self) -> None:
        """Nobody has to be told."""
