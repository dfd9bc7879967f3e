"""Sign-in sessions as values: whose, opened how and from where, until when.

What proves who somebody is, is the business of each way in (desks/sessions.py: the password); tokens are the API's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from orvault.clock import US_PER_S

SESSION_US = 15 * 60 * US_PER_S  # of people, unless the site says otherwise
ENDED_TOLD_US = 3600 * US_PER_S  # that somebody comes by one that was ended, history is told at most so often
MAX_CLIENT_CHARACTERS = 64  # of an address, as it is kept


class Method(StrEnum):
    """How an account proved that it is itself when its session was opened."""

    PASSWORD = "password"  # noqa: S105 - a method's name
    PASSWORD_AND_CODE = "password+code"  # noqa: S105
    DIRECTORY = "directory"
    KEY = "key"


@dataclass(frozen=True, slots=True)
class Session:
    """One sign-in; the bearer token carries its id, so that ending the session ends the token.

    `client` is the address that it was opened from, as far as it is known.
    """

    session_id: str
    account_id: str
    issued_us: int
    expires_us: int
    ended_us: int | None = None
    method: Method = Method.PASSWORD
    client: str = ""

    def open_at(self, now_us: int) -> bool:
        """Whether it is neither ended nor over."""
        return self.ended_us is None and now_us < self.expires_us


class SessionRows(Protocol):
    """Sessions that are open, or were a moment ago."""

    def add(self, session: Session) -> None: ...
    def get(self, session_id: str) -> Session | None: ...
    def open_of(self, account_id: str, now_us: int) -> Sequence[Session]:
        """Those of the account that are open, the oldest first."""
        ...

    def end(self, session_id: str, at_us: int) -> None: ...
    def end_all(self, account_id: str, at_us: int) -> int:
        """End every open session of the account; how many those were."""
        ...

    def drop(self, expired_before_us: int) -> None: ...
