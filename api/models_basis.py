"""Bodies of the ground that a request names, and of the consents below it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from api.models_wishes import ConsentIn
from api.types import Model, TimeOut
from orvault.custody.basis import BasisKind, LegalBasis
from orvault.custody.consents import Consent, Scope, Subject


class ConsentOut(Model):
    """One person's consent, and whether it stands."""

    number: int = Field(description="Its place among the request's consents; it is withdrawn by it.")
    subject: Subject
    name: str
    document: str
    document_sha256: str
    scope: Scope
    taken_by: str | None
    taken_at: TimeOut | None
    withdrawn_at: TimeOut | None
    withdrawal_reason: str

    @classmethod
    def of(cls, number: int, consent: Consent) -> ConsentOut:
        """From custody's."""
        return cls(
            number=number,
            subject=consent.subject,
            name=consent.name,
            document=consent.document,
            document_sha256=consent.document_sha256,
            scope=consent.scope,
            taken_by=consent.taken_by,
            taken_at=consent.taken_us,
            withdrawn_at=consent.withdrawn_us,
            withdrawal_reason=consent.withdrawal_reason,
        )


class ConsentsIn(Model):
    """Consents that came after the submit."""

    consents: Annotated[list[ConsentIn], Field(min_length=1, max_length=100)]


class BasisOut(Model):
    """The ground that the request names."""

    kind: BasisKind
    document_number: str
    proceedings_number: str
    consents: list[ConsentOut]

    @classmethod
    def of(cls, basis: LegalBasis) -> BasisOut:
        """From custody's."""
        return cls(
            kind=basis.kind,
            document_number=basis.document_number,
            proceedings_number=basis.proceedings_number,
            consents=[ConsentOut.of(number, each) for number, each in enumerate(basis.consents)],
        )


class LackingOut(Model):
    """A request's consents, and what its basis still lacks."""

    consents: list[ConsentOut]
    missing: list[str] = Field(description="In words; empty where it is satisfied.")

    @classmethod
    def of(cls, basis: LegalBasis, missing: tuple[str, ...]) -> LackingOut:
        """From custody's."""
        return cls(consents=BasisOut.of(basis).consents, missing=list(missing))
