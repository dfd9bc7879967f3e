"""What is searched for, how it is paged, and which acts of history are events; pure.

A page costs what it shows, however old the ledger is: each search reads an index from the page's beginning on. Which
index that is, is the ledger's (orvault/ledger/search.py); who may search what, the desk's.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Generic, Protocol, TypeVar

from orvault.clock import US_PER_S
from orvault.container.canonical import encode
from orvault.custody.case import Case
from orvault.custody.history import Act, Entry
from orvault.custody.recorded import StoredGap, Stretch
from orvault.custody.scope import Reach
from orvault.custody.text import MAX_TIME_US, check_range, clean_text
from orvault.errors import ErrorKind, OrvaultError

MOST_NAMES = 64  # rooms, or cameras, of one search
MOST_CASES = 50  # whose numbers begin as asked, where their recordings or events are searched
LONGEST_GAP_US = 31 * 24 * 3600 * US_PER_S  # one that lasts longer is found by its beginning
_LONGEST_NUMBER, _LONGEST_ROOM, _LONGEST_ID, _LONGEST_PLACE = 64, 128, 128, 400
_LONGEST_WORDS = 500
_LARGEST = 2**53

Item = TypeVar("Item")


class EventKind(StrEnum):
    """What kind of thing happened; `GAP` is a time in which nothing was recorded and should have been."""

    SIGNAL = "signal"
    SWITCH = "switch"
    ALARM = "alarm"
    GAP = "gap"


GAP = "gap"  # stands where an event of history has its act
KINDS: Mapping[str, EventKind] = MappingProxyType(
    {
        Act.SIGNAL_HEARD: EventKind.SIGNAL,
        Act.SIGNAL_LAPSED: EventKind.SIGNAL,
        Act.CASE_ARMED: EventKind.SWITCH,
        Act.CASE_CLOSED: EventKind.SWITCH,
        Act.RECORDING_STARTED: EventKind.SWITCH,
        Act.RECORDING_STOP_ORDERED: EventKind.SWITCH,
        Act.RECORDING_STOPPED: EventKind.SWITCH,
        Act.MASK_SET: EventKind.SWITCH,
        Act.MASK_LIFTED: EventKind.SWITCH,
        Act.RECORDING_START_FAILED: EventKind.ALARM,
        Act.RECORDING_LATE: EventKind.ALARM,
        Act.RECORDING_STRAY: EventKind.ALARM,
        Act.CAMERA_LOST: EventKind.ALARM,
        Act.CAMERA_BACK: EventKind.ALARM,
        Act.TRIGGERS_LOST: EventKind.ALARM,
        Act.TRIGGERS_BACK: EventKind.ALARM,
        Act.SEGMENTS_REFUSED: EventKind.ALARM,
        Act.GAPS_REFUSED: EventKind.ALARM,
    }
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is searched for; what is left empty narrows nothing. Times in UTC microseconds, `to_us` exclusive.

    `number` is a case's number or its beginning. `departments` become rooms before anything is read (`in_rooms_of`).
    `after` is a page's `next`, with all else as it was.
    """

    number: str = ""
    rooms: tuple[str, ...] = ()
    camera_ids: tuple[str, ...] = ()
    kinds: tuple[EventKind, ...] = ()
    from_us: int = 0
    to_us: int = MAX_TIME_US
    limit: int = 100
    after: str = ""
    departments: tuple[str, ...] = ()

    def in_rooms_of(self, departments: Mapping[str, str]) -> Wanted | None:
        """With the rooms of its departments, as the site names each room's; None where no room is left to look in."""
        if not self.departments:
            return self
        theirs = {room for room, name in departments.items() if name in self.departments}
        rooms = theirs & set(self.rooms) if self.rooms else theirs
        return replace(self, rooms=tuple(sorted(rooms)), departments=()) if rooms else None

    def checked(self) -> Wanted:
        """With texts cleaned and nothing named twice. Errors: BAD_REQUEST."""
        check_range(self.from_us, self.to_us)
        number = clean_text(self.number, "number", longest=_LONGEST_NUMBER) if self.number else ""
        return replace(
            self,
            number=number,
            rooms=_names(self.rooms, "room", _LONGEST_ROOM),
            camera_ids=_names(self.camera_ids, "camera_id", _LONGEST_ID),
            kinds=tuple(dict.fromkeys(self.kinds)),
            departments=_names(self.departments, "department", _LONGEST_ROOM),
        )

    @property
    def timed(self) -> bool:
        """Whether a period is asked for."""
        return (self.from_us, self.to_us) != (0, MAX_TIME_US)


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some of what was found, and where the rest begins; `next` is empty at the end, also where `items` is."""

    items: tuple[Item, ...]
    next: str = ""


@dataclass(frozen=True, slots=True)
class FoundRecording:
    """What a page has of one run: unbroken stretches, the newest first, and the gaps among and around them.

    A run that is on two pages goes on where it ended on the first.
    """

    run_id: str
    case_id: str
    case_number: str
    room: str
    camera_id: str
    recording: bool
    stretches: tuple[Stretch, ...]
    gaps: tuple[StoredGap, ...]


@dataclass(frozen=True, slots=True)
class FoundEvent:
    """Something that happened. `seq` is its entry in history; None for a gap, which has `until_us`."""

    kind: EventKind
    act: str
    at_us: int
    until_us: int | None
    room: str
    camera_id: str | None
    case_id: str | None
    case_number: str | None
    words: str
    seq: int | None


@dataclass(frozen=True, slots=True)
class EventFacts:
    """What an entry of history says of an event; the ledger knows the room of a case, a camera or a run."""

    kind: EventKind
    words: str
    room: str | None = None
    camera_id: str | None = None
    case_id: str | None = None
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One part of what is searched: of a camera, of a room, or of everything; `rooms` narrows a camera's further."""

    room: str | None = None
    camera_id: str | None = None
    rooms: tuple[str, ...] = ()


class SearchRows(Protocol):
    """Searches in the ledger: checked, and narrowed to what the asker may see. Parts may overlap."""

    def cases(self, wanted: Wanted, rooms: Sequence[str] | None) -> Page[Case]:
        """By number where one is asked for, else the newest first; in these rooms, or in all where it is None."""
        ...

    def case_ids(self, number: str, rooms: Sequence[str] | None, limit: int) -> Sequence[str] | None:
        """The case of this number in these rooms; without one, those that begin with it. None: too many."""
        ...

    def recordings(
        self, wanted: Wanted, parts: Sequence[Part], case_ids: Sequence[str]
    ) -> Page[FoundRecording]:
        """Of these cases, or of all where none is named and no number asked for; the newest first."""
        ...

    def events(self, wanted: Wanted, parts: Sequence[Part], case_ids: Sequence[str]) -> Page[FoundEvent]:
        """As for `recordings`."""
        ...


def rooms_of(wanted: Wanted, reach: Reach) -> tuple[str, ...] | None:
    """The rooms whose cases are searched; None: all. A scope of a camera reaches no case."""
    if reach.site:
        return wanted.rooms or None
    return tuple(sorted(reach.rooms.intersection(wanted.rooms) if wanted.rooms else reach.rooms))


def parts_of(wanted: Wanted, reach: Reach) -> tuple[Part, ...]:
    """The parts of what is asked for that lie in reach: in a room of it, or on a camera of it."""
    if reach.nothing:
        return ()
    if wanted.camera_ids:
        return tuple(part for camera in wanted.camera_ids if (part := _camera_part(camera, wanted, reach)))
    if not wanted.rooms:
        own = [Part(room=room) for room in sorted(reach.rooms)]
        own += [Part(camera_id=camera) for camera in sorted(reach.cameras)]
        return (Part(),) if reach.site else tuple(own)
    whole = tuple(room for room in wanted.rooms if reach.site or room in reach.rooms)
    others = tuple(room for room in wanted.rooms if room not in whole)
    found = [Part(room=room) for room in whole]
    if others:  # of these rooms, single cameras at most
        found += [Part(camera_id=camera, rooms=others) for camera in sorted(reach.cameras)]
    return tuple(found)


def _camera_part(camera_id: str, wanted: Wanted, reach: Reach) -> Part | None:
    if reach.site or camera_id in reach.cameras:
        return Part(camera_id=camera_id, rooms=wanted.rooms)
    rooms = rooms_of(wanted, reach)
    return Part(camera_id=camera_id, rooms=rooms) if rooms else None


def event_of(entry: Entry) -> EventFacts | None:
    """What this entry says as an event; None where it is none."""
    kind = KINDS.get(entry.act)
    if kind is None:
        return None
    detail = json.loads(entry.detail)
    about, _, name = entry.subject.partition(":")
    words = str(detail.get("why") or detail.get("reason") or detail.get("state") or "")
    if entry.act == Act.SIGNAL_HEARD:
        words = f"{detail.get('kind')} by {detail.get('source')}: {words}"
    return EventFacts(
        kind,
        words[:_LONGEST_WORDS],
        room=name if about in {"room", "triggers"} else None,
        camera_id=name if about in {"camera", "recorder"} else detail.get("camera"),
        case_id=name if about == "case" else None,
        run_id=name if about == "run" else None,
    )


def place_text(*parts: int | str) -> str:
    """Where the next page begins, as text that nobody has to read."""
    return base64.urlsafe_b64encode(encode({"at": list(parts)})).decode().rstrip("=")


def place_parts(text: str, *kinds: type) -> tuple[int | str, ...]:
    """What `place_text` was given. Errors: BAD_REQUEST for another text."""
    try:
        if len(text) > _LONGEST_PLACE:
            raise ValueError
        found = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        parts = found["at"] if isinstance(found, dict) and set(found) == {"at"} else None
        if not isinstance(parts, list) or [type(part) for part in parts] != list(kinds):
            raise ValueError
        if any(abs(part) > _LARGEST if isinstance(part, int) else not part.encode() for part in parts):
            raise ValueError  # no database holds such a number, or half a character
    except (ValueError, binascii.Error, RecursionError) as error:
        raise OrvaultError(
            ErrorKind.BAD_REQUEST,
            "This is no place where a page of this search begins.",
            where="after",
            advice="Send the `next` of the page before, and all else as it was.",
        ) from error
    return tuple(parts)


def too_many_cases(number: str) -> OrvaultError:
    """The refusal where too many cases' numbers begin as asked."""
    return OrvaultError(
        ErrorKind.BAD_REQUEST,
        f"More than {MOST_CASES} cases have numbers that begin with {number!r}.",
        where="number",
        advice="Give more of the number, or search for the case first.",
    )


def _names(names: Sequence[str], where: str, longest: int) -> tuple[str, ...]:
    clean = tuple(dict.fromkeys(clean_text(name, where, longest=longest) for name in names))
    if len(clean) > MOST_NAMES:
        message = f"{len(clean)} are named; at most {MOST_NAMES} can be searched at once."
        raise OrvaultError(ErrorKind.BAD_REQUEST, message, where=where, advice="Name fewer, or none for all.")
    return clean
