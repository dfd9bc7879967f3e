"""Keys of machines: what is kept of one, and how one is made and known again. Pure.

A key is a session of the method key with a long life: it is listed, ended and over like every other.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from orvault.clock import US_PER_S
from orvault.custody.session import Session
from orvault.errors import ErrorKind, OrvaultError

PREFIX = "orv_"  # by this scanners find a key in a file where it does not belong
LONGEST_US = 366 * 86_400 * US_PER_S  # a year, leap years too
USE_NOTED_US = 60 * US_PER_S  # a use is written down at most so often
USE_TOLD_US = 86_400 * US_PER_S  # and told in history so often, or when it comes from elsewhere
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as the ledger keeps it: its digest, what it is for, and when and from where it was used."""

    session: Session
    digest: str = field(repr=False)
    name: str
    used_us: int | None = None
    used_from: str = ""

    def use_noted(self, now_us: int, client: str) -> bool:
        """Whether a use now, from there, is as good as written down."""
        return self.used_us is not None and now_us < self.used_us + USE_NOTED_US and client == self.used_from

    def use_told(self, now_us: int, client: str) -> bool:
        """Whether history knows of a use like this one: on this day (UTC), from there."""
        return (
            self.used_us is not None
            and now_us // USE_TOLD_US == self.used_us // USE_TOLD_US
            and client == self.used_from
        )


class ApiKeyRows(Protocol):
    """Keys that are not over, or were a moment ago."""

    def add(self, key: ApiKey) -> None:
        """Insert one; its session is there."""
        ...

    def by_digest(self, digest: str) -> ApiKey | None: ...
    def open_of(self, account_id: str, now_us: int) -> Sequence[ApiKey]:
        """Those of the account that are open, the oldest first."""
        ...

    def note_use(self, session_id: str, at_us: int, client: str) -> None: ...


def new_key() -> str:
    """A fresh one, of 256 random bits."""
    return PREFIX + secrets.token_urlsafe(_KEY_BYTES)


def is_key(token: str) -> bool:
    """Whether a bearer token is meant as a key."""
    return token.startswith(PREFIX)


def digest_of(key: str) -> str:
    """SHA-256 (hex) by which the ledger knows a key: with so many random bits nobody tries them out."""
    return hashlib.sha256(f"orvault key/1\0{key}".encode("utf-8", "replace")).hexdigest()


def check_expiry(expires_us: int, now_us: int) -> int:
    """When a key is over. BAD_REQUEST for a time that is past, or more than a year away."""
    if now_us < expires_us <= now_us + LONGEST_US:
        return expires_us
    message = "A key ends in the future, and within a year."
    advice = "Make the next one before this one ends: both work meanwhile."
    raise OrvaultError(ErrorKind.BAD_REQUEST, message, where="expires_at", advice=advice)
