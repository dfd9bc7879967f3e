"""The settings of access: which department a room belongs to, who of the staff sees live pictures, who needs a second
factor, and how long a session lasts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from orvault.clock import US_PER_S
from orvault.custody.account import Role
from orvault.custody.scope import SITE, Scope, ScopeKind
from orvault.custody.viewing import LiveRule, Showing


class RoomSettings(BaseModel):
    """What is known of a room beside its cameras."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=40, description="As the cameras name it.")
    department: str = Field(
        min_length=1, max_length=80, description="Accounts may reach all rooms of a department."
    )


class AccessSettings(BaseModel):
    """What accounts with a password here have to show."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    second_factor: frozenset[Role] = Field(
        default=frozenset(),
        description="Roles that can do nothing but enrol a second factor until they sign in with its code.",
    )
    session_minutes: int = Field(
        default=15,
        ge=5,
        le=720,
        description="So long a person stays signed in; keys of machines have their own end.",
    )

    @property
    def session_us(self) -> int:
        """How long a person's session lasts."""
        return self.session_minutes * 60 * US_PER_S

    def unlike(self, directory: frozenset[Role]) -> list[str]:
        """What differs between roles that need a second factor here and in the hospital's directory, in words."""
        ways = (
            (self.second_factor - directory, "access.second_factor", "directory.second_factor_roles"),
            (directory - self.second_factor, "directory.second_factor_roles", "access.second_factor"),
        )
        return [
            f"{', '.join(sorted(roles))}: a second factor is needed by {named}, but not by {lacking}: who signs in"
            " the other way shows none. Name the role in both, unless nobody of it comes that way."
            for roles, named, lacking in ways
            if roles
        ]


class PartSettings(BaseModel):
    """A part of the site: one of the three, or none for all of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    department: str = Field(default="", max_length=80, description="All rooms of this department.")
    room: str = Field(default="", max_length=40, description="This room.")
    camera: str = Field(default="", max_length=63, description="This camera.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(1 for name in (self.department, self.room, self.camera) if name) > 1:
            raise ValueError("name a department, a room or a camera, not several; without any it is the site")
        return self

    def scope(self) -> Scope:
        """The part as custody takes it."""
        named = {
            ScopeKind.DEPARTMENT: self.department,
            ScopeKind.ROOM: self.room,
            ScopeKind.CAMERA: self.camera,
        }
        return next((Scope(kind, name) for kind, name in named.items() if name), SITE)


class LiveSettings(PartSettings):
    """Who sees more than a mosaic live, where, while a case is armed there and the quick mask is lifted."""

    role: Role = Field(description="Accounts of this role, as far as they reach.")

    showing: Literal["people-masked", "clear"] = Field(default="clear", description="How much they see.")

    def rule(self) -> LiveRule:
        """The rule as custody takes it."""
        return LiveRule(self.role, self.scope(), Showing(self.showing))


def check_part(
    where: str, part: PartSettings, cameras: Mapping[str, tuple[str, str]], departments: Mapping[str, str]
) -> None:
    """ValueError for a part of the site that is none: misspelt, it would be nobody's.

    `cameras` gives room and node of each, `departments` that of each room that has one.
    """
    known = {
        "department": set(departments.values()),
        "room": {room for room, _ in cameras.values()} | set(departments),
        "camera": set(cameras),
    }
    for kind, names in known.items():
        name = getattr(part, kind)
        if name and name not in names:
            listed = ", ".join(sorted(names)) or "none"
            raise ValueError(f"{where}: there is no {kind} {name!r}; known: {listed}")
