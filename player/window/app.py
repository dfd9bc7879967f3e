"""The application round the window: font and colours, language, and what happens when it has a fault of its own."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from types import TracebackType

from PySide6.QtCore import QLocale, QSettings, QTimer
from PySide6.QtWidgets import QApplication

from orvault.clock import SystemClock
from player import revocations, roots, show
from player.seen import SeenClock
from player.session import Session
from player.window import look, remembered
from player.window.window import Setup, Window
from player.window.words import Language

LANGUAGE_VARIABLE = "ORVAULT_PLAYER_LANGUAGE"  # "ko" or "en"
FAULT = 70  # exit code: the program itself is broken (sysexits.h, EX_SOFTWARE)


def run(file: Path | None, extra_roots: list[Path], key: Path | None) -> int:
    """Show the window until it is closed; the program's exit code."""
    app, window = start(file, extra_roots, key)
    code = app.exec()
    del window
    return code


def start(file: Path | None, extra_roots: list[Path], key: Path | None) -> tuple[QApplication, Window]:
    """Show the window; it opens the file once the application runs."""
    app = QApplication(sys.argv[:1])
    app.setApplicationName("OR Vault Player")
    # Qt's own file dialog would write down which folders were opened. (Where the system has one, that one does as it
    # does for every program.)
    QSettings.setPath(QSettings.Format.NativeFormat, QSettings.Scope.UserScope, os.devnull)
    look.dress(app)
    _die_on_faults(app)

    def open_session(path: Path, clock: SeenClock) -> Session:
        believed = roots.believed(extra_roots, show.skipped)
        return Session.open(path, believed, clock, revocations.held(believed), partial=True)

    def for_this_run(fingerprint: str) -> bool:
        return not roots.is_pinned(fingerprint)

    clock = SeenClock(SystemClock())
    window = Window(Setup(open_session, clock, language(), key, for_this_run, remembered.keep_language))
    window.show()
    if file is not None:
        QTimer.singleShot(0, lambda: window.door.open_file(file))
    return app, window


def language() -> Language:
    """The one named for this start, else the one chosen last, else Korean where the system is; else English."""
    wish = os.environ.get(LANGUAGE_VARIABLE, "") or remembered.language() or QLocale.system().name()[:2]
    return Language.KOREAN if wish == Language.KOREAN else Language.ENGLISH


def _die_on_faults(app: QApplication) -> None:
    """A window that goes on after a fault of its own might show a verdict that no longer holds."""

    def die(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        sys.__excepthook__(kind, error, trace)
        os._exit(FAULT) if threading.current_thread() is not threading.main_thread() else app.exit(FAULT)

    sys.excepthook = die
    threading.excepthook = lambda told: die(
        told.exc_type, told.exc_value or told.exc_type(), told.exc_traceback
    )
