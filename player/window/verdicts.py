"""The verdict as the window shows it: colour and symbol by its level, a word, and one sentence, in both languages.

English sentences are player.verdict's; only what goes on behind the playing ("checking") is worded here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from orvault.container.history import Proven
from orvault.container.package import Label
from orvault.container.trust import Issuer
from orvault.errors import ErrorKind, OrvaultError
from orvault.text import printable
from player.activation import ACTIVATION
from player.verdict import of_error, of_history, of_issuer
from player.window import korean
from player.window.times import date, date_time
from player.window.words import Language, Text


class Level(Enum):
    """How good it is; colour and symbol follow (look.py)."""

    CHECKING = "checking"
    GENUINE = "genuine"
    UNKNOWN = "unknown"
    ALTERED = "altered"
    CLOSED = "closed"
    DAMAGED = "damaged"


@dataclass(frozen=True)
class Shown:
    """What stands in the banner."""

    level: Level
    word: str
    sentence: str
    name: str  # for programs: the verdict's, or "checking"


_GENUINE = Text(
    "진본 확인 (병원 발급본)", "Genuine"
)  # of what was issued: the recording itself stays at the hospital
_UNKNOWN = Text("변조 없음 · 발급자 미확인", "Intact, issuer unknown")
_CHECKING = Text("확인 중: 지금까지 이상 없음", "Checking: so far intact")
_FAILED = Text("열 수 없음", "Failed")
_WORDS: dict[ErrorKind, tuple[Level, Text]] = {
    ErrorKind.ALTERED: (Level.ALTERED, Text("변조됨", "Altered")),
    ErrorKind.UNTRUSTED: (Level.ALTERED, Text("신뢰할 수 없음", "Untrusted")),
    ErrorKind.DAMAGED: (Level.DAMAGED, Text("손상됨", "Damaged")),
    ErrorKind.NOT_A_PACKAGE: (Level.DAMAGED, Text("패키지가 아님", "Not a package")),
    ErrorKind.NEWER_FORMAT: (Level.CLOSED, Text("최신 플레이어 필요", "Newer player needed")),
    ErrorKind.NOT_FOUND: (Level.DAMAGED, Text("찾을 수 없음", "Not found")),
    ErrorKind.BAD_MEDIA: (Level.DAMAGED, Text("재생할 수 없음", "Cannot be played")),
    ErrorKind.EXPIRED: (Level.CLOSED, Text("열람 기간 만료", "Expired")),
    ErrorKind.NOT_YET_VALID: (Level.CLOSED, Text("열람 기간 전", "Not yet valid")),
    ErrorKind.NOT_ACTIVATED: (Level.CLOSED, Text("활성화되지 않음", "Not activated")),
    ErrorKind.NOT_FOR_YOU: (Level.CLOSED, Text("수령인이 아님", "Not for you")),
    ErrorKind.WRONG_PASSWORD: (Level.CLOSED, Text("비밀번호 틀림", "Wrong password")),
}
_KOREAN: dict[ErrorKind, str] = {
    ErrorKind.ALTERED: "{where}: 내용이 서명된 것과 다릅니다 ({told})",
    ErrorKind.UNTRUSTED: "{where}: 발급자의 인증서를 믿을 수 없습니다 ({told})",
    ErrorKind.DAMAGED: "{where}: 파일의 일부가 없거나 읽을 수 없습니다 ({told})",
    ErrorKind.NOT_A_PACKAGE: "{where}: {told}",
    ErrorKind.NEWER_FORMAT: "{told}",
    ErrorKind.NOT_FOUND: "{where}: 파일을 찾을 수 없습니다. 이름과, 파일이 있는 저장 장치의 연결을 확인하십시오.",
    ErrorKind.STORAGE: "{where}: 파일을 읽을 수 없습니다 ({told}). 읽을 권한과 저장 장치의 연결을 확인하십시오.",
    ErrorKind.BAD_MEDIA: "{where}: 영상을 해독할 수 없습니다 ({told})",
    ErrorKind.EXPIRED: "이 패키지는 {until}까지만 열 수 있었습니다. 병원에 문의하십시오.",
    ErrorKind.NOT_YET_VALID: "이 패키지는 {since}부터 열 수 있습니다.",
    ErrorKind.NOT_ACTIVATED: "병원의 온라인 활성화가 필요합니다: {told}",
    ErrorKind.NOT_FOR_YOU: "이 패키지는 다른 키의 소유자에게 발급되었습니다.",
    ErrorKind.WRONG_PASSWORD: "비밀번호가 맞지 않습니다.",
}
# The label's times as a person reads them; elsewhere messages give them exactly.
_TIMES: dict[ErrorKind, str] = {
    ErrorKind.EXPIRED: "This package could be opened until {until}. Ask the hospital.",
    ErrorKind.NOT_YET_VALID: "This package can be opened from {since} on.",
}
_LEASE_OVER = "병원이 허용한 시간이 끝났습니다. 다시 열면 병원에 다시 확인합니다."
_SO_FAR = Text(
    "{percent} % 확인함. 발급자: {issuer}{pin}",
    "{percent} % of the video verified. Issued by {issuer}{pin}",
)
_LOCKED = Text(
    "겉면은 서명된 그대로입니다. 발급자: {issuer}{pin}. 영상은 잠금을 푼 뒤 확인합니다.",
    "The label is as it was signed. Issued by {issuer}{pin}. The video is verified once it is unlocked.",
)
_STRANGER = Text(
    "모든 바이트가 서명된 그대로이나, {issuer}이(가) 발급했는지는 알 수 없습니다. 그 루트 인증서가 이 컴퓨터에"
    " 등록되어 있지 않습니다. '자세히'에서 지문을 병원의 종이와 비교한 뒤 등록하십시오.",
    "No byte was altered, but whether {issuer} issued it cannot be told: its root certificate is not pinned here."
    " Compare the fingerprint in the details with the hospital's paper, then pin it there.",
)
_PINNED = Text("이 컴퓨터에 등록되어 있으며", "is pinned here")
_FOR_THIS_RUN = Text(
    "이번 실행에만 주어져 있으며(--root)", "was given for this run (--root) and is not pinned here"
)
_NOT_PINNED = Text(" (등록되지 않은 발급자)", " (not pinned here)")


def locked(issuer: Issuer, language: Language) -> Shown:
    """Before the secret: the label and the papers fit."""
    return _checking(_LOCKED, issuer, language)


def checking(issuer: Issuer, share: float, language: Language) -> Shown:
    """While the rest is being verified; `share` from 0 to 1."""
    return _checking(_SO_FAR, issuer, language, percent=int(share * 100))


def _checking(text: Text, issuer: Issuer, language: Language, **fields: object) -> Shown:
    pin = "" if issuer.pinned else _NOT_PINNED.of(language)
    sentence = text.of(language, issuer=printable(issuer.name), pin=pin, **fields)
    return Shown(Level.CHECKING, _CHECKING.of(language), sentence, "checking")


def verified(issuer: Issuer, proven: Proven | None, language: Language, for_this_run: bool = False) -> Shown:
    """Everything was verified and nothing was wrong; `for_this_run`: the root is believed, but not pinned here."""
    pin = _FOR_THIS_RUN if for_this_run else _PINNED
    verdict = of_issuer(issuer, f"no byte was altered; {of_history(proven)}", pin.en)
    level, word = (Level.GENUINE, _GENUINE) if issuer.pinned else (Level.UNKNOWN, _UNKNOWN)
    if not issuer.pinned:
        return Shown(
            level, word.of(language), _STRANGER.of(language, issuer=printable(issuer.name)), verdict.name
        )
    if language is Language.ENGLISH:
        rest = verdict.sentence.removeprefix(f"{word.en}: ")  # the word stands before it in larger letters
        return Shown(level, word.en, rest[:1].upper() + rest[1:], verdict.name)
    name = printable(issuer.name)
    sentence = f"{name} 발급, 루트 인증서가 {pin.ko} 모든 바이트가 서명된 그대로입니다. {_history(proven)}"
    if issuer.revoked_us is not None:
        sentence += (
            f" 병원은 그 뒤 이 발급자의 인증서를 폐지했습니다 ({date_time(issuer.revoked_us)}부터 효력 없음)."
            " 이 패키지는 그보다 먼저 발급된 것으로 되어 있으니, 중요하면 병원에 문의하십시오."
        )
    return Shown(level, word.ko, sentence, verdict.name)


def _history(proven: Proven | None) -> str:
    if proven is None:
        return "병원 이력의 증명은 들어 있지 않습니다."
    return f"승인({date(proven.approved_us)})과 봉인이 병원 이력에 있음이 증명되었습니다."


def _in_korean(error: OrvaultError) -> str:
    told = printable(error.message)
    return korean.video(told) if error.kind is ErrorKind.BAD_MEDIA else korean.message(told)


def failed(error: OrvaultError, label: Label | None, language: Language) -> Shown:
    """What an error says of the package; `label` where it could be read."""
    verdict = of_error(error)
    level, word = _WORDS.get(error.kind, (Level.DAMAGED, _FAILED))
    over = error.kind is ErrorKind.EXPIRED and error.where == ACTIVATION  # not the package's own time
    times = {"until": "-", "since": "-"}
    if label is not None:
        times = {"until": date_time(label.not_after_us), "since": date_time(label.not_before_us)}
    if language is Language.ENGLISH:
        exact = verdict.sentence.removeprefix(f"{word.en}: ")
        template = None if over or label is None else _TIMES.get(error.kind)
        return Shown(level, word.en, template.format(**times) if template else exact, verdict.name)
    template = _LEASE_OVER if over else _KOREAN.get(error.kind)
    where = korean.place(printable(error.where)) or "패키지"
    told = (
        printable(str(error))
        if template is None
        else template.format(where=where, told=_in_korean(error), **times)
    )
    return Shown(level, word.ko, told, verdict.name)
