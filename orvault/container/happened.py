"""What a package tells of the events in the room: what happened when, and by which means; never by whom.

Which acts of history become events is custody's. Source: docs/format/package-v1.md, 4.5.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter

from orvault.container.canonical import Fields

MAX_EVENTS = 10_000
_KIND = re.compile(r"[a-z][a-z-]{0,31}")


class EventKind(StrEnum):
    """What is written; a reader takes other kinds too, which later writers may know."""

    CASE_ARMED = "case-armed"
    CASE_CLOSED = "case-closed"
    START_SIGNAL = "start-signal"
    STOP_SIGNAL = "stop-signal"
    STOP_LAPSED = "stop-lapsed"
    RECORDING_STARTED = "recording-started"
    RECORDING_STOPPED = "recording-stopped"
    RECORDING_LATE = "recording-late"
    RECORDING_START_FAILED = "recording-start-failed"
    CAMERA_LOST = "camera-lost"
    CAMERA_BACK = "camera-back"
    PICTURES_DAMAGED = "pictures-damaged"
    MASK_SET = "mask-set"
    MASK_LIFTED = "mask-lifted"


class Means(StrEnum):
    """By what somebody brought an event about; `ACCOUNT`: a person at a screen, or a machine."""

    GESTURE = "gesture"
    PEDAL = "pedal"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True)
class Happened:
    """One event (UTC microseconds); without a camera it is the room's, without means nobody's, or nobody knows."""

    at_us: int
    kind: str
    camera_id: str | None = None
    by: Means | None = None

    def to_json(self) -> dict[str, object]:
        """Canonical JSON fields."""
        by = {} if self.by is None else {"by": self.by.value}
        camera = {} if self.camera_id is None else {"camera_id": self.camera_id}
        return {"at_us": self.at_us, "kind": str(self.kind), **by, **camera}

    @classmethod
    def read(cls, fields: Fields) -> Happened:
        """Check every field; raises with the kind of `fields`."""
        at_us, kind = fields.integer("at_us"), fields.text("kind", 32)
        if not _KIND.fullmatch(kind):
            raise fields.fail("kind", "is not 1 to 32 small letters and '-'")
        camera_id = fields.identifier("camera_id") if fields.has("camera_id") else None
        by = fields.text("by", 32) if fields.has("by") else None
        if by not in {None, *Means}:
            raise fields.fail("by", f"is none of {', '.join(Means)}")
        fields.end()
        return cls(at_us, kind, camera_id, None if by is None else Means(by))


def in_order(events: Iterable[Happened]) -> tuple[Happened, ...]:
    """By their times, and no more than a package tells."""
    return tuple(sorted(events, key=attrgetter("at_us"))[:MAX_EVENTS])


def read_events(fields: Fields, name: str) -> tuple[Happened, ...]:
    """The list of them, in order of time; raises with the kind of `fields`."""
    where = f"{fields.where}, {name}"
    found = tuple(
        Happened.read(Fields(item, where, fields.kind)) for item in fields.items(name, 1, MAX_EVENTS)
    )
    if any(one.at_us > other.at_us for one, other in itertools.pairwise(found)):
        raise fields.fail(name, "is not in order of time")
    return found
