"""How far an account reaches: scopes (the site, a department, an operating room, a camera, each for a time), places,
and what of them holds at a moment.

What an account may do there is its role's, and `access.may` decides both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from orvault.custody.text import clean_text, show_time
from orvault.errors import ErrorKind, OrvaultError

MAX_SCOPES = 50
_LONGEST_NAME = 128


class ScopeKind(StrEnum):
    """What a scope names. Each reaches what lies within: a department its rooms, a room its cameras and cases."""

    SITE = "site"
    DEPARTMENT = "department"
    ROOM = "room"
    CAMERA = "camera"  # its pictures and recordings, not the cases of its room


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object is, and when it is asked for (UTC microseconds). Without a room it is the site as a whole.

    `camera_id` "" is the room as a whole: a case, its participants, an export of it.
    """

    at_us: int
    room: str = ""
    camera_id: str = ""
    department: str = ""

    @property
    def words(self) -> str:
        """The place, for a person."""
        if self.camera_id:
            return f"the camera {self.camera_id}"
        return f"the room {self.room}" if self.room else "the whole site"


@dataclass(frozen=True, slots=True)
class Scope:
    """One part of the site that an account reaches, from when until when (UTC microseconds, end exclusive)."""

    kind: ScopeKind
    name: str = ""  # of the department or room, or the camera's id; "" for the site
    from_us: int | None = None
    until_us: int | None = None

    def holds(self, at_us: int) -> bool:
        """Whether it counts at this moment."""
        begun = self.from_us is None or self.from_us <= at_us
        return begun and (self.until_us is None or at_us < self.until_us)

    def covers(self, place: Place) -> bool:
        """Whether this place lies in it, at the place's moment."""
        if not self.holds(place.at_us):
            return False
        if self.kind is ScopeKind.SITE:
            return True
        named = {
            ScopeKind.DEPARTMENT: place.department,
            ScopeKind.ROOM: place.room,
            ScopeKind.CAMERA: place.camera_id,
        }
        return self.name != "" and named[self.kind] == self.name

    @property
    def words(self) -> str:
        """The scope in one line, as history and the command line show it."""
        parts = [self.kind.value if not self.name else f"{self.kind.value} {self.name}"]
        if self.from_us is not None:
            parts.append(f"from {show_time(self.from_us)}")
        if self.until_us is not None:
            parts.append(f"until {show_time(self.until_us)}")
        return " ".join(parts)


SITE = Scope(ScopeKind.SITE)


@dataclass(frozen=True, slots=True)
class Reach:
    """What scopes come to at a moment, for lists and counts: everything, or these rooms and these cameras."""

    site: bool = False
    rooms: frozenset[str] = frozenset()
    cameras: frozenset[str] = frozenset()

    @property
    def nothing(self) -> bool:
        """Whether no object lies in it."""
        return not (self.site or self.rooms or self.cameras)


EVERYTHING = Reach(site=True)  # for the system's own searches


def reach_of(scopes: Sequence[Scope], at_us: int, departments: Mapping[str, str]) -> Reach:
    """The reach of these scopes at this moment; `departments` names each room's. Agrees with `Scope.covers`."""
    held = [scope for scope in scopes if scope.holds(at_us)]
    if any(scope.kind is ScopeKind.SITE for scope in held):
        return EVERYTHING

    def names(kind: ScopeKind) -> frozenset[str]:
        return frozenset(scope.name for scope in held if scope.kind is kind and scope.name)

    of_departments = {room for room, name in departments.items() if name in names(ScopeKind.DEPARTMENT)}
    return Reach(False, names(ScopeKind.ROOM) | of_departments, names(ScopeKind.CAMERA))


def check_scopes(scopes: Sequence[Scope]) -> tuple[Scope, ...]:
    """The scopes, cleaned, in one order. Errors: BAD_REQUEST (a name too much or too little, times, too many)."""
    if len(scopes) > MAX_SCOPES:
        raise OrvaultError(
            ErrorKind.BAD_REQUEST, f"An account has at most {MAX_SCOPES} scopes.", where="scopes"
        )
    checked = {_checked(scope, f"scopes[{number}]") for number, scope in enumerate(scopes)}
    return tuple(sorted(checked, key=_order))


def _checked(scope: Scope, where: str) -> Scope:
    if scope.kind is ScopeKind.SITE and scope.name:
        raise OrvaultError(ErrorKind.BAD_REQUEST, "The site as a whole has no name here.", where=where)
    name = scope.name
    if scope.kind is not ScopeKind.SITE:
        name = clean_text(name, f"{where}.name", longest=_LONGEST_NAME)
    if scope.from_us is not None and scope.until_us is not None and scope.from_us >= scope.until_us:
        raise OrvaultError(ErrorKind.BAD_REQUEST, "The scope ends before it begins.", where=where)
    return Scope(scope.kind, name, scope.from_us, scope.until_us)


def _order(scope: Scope) -> tuple[str, str, int, int]:
    return (scope.kind.value, scope.name, scope.from_us or 0, scope.until_us or 0)
