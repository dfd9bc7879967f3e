"""On-line activation: what a request asks for, what a site allows, and what is kept for each package.

The hospital's halves of packages' keys are sealed here and opened here; who is answered is the activation desk's.
Source: docs/format/package-v1.md section 6, docs/adr/0037.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from orvault.clock import US_PER_S
from orvault.custody.site_secret import SiteSecret, absent
from orvault.errors import ErrorKind, OrvaultError

MOST_PLAYS = 10_000


class ActivationMode(StrEnum):
    """What a site lets requests choose."""

    NEVER = "never"
    OFFERED = "offered"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class ActivationWish:
    """Whether every copy asks the hospital before it opens, and how often each may; None: any number of times."""

    wanted: bool = False
    plays: int | None = None

    def checked(self) -> ActivationWish:
        """BAD_REQUEST for a number of plays that is none, or that nobody counts."""
        if self.plays is not None and not (self.wanted and 1 <= self.plays <= MOST_PLAYS):
            message = (
                f"A copy that is activated may be opened 1 to {MOST_PLAYS} times, or any number of times."
            )
            raise OrvaultError(ErrorKind.BAD_REQUEST, message, where="activation.plays")
        return self

    def summary(self) -> str:
        """In words, as history tells of it."""
        if not self.wanted:
            return "none"
        return "any number of plays" if self.plays is None else f"{self.plays} plays of each copy"


OFF_LINE = ActivationWish()


@dataclass(frozen=True, slots=True)
class ActivationPolicy:
    """A site's rules: whether packages ask, how often a copy may be opened at most (None: any number), and how many
    hours each activation lasts.
    """

    mode: ActivationMode = ActivationMode.NEVER
    plays: int | None = None
    hours: int = 12

    def broken_rules(self, wish: ActivationWish) -> Mapping[str, str]:
        """The names of the rules that this choice breaks, each with what is allowed."""
        if not wish.wanted:
            needed = self.mode is ActivationMode.ALWAYS
            return {"mode": "packages that are activated on line"} if needed else {}
        if self.mode is ActivationMode.NEVER:
            return {"mode": "packages that open off line"}
        if self.plays is not None and (wish.plays is None or wish.plays > self.plays):
            return {"plays": f"at most {self.plays} plays"}
        return {}

    def until_us(self, now_us: int, valid_until_us: int) -> int:
        """When what is lent now ends."""
        return min(now_us + self.hours * 3600 * US_PER_S, valid_until_us)


@dataclass(frozen=True, slots=True)
class PackageShare:
    """The hospital's half of one package's key, sealed; None once it was deleted, for ever.

    `proof_key` (hex) tells a holder of the recipients' half; `plays` None: any number; `used` counts activations.
    """

    package_id: str
    request_id: str
    sealed: str | None
    proof_key: str = field(repr=False)
    plays: int | None
    used: int = 0

    @property
    def plays_left(self) -> int | None:
        """How often it may still be opened."""
        return None if self.plays is None else max(0, self.plays - self.used)


@dataclass(frozen=True, slots=True)
class Play:
    """One activation that was counted: which question, when, and until when its answer holds."""

    package_id: str
    request_digest: str
    at_us: int
    until_us: int
    plays_left: int | None


class ActivationRows(Protocol):
    """Shares of packages, and the plays that were counted."""

    def put(self, share: PackageShare) -> None:
        """Keep a package's share in place of one that was made before it, whose package is no more."""
        ...

    def get(self, package_id: str) -> PackageShare | None: ...
    def of_request(self, request_id: str) -> Sequence[PackageShare]: ...
    def add_play(self, play: Play) -> None:
        """Count one."""
        ...

    def play(self, package_id: str, request_digest: str) -> Play | None: ...
    def drop_shares(self, request_id: str) -> int:
        """Delete the halves of a request's packages; how many there were. What was counted stays."""
        ...


def drop_shares(rows: ActivationRows, *request_ids: str) -> dict[str, object]:
    """Delete the hospital's halves of requests' packages, and what history is told of it: none opens any more."""
    dropped = sum(rows.drop_shares(each) for each in request_ids)
    return {"activation_shares_deleted": dropped} if dropped else {}


class ActivationKey:
    """Seals shares; `load` reads the site's 32-byte secret at each use. Errors of all acts: BAD_SETTINGS."""

    def __init__(self, load: Callable[[], bytes]) -> None:
        self._secret = SiteSecret(load, "orvault activation/1", "activation share")

    def check(self) -> None:
        """Whether there is a usable secret."""
        self._secret.derived("seal")

    def seal(self, share: bytes, package_id: str) -> str:
        """The share of this package."""
        return self._secret.seal(base64.b64encode(share).decode(), package_id)

    def open(self, sealed: str, package_id: str) -> bytes:
        """The share. ALTERED: sealed for another package, with another secret, or changed."""
        return base64.b64decode(self._secret.open(sealed, package_id, f"package {package_id}"))


NO_ACTIVATION = ActivationKey(absent("activation"))
