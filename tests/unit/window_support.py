"""The player's window as tests drive it: a real window without a screen, real packages, people's keys and clicks."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from orvault.clock import US_PER_S, Clock, SystemClock
from orvault.container.happened import EventKind, Happened, Means
from player.seen import SeenClock
from player.session import Session
from player.window import look
from player.window.window import Setup, Window
from player.window.words import Language

from .container_support import DAY_US, MEDIA, PASSWORD, Made, hospital, make_package

SCREENSHOTS = "ORVAULT_SCREENSHOTS"  # a folder; without it no pictures are kept
CAMERAS = {"or1": MEDIA / "cameras/or1-ceiling.mp4", "or2": MEDIA / "cameras/or1-wall.mp4"}
LONGEST_WAIT_S = 60
TITLES = {"or1": "천장 Ceiling", "or2": "벽 Wall"}


def case(folder: Path, now_us: int | None = None, **changes: object) -> Made:
    """A case of two cameras, ten and twelve seconds of an hour ago; a gap of a second in the first; three events."""
    now_us = SystemClock().now_us() if now_us is None else now_us
    start_us = now_us - 3600 * US_PER_S
    gap = (start_us + 4 * US_PER_S, start_us + 5 * US_PER_S)
    infos: dict[str, dict[str, object]] = {
        "or1": {
            "title": TITLES["or1"],
            "gaps": (gap,),
            "start_us": start_us,
            "end_us": start_us + 10 * US_PER_S,
        },
        "or2": {"title": TITLES["or2"], "gaps": (), "start_us": start_us, "end_us": start_us + 12 * US_PER_S},
    }
    events = (
        Happened(start_us - US_PER_S, EventKind.START_SIGNAL, None, Means.GESTURE),
        Happened(start_us + 8 * US_PER_S, EventKind.STOP_SIGNAL, None, Means.PEDAL),
        Happened(start_us + 10 * US_PER_S, EventKind.RECORDING_STOPPED, "or1", Means.PEDAL),
    )
    valid = {"issued_us": now_us - DAY_US, "not_before_us": now_us - DAY_US, "not_after_us": now_us + DAY_US}
    return make_package(
        folder, name="case.orvault", clips=CAMERAS, infos=infos, **({"events": events} | valid | changes)
    )  # type: ignore[arg-type]


class Desk:
    """A person before the window."""

    def __init__(
        self,
        folder: Path,
        *,
        pinned: bool = True,
        clock: Clock | None = None,
        language: Language = Language.ENGLISH,
    ) -> None:
        self.app = QApplication.instance() or QApplication([])
        assert isinstance(self.app, QApplication)
        look.dress(self.app)
        roots = [hospital()[0].certificate_der] if pinned else []
        seen = SeenClock(clock or SystemClock(), folder / "home/latest-time")
        self.window = Window(
            Setup(lambda path, clock: Session.open(path, roots, clock, partial=True), seen, language)
        )
        self.faults: list[BaseException] = []  # Qt swallows what is raised in answer to an event
        sys.excepthook = lambda kind, error, trace: self.faults.append(error)
        self.window.show()

    def wait(self, condition: Callable[[], object]) -> None:
        """Let the window work until this holds."""
        end_s = time.monotonic() + LONGEST_WAIT_S
        while not condition():
            assert time.monotonic() < end_s, f"never came about; the window says {self.title!r}"
            QTest.qWait(10)

    @property
    def title(self) -> str:
        return self.window.windowTitle()

    def press(self, key: Qt.Key, widget: QWidget | None = None) -> None:
        QTest.keyClick(widget or self.window, key)

    def open(self, path: Path) -> None:
        """Open a file, and see what comes."""
        self.window.door.open_file(path)
        self.wait(lambda: not self.window.door.busy)

    def unlock(self, password: str = PASSWORD) -> None:
        """Type a password."""
        QTest.keyClicks(self.window.unlock.password, password)
        self.press(Qt.Key.Key_Return, self.window.unlock.password)
        self.wait(lambda: not self.window.door.busy)

    def watch(self, path: Path) -> None:
        """All the way to the first pictures."""
        self.open(path)
        self.unlock()
        QTest.mouseClick(self.window.terms.accept, Qt.MouseButton.LeftButton)
        self.wait(lambda: self.window.stage is not None and all(at for at in self.times()))

    def times(self) -> list[int | None]:
        """The time of each camera's picture."""
        assert self.window.stage is not None
        return [screen.at_us for screen in self.window.stage.screens]

    def shot(self, name: str, widget: QWidget | None = None) -> None:
        """Keep what is seen, if a folder for it is named."""
        folder = os.environ.get(SCREENSHOTS)
        if folder:
            QTest.qWait(60)
            Path(folder).mkdir(parents=True, exist_ok=True)
            (widget or self.window).grab().save(str(Path(folder) / f"{name}.png"))

    def leave(self) -> None:
        """Close the window."""
        self.window.close()
        self.window.deleteLater()
        QTest.qWait(1)
        sys.excepthook = sys.__excepthook__
        assert not self.faults
