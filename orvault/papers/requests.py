"""The request form of one request, and the register of all (the ledger that the law asks for), as papers.

What stands in them was read by custody (`desks.registers`); rights are decided there too.
"""

from __future__ import annotations

from collections.abc import Mapping

from orvault.custody.desks.registers import Register, RequestForm
from orvault.custody.request import Asked, ExportRequest
from orvault.custody.steps import RequestState
from orvault.papers.language import Language
from orvault.papers.paper import Paper
from orvault.papers.words import BASES, SCOPES, STATES, SUBJECTS, masked


def request_form(form: RequestForm, names: Mapping[str, str], language: Language = Language.KOREAN) -> bytes:
    """The form as PDF, to be signed; `names` are accounts' display names by their ids."""
    korean = language is Language.KOREAN
    title = "수술실 영상정보 열람·제공 요청서" if korean else "Request for operating-room footage"
    paper = Paper(title, form.hospital, form.asked_us, language)
    _request(paper, form, names)
    _basis(paper, form.request)
    _result(paper, form.request, names)
    paper.heading(paper.either("이용 조건", "Terms of use"))
    paper.paragraph(form.request.wish.terms)
    paper.signatures(
        [
            paper.either("요청인 (서명)", "Asked for by (signature)"),
            paper.either("개인정보 보호책임자 (서명)", "Privacy officer (signature)"),
        ]
    )
    return paper.pdf()


def request_register(
    register: Register, names: Mapping[str, str], language: Language = Language.KOREAN
) -> bytes:
    """The register of a period as PDF, one row for each request that was submitted in it."""
    korean = language is Language.KOREAN
    title = "수술실 영상정보 열람·제공 대장" if korean else "Register of requests for operating-room footage"
    paper = Paper(title, register.hospital, register.asked_us, language, landscape=True)
    paper.paragraph(f"{paper.time(register.from_us)} - {paper.time(register.to_us)}")
    heads = [
        paper.either("번호", "No."),
        paper.either("요청 일시", "Asked for on"),
        paper.either("요청자", "By"),
        paper.either("수술 번호", "Case"),
        paper.either("법적 근거", "Legal basis"),
        paper.either("목적", "Purpose"),
        paper.either("수령인", "Recipients"),
        paper.either("결과 및 사유", "Result, reason"),
        paper.either("처리자", "Decided by"),
        paper.either("처리 일시", "Decided on"),
    ]
    rows = [
        [
            str(number),
            paper.time(request.requested_us),
            _who(request.requested_by, names),
            register.case_numbers.get(request.wish.case_id, ""),
            _ground(paper, request),
            request.wish.purpose,
            ", ".join(recipient.name for recipient in request.wish.recipients),
            _outcome(paper, request),
            _deciders(request, names),
            paper.time(request.decided_us),
        ]
        for number, request in enumerate(register.requests, 1)
    ]
    paper.table(heads, rows or [[""] * len(heads)], (0.9, 2.3, 1.8, 1.8, 2.5, 3.2, 2.2, 2.4, 1.9, 2.3))
    return paper.pdf()


def _request(paper: Paper, form: RequestForm, names: Mapping[str, str]) -> None:
    either, request, wish = paper.either, form.request, form.request.wish
    redaction = wish.redaction
    paper.heading(either("1. 요청 내용", "1. What is asked for"))
    paper.fields(
        [
            (either("요청 번호", "Request"), request.request_id),
            (either("요청자", "Asked for by"), _who(request.requested_by, names)),
            (either("요청 일시", "Asked for on"), paper.time(request.requested_us)),
            (either("처리 기한", "To be answered by"), paper.time(request.due_us)),
            (either("수술", "Case"), f"{form.case.number} ({form.case.room})"),
            (either("카메라", "Cameras"), ", ".join(wish.camera_ids)),
            (either("영상 기간", "Footage"), paper.period(wish.from_us, wish.to_us)),
            (either("목적", "Purpose"), wish.purpose),
            (either("수령인", "Recipients"), ", ".join(each.name for each in wish.recipients)),
            (either("가림 처리", "Masking"), masked(paper, redaction)),
            (either("워터마크", "Watermark"), redaction.watermark_summary()),
            (
                either("열람 가능 기간", "Can be opened"),
                f"{paper.time(request.validity.from_us)} - {paper.time(request.validity.until_us)}",
            ),
        ]
    )


def _basis(paper: Paper, request: ExportRequest) -> None:
    either, basis = paper.either, request.wish.basis
    paper.heading(either("2. 법적 근거", "2. Legal basis"))
    paper.fields(
        [
            (either("근거", "Basis"), either(*BASES[basis.kind])),
            (either("문서 번호", "Document"), basis.document_number),
            (either("조정·중재 사건 번호", "Proceedings"), basis.proceedings_number),
        ]
    )
    if not basis.consents:
        return
    heads = [
        either("구분", "Whose"),
        either("성명", "Name"),
        either("범위", "Scope"),
        either("접수 일시", "Taken on"),
        either("철회", "Withdrawn"),
        either("문서 SHA-256", "SHA-256 of the paper"),
    ]
    rows = [
        [
            either(*SUBJECTS[consent.subject]),
            consent.name,
            either(*SCOPES[consent.scope]),
            paper.time(consent.taken_us),
            paper.time(consent.withdrawn_us),
            consent.document_sha256,
        ]
        for consent in basis.consents
    ]
    paper.table(heads, rows, (1.1, 1.6, 1.6, 2, 2, 3.6))


def _result(paper: Paper, request: ExportRequest, names: Mapping[str, str]) -> None:
    either = paper.either
    paper.heading(either("3. 처리 결과", "3. Result"))
    approvals = [f"{_who(each.account_id, names)}, {paper.time(each.at_us)}" for each in request.approvals]
    delivered = [paper.time(at_us) for _, at_us in request.delivered]
    paper.fields(
        [
            (either("상태", "State"), either(*STATES[request.state])),
            (either("승인", "Approved by"), "\n".join(approvals)),
            (either("거부·취소 사유", "Reason of refusal"), request.refusal_reason or ""),
            (either("참여자 확인", "Participants' answers"), "\n".join(_said(paper, request, names))),
            (either("제공 일시", "Delivered on"), "\n".join(delivered)),
        ]
    )


def _ground(paper: Paper, request: ExportRequest) -> str:
    basis = request.wish.basis
    numbers = [number for number in (basis.document_number, basis.proceedings_number) if number]
    return ", ".join([paper.either(*BASES[basis.kind]), *numbers])


def _outcome(paper: Paper, request: ExportRequest) -> str:
    state = paper.either(*STATES[request.state])
    outcome = f"{state}: {request.refusal_reason}" if request.refusal_reason else state
    return "\n".join([outcome, *(_waiver(paper, each) for each in request.asked if each.waived_by)])


def _said(paper: Paper, request: ExportRequest, names: Mapping[str, str]) -> list[str]:
    """What each participant who was asked said of the masked result, or who waived their answer and why."""
    words = {True: paper.either("동의", "agreed"), False: paper.either("거절", "declined")}
    said = [f"{each.participant}: {words[each.agrees]}, {paper.time(each.at_us)}" for each in request.answers]
    waived = [(each, each.waived_by) for each in request.asked if each.waived_by]
    return said + [f"{_waiver(paper, each)} ({_who(by, names)})" for each, by in waived]


def _waiver(paper: Paper, asked: Asked) -> str:
    return f"{asked.participant}: {paper.either('확인 생략', 'answer waived')}: {asked.waiver_reason}"


def _deciders(request: ExportRequest, names: Mapping[str, str]) -> str:
    """Who approved, or who refused or revoked it."""
    if request.state in {RequestState.REFUSED, RequestState.REVOKED}:
        by = request.revoked_by or request.reviewed_by or request.decided_by
        return "" if by is None else _who(by, names)
    return ", ".join(_who(approval.account_id, names) for approval in request.approvals)


def _who(account_id: str, names: Mapping[str, str]) -> str:
    return names.get(account_id, account_id)
