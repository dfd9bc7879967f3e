"""Legal bases of an export (Medical Service Act art. 38-2 (5)) and what each of them needs to be satisfied.

Whether a named document is genuine is judged by the person who approves; here stands what must be named at
all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from orvault.custody.text import clean_text
from orvault.errors import ErrorKind, OrvaultError

MAX_CONSENTS = 100


class BasisKind(StrEnum):
    """On which ground footage may leave the hospital."""

    COURT = "court"
    INVESTIGATOR = "investigator"
    MEDIATION = "mediation"
    CONSENT = "consent"


class Subject(StrEnum):
    """Whose consent it is."""

    PATIENT = "patient"
    STAFF = "staff"


@dataclass(frozen=True, slots=True)
class Consent:
    """One person's consent and the paper it stands on (`document`, may be empty)."""

    subject: Subject
    name: str
    document: str = ""


@dataclass(frozen=True, slots=True)
class LegalBasis:
    """The ground named by a request: a document or proceedings number, and consents where the kind needs
    them.
    """

    kind: BasisKind
    document_number: str = ""
    proceedings_number: str = ""
    consents: tuple[Consent, ...] = ()

    def checked(self) -> LegalBasis:
        """The basis with its texts cleaned and bounded; BAD_REQUEST otherwise."""
        if len(self.consents) > MAX_CONSENTS:
            message = f"{len(self.consents)} consents are named; at most {MAX_CONSENTS} are kept."
            raise OrvaultError(ErrorKind.BAD_REQUEST, message, where="basis.consents")
        return LegalBasis(
            kind=self.kind,
            document_number=_optional(self.document_number, "basis.document_number"),
            proceedings_number=_optional(self.proceedings_number, "basis.proceedings_number"),
            consents=tuple(_clean_consent(consent, i) for i, consent in enumerate(self.consents)),
        )

    def summary(self) -> str:
        """One line for the package's terms, e.g. `court, document 2026-123`."""
        parts = [self.kind.value]
        if self.document_number:
            parts.append(f"document {self.document_number}")
        if self.proceedings_number:
            parts.append(f"proceedings {self.proceedings_number}")
        if self.consents:
            parts.append(f"{len(self.consents)} consents")
        return ", ".join(parts)


def missing_for(basis: LegalBasis, participants: Sequence[str]) -> tuple[str, ...]:
    """What this basis still lacks, in words; `participants` are the staff that took part in the case."""
    if basis.kind in {BasisKind.COURT, BasisKind.INVESTIGATOR}:
        whose = "court's order" if basis.kind is BasisKind.COURT else "investigator's request"
        return () if basis.document_number else (f"the document number of the {whose}",)
    missing: list[str] = []
    if not any(consent.subject is Subject.PATIENT for consent in basis.consents):
        missing.append("the patient's consent")
    if basis.kind is BasisKind.MEDIATION:
        if not basis.proceedings_number:
            missing.insert(0, "the number of the mediation agency's proceedings")
        return tuple(missing)
    return (*missing, *_staff_missing(basis, participants))


def check_basis(basis: LegalBasis, participants: Sequence[str]) -> None:
    """Raise BASIS_MISSING naming everything that the basis lacks."""
    missing = missing_for(basis, participants)
    if missing:
        raise OrvaultError(
            ErrorKind.BASIS_MISSING,
            f"The legal basis ({basis.kind.value}) is not complete: it lacks {'; '.join(missing)}.",
            where="basis",
            advice="Add what is missing and submit the request again.",
        )


def _staff_missing(basis: LegalBasis, participants: Sequence[str]) -> tuple[str, ...]:
    if not participants:
        # Nobody listed would otherwise mean that nobody need be asked.
        return ("the list of staff who took part in the case (the case names none)",)
    given = {c.name.casefold() for c in basis.consents if c.subject is Subject.STAFF}
    lacking = [name for name in participants if name.casefold() not in given]
    return (f"the consent of {', '.join(lacking)}",) if lacking else ()


def _clean_consent(consent: Consent, index: int) -> Consent:
    where = f"basis.consents[{index}]"
    return Consent(
        consent.subject,
        clean_text(consent.name, f"{where}.name", longest=80),
        _optional(consent.document, f"{where}.document"),
    )


def _optional(text: str, where: str) -> str:
    return clean_text(text, where, longest=120) if text.strip() else ""
