"""Bodies of export requests and what becomes of them."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from api.models import Words
from api.models_basis import BasisOut
from api.models_scans import ChoiceOut
from api.models_watermarks import WatermarkOut
from api.models_wishes import ActivationIn, Digest, MaskingIn
from api.types import Model, TimeOut
from orvault.container.happened import Happened
from orvault.custody.activation import PackageShare
from orvault.custody.participants import Answer, Asked
from orvault.custody.request import Approval, ExportRequest
from orvault.custody.second_look import SecondLook, Trial
from orvault.custody.steps import RequestState


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
    delivered_at: TimeOut | None = Field(description="When it was first fetched.")
    plays_used: int | None = Field(
        default=None,
        description="How often it was activated; null in lists, and where it opens without asking.",
    )


class ReasonIn(Model):
    """Why; kept."""

    reason: Words = Field(examples=["She does not want it any more."])


class ApprovalOut(Model):
    """Who approved when."""

    account_id: str
    at: TimeOut

    @classmethod
    def of(cls, approval: Approval) -> ApprovalOut:
        """From custody's."""
        return cls(account_id=approval.account_id, at=approval.at_us)


class AnswerIn(Model):
    """What a participant said of the masked result."""

    participant: Words = Field(examples=["Lee Minsu"])
    agrees: bool
    remark: Words = ""
    document_sha256: Digest = Field(
        default="", description="Of the signed paper; only who answers for themselves leaves it out."
    )


class AnswerOut(AnswerIn):
    """An answer, and who gave it or took it in."""

    taken_by: str
    at: TimeOut

    @classmethod
    def of(cls, answer: Answer) -> AnswerOut:
        """From custody's."""
        return cls(
            participant=answer.participant,
            agrees=answer.agrees,
            remark=answer.remark,
            document_sha256=answer.document_sha256,
            taken_by=answer.taken_by,
            at=answer.at_us,
        )


class AskedParticipantOut(Model):
    """A participant whose answer to the masked result is wanted."""

    participant: str
    asked_by: str | None = Field(description="The account that named them; null: the site asks everybody.")
    asked_at: TimeOut
    account_id: str | None = Field(description="Theirs, where it was named.")
    mail: str
    waived_by: str | None
    waived_at: TimeOut | None
    waiver_reason: str

    @classmethod
    def of(cls, asked: Asked) -> AskedParticipantOut:
        """From custody's."""
        return cls(
            participant=asked.participant,
            asked_by=asked.asked_by,
            asked_at=asked.asked_us,
            account_id=asked.account_id,
            mail=asked.mail,
            waived_by=asked.waived_by,
            waived_at=asked.waived_us,
            waiver_reason=asked.waiver_reason,
        )


class FindingOut(Model):
    """Something that the second look found, and that is not masked."""

    camera_id: str
    at: TimeOut
    box: list[int] = Field(description="x1, y1, x2, y2 in pixels.")
    score: float
    source: str = Field(
        description="The model's name; clear-mask: a mask that was planned and cannot be seen in the picture; "
        "clear-picture: one that was to be masked whole."
    )


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


class ToldEventOut(Model):
    """An event that a package tells of."""

    at: TimeOut
    kind: str
    camera_id: str | None = Field(description="Null: of the room.")
    by: str | None = Field(description="By which means: gesture, pedal or account; never by whom.")

    @classmethod
    def of(cls, event: Happened) -> ToldEventOut:
        """From custody's."""
        return cls(at=event.at_us, kind=str(event.kind), camera_id=event.camera_id, by=event.by)


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
    masking_choice: ChoiceOut | None = Field(description="Null: everybody is masked.")
    watermark: WatermarkOut
    activation: ActivationIn
    valid_from: TimeOut
    valid_until: TimeOut
    requested_by: str
    requested_at: TimeOut
    due_at: TimeOut | None = Field(description="Until when it is to be answered.")
    approvals: list[ApprovalOut]
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
    participants: list[AskedParticipantOut] = Field(
        description="Who is asked to look at the masked result first."
    )
    answers_due_at: TimeOut | None = Field(
        description="Until when they are asked to answer; null: no result yet."
    )
    answers: list[AnswerOut] = Field(description="Participants' last ones to the masked result.")
    revoked_by: str | None

    @classmethod
    def of(cls, request: ExportRequest, shares: Sequence[PackageShare] = ()) -> ExportOut:
        """From custody's request; recipients by name only. `shares`: what was counted of its packages."""
        used = {share.package_id: share.used for share in shares}
        wish, package = request.wish, request.package
        return cls(
            id=request.request_id,
            state=request.state,
            case_id=wish.case_id,
            camera_ids=list(wish.camera_ids),
            from_=wish.from_us,
            to=wish.to_us,
            purpose=wish.purpose,
            basis=BasisOut.of(wish.basis),
            recipients=[recipient.name for recipient in wish.recipients],
            masking=MaskingIn(mode=wish.redaction.masking, style=wish.redaction.style),
            masking_choice=ChoiceOut.of(wish.redaction.choice) if wish.redaction.choice else None,
            watermark=WatermarkOut.of(wish.redaction),
            activation=ActivationIn(wanted=wish.activation.wanted, plays=wish.activation.plays),
            valid_from=request.validity.from_us,
            valid_until=request.validity.until_us,
            requested_by=request.requested_by,
            requested_at=request.requested_us,
            due_at=request.due_us,
            approvals=[ApprovalOut.of(approval) for approval in request.approvals],
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
                    delivered_at=dict(request.delivered).get(copy.package_id),
                    plays_used=used.get(copy.package_id),
                )
                for copy in request.copies
                if copy.package is not None
            ],
            failure=request.failure,
            second_look=SecondLookOut.of(request.second_look) if request.second_look else None,
            reviewed_by=request.reviewed_by,
            reviewed_at=request.reviewed_us,
            participants=[AskedParticipantOut.of(each) for each in request.asked],
            answers_due_at=request.answers_due_us,
            answers=[AnswerOut.of(answer) for answer in request.answers],
            revoked_by=request.revoked_by,
        )


class LinkOut(Model):
    """A download link; it takes Range requests and no bearer token. Good for 5 minutes."""

    url: str
    expires_at: TimeOut
    bytes: int
    sha256: str
