"""Legal bases of an export (Medical Service Act art. 38-2 (5)) and what each of them needs to be satisfied.

Whether a named document is genuine is judged by the person who approves; here stands what must be named at
all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from orvault.custody.consents import MAX_CONSENTS, Consent, Subject
from orvault.custody.text import clean_text
from orvault.errors import ErrorKind, OrvaultError

__all__ = ["BasisKind", "Consent", "LegalBasis", "Subject", "check_basis", "check_papers", "missing_for"]


class BasisKind(StrEnum):
    """On which ground footage may leave the hospital."""

    COURT = "court"
    INVESTIGATOR = "investigator"
    MEDIATION = "mediation"
    CONSENT = "consent"


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
            consents=tuple(c.checked(f"basis.consents[{i}]") for i, c in enumerate(self.consents)),
        )

    def taken(self, by: str, now_us: int) -> LegalBasis:
        """With who took its consents when, where that is not known."""
        return replace(self, consents=tuple(consent.taken(by, now_us) for consent in self.consents))

    def with_consents(self, fresh: Sequence[Consent]) -> LegalBasis:
        """With these taken in besides. CONFLICT for one on a paper whose consent was withdrawn, BAD_REQUEST for more
        than are kept.
        """
        for i, consent in enumerate(fresh):
            if any(not old.stands and old.same_paper(consent) for old in self.consents):
                raise OrvaultError(
                    ErrorKind.CONFLICT,
                    "The consent on this paper was withdrawn.",
                    where=f"consents[{i}].document_sha256",
                    advice="Have a new paper signed, and add that.",
                )
        together = (*self.consents, *fresh)
        if len(together) > MAX_CONSENTS:
            message = f"At most {MAX_CONSENTS} consents are kept with a request."
            raise OrvaultError(ErrorKind.BAD_REQUEST, message, where="consents")
        return replace(self, consents=together)

    def without(
        self, number: int, by: str, now_us: int, reason: str
    ) -> tuple[LegalBasis, Mapping[int, Consent]]:
        """With a person's withdrawal (`number`: the place of a consent of theirs), and what was withdrawn, by place.

        All that the person gave ends: a second one must not hold what the first one's withdrawal stops. Errors:
        CONFLICT where it was withdrawn already.
        """
        named = self.consents[number].withdrawn(by, now_us, reason)
        ended = {
            place: consent.withdrawn(by, now_us, reason)
            for place, consent in enumerate(self.consents)
            if consent.stands and consent.same_person(named)
        }
        kept = tuple(ended.get(place, consent) for place, consent in enumerate(self.consents))
        return replace(self, consents=kept), ended

    def summary(self) -> str:
        """One line for the package's terms, e.g. `court, document 2026-123`."""
        parts = [self.kind.value]
        if self.document_number:
            parts.append(f"document {self.document_number}")
        if self.proceedings_number:
            parts.append(f"proceedings {self.proceedings_number}")
        if standing := sum(consent.stands for consent in self.consents):
            parts.append(f"{standing} consents")
        return ", ".join(parts)


def missing_for(basis: LegalBasis, participants: Sequence[str], *, clear: bool = False) -> tuple[str, ...]:
    """What this basis still lacks, in words; `participants` are the staff that took part in the case.

    `clear`: people can be recognised in what is asked for, and each consent has to say so.
    """
    return (*_papers_missing(basis), *_consents_missing(basis, participants, clear))


def check_papers(basis: LegalBasis) -> None:
    """Raise BASIS_MISSING unless its document or proceedings number is there; consents may come later."""
    _check(basis, _papers_missing(basis))


def check_basis(basis: LegalBasis, participants: Sequence[str], *, clear: bool = False) -> None:
    """Raise BASIS_MISSING naming everything that the basis lacks."""
    _check(basis, missing_for(basis, participants, clear=clear))


def _check(basis: LegalBasis, missing: Sequence[str]) -> None:
    if missing:
        raise OrvaultError(
            ErrorKind.BASIS_MISSING,
            f"The legal basis ({basis.kind.value}) is not complete: it lacks {'; '.join(missing)}.",
            where="basis",
            advice="Add what is missing first.",
        )


def _papers_missing(basis: LegalBasis) -> tuple[str, ...]:
    wanted = {
        BasisKind.COURT: (basis.document_number, "the document number of the court's order"),
        BasisKind.INVESTIGATOR: (basis.document_number, "the document number of the investigator's request"),
        BasisKind.MEDIATION: (
            basis.proceedings_number,
            "the number of the mediation agency's proceedings",
        ),
    }
    number, what = wanted.get(basis.kind, ("none is needed", ""))
    return () if number else (what,)


def _consents_missing(basis: LegalBasis, participants: Sequence[str], clear: bool) -> tuple[str, ...]:
    if basis.kind in {BasisKind.COURT, BasisKind.INVESTIGATOR}:
        return ()
    covering = [consent for consent in basis.consents if consent.covers(clear=clear)]
    so_far = " to pictures that are not masked" if clear else ""
    missing = []
    if not any(consent.subject is Subject.PATIENT for consent in covering):
        missing.append(f"the patient's consent{so_far}")
    if basis.kind is BasisKind.MEDIATION:
        return tuple(missing)
    if not participants:
        # Nobody listed would otherwise mean that nobody need be asked.
        return (*missing, "the list of staff who took part in the case (the case names none)")
    given = {consent.name.casefold() for consent in covering if consent.subject is Subject.STAFF}
    lacking = [name for name in participants if name.casefold() not in given]
    return (*missing, f"the consent of {', '.join(lacking)}{so_far}") if lacking else tuple(missing)


def _optional(text: str, where: str) -> str:
    return clean_text(text, where, longest=120) if text.strip() else ""
