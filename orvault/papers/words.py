"""The words of requests in Korean and English, as papers print them."""

from __future__ import annotations

from orvault.custody.basis import BasisKind
from orvault.custody.consents import Scope, Subject
from orvault.custody.steps import RequestState
from orvault.custody.terms import Masking, Redaction, Style
from orvault.papers.paper import Paper

BASES: dict[BasisKind, tuple[str, str]] = {
    BasisKind.COURT: ("법원의 요청", "Court"),
    BasisKind.INVESTIGATOR: ("수사기관의 요청", "Investigator"),
    BasisKind.MEDIATION: ("의료분쟁조정중재원의 절차", "Mediation agency"),
    BasisKind.CONSENT: ("환자 및 참여 의료인 전원의 동의", "Consent of the patient and all staff"),
}
STATES: dict[RequestState, tuple[str, str]] = {
    RequestState.DRAFT: ("작성 중", "Draft"),
    RequestState.SUBMITTED: ("접수(동의 보완 중)", "Submitted, consents lacking"),
    RequestState.SATISFIED: ("승인 대기", "Waits for approval"),
    RequestState.APPROVED: ("승인", "Approved"),
    RequestState.RENDERING: ("제작 중", "Being made"),
    RequestState.REVIEW: ("검토 중", "Under review"),
    RequestState.READY: ("제공 준비 완료", "Ready"),
    RequestState.DELIVERED: ("제공", "Delivered"),
    RequestState.REFUSED: ("거부", "Refused"),
    RequestState.REVOKED: ("취소", "Revoked or withdrawn"),
    RequestState.FAILED: ("제작 실패", "Failed"),
    RequestState.EXPIRED: ("기간 만료", "Expired"),
}
SUBJECTS: dict[Subject, tuple[str, str]] = {
    Subject.PATIENT: ("환자", "Patient"),
    Subject.STAFF: ("의료인", "Staff"),
}
SCOPES: dict[Scope, tuple[str, str]] = {
    Scope.MASKED: ("가린 영상", "Masked"),
    Scope.CLEAR: ("가리지 않은 영상 포함", "Also unmasked"),
}
MASKINGS: dict[Masking, tuple[str, str]] = {
    Masking.FACE: ("얼굴", "Faces"),
    Masking.HEAD: ("머리", "Heads"),
    Masking.BODY: ("몸 전체", "Whole bodies"),
    Masking.PICTURE: ("화면 전체", "The whole picture"),
}
STYLES: dict[Style, tuple[str, str]] = {
    Style.SOLID: ("단색", "solid"),
    Style.MOSAIC: ("모자이크", "mosaic"),
    Style.FROST: ("흐림", "frost"),
}


def masked(paper: Paper, redaction: Redaction) -> str:
    """How people are masked, in the paper's language."""
    return f"{paper.either(*MASKINGS[redaction.masking])}, {paper.either(*STYLES[redaction.style])}"
