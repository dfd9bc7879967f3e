"""Bodies of export requests, in and out. A recipient's password becomes a public key here and is then forgotten."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Annotated

from pydantic import Field, SecretStr, model_validator
from pydantic_core import PydanticCustomError

from api.models import Words
from api.models_watermarks import WatermarkIn, WatermarkOut
from api.types import Model, TimeIn, TimeOut
from orvault.container.keys import PublicKey, Recipient, password_recipient
from orvault.custody.basis import BasisKind, Consent, LegalBasis, Subject
from orvault.custody.passwords import RECIPIENTS
from orvault.custody.request import ExportRequest, RequestState, Wish, WishChange
from orvault.custody.second_look import SecondLook, Trial
from orvault.custody.terms import MAX_RECIPIENTS, Masking, Style

Ids = Annotated[str, Field(max_length=128)]


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
    """One person's consent."""

    subject: Subject
    name: Words
    document: Words = ""


class BasisIn(Model):
    """The ground: `court` and `investigator` need a document number, `mediation` the proceedings and the patient's
    consent, `consent` that of the patient and of every staff member of the case.
    """

    kind: BasisKind
    document_number: Words = ""
    proceedings_number: Words = ""
    consents: list[ConsentIn] = Field(default=[], max_length=200)

    def basis(self) -> LegalBasis:
        """As custody takes it."""
        consents = tuple(Consent(c.subject, c.name, c.document) for c in self.consents)
        return LegalBasis(self.kind, self.document_number, self.proceedings_number, consents)


class MaskingIn(Model):
    """How people are hidden; clear output is not offered."""

    mode: Masking = Masking.HEAD
    style: Style = Style.SOLID


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
    terms: Annotated[str, Field(max_length=8000)] = Field(
        default="", description="Terms of use that the recipient accepts; the standing ones when left out."
    )

    def wish(self) -> Wish:
        """As custody takes it; passwords are turned into keys on the way (about a third of a second each).

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
            redaction=self.watermark.redaction(self.masking.mode, self.masking.style),
            terms=self.terms,
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
    terms: Annotated[str, Field(max_length=8000)] | None = None

    def change(self) -> WishChange:
        """As custody takes it. Errors: as for `ExportIn.wish`."""
        masking, watermark = self.masking, self.watermark
        return WishChange(
            camera_ids=None if self.camera_ids is None else tuple(self.camera_ids),
            from_us=self.from_,
            to_us=self.to,
            purpose=self.purpose,
            basis=None if self.basis is None else self.basis.basis(),
            recipients=None if self.recipients is None else _keyed(self.recipients),
            masking=None if masking is None else (masking.mode, masking.style),
            watermark=None if watermark is None else watermark.redaction(Masking.HEAD, Style.SOLID),
            terms=self.terms,
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


class RefuseIn(Model):
    """Why a request is refused; kept 3 years."""

    reason: Words = Field(examples=["No order of the court is attached."])


class ProgressOut(Model):
    """How far the rendering is."""

    stage: str
    done: int
    total: int = Field(description="0 while not known.")


class PackageOut(Model):
    """The finished package."""

    id: str
    bytes: int
    sha256: str


class CopyOut(PackageOut):
    """One recipient's package; every copy carries an invisible mark of its own."""

    recipients: list[str] = Field(description="Who can open it.")


class BasisOut(Model):
    """The ground that the request names."""

    kind: BasisKind
    document_number: str
    proceedings_number: str
    consents: list[ConsentIn]


class FindingOut(Model):
    """Something that the second look found, and that is not masked."""

    camera_id: str
    at: TimeOut
    box: list[int] = Field(description="x1, y1, x2, y2 in pixels.")
    score: float
    source: str


class SecondLookOut(Model):
    """What a second look at the pictures that would leave has found."""

    pictures: int = Field(description="Looked at.")
    left: int = Field(description="Findings in them; the first 100 are listed.")
    trial: Trial = Field(description="Whether it saw a mask that was left out on purpose.")
    findings: list[FindingOut]

    @classmethod
    def of(cls, look: SecondLook) -> SecondLookOut:
        """From custody's."""
        findings = [
            FindingOut(
                camera_id=f.camera_id,
                at=f.taken_us,
                box=list(f.box),
                score=f.score_permille / 1000,
                source=f.source,
            )
            for f in look.findings
        ]
        return cls(pictures=look.pictures, left=look.left, trial=look.trial, findings=findings)


class ReleaseIn(Model):
    """Why a package may go in which a second look found something; kept with it."""

    reason: Words = Field(examples=["A poster on the wall, no person."])


class ExportOut(Model):
    """An export request and what became of it."""

    id: str
    state: RequestState
    case_id: str
    camera_ids: list[str]
    from_: TimeOut = Field(serialization_alias="from")
    to: TimeOut
    purpose: str
    basis: BasisOut
    recipients: list[str]
    masking: MaskingIn
    watermark: WatermarkOut
    valid_from: TimeOut
    valid_until: TimeOut
    requested_by: str
    requested_at: TimeOut
    decided_by: str | None
    decided_at: TimeOut | None
    refusal_reason: str | None
    progress: ProgressOut
    package: PackageOut | None = Field(description="Of the first recipient.")
    packages: list[CopyOut] = Field(description="One per recipient, once ready.")
    failure: str | None
    second_look: SecondLookOut | None
    reviewed_by: str | None
    reviewed_at: TimeOut | None

    @classmethod
    def of(cls, request: ExportRequest) -> ExportOut:
        """From custody's request; recipients by name only."""
        wish, basis, package = request.wish, request.wish.basis, request.package
        consents = [ConsentIn(subject=c.subject, name=c.name, document=c.document) for c in basis.consents]
        return cls(
            id=request.request_id,
            state=request.state,
            case_id=wish.case_id,
            camera_ids=list(wish.camera_ids),
            from_=wish.from_us,
            to=wish.to_us,
            purpose=wish.purpose,
            basis=BasisOut(
                kind=basis.kind,
                document_number=basis.document_number,
                proceedings_number=basis.proceedings_number,
                consents=consents,
            ),
            recipients=[recipient.name for recipient in wish.recipients],
            masking=MaskingIn(mode=wish.redaction.masking, style=wish.redaction.style),
            watermark=WatermarkOut.of(wish.redaction),
            valid_from=request.validity.from_us,
            valid_until=request.validity.until_us,
            requested_by=request.requested_by,
            requested_at=request.requested_us,
            decided_by=request.decided_by,
            decided_at=request.decided_us,
            refusal_reason=request.refusal_reason,
            progress=ProgressOut(
                stage=request.progress.stage, done=request.progress.done, total=request.progress.total
            ),
            package=PackageOut(id=package.package_id, bytes=package.bytes, sha256=package.sha256)
            if package
            else None,
            packages=[
                CopyOut(
                    id=copy.package.package_id,
                    bytes=copy.package.bytes,
                    sha256=copy.package.sha256,
                    recipients=[recipient.name for recipient in copy.recipients],
                )
                for copy in request.copies
                if copy.package is not None
            ],
            failure=request.failure,
            second_look=SecondLookOut.of(request.second_look) if request.second_look else None,
            reviewed_by=request.reviewed_by,
            reviewed_at=request.reviewed_us,
        )


class LinkOut(Model):
    """A download link; it takes Range requests and no bearer token. Good for 5 minutes."""

    url: str
    expires_at: TimeOut
    bytes: int
    sha256: str
