"""A person before the real program on a real X screen; run by test_player_xvfb.py in a process of its own.

Usage: xvfb_player.py PACKAGE ROOT_PEM PASSWORD [FOLDER]. Starts the window as the program does, drives it by keys
alone, and says on standard output what the window's title was at each step. With FOLDER it keeps pictures of the
whole screen.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest

from player.window.app import start
from player.window.window import Window

LONGEST_WAIT_S = 60


def say(line: str) -> None:
    """Tell the test."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def until(condition: Callable[[], object]) -> None:
    """Let the program work until this holds."""
    end_s = time.monotonic() + LONGEST_WAIT_S
    while not condition():
        if time.monotonic() > end_s:
            raise TimeoutError
        QTest.qWait(20)


class Person:
    """Has keys only, and eyes."""

    def __init__(self, window: Window, folder: Path | None) -> None:
        self.window, self._folder, self._steps = window, folder, 0

    def press(self, key: Qt.Key) -> None:
        """A key, to whatever has the focus."""
        QTest.keyClick(self.window.focusWidget() or self.window, key)

    def see(self, name: str) -> None:
        """Say what the title is, and keep the screen."""
        QTest.qWait(200)
        say(f"{name}: {self.window.windowTitle()}")
        self._steps += 1
        if self._folder is not None:
            picture = QGuiApplication.primaryScreen().grabWindow(0)
            picture.save(str(self._folder / f"x{self._steps:02d}-{name}.png"))

    def times(self) -> list[int]:
        """The time of each camera's picture."""
        return [] if self.window.stage is None else [each.at_us or 0 for each in self.window.stage.screens]

    def watch(self, password: str) -> None:
        """From the password to the full screen."""
        window = self.window
        window.activateWindow()  # there is no window manager to do it
        until(window.isActiveWindow)
        until(lambda: window.pages.currentWidget() in (window.unlock, window.refusal))
        if window.pages.currentWidget() is window.refusal:
            self.see("refused")
            return
        self.see("password")
        QTest.keyClicks(window.focusWidget(), password)
        self.press(Qt.Key.Key_Return)
        until(lambda: window.pages.currentWidget() is window.terms)
        self.see("terms")
        until(lambda: window.focusWidget() is window.terms.accept or self.press(Qt.Key.Key_Tab))
        self.press(Qt.Key.Key_Return)
        until(lambda: self.times() and all(self.times()))
        until(lambda: window.opened is not None and window.opened.share is None)
        self.see("watching")
        if window.opened is not None and window.opened.error is not None:
            return  # it stands still: what was found wrong is to be read
        first_us = self.times()[0]
        self.press(Qt.Key.Key_Space)
        until(lambda: min(self.times()) > first_us + 1_000_000)
        self.see("playing")
        self.press(Qt.Key.Key_F)
        until(window.isFullScreen)
        window.setGeometry(window.screen().geometry())  # what a window manager does
        self.see("full-screen")


def main() -> None:
    """Start the program, and the person before it."""
    package, root, password, *more = sys.argv[1:]
    app, window = start(Path(package), [Path(root)], None)
    say(f"platform: {app.platformName()}")
    Person(window, Path(more[0]) if more else None).watch(password)
    window.close()


if __name__ == "__main__":
    main()
