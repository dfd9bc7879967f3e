"""Bodies of what an export request asks for. A recipient's password becomes a public key here and is forgotten."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Annotated

from pydantic import Field, SecretStr, model_validator
from pydantic_core import PydanticCustomError

from api.models import Words
from api.models_watermarks import WatermarkIn
from api.types import Model, TimeIn
from orvault.container.keys import PublicKey, Recipient, password_recipient
from orvault.custody.activation import MOST_PLAYS, ActivationWish
from orvault.custody.basis import BasisKind, LegalBasis
from orvault.custody.consents import Consent, Scope, Subject
from orvault.custody.passwords import RECIPIENTS
from orvault.custody.terms import MAX_RECIPIENTS, Masking, Style
from orvault.custody.wish import Wish, WishChange

Ids = Annotated[str, Field(max_length=128)]
Digest = Annotated[str, Field(max_length=64, examples=["9f" * 32])]


class PublicKeyIn(Model):
    """A recipient's own public key."""

    kem: Annotated[str, Field(max_length=64, examples=["mlkem768-x25519"])]
    raw: Annotated[str, Field(max_length=4096, description="The key, base64.")]


class RecipientIn(Model):
    """Who can open the package: by a password of 10 or more characters, or by a key of their own."""

    name: Annotated[str, Field(max_length=200, examples=["Seoul Central District Court"])]
    password: SecretStr | None = Field(default=None, max_length=1024)
    public_key: PublicKeyIn | None = None

    @model_validator(mode="after")
    def _one_way(self) -> RecipientIn:
        if (self.password is None) == (self.public_key is None):
            raise PydanticCustomError("one_way", "either a password or a public_key")
        return self

    def recipient(self) -> Recipient:
        """The recipient that is stored: a public key, with the salt where it comes from a password."""
        if self.password is not None:
            with RECIPIENTS.turn():
                return password_recipient(self.name, self.password.get_secret_value())
        assert self.public_key is not None, "one of the two, checked above"
        return Recipient(self.name, PublicKey.from_json(self.public_key.model_dump()), None, None)


class ConsentIn(Model):
    """One person's consent; the paper stays with the hospital, its digest is kept here."""

    subject: Subject
    name: Words
    document: Words = ""
    document_sha256: Digest = Field(description="SHA-256 of the signed paper's scan, hex.")
    scope: Scope = Field(default=Scope.MASKED, description="`clear`: also a copy that shows who they are.")

    def consent(self) -> Consent:
        """As custody takes it."""
        return Consent(self.subject, self.name, self.document, self.document_sha256, self.scope)


class BasisIn(Model):
    """The ground: `court` and `investigator` need a document number, `mediation` the proceedings and the patient's
    consent, `consent` that of the patient and of every staff member of the case. Consents may come later.
    """

    kind: BasisKind
    document_number: Words = ""
    proceedings_number: Words = ""
    consents: list[ConsentIn] = Field(default=[], max_length=200)

    def basis(self) -> LegalBasis:
        """As custody takes it."""
        consents = tuple(consent.consent() for consent in self.consents)
        return LegalBasis(self.kind, self.document_number, self.proceedings_number, consents)


class MaskingIn(Model):
    """How people are hidden; clear output is not offered."""

    mode: Masking = Masking.HEAD
    style: Style = Style.SOLID


class ActivationIn(Model):
    """Whether each copy asks the hospital before it opens, so that plays are counted and a revocation reaches it."""

    wanted: bool = False
    plays: Annotated[int, Field(ge=1, le=MOST_PLAYS)] | None = Field(
        default=None, description="How often each copy may be opened; any number of times when left out."
    )

    def wish(self) -> ActivationWish:
        """As custody takes it."""
        return ActivationWish(self.wanted, self.plays)


class DraftIn(Model):
    """An export request that need not be complete yet; how long it is valid is said at the submit."""

    case_id: Ids
    camera_ids: list[Ids] = Field(max_length=32)
    from_: TimeIn = Field(alias="from")
    to: TimeIn
    purpose: Words = ""
    basis: BasisIn
    recipients: list[RecipientIn] = Field(default=[], max_length=MAX_RECIPIENTS)
    masking: MaskingIn = MaskingIn()
    watermark: WatermarkIn = WatermarkIn()
    activation: ActivationIn = ActivationIn()
    terms: Annotated[str, Field(max_length=8000)] = Field(
        default="", description="Terms of use that the recipient accepts; the standing ones when left out."
    )

    def wish(self, rooms_offset_min: int) -> Wish:
        """As custody takes it; passwords are turned into keys on the way (about a third of a second each).
        `rooms_offset_min`: how far the rooms' clocks are from UTC.

        Errors: BAD_REQUEST; TOO_MANY_ATTEMPTS while too many do the same.
        """
        return Wish(
            case_id=self.case_id,
            camera_ids=tuple(self.camera_ids),
            from_us=self.from_,
            to_us=self.to,
            purpose=self.purpose,
            basis=self.basis.basis(),
            recipients=_keyed(self.recipients),
            redaction=self.watermark.redaction(self.masking.mode, self.masking.style, rooms_offset_min),
            terms=self.terms,
            activation=self.activation.wish(),
        )


class ExportIn(DraftIn):
    """An export request."""

    purpose: Words
    recipients: list[RecipientIn] = Field(max_length=MAX_RECIPIENTS)
    watermark: WatermarkIn
    valid_from: TimeIn | None = Field(default=None, description="The package opens from; now when left out.")
    valid_until: TimeIn | None = Field(
        default=None, description="The package opens until; 30 days when left out."
    )


class DraftChangeIn(Model):
    """What changes in a draft; what is left out stays. A list replaces the whole list; recipients' passwords are
    given again with it.
    """

    camera_ids: list[Ids] | None = Field(default=None, max_length=32)
    from_: TimeIn | None = Field(default=None, alias="from")
    to: TimeIn | None = None
    purpose: Words | None = None
    basis: BasisIn | None = None
    recipients: list[RecipientIn] | None = Field(default=None, max_length=MAX_RECIPIENTS)
    masking: MaskingIn | None = None
    watermark: WatermarkIn | None = None
    activation: ActivationIn | None = None
    terms: Annotated[str, Field(max_length=8000)] | None = None

    def change(self, rooms_offset_min: int) -> WishChange:
        """As custody takes it. Errors: as for `ExportIn.wish`."""
        masking = self.masking
        redaction = None
        if self.watermark is not None:
            redaction = self.watermark.redaction(Masking.HEAD, Style.SOLID, rooms_offset_min)
        return WishChange(
            camera_ids=None if self.camera_ids is None else tuple(self.camera_ids),
            from_us=self.from_,
            to_us=self.to,
            purpose=self.purpose,
            basis=None if self.basis is None else self.basis.basis(),
            recipients=None if self.recipients is None else _keyed(self.recipients),
            masking=None if masking is None else (masking.mode, masking.style),
            watermark=redaction,
            terms=self.terms,
            activation=None if self.activation is None else self.activation.wish(),
        )


class SubmitIn(Model):
    """How long the package of a submitted draft can be opened."""

    valid_from: TimeIn | None = Field(default=None, description="The package opens from; now when left out.")
    valid_until: TimeIn | None = Field(
        default=None, description="The package opens until; 30 days when left out."
    )


def _keyed(recipients: list[RecipientIn]) -> tuple[Recipient, ...]:
    passwords = any(recipient.password is not None for recipient in recipients)
    with RECIPIENTS.place() if passwords else nullcontext():
        return tuple(recipient.recipient() for recipient in recipients)
