"""Every text of the window, in Korean and English side by side; sentences of verdicts stand in verdicts.py.

What a package says itself (terms, titles, names) is shown in the language it was written in.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Language(StrEnum):
    """What the window is written in."""

    KOREAN = "ko"
    ENGLISH = "en"

    @property
    def other(self) -> Language:
        """The one that a switch leads to."""
        return Language.ENGLISH if self is Language.KOREAN else Language.KOREAN


@dataclass(frozen=True)
class Text:
    """One text in both languages; `{fields}` are the same in both."""

    ko: str
    en: str

    def of(self, language: Language, **fields: object) -> str:
        """The text in one language, with its fields filled in."""
        chosen = self.ko if language is Language.KOREAN else self.en
        return chosen.format(**fields) if fields else chosen

    def filled(self, **fields: object) -> Text:
        """With its fields filled in, in both languages."""
        return Text(self.ko.format(**fields), self.en.format(**fields))


TITLE = Text("OR Vault 플레이어", "OR Vault Player")
# opening
WELCOME = Text("수술실 영상 패키지 열기", "Open an operating-room video package")
DROP_HERE = Text(
    "*.orvault 파일을 이 창에 끌어다 놓거나 아래에서 고르십시오.",
    "Drop a *.orvault file here, or choose one below.",
)
OPEN = Text("파일 열기…", "Open a file…")
OPEN_SHORT = Text("열기", "Open")
OPEN_ANOTHER = Text("다른 파일 열기…", "Open another file…")
PACKAGES = Text("OR Vault 패키지 (*.orvault)", "OR Vault packages (*.orvault)")
NOTHING_STORED = Text(
    "영상은 메모리에서만 재생되며 이 컴퓨터에 저장되지 않습니다.",
    "The video is played from memory only; nothing of it is stored on this computer.",
)
OPENING = Text("여는 중…", "Opening…")
# unlocking
UNLOCK = Text("패키지 잠금 해제", "Unlock the package")
UNLOCK_HINT = Text(
    "병원이 파일과 따로 전달한 비밀번호를 입력하십시오.",
    "Type the password that the hospital gave you apart from the file.",
)
UNLOCK_KEY_HINT = Text(
    "이 패키지는 키 파일로 열립니다. 본인의 키 파일을 고르십시오.",
    "This package opens with a key file. Choose your own.",
)
ASKS_HOSPITAL = Text(
    "이 패키지는 열 때마다 병원 서버({address})의 허락을 받습니다. 병원은 열람 사실을 알게 됩니다.",
    "Each time it is opened this package asks the hospital's server ({address}), which learns that it was opened.",
)
PASSWORD = Text("비밀번호", "Password")
SHOW_PASSWORD = Text("입력 내용 보기", "Show what I type")
UNLOCK_DO = Text("열기", "Unlock")
USE_KEY = Text("키 파일 사용…", "Use a key file…")
KEY_FILES = Text("키 파일 (*)", "Key files (*)")
WRONG_PASSWORD = Text(
    "비밀번호가 맞지 않습니다. 다시 입력하십시오. (대소문자와 한/영 상태를 확인하십시오.)",
    "That password is not right. Please try again (mind capital letters and the keyboard's language).",
)
NOT_FOR_YOU = Text(
    "이 키 파일로는 열 수 없습니다. 패키지가 다른 키의 소유자에게 발급되었습니다. 다른 키 파일을 고르십시오.",
    "This key file does not open it: the package was made for another key. Choose another one.",
)
NO_KEY_FILE = Text(
    "{file}: 키 파일로 읽을 수 없습니다. 'orvault-player keygen'으로 만든 개인 키를 고르십시오 (.pub 아님).",
    "{file} cannot be read as a key file. Choose the private one that `orvault-player keygen` made, not .pub.",
)
# terms
TERMS = Text("이용 조건", "Terms of use")
TERMS_HINT = Text(
    "아래 조건에 동의한 뒤에만 영상을 볼 수 있습니다.",
    "The video is shown only once you have accepted these terms.",
)
ACCEPT = Text("동의하고 보기", "Accept and watch")
DECLINE = Text("동의하지 않음", "Decline")
# playing
PLAY = Text("재생", "Play")
PAUSE = Text("일시 정지", "Pause")
STEP_BACK = Text("이전 프레임", "Previous picture")
STEP_FORWARD = Text("다음 프레임", "Next picture")
MARK_BACK = Text("이전 표시", "Previous mark")
MARK_FORWARD = Text("다음 표시", "Next mark")
SPEED = Text("재생 속도", "Speed")
FULL_SCREEN = Text("전체 화면", "Full screen")
TIME_LINE = Text("시간 막대", "Time line")
TIME_LINE_SAYS = Text("{now}, 표시 {marks}개", "{now}, {marks} marks")
CAMERA = Text("카메라 {title}", "Camera {title}")
WHICH_CAMERAS = Text("카메라 {which} / {count}", "Camera {which} of {count}")
WHICH_CAMERAS_HINT = Text(
    "한 번에 보여 줄 수 있는 만큼만 보입니다. C: 다음 카메라",
    "As many as can be shown at once. C: the next ones",
)
PICTURE_AT = Text("{title}, {time}의 화면", "{title}, picture of {time}")
IN_GAP = Text(
    "기록된 공백: 이 시간에는 영상이 없습니다\n{from_} – {to}",
    "Recorded gap: no pictures exist here\n{from_} – {to}",
)
OUTSIDE = Text("이 카메라의 영상이 없는 시간입니다", "This camera has no pictures at this time")
LOADING = Text("영상을 준비하는 중…", "Preparing the picture…")
STOPPED = Text("이 카메라의 재생을 중단했습니다", "This camera was stopped")
GAP = Text("공백 (영상 없음)", "Gap (no pictures)")
LEFT_CLEAR = Text("가리지 않은 구간", "Part left clear")
COVERED = Text("직접 지정하여 가린 영역", "Region covered by hand")
# verdict and details
DETAILS = Text("자세히", "Details")
HELP = Text("도움말 (F1)", "Help (F1)")
CLOSE = Text("닫기", "Close")
SAVE_REPORT = Text("검증 결과를 PDF로 저장…", "Save report as PDF…")
REPORT = Text("영상 패키지 검증 결과", "Report on a video package")
REPORT_SAVED = Text("저장했습니다: {path}", "Saved: {path}")
REPLACE_ASK = Text(
    "{path}\n\n파일이 이미 있습니다. 바꾸시겠습니까?", "{path}\n\nThere is such a file already. Replace it?"
)
REPLACE = Text("바꾸기", "Replace")
PDF_FILES = Text("PDF 파일 (*.pdf)", "PDF files (*.pdf)")
REPORT_FOOT = Text(
    "OR Vault 플레이어 {version}이(가) {time}에 컴퓨터 사용자 {computer}을(를) 위해 확인한 내용입니다. "
    "서명된 문서가 아니며, 패키지 파일로 언제든 다시 확인할 수 있습니다.",
    "What OR Vault Player {version} found on {time} for the computer's user {computer}. "
    "This paper is not signed; the package itself can be verified again at any time.",
)
VERIFYING = Text("전체 확인 {percent} %", "Verifying everything: {percent} %")
TRUST_ROOT = Text("병원 루트 인증서 등록…", "Trust a hospital's root certificate…")
CERTIFICATES = Text("인증서 (*.pem *.crt)", "Certificates (*.pem *.crt)")
TRUST_ASK = Text(
    "이름:\n{name}\n\n지문:\n{fingerprint}\n\n병원에서 받은 종이의 지문과 모든 글자가 같습니까?",
    "Name:\n{name}\n\nFingerprint:\n{fingerprint}\n\nIs every character the same as on the paper from the hospital?",
)
TRUST_YES = Text("같음: 등록", "The same: trust it")
CANCEL = Text("취소", "Cancel")
# language
SWITCH = Text("English", "한국어")
# sections of details and report
VERDICT = Text("판정", "Verdict")
ISSUER = Text("발급자", "Issuer")
BASIS = Text("제공 근거", "Why it was handed out")
EVENTS = Text("기록된 사건", "Recorded events")
EVENTS_TOLD = Text("시각과 내용", "When and what")
HISTORY = Text("병원 이력 기록의 증명", "Proof in the hospital's history")
THIS_COMPUTER = Text("이 컴퓨터", "This computer")
FILE = Text("파일", "File")
PACKAGE_ID = Text("패키지 번호", "Package")
REQUEST = Text("요청 번호", "Request")
CASE = Text("수술 번호", "Case")
RECIPIENTS = Text("수령인", "Recipients")
LEGAL_BASIS = Text("법적 근거", "Legal basis")
PURPOSE = Text("목적", "Purpose")
MASKING = Text("가림 처리", "Masking")
MASKING_BY = Text("가림 범위를 정한 사람", "Masking chosen by")
CHOSEN = Text(
    "{by}, {time}: 가리지 않은 구간 {clear}개, 추가로 가린 영역 {drawn}개",
    "{by}, {time}: {clear} parts left clear, {drawn} regions covered",
)
WATERMARK = Text("워터마크", "Watermark")
OVERLAY = Text("화면 표시", "Over the pictures")
OVERLAY_ON = Text("열람자와 현재 시각이 움직이며 표시됨", "who is watching and the present time, moving")
OVERLAY_OFF = Text("없음 (병원이 정함)", "nothing (the hospital's choice)")
ISSUED = Text("발급 일시", "Issued")
VALID = Text("열람 기간", "Can be opened")
NAME = Text("이름", "Name")
ROOT = Text("루트 인증서", "Root certificate")
FINGERPRINT = Text("루트 지문 (SHA-256)", "Fingerprint of the root (SHA-256)")
PINNED = Text("이 컴퓨터에 등록됨", "pinned on this computer")
FOR_THIS_RUN = Text(
    "이번 실행에만 신뢰 (--root), 이 컴퓨터에 등록되지 않음",
    "believed for this run only (--root), not pinned on this computer",
)
NOT_PINNED = Text("이 컴퓨터에 등록되지 않음", "not pinned on this computer")
SIGNATURE = Text("서명", "Signature")
SIGNATURE_OK = Text("Ed25519, 확인됨 (인증서 지문 {leaf})", "Ed25519, verified (certificate {leaf})")
PERIOD = Text("기간", "Period")
PICTURES = Text("프레임", "Pictures")
PICTURES_SAY = Text(
    "{frames}개, {width}×{height}, 초당 {fps}프레임", "{frames}, {width}×{height}, {fps} a second"
)
GAPS = Text("공백", "Gaps")
NO_GAPS = Text("없음", "none")
MORE = Text("그 밖에 {count}개", "{count} more")
SEGMENTS = Text("원본 조각", "Source segments")
SEGMENTS_SAY = Text(
    "봉인된 조각 {count}개에서 만듦; 조각마다 번호와 SHA-256이 서명된 목록에 있음",
    "made from sealed segments: {count}; each one's number and SHA-256 stand in the signed manifest",
)
SEGMENT = Text("조각 SHA-256", "A segment's SHA-256")
SEGMENTS_SIGNED = Text(
    "조각마다 기록한 장치의 서명은 병원에 있으며, 여기서는 위 SHA-256으로 고정됨",
    "the recorders' own signatures stay with the segments at the hospital; their SHA-256 above fixes them here",
)
CHECKPOINT = Text("체크포인트", "Checkpoint")
CHECKPOINT_SAYS = Text("항목 {size}개, 서명 확인됨", "{size} entries, signature verified")
APPROVAL = Text("승인 기록", "Approval")
SEALING = Text("봉인 기록", "Sealing")
ENTRY_SAYS = Text("{seq}번 항목, {time}, 포함 증명 확인됨", "entry {seq}, {time}, inclusion proof verified")
NO_PROOF = Text(
    "이 패키지에는 병원 이력의 증명이 없습니다 (증명을 담기 전의 형식).",
    "It carries no proof of the hospital's history (made before packages did).",
)
VIEWER = Text("열람자", "Viewer")
CLOCK = Text("시계", "Clock")
CLOCK_FINE = Text("정상", "in order")
CLOCK_BACK = Text(
    "이 컴퓨터의 시계가 전에 본 시각({seen})보다 뒤로 가 있습니다. 열람 기간은 그 시각을 기준으로 판단합니다.",
    "This computer's clock is behind a time that it showed before ({seen}). Validity is judged by that time.",
)
CAPTURE = Text("화면 캡처", "Screen capture")
CAPTURE_ASKED = Text(
    "시스템에 이 창의 캡처 차단을 요청했습니다. 카메라로 화면을 찍는 것은 막지 못합니다.",
    "The system was asked to keep this window out of captures. A camera before the screen is not stopped.",
)
CAPTURE_NONE = Text(
    "이 시스템은 캡처 차단을 제공하지 않거나 받아들이지 않았습니다. 화면에는 열람자와 시각이 표시됩니다.",
    "This system offers no way to keep a window out of captures, or did not take it. The viewer and the time stand in"
    " the picture.",
)
# help
HELP_TITLE = Text("키보드", "Keyboard")
HELP_FOOT = Text("F1 또는 Esc: 도움말 닫기", "F1 or Esc: close this help")
