"""Everything about one export as a paper: the request, its copies, and each of its acts in history.

What stands in it was read by custody (`desks.inquiries`); rights are decided there too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from orvault.custody.desks.inquiries import ExportDossier
from orvault.custody.history import Entry
from orvault.papers.language import Language
from orvault.papers.paper import Paper
from orvault.papers.words import masked

# Korean and English of what may happen to an export; other acts stand by their names.
_ACTS: dict[str, tuple[str, str]] = {
    "export-drafted": ("초안 작성", "Draft begun"),
    "export-draft-changed": ("초안 변경", "Draft changed"),
    "scan-ordered": ("대상 찾기 요청", "Scan ordered"),
    "scan-started": ("대상 찾기 시작", "Scan begun"),
    "scan-finished": ("대상 찾기 완료", "Scan finished"),
    "scan-failed": ("대상 찾기 실패", "Scan failed"),
    "masking-chosen": ("가림 대상 선택", "Masking chosen"),
    "export-submitted": ("제출", "Submitted"),
    "export-approved": ("승인", "Approved"),
    "export-refused": ("거부", "Refused"),
    "export-revoked": ("회수", "Revoked"),
    "export-withdrawn": ("철회", "Withdrawn"),
    "export-due": ("처리 기한 알림", "Reminder: the request is due"),
    "export-delivered": ("전달", "Delivered"),
    "consent-given": ("동의", "Consent given"),
    "consent-withdrawn": ("동의 철회", "Consent withdrawn"),
    "basis-satisfied": ("법적 근거 충족", "Legal basis satisfied"),
    "basis-broken": ("법적 근거 상실", "Legal basis lost"),
    "approval-given": ("승인자 의견", "One approval given"),
    "participants-named": ("참여자 확인 요청", "Participant asked to look"),
    "answers-awaited": ("참여자 확인 대기", "Participants' answers awaited"),
    "answers-due": ("참여자 확인 기한 알림", "Reminder: participants' answers due"),
    "result-shown": ("참여자 열람", "Result shown to a participant"),
    "result-answered": ("참여자 확인", "Participant's answer"),
    "answer-waived": ("참여자 확인 생략", "Participant's answer waived"),
    "export-expired": ("유효기간 만료", "Expired"),
    "render-started": ("제작 시작", "Rendering begun"),
    "render-finished": ("제작 완료", "Rendering finished"),
    "render-held": ("검토 대기", "Held for review"),
    "render-released": ("검토 후 반출 허용", "Released after review"),
    "render-failed": ("제작 실패", "Rendering failed"),
    "render-postponed": ("제작 연기", "Rendering put off"),
    "package-sealed": ("봉인", "Sealed"),
    "package-removed": ("파일 삭제", "Files removed"),
    "package-activated": ("활성화", "Activated"),
    "activation-refused": ("활성화 거절", "Activation refused"),
    "keys-opened": ("키 열림", "Keys opened"),
    "link-issued": ("내려받기 주소 발급", "Download link issued"),
    "downloaded": ("내려받음", "Downloaded"),
}
# An answer, by whether its participant had watched the result here before.
_ANSWERED = {
    True: ("참여자 확인 (결과 열람 후)", "Participant's answer, after watching the result"),
    False: ("참여자 확인 (결과 열람 없음)", "Participant's answer, without watching the result here"),
}
_LONGEST = 300  # characters of one act's particulars


def export_report(
    dossier: ExportDossier, names: Mapping[str, str], language: Language = Language.KOREAN
) -> bytes:
    """The report as PDF; `names` are accounts' display names by their ids."""
    request, wish = dossier.request, dossier.request.wish
    title = "영상 반출 이력 보고서" if language is Language.KOREAN else "Report of an export of footage"
    paper = Paper(title, dossier.hospital, dossier.asked_us, language)
    either = paper.either
    paper.heading(either("요청", "Request"))
    paper.fields(
        [
            (either("요청 번호", "Request"), request.request_id),
            (either("수술 사례", "Case"), f"{dossier.case.number} ({dossier.case.room})"),
            (either("상태", "State"), request.state.value),
            (either("요청자", "Asked for by"), _who(request.requested_by, names)),
            (either("요청 일시", "Asked for on"), paper.time(request.requested_us)),
            (either("법적 근거", "Legal basis"), wish.basis.summary()),
            (either("목적", "Purpose"), wish.purpose),
            (either("카메라", "Cameras"), ", ".join(wish.camera_ids)),
            (either("영상 기간", "Footage"), paper.period(wish.from_us, wish.to_us)),
            (either("가림", "Masking"), masked(paper, wish.redaction)),
            (either("승인 또는 거부", "Decided by"), _who(request.decided_by, names)),
            (either("결정 일시", "Decided on"), paper.time(request.decided_us)),
            (either("거부 사유", "Reason of refusal"), request.refusal_reason or ""),
            (
                either("유효기간", "Validity"),
                f"{paper.time(request.validity.from_us)} - {paper.time(request.validity.until_us)}",
            ),
        ]
    )
    _consents(paper, dossier)
    _copies(paper, dossier)
    _acts(paper, dossier.entries, names)
    _anchor(paper, dossier)
    return paper.pdf()


def _consents(paper: Paper, dossier: ExportDossier) -> None:
    consents = dossier.request.wish.basis.consents
    if consents:
        paper.heading(paper.either("동의", "Consents"))
        heads = [
            paper.either("구분", "Subject"),
            paper.either("이름", "Name"),
            paper.either("문서", "Document"),
        ]
        paper.table(heads, [[each.subject.value, each.name, each.document] for each in consents], (1, 2, 2))


def _copies(paper: Paper, dossier: ExportDossier) -> None:
    paper.heading(paper.either("수령인별 사본", "Copies, one for each recipient"))
    heads = [paper.either("수령인", "Recipient"), paper.either("꾸러미", "Package"), "SHA-256"]
    rows = [
        [
            ", ".join(each.name for each in copy.recipients),
            copy.package_id,
            "" if copy.package is None else copy.package.sha256,
        ]
        for copy in dossier.request.copies
    ]
    paper.table(heads, rows or [["", "", ""]], (2, 3, 5))


def _acts(paper: Paper, entries: Sequence[Entry], names: Mapping[str, str]) -> None:
    paper.heading(paper.either("이력", "What happened"))
    heads = [
        paper.either("번호", "No."),
        paper.either("일시", "When"),
        paper.either("행위", "What"),
        paper.either("행위자", "By whom"),
        paper.either("내용", "Particulars"),
    ]
    rows = [
        [
            str(entry.seq),
            paper.time(entry.at_us),
            paper.either(*words_of(entry)),
            _who(entry.actor, names),
            _particulars(paper, entry.detail),
        ]
        for entry in entries
    ]
    paper.table(heads, rows, (1.1, 2.6, 2.2, 2.2, 5))


def words_of(entry: Entry) -> tuple[str, str]:
    """What happened, in Korean and in English; an act that is not known here by its name."""
    watched = json.loads(entry.detail).get("watched") if entry.act == "result-answered" else None
    if watched is not None:
        return _ANSWERED[watched]
    return _ACTS.get(entry.act, (entry.act, entry.act))


def _anchor(paper: Paper, dossier: ExportDossier) -> None:
    """What this paper can be held against later: history as it was signed last."""
    if dossier.checkpoint is not None:
        paper.heading(paper.either("이력의 서명", "Signature of history"))
        paper.fields(
            [
                (paper.either("항목 수", "Entries"), str(dossier.checkpoint.size)),
                (paper.either("루트", "Root"), dossier.checkpoint.root),
                (paper.either("서명 일시", "Signed on"), paper.time(dossier.checkpoint.at_us)),
            ]
        )


def _who(actor: str | None, names: Mapping[str, str]) -> str:
    if actor is None:
        return ""
    account = actor.removeprefix("account:")
    return f"{names[account]} ({account})" if account in names else actor


def _particulars(paper: Paper, detail: str) -> str:
    """One line: long lists as their lengths, times as the paper shows them, the rest as it is written."""
    found = json.loads(detail)
    assert isinstance(found, dict), "an entry's particulars are an object"
    parts = []
    for name, value in sorted(found.items()):
        if name.endswith("_us") and isinstance(value, int):
            name, value = name.removesuffix("_us"), paper.second(value)
        shown = f"{len(value)}" if isinstance(value, list) and len(value) > 3 else value
        parts.append(f"{name}: {shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False)}")
    text = ", ".join(parts)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
