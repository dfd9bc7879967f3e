"""Which entries of history a package tells of as events, and how little it says of them. Pure.

Names, accounts, devices and reasons stay in the hospital: a reason is what somebody typed, and may name anybody.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from types import MappingProxyType

from orvault.clock import US_PER_S
from orvault.container.happened import EventKind, Happened, Means, in_order
from orvault.custody.control import SignalKind, SignalSource
from orvault.custody.history import Act, Entry
from orvault.custody.rows import UnitOfWork
from orvault.custody.wish import Wish

LATE_US = 3600 * US_PER_S  # an act is written down so long after it at most, also where a clock was set
SITE = "site"
_KINDS: Mapping[str, EventKind] = MappingProxyType(
    {
        Act.CASE_ARMED: EventKind.CASE_ARMED,
        Act.CASE_CLOSED: EventKind.CASE_CLOSED,
        Act.SIGNAL_LAPSED: EventKind.STOP_LAPSED,
        Act.RECORDING_STARTED: EventKind.RECORDING_STARTED,
        Act.RECORDING_STOP_ORDERED: EventKind.RECORDING_STOPPED,
        Act.RECORDING_LATE: EventKind.RECORDING_LATE,
        Act.RECORDING_START_FAILED: EventKind.RECORDING_START_FAILED,
        Act.CAMERA_LOST: EventKind.CAMERA_LOST,
        Act.CAMERA_BACK: EventKind.CAMERA_BACK,
        Act.MASK_SET: EventKind.MASK_SET,
        Act.MASK_LIFTED: EventKind.MASK_LIFTED,
    }
)
_SIGNALS = {SignalKind.START: EventKind.START_SIGNAL, SignalKind.STOP: EventKind.STOP_SIGNAL}
_SOURCES = {
    SignalSource.GESTURE: Means.GESTURE,
    SignalSource.PEDAL: Means.PEDAL,
    SignalSource.PERSON: Means.ACCOUNT,
}


def events_for(uow: UnitOfWork, wish: Wish) -> tuple[Happened, ...]:
    """What a package of this request tells: of its case and cameras, in its period."""
    begin, end = uow.history.seq_at(wish.from_us - LATE_US), uow.history.seq_at(wish.to_us + LATE_US)
    cameras = [f"{about}:{camera}" for camera in wish.camera_ids for about in ("camera", "recorder")]
    subjects = [f"case:{wish.case_id}", *cameras, SITE]
    entries = [entry for subject in subjects for entry in uow.history.span(subject, begin, end)]
    return told_events(entries, wish.camera_ids, wish.from_us, wish.to_us)


def told_events(
    entries: Iterable[Entry], camera_ids: Sequence[str], from_us: int, to_us: int
) -> tuple[Happened, ...]:
    """Those of the entries that are told, by time; the first of them where there are more than a package may name."""
    means: dict[str, Means] = {}  # by which a device gives its signals
    found = []
    for entry in sorted(entries, key=attrgetter("seq")):
        event = _told(entry, means)
        if event is not None and from_us <= event.at_us <= to_us and event.camera_id in {None, *camera_ids}:
            found.append(event)
    return in_order(found)


def _told(entry: Entry, means: dict[str, Means]) -> Happened | None:
    if entry.act == Act.SIGNAL_HEARD:
        return _signal(entry, means)
    kind = _KINDS.get(entry.act)
    if kind is None:
        return None
    about, _, name = entry.subject.partition(":")
    camera_id = name if about in {"camera", "recorder"} else json.loads(entry.detail).get("camera")
    actor, _, device = entry.actor.partition(":")
    by = Means.ACCOUNT if actor == "account" else means.get(device) if actor == "device" else None
    return Happened(entry.at_us, kind, camera_id, by)


def _signal(entry: Entry, means: dict[str, Means]) -> Happened | None:
    """A signal that was heard; when it was given, not when it arrived."""
    detail = json.loads(entry.detail)
    source = _SOURCES[detail["source"]]
    means[detail["device"]] = source
    if not detail["accepted"]:
        return None
    return Happened(min(detail["at_us"], entry.at_us), _SIGNALS[detail["kind"]], None, source)
