"""How a case came to be recorded, or not: who asked when, on which paper; or the lawful reason for a refusal.

Medical Service Act art. 38-2 (2): a request is refused for listed reasons only, and the record is kept for 3 years.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from orvault.clock import US_PER_S
from orvault.errors import ErrorKind, OrvaultError

KEPT_US = 3 * 366 * 24 * 3600 * US_PER_S  # three years, never shorter for a leap day
_SHA256 = re.compile(r"[0-9a-f]{64}")


class AskedBy(StrEnum):
    """Who asked for the recording, or agreed to it."""

    PATIENT = "patient"
    GUARDIAN = "guardian"


class RefusalReason(StrEnum):
    """The reasons for which a recording may be refused."""

    EMERGENCY = "emergency"
    GRAVE_CONDITION = (
        "grave-condition"  # active measures against a danger to life, or the specialist disease group
    )
    TRAINING = "training"  # it would much harm the training of residents
    TOO_LATE = "too-late"  # asked for when it could technically not be done any more


@dataclass(frozen=True, slots=True)
class Intake:
    """A recording request: who asked, when (UTC microseconds), and the SHA-256 of the signed form."""

    asked_by: AskedBy
    asked_us: int
    document_sha256: str

    def checked(self, now_us: int) -> Intake:
        """BAD_REQUEST for a time to come or a digest that is none."""
        if not _SHA256.fullmatch(self.document_sha256):
            message = "A recording request names the SHA-256 of its form: 64 digits, 0-9 and a-f."
            raise OrvaultError(ErrorKind.BAD_REQUEST, message, where="asked.document_sha256")
        if not 0 <= self.asked_us <= now_us:
            raise OrvaultError(ErrorKind.BAD_REQUEST, "It was asked for after now.", where="asked.at")
        return self


@dataclass(frozen=True, slots=True)
class Refusal:
    """That a case is not recorded although it was asked for, and why."""

    reason: RefusalReason
    note: str
    by: str
    at_us: int

    @property
    def kept_until_us(self) -> int:
        """Until when the record must be kept."""
        return self.at_us + KEPT_US
