"""Consents of the people in a picture: whose, how far, on which paper, and whether they still stand.

Whose are needed is `basis`'; the paper itself stays with the hospital, its SHA-256 stands here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum

from orvault.custody.text import clean_text
from orvault.errors import ErrorKind, OrvaultError

MAX_CONSENTS = 100
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Subject(StrEnum):
    """Whose consent it is."""

    PATIENT = "patient"
    STAFF = "staff"


class Scope(StrEnum):
    """How far a consent goes; the wider one holds the narrower."""

    MASKED = "masked"  # a copy in which everybody is masked
    CLEAR = "clear"  # also one in which people can be recognised


@dataclass(frozen=True, slots=True)
class Consent:
    """One person's consent and the paper it stands on; the desk says who took it and when (UTC microseconds)."""

    subject: Subject
    name: str
    document: str = ""
    document_sha256: str = ""
    scope: Scope = Scope.MASKED
    taken_by: str | None = None
    taken_us: int | None = None
    withdrawn_by: str | None = None
    withdrawn_us: int | None = None
    withdrawal_reason: str = ""

    @property
    def stands(self) -> bool:
        """Whether nobody withdrew it."""
        return self.withdrawn_us is None

    def covers(self, *, clear: bool) -> bool:
        """Whether it stands and goes as far as this output."""
        return self.stands and (self.scope is Scope.CLEAR or not clear)

    def same_person(self, other: Consent) -> bool:
        """Whether both are one person's; a request has one patient, however the name was spelt."""
        if self.subject is not other.subject:
            return False
        return self.subject is Subject.PATIENT or self.name.casefold() == other.name.casefold()

    def same_paper(self, other: Consent) -> bool:
        """Whether both stand on one paper of a patient, or of staff."""
        return (self.subject, self.document_sha256) == (other.subject, other.document_sha256)

    def checked(self, where: str) -> Consent:
        """With its texts cleaned; BAD_REQUEST says what is wrong, also a missing digest of the paper."""
        if not _SHA256.fullmatch(self.document_sha256):
            raise OrvaultError(
                ErrorKind.BAD_REQUEST,
                "A consent names the SHA-256 of its document: 64 digits, 0-9 and a-f.",
                where=f"{where}.document_sha256",
                advice="Scan the signed paper and take the digest of the file.",
            )
        name = clean_text(self.name, f"{where}.name", longest=80)
        document = self.document
        if document.strip():
            document = clean_text(document, f"{where}.document", longest=120)
        return replace(self, name=name, document=document.strip())

    def taken(self, by: str, now_us: int) -> Consent:
        """With who took it when, unless that is known."""
        return self if self.taken_us is not None else replace(self, taken_by=by, taken_us=now_us)

    def withdrawn(self, by: str, now_us: int, reason: str) -> Consent:
        """As withdrawn; CONFLICT when it was before."""
        if not self.stands:
            raise OrvaultError(ErrorKind.CONFLICT, "This consent was withdrawn already.")
        return replace(self, withdrawn_by=by, withdrawn_us=now_us, withdrawal_reason=reason)

    def detail(self) -> dict[str, object]:
        """What history keeps of it; of a patient not the name."""
        who = {"name": self.name} if self.subject is Subject.STAFF else {}
        return {
            "subject": self.subject.value,
            **who,
            "scope": self.scope.value,
            "document_sha256": self.document_sha256,
        }
