"""What a recording line works off, and what it needs of the encryption actor: fragments and orders, in one queue."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from orvault.container.gap import Gap
from orvault.container.segment import SealedContent
from orvault.recording.recorder import RecordingOrder
from orvault.recording.records import SegmentRecord, Tail
from orvault.video.gop import Fragment


class Keeper(Protocol):
    """The encryption actor of the same node: signs what was sealed here, and keeps it.

    `claim` tells the selves of a camera apart: the newer one's is greater. Once a newer one was heard, CONFLICT.
    """

    def keep(self, content: SealedContent, previous: str, claim: int) -> SegmentRecord:
        """Sign and make durable. Errors: UNAVAILABLE (try again), STORAGE and others (this fragment is lost)."""
        ...

    def tail(self, case_id: str, camera_id: str, run_id: str, claim: int) -> Tail:
        """Where a run stands on disk."""
        ...

    def record_gap(self, gap: Gap, claim: int) -> None:
        """Make a gap durable."""
        ...


@dataclass(frozen=True)
class Cut:
    """A fragment; `reason` says why pictures before it are missing, if they are."""

    fragment: Fragment
    reason: str


@dataclass(frozen=True)
class Start:
    """Begin a run."""

    order: RecordingOrder
    done: Future[None]
    resumed: bool = False  # it lies on this node's disk already


@dataclass(frozen=True)
class Stop:
    """End a run, behind all that was cut before."""

    run_id: str
    at_us: int
    reason: str
    done: Future[None]


@dataclass(frozen=True)
class Rehearsal:
    """Go the way of a start before there is one."""

    case_id: str
