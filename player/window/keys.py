"""What each key does: one table, from which the shortcuts and the help both come."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from player.window.words import Text


class Act(Enum):
    """What a person can have done."""

    OPEN = "open"
    PLAY = "play"
    BACK_5 = "back-5"
    ON_5 = "on-5"
    BACK_60 = "back-60"
    ON_60 = "on-60"
    STEP_BACK = "step-back"
    STEP_ON = "step-on"
    MARK_BACK = "mark-back"
    MARK_ON = "mark-on"
    START = "start"
    END = "end"
    SLOWER = "slower"
    FASTER = "faster"
    NORMAL = "normal"
    CAMERA = "camera"
    FULL_SCREEN = "full-screen"
    DETAILS = "details"
    REPORT = "report"
    LANGUAGE = "language"
    HELP = "help"
    LEAVE = "leave"


@dataclass(frozen=True)
class Key:
    """Qt's names of its keys, and how people read it (the space bar is the window's: on a button it presses that)."""

    sequences: tuple[str, ...]
    shown: str
    says: Text


KEYS: dict[Act, Key] = {
    Act.OPEN: Key(("Ctrl+O",), "Ctrl+O", Text("파일 열기", "Open a file")),
    Act.PLAY: Key(("K",), "Space", Text("재생 / 일시 정지", "Play or pause")),
    Act.BACK_5: Key(("Left",), "←", Text("5초 뒤로", "Back 5 seconds")),
    Act.ON_5: Key(("Right",), "→", Text("5초 앞으로", "On 5 seconds")),
    Act.BACK_60: Key(("Shift+Left",), "Shift+←", Text("1분 뒤로", "Back a minute")),
    Act.ON_60: Key(("Shift+Right",), "Shift+→", Text("1분 앞으로", "On a minute")),
    Act.STEP_BACK: Key((",",), ",", Text("한 프레임 뒤로", "One picture back")),
    Act.STEP_ON: Key((".",), ".", Text("한 프레임 앞으로", "One picture on")),
    Act.MARK_BACK: Key(
        ("P", "PgUp"), "P", Text("이전 표시(공백, 사건 등)로", "To the previous mark (gap, event, …)")
    ),
    Act.MARK_ON: Key(
        ("N", "PgDown"), "N", Text("다음 표시(공백, 사건 등)로", "To the next mark (gap, event, …)")
    ),
    Act.START: Key(("Home",), "Home", Text("처음으로", "To the beginning")),
    Act.END: Key(("End",), "End", Text("끝으로", "To the end")),
    Act.SLOWER: Key(("-", "["), "-", Text("느리게", "Slower")),
    Act.FASTER: Key(("+", "=", "]"), "+", Text("빠르게", "Faster")),
    Act.NORMAL: Key(("0",), "0", Text("보통 속도", "Normal speed")),
    Act.CAMERA: Key(("C",), "C", Text("다음 카메라 / 한 대만 / 모두", "The next cameras, one alone, or all")),
    Act.FULL_SCREEN: Key(("F", "F11"), "F", Text("전체 화면", "Full screen")),
    Act.DETAILS: Key(("D",), "D", Text("판정의 자세한 내용", "Details of the verdict")),
    Act.REPORT: Key(("Ctrl+S",), "Ctrl+S", Text("검증 결과를 PDF로 저장", "Save the report as PDF")),
    Act.LANGUAGE: Key(("Ctrl+L",), "Ctrl+L", Text("English", "한국어")),
    Act.HELP: Key(("F1",), "F1", Text("이 도움말", "This help")),
    Act.LEAVE: Key(("Esc",), "Esc", Text("전체 화면 · 도움말 끝내기", "Leave full screen or help")),
}
