"""What opens over the window: the verdict's details, and the help over the keyboard."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QDialog, QHBoxLayout, QPushButton, QScrollArea, QVBoxLayout, QWidget

from player.window import words as w
from player.window.facts import Section
from player.window.keys import KEYS
from player.window.pages import label, rows_grid
from player.window.words import Language


class Details(QDialog):
    """Everything known of the package. `report` and `trust` are its buttons."""

    def __init__(self, parent: QWidget, found: list[Section], language: Language) -> None:
        super().__init__(parent)
        self.setWindowTitle(w.DETAILS.of(language))
        self.resize(760, min(600, parent.height()))
        self.report, self.trust = (
            QPushButton(w.SAVE_REPORT.of(language)),
            QPushButton(w.TRUST_ROOT.of(language)),
        )
        close = QPushButton(w.CLOSE.of(language))
        close.clicked.connect(self.accept)
        close.setDefault(True)
        self._area = area = QScrollArea()
        area.setObjectName("bare")
        area.setAccessibleName(w.DETAILS.of(language))
        area.setWidgetResizable(True)
        self._found: list[Section] = []
        self.tell(found)
        buttons = QHBoxLayout()
        buttons.addWidget(self.report)
        buttons.addWidget(self.trust)
        buttons.addStretch(1)
        buttons.addWidget(close)
        box = QVBoxLayout(self)
        box.setContentsMargins(18, 14, 18, 14)
        box.addWidget(area, 1)
        box.addLayout(buttons)
        area.setFocus()

    def tell(self, found: list[Section]) -> None:
        """Show these; who has scrolled stays where they read."""
        if found == self._found:
            return
        bar = self._area.verticalScrollBar()
        before, self._found = bar.value(), found
        self._area.setWidget(self._inside(found))
        bar.setValue(before)

    @staticmethod
    def _inside(found: list[Section]) -> QWidget:
        inside = QWidget()
        inside.setObjectName("page")
        box = QVBoxLayout(inside)
        box.setSpacing(6)
        for section in found:
            box.addWidget(label(section.title, "section"))
            box.addLayout(rows_grid(section.rows))
            box.addSpacing(10)
        box.addStretch(1)
        return inside


class Help(QDialog):
    """What each key does."""

    def __init__(self, parent: QWidget, language: Language) -> None:
        super().__init__(parent)
        self.setWindowTitle(w.HELP_TITLE.of(language))
        rows = [(key.shown, key.says.of(language)) for key in KEYS.values()]
        half = (len(rows) + 1) // 2
        columns = QHBoxLayout()
        columns.setSpacing(28)
        for part in (rows[:half], rows[half:]):
            grid = rows_grid(part, label_px=70)
            grid.setRowStretch(len(part), 1)
            columns.addLayout(grid)
        box = QVBoxLayout(self)
        box.setContentsMargins(22, 18, 22, 16)
        box.setSpacing(12)
        box.addWidget(label(w.HELP_TITLE.of(language), "section"))
        box.addLayout(columns)
        box.addWidget(label(w.HELP_FOOT.of(language), "pale"))
        QShortcut(QKeySequence(Qt.Key.Key_F1), self, self.accept)
        self.resize(720, 380)
