"""Export requests as rows, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orvault.container.keys import Recipient
from orvault.custody.activation import OFF_LINE, ActivationWish
from orvault.custody.basis import BasisKind, LegalBasis
from orvault.custody.consents import Consent, Scope, Subject
from orvault.custody.participants import Answer, Asked
from orvault.custody.request import Approval, ExportRequest, PackageFile, Progress
from orvault.custody.second_look import SecondLook
from orvault.custody.steps import RequestState
from orvault.custody.terms import Masking, Redaction, Style, Validity
from orvault.custody.watermark import Position
from orvault.custody.wish import Wish
from orvault.ledger.rows import Row, Values, from_text, to_text, unreadable
from orvault.ledger.scans import choice_of, choice_to_text
from orvault.ledger.watermark_images import more_to_text, with_more


def wish_values(request: ExportRequest) -> Values:
    """The columns that are fixed when a request is made."""
    wish = request.wish
    return {
        "id": request.request_id,
        "case_id": wish.case_id,
        "from_us": wish.from_us,
        "to_us": wish.to_us,
        "purpose": wish.purpose,
        "basis_kind": wish.basis.kind.value,
        "document_number": wish.basis.document_number,
        "proceedings_number": wish.basis.proceedings_number,
        "masking": wish.redaction.masking.value,
        "style": wish.redaction.style.value,
        "watermark": wish.redaction.watermark,
        "watermark_position": wish.redaction.position.value,
        "watermark_more": more_to_text(wish.redaction),
        "choice": choice_to_text(wish.redaction.choice),
        "activation": to_text({"plays": wish.activation.plays}) if wish.activation.wanted else None,
        "terms": wish.terms,
        "valid_from_us": request.validity.from_us,
        "valid_until_us": request.validity.until_us,
        "requested_by": request.requested_by,
        "requested_us": request.requested_us,
        "due_us": request.due_us,
    }


def state_values(request: ExportRequest) -> Values:
    """The columns that change on a request's way."""
    package = request.package
    return {
        "state": request.state.value,
        "decided_by": request.decided_by,
        "decided_us": request.decided_us,
        "refusal_reason": request.refusal_reason,
        "package_id": request.package_id,
        "stage": request.progress.stage,
        "done": request.progress.done,
        "total": request.progress.total,
        "worker": request.worker,
        "worker_epoch": request.worker_epoch,
        "worker_seen_us": request.worker_seen_us,
        "given_back": request.given_back,
        "not_before_us": request.not_before_us,
        "package_path": package.path if package else None,
        "package_bytes": package.bytes if package else None,
        "package_sha256": package.sha256 if package else None,
        "failure": request.failure,
        "ended_us": request.ended_us,
        "removed_us": request.removed_us,
        "advanced_epoch": request.advanced_epoch,
        "second_look": to_text(request.second_look.to_json()) if request.second_look else None,
        "reviewed_by": request.reviewed_by,
        "reviewed_us": request.reviewed_us,
        "revoked_by": request.revoked_by,
        "reminders": request.reminders,
        "answers_due_us": request.answers_due_us,
    }


def consent_values(consent: Consent) -> Values:
    """A consent's columns."""
    return {
        "subject": consent.subject.value,
        "name": consent.name,
        "document": consent.document,
        "document_sha256": consent.document_sha256,
        "scope": consent.scope.value,
        "taken_by": consent.taken_by,
        "taken_us": consent.taken_us,
        "withdrawn_by": consent.withdrawn_by,
        "withdrawn_us": consent.withdrawn_us,
        "withdrawal_reason": consent.withdrawal_reason,
    }


def consent_of(row: Row) -> Consent:
    """The consent that `consent_values` wrote."""
    return Consent(
        Subject(row["subject"]),
        row["name"],
        row["document"],
        row["document_sha256"],
        Scope(row["scope"]),
        row["taken_by"],
        row["taken_us"],
        row["withdrawn_by"],
        row["withdrawn_us"],
        row["withdrawal_reason"],
    )


def approvals_of(rows: Sequence[Row]) -> tuple[Approval, ...]:
    """Those that count now."""
    return tuple(Approval(row["account_id"], row["at_us"]) for row in rows if row["voided_us"] is None)


def answer_values(answer: Answer) -> Values:
    """An answer's columns."""
    return {
        "participant": answer.participant,
        "answer": "yes" if answer.agrees else "no",
        "remark": answer.remark,
        "document_sha256": answer.document_sha256,
        "taken_by": answer.taken_by,
        "at_us": answer.at_us,
    }


def asked_values(asked: Asked) -> Values:
    """The columns of a participant who is asked."""
    return {
        "participant": asked.participant,
        "asked_by": asked.asked_by,
        "asked_us": asked.asked_us,
        "mail": asked.mail,
        "account_id": asked.account_id,
        "waived_by": asked.waived_by,
        "waived_us": asked.waived_us,
        "waiver_reason": asked.waiver_reason,
    }


def _asked(row: Row) -> Asked:
    return Asked(
        row["participant"],
        row["asked_by"],
        row["asked_us"],
        row["mail"],
        row["account_id"],
        row["waived_by"],
        row["waived_us"],
        row["waiver_reason"],
    )


def _answers(rows: list[Row]) -> tuple[Answer, ...]:
    """Each participant's last one, in the order of their first."""
    last = {
        row["participant"].casefold(): Answer(
            row["participant"],
            row["answer"] == "yes",
            row["taken_by"],
            row["at_us"],
            row["remark"],
            row["document_sha256"],
        )
        for row in rows
    }
    return tuple(last.values())


def _wish(row: Row, cameras: list[Row], recipients: list[Row], consents: list[Row]) -> Wish:
    where = f"requests {row['id']}"
    return Wish(
        case_id=row["case_id"],
        camera_ids=tuple(part["camera_id"] for part in cameras),
        from_us=row["from_us"],
        to_us=row["to_us"],
        purpose=row["purpose"],
        basis=LegalBasis(
            BasisKind(row["basis_kind"]),
            row["document_number"],
            row["proceedings_number"],
            tuple(consent_of(part) for part in consents),
        ),
        recipients=tuple(Recipient.from_json(from_text(part["recipient"], where)) for part in recipients),
        redaction=with_more(
            Redaction(
                Masking(row["masking"]),
                Style(row["style"]),
                row["watermark"],
                Position(row["watermark_position"]),
                choice=choice_of(row["choice"], where),
            ),
            row["watermark_more"],
            where,
        ),
        terms=row["terms"],
        activation=_activation(row["activation"], where),
    )


def _activation(text: str | None, where: str) -> ActivationWish:
    if text is None:
        return OFF_LINE
    plays = from_text(text, where).get("plays")
    if plays is not None and not isinstance(plays, int):
        raise unreadable(where)
    return ActivationWish(True, plays)


def _second_look(text: str | None, where: str) -> SecondLook | None:
    if text is None:
        return None
    try:
        return SecondLook.from_json(from_text(text, where))
    except (KeyError, TypeError, ValueError) as error:
        raise unreadable(where) from error


@dataclass(frozen=True)
class Parts:
    """The rows that belong to a request's row, each kind in its order."""

    cameras: list[Row]
    recipients: list[Row]
    consents: list[Row]
    approvals: list[Row]
    answers: list[Row]
    participants: list[Row]


def request_of(row: Row, parts: Parts) -> ExportRequest:
    """A request out of its row and its parts' rows."""
    package = None
    if row["package_sha256"] is not None:
        package = PackageFile(
            row["package_id"], row["package_path"], row["package_bytes"], row["package_sha256"]
        )
    further = [part for part in parts.recipients if part["package_id"] is not None]
    return ExportRequest(
        request_id=row["id"],
        wish=_wish(row, parts.cameras, parts.recipients, parts.consents),
        validity=Validity(row["valid_from_us"], row["valid_until_us"]),
        state=RequestState(row["state"]),
        requested_by=row["requested_by"],
        requested_us=row["requested_us"],
        decided_by=row["decided_by"],
        decided_us=row["decided_us"],
        refusal_reason=row["refusal_reason"],
        package_id=row["package_id"],
        progress=Progress(row["stage"], row["done"], row["total"]),
        worker=row["worker"],
        worker_epoch=row["worker_epoch"],
        worker_seen_us=row["worker_seen_us"],
        given_back=row["given_back"],
        not_before_us=row["not_before_us"],
        package=package,
        failure=row["failure"],
        ended_us=row["ended_us"],
        removed_us=row["removed_us"],
        advanced_epoch=row["advanced_epoch"],
        second_look=_second_look(row["second_look"], f"requests {row['id']}"),
        reviewed_by=row["reviewed_by"],
        reviewed_us=row["reviewed_us"],
        due_us=row["due_us"],
        reminders=row["reminders"],
        approvals=approvals_of(parts.approvals),
        answers=_answers(parts.answers),
        asked=tuple(_asked(each) for each in parts.participants),
        answers_due_us=row["answers_due_us"],
        delivered=_delivered(row, parts.recipients),
        revoked_by=row["revoked_by"],
        further_ids=tuple(part["package_id"] for part in further),
        further=tuple(
            PackageFile(
                part["package_id"], part["package_path"], part["package_bytes"], part["package_sha256"]
            )
            for part in further
            if part["package_sha256"] is not None
        ),
    )


def _delivered(row: Row, recipients: list[Row]) -> tuple[tuple[str, int], ...]:
    # Without a copy of their own, recipients share the first one's.
    times = {
        part["package_id"] or row["package_id"]: part["delivered_us"]
        for part in recipients
        if part["delivered_us"] is not None
    }
    return tuple(times.items())
