"""Details, report and pinned roots, as the window offers them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

from orvault import __version__
from orvault.clock import SystemClock
from orvault.errors import OrvaultError
from orvault.text import grouped, printable
from player import roots
from player.window import facts, report
from player.window import words as w
from player.window.dialogs import Details
from player.window.facts import Known, Section
from player.window.overlay import computer_user
from player.window.times import date_time
from player.window.words import Text

if TYPE_CHECKING:
    from player.window.window import Window


class Papers:
    """What is said about the package outside its pictures."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._open: Details | None = None

    def details(self) -> None:
        """Everything known of the package, as long as the person reads."""
        known = self._window.known()
        if known is None:
            return
        self._open = dialog = Details(self._window, self.sections(known), self._window.language)
        dialog.report.clicked.connect(self.save_report)
        dialog.trust.clicked.connect(lambda: self.trust_root(dialog))
        dialog.exec()
        self._open = None
        dialog.deleteLater()

    def refresh(self, known: Known | None) -> None:
        """Details that are open say what is known by now; without a package they close."""
        if self._open is None:
            return
        if known is None:
            self._open.close()
        else:
            self._open.tell(self.sections(known))

    def here(self) -> tuple[tuple[Text, str], ...]:
        """What details say of this computer."""
        window, language = self._window, self._window.language
        back_us = window.clock.turned_back_from_us
        told = w.CLOCK_FINE.of(language)
        if back_us is not None:
            told = w.CLOCK_BACK.of(language, seen=date_time(back_us))
        elif window.clock_problem is not None:
            told = str(window.clock_problem)
        capture = w.CAPTURE_ASKED if window.capture_asked else w.CAPTURE_NONE
        who = window.opened.who if window.opened is not None and window.opened.unlocked else computer_user()
        return ((w.VIEWER, who), (w.CLOCK, told), (w.CAPTURE, capture.of(language)))

    def sections(self, known: Known) -> list[Section]:
        """What details and report consist of."""
        return facts.sections(known, self._window.language)

    def pdf(self, known: Known) -> bytes:
        """The report."""
        language = self._window.language
        foot = w.REPORT_FOOT.of(
            language, computer=computer_user(), time=date_time(SystemClock().now_us()), version=__version__
        )
        name = printable(known.file.name)
        return report.pdf(w.REPORT.of(language), self.sections(known), foot, self._window.font(), name)

    def save_report(self) -> None:
        """Ask where, and write it there."""
        path = self._report_path()
        known = self._window.known()  # only now: it may have become another one while the person chose
        if path is None or known is None:
            return
        try:
            report.save(path, self.pdf(known))
        except OrvaultError as error:
            self._tell(self._window, str(error))
            return
        self._tell(self._window, w.REPORT_SAVED.of(self._window.language, path=path))

    def _report_path(self) -> Path | None:
        known, language = self._window.known(), self._window.language
        if known is None:
            return None
        name, _ = QFileDialog.getSaveFileName(
            self._window, w.SAVE_REPORT.of(language), f"{known.file.stem}.pdf", w.PDF_FILES.of(language)
        )
        if not name or name.lower().endswith(".pdf"):
            return Path(name) if name else None
        path = f"{name}.pdf"  # another file than the one of which the system asked whether it may be replaced
        asked = w.REPLACE_ASK.of(language, path=path)
        free = not os.path.exists(path)  # noqa: PTH110 - a Path raises where a folder may not be looked into
        return Path(path) if free or self._agreed(self._window, w.SAVE_REPORT, asked, w.REPLACE) else None

    def trust_root(self, parent: QWidget) -> None:
        """Pin a hospital's root after its fingerprint was compared with paper; then open the package anew."""
        language = self._window.language
        name, _ = QFileDialog.getOpenFileName(
            parent, w.TRUST_ROOT.of(language), "", w.CERTIFICATES.of(language)
        )
        if not name:
            return
        try:
            root = roots.read_root(Path(name))
            if not self._compared(parent, root):
                return
            roots.pin(root)  # what was compared, whatever the file holds by now
        except OrvaultError as error:
            self._tell(parent, str(error))
            return
        known = self._window.known()
        parent.close()
        if known is not None:
            self._window.door.open_file(known.file)

    def _compared(self, parent: QWidget, root: roots.Root) -> bool:
        language = self._window.language
        asked = w.TRUST_ASK.of(language, name=root.name, fingerprint=grouped(root.fingerprint))
        return self._agreed(parent, w.TRUST_ROOT, asked, w.TRUST_YES)

    def _agreed(self, parent: QWidget, title: Text, asked: str, agree: Text) -> bool:
        language = self._window.language
        box = _box(parent, asked)
        box.setWindowTitle(title.of(language))
        yes = box.addButton(agree.of(language), QMessageBox.ButtonRole.AcceptRole)
        no = box.addButton(w.CANCEL.of(language), QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(no)
        box.exec()
        return box.clickedButton() is yes

    @staticmethod
    def _tell(parent: QWidget, text: str) -> None:
        _box(parent, text).exec()


def _box(parent: QWidget, text: str) -> QMessageBox:
    """Words in a box of their own. Left to itself Qt takes what looks like markup for markup: then a name could hide
    what stands behind it, and put something else there.
    """
    box = QMessageBox(parent)
    box.setTextFormat(Qt.TextFormat.PlainText)
    box.setText(printable(text, lines=True))
    return box
