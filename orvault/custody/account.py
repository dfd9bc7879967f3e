"""Accounts and sign-in sessions as values, and the rules for names and for repeated failures.

Password hashing is in `passwords`; what an account may do is in `access`.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from orvault.clock import US_PER_S
from orvault.errors import ErrorKind, OrvaultError

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._@-]{1,62})[a-z0-9]")
THROTTLE_FAILURES = 5
THROTTLE_WINDOW_US = 15 * 60 * US_PER_S
SESSION_US = 15 * 60 * US_PER_S


class Role(StrEnum):
    """What an account is for. No role includes seeing clear pictures: that takes an approved request."""

    SYSTEM_ADMINISTRATOR = "system-administrator"
    RECORDS_MANAGER = "records-manager"
    PRIVACY_OFFICER = "privacy-officer"
    CLINICAL_STAFF = "clinical-staff"
    AUDITOR = "auditor"


@dataclass(frozen=True, slots=True)
class Account:
    """One person (or machine) that can sign in; `password_phc` is an Argon2id PHC string."""

    account_id: str
    name: str
    display_name: str
    role: Role
    password_phc: str = field(repr=False)
    created_us: int
    created_by: str
    disabled_us: int | None = None

    @property
    def disabled(self) -> bool:
        """Whether signing in and every right are off."""
        return self.disabled_us is not None

    @property
    def actor(self) -> str:
        """How history names this account."""
        return f"account:{self.account_id}"


@dataclass(frozen=True, slots=True)
class Session:
    """One sign-in; the bearer token carries its id, so that ending the session ends the token."""

    session_id: str
    account_id: str
    issued_us: int
    expires_us: int
    ended_us: int | None = None


def clean_name(text: str) -> str:
    """The one spelling under which an account name is kept and compared; anything, valid or not, has one."""
    return unicodedata.normalize("NFKC", text).strip().casefold()


def check_name(text: str) -> str:
    """The cleaned account name; BAD_REQUEST when it is not 3-64 of a-z 0-9 . _ @ -."""
    name = clean_name(text)
    if not _NAME.fullmatch(name):
        raise OrvaultError(
            ErrorKind.BAD_REQUEST,
            "The account name is not usable.",
            where="name",
            advice="Use 3 to 64 of the characters a-z 0-9 . _ @ -, with a letter or digit first and last.",
        )
    return name


def name_key(text: str) -> str:
    """What failed sign-ins are counted under: a digest, because people type passwords into the name field."""
    return hashlib.sha256(b"orvault sign-in name\0" + clean_name(text).encode()).hexdigest()


class ThrottledError(OrvaultError):
    """TOO_MANY_ATTEMPTS, with the time until the next attempt is looked at."""

    def __init__(
        self, kind: ErrorKind, message: str, *, where: str = "", advice: str = "", retry_after_s: int = 0
    ) -> None:
        super().__init__(kind, message, where=where, advice=advice)
        self.retry_after_s = retry_after_s

    def __reduce__(self) -> tuple[object, ...]:
        return (*super().__reduce__(), {"retry_after_s": self.retry_after_s})


def check_throttle(failures_us: Sequence[int], now_us: int) -> None:
    """Raise ThrottledError when 5 of these failure times (UTC microseconds) lie in the last 15 minutes."""
    recent = sorted(at for at in failures_us if at > now_us - THROTTLE_WINDOW_US)
    if len(recent) < THROTTLE_FAILURES:
        return
    free_us = recent[-THROTTLE_FAILURES] + THROTTLE_WINDOW_US
    wait_s = max(1, -(-(free_us - now_us) // US_PER_S))
    raise ThrottledError(
        ErrorKind.TOO_MANY_ATTEMPTS,
        "Too many failed sign-ins for this account name.",
        advice=f"Try again in {wait_s} seconds.",
        retry_after_s=wait_s,
    )
