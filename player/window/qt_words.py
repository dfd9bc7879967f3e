"""Qt's own words, as in its file dialogs and the menus of its fields, in the window's language.

Where the system has dialogs of its own, those speak the system's. The window's texts are words.py's.
"""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QLibraryInfo, QTranslator

from player.window.words import Language

_FILE = "qtbase_ko"  # Qt is written in English; this comes with it
_LACKING = {  # in 6.11
    "&Look in:": "찾는 위치(&L):",
    "Files of &type:": "파일 형식(&T):",
    "Drive": "드라이브",
    "Folder": "폴더",
}


class _Korean(QTranslator):
    """Qt's own file, and what it lacks."""

    def translate(self, context: str, text: str, disambiguation: str | None = None, n: int = -1) -> str:
        found = super().translate(context, text, disambiguation, n)
        return found or _LACKING.get(text, text)


def speak(language: Language) -> None:
    """From now on; the application must be there."""
    app = QCoreApplication.instance()
    assert app is not None, "there is no window without it"
    korean = app.findChild(_Korean) or _loaded(app)
    app.removeTranslator(korean)
    if language is Language.KOREAN:
        app.installTranslator(korean)


def _loaded(app: QCoreApplication) -> _Korean:
    made = _Korean(app)
    there = made.load(_FILE, QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath))
    assert there, "the player carries Qt's Korean words"
    return made
