"""The events that a package tells, in words; a kind that this player does not know is shown as it is written."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timezone

from orvault.container.happened import EventKind, Happened, Means
from orvault.text import printable
from player.window.times import date_time
from player.window.words import MORE, Language, Text

_KINDS: dict[str, Text] = {
    EventKind.CASE_ARMED: Text("녹화 준비", "Ready to record"),
    EventKind.CASE_CLOSED: Text("수술 기록 종료", "Case closed"),
    EventKind.START_SIGNAL: Text("시작 신호", "Start signal"),
    EventKind.STOP_SIGNAL: Text("정지 신호", "Stop signal"),
    EventKind.STOP_LAPSED: Text("정지 신호 무효 (확인 없음)", "Stop signal lapsed (not confirmed)"),
    EventKind.RECORDING_STARTED: Text("녹화 시작", "Recording started"),
    EventKind.RECORDING_STOPPED: Text("녹화 정지", "Recording stopped"),
    EventKind.RECORDING_LATE: Text("녹화 지연 경고", "Recording late"),
    EventKind.RECORDING_START_FAILED: Text("녹화 시작 실패", "Recording could not be started"),
    EventKind.CAMERA_LOST: Text("카메라 연결 끊김", "Camera lost"),
    EventKind.CAMERA_BACK: Text("카메라 다시 연결됨", "Camera back"),
    EventKind.PICTURES_DAMAGED: Text("손상된 화면 (검게 표시)", "Damaged pictures (shown black)"),
    EventKind.MASK_SET: Text("병원 내 시청 화면 가림", "Watching masked in the hospital"),
    EventKind.MASK_LIFTED: Text("병원 내 시청 화면 가림 해제", "Watching unmasked in the hospital"),
}
_OTHER = Text("기타: {kind}", "Other: {kind}")
_MEANS: dict[Means, Text] = {
    Means.GESTURE: Text("손동작", "by gesture"),
    Means.PEDAL: Text("발판", "by pedal"),
    Means.ACCOUNT: Text("화면 조작", "at a screen"),
}


def event_words(event: Happened, language: Language) -> str:
    """What happened, of which camera, and how."""
    known = _KINDS.get(event.kind)
    told = _OTHER.of(language, kind=printable(event.kind)) if known is None else known.of(language)
    parts = [printable(event.camera_id)] if event.camera_id else []
    parts += [_MEANS[event.by].of(language)] if event.by else []
    return f"{told} ({', '.join(parts)})" if parts else told


def event_line(event: Happened, language: Language, zone: timezone) -> str:
    """The same with its time."""
    return f"{date_time(event.at_us, zone)}: {event_words(event, language)}"


def event_list(found: Sequence[Happened], more: int, language: Language) -> list[str]:
    """Several without their times, and how many there are besides."""
    told = [event_words(event, language) for event in found]
    return [*told, MORE.of(language, count=more)] if more else told
