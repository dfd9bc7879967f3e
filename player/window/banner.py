"""The banner at the top: the verdict, always in view, as symbol, word and sentence; and the way to its details."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from player.window import words as w
from player.window.icons import draw_symbol
from player.window.look import INK, TONES
from player.window.verdicts import Level, Shown
from player.window.words import Language


class Symbol(QWidget):
    """A verdict's symbol in its disc."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.level = Level.CHECKING
        self.setFixedSize(side, side)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw it."""
        painter = QPainter(self)
        draw_symbol(painter, self.level, QRectF(self.rect()).adjusted(1, 1, -1, -1))
        painter.end()


class Sentence(QLabel):
    """A text that always has the height that its lines take: a layout alone gives it that too late."""

    def tell(self, text: str) -> None:
        """Show this."""
        self.setText(text)
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """Take the height of the lines in this width."""
        self._fit()
        super().resizeEvent(event)

    def _fit(self) -> None:
        self.setMinimumHeight(max(0, self.heightForWidth(self.width())))  # -1: there are no words


class Banner(QWidget):
    """Verdict, and the buttons `details`, `open_file`, `language` and `help`, for the window to connect."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("banner")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.symbol, self.word, self.sentence = Symbol(34), QLabel(), Sentence()
        self.word.setObjectName("word")
        self.word.setTextFormat(Qt.TextFormat.PlainText)
        self.sentence.setWordWrap(True)
        self.sentence.setTextFormat(Qt.TextFormat.PlainText)
        self.sentence.setMinimumWidth(1)
        self.sentence.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.MinimumExpanding)
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.details, self.open_file = QPushButton(), QPushButton()
        self.language, self.help = QPushButton(), QPushButton()
        self._arrange()

    def _arrange(self) -> None:
        told = QVBoxLayout()
        told.setSpacing(2)
        for each in (self.word, self.sentence, self.bar):
            told.addWidget(each)
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 9, 12, 9)
        row.setSpacing(12)
        row.addWidget(self.symbol, alignment=Qt.AlignmentFlag.AlignVCenter)
        row.addLayout(told, 1)
        row.addSpacing(6)
        for button in (self.details, self.open_file, self.language, self.help):
            button.setObjectName("quiet")
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            row.addWidget(button, alignment=Qt.AlignmentFlag.AlignVCenter)

    def speak(self, language: Language) -> None:
        """Word the buttons."""
        self.details.setText(w.DETAILS.of(language))
        self.open_file.setText(w.OPEN_SHORT.of(language))
        self.open_file.setAccessibleName(w.OPEN.of(language))
        self.language.setText(w.SWITCH.of(language))
        self.help.setText("?")
        self.help.setAccessibleName(w.HELP.of(language))
        self.help.setToolTip(w.HELP.of(language))
        self.bar.setAccessibleName(w.VERIFYING.of(language, percent=self.bar.value() // 10))

    def show_verdict(self, shown: Shown | None, share: float | None, language: Language) -> None:
        """A verdict; with `share`, how far the verification behind it is. None: no package is open."""
        for each in (self.symbol, self.word, self.sentence, self.details, self.open_file):
            each.setVisible(shown is not None)
        self.bar.setVisible(share is not None)
        tone = TONES[shown.level if shown else Level.CLOSED]
        back = tone.back if shown else "#ffffff"
        self.setStyleSheet(f"#banner {{ background: {back}; border-bottom: 1px solid #d5dade; }}")
        if share is not None:
            self.bar.setValue(round(share * 1000))
            self.bar.setAccessibleName(w.VERIFYING.of(language, percent=int(share * 100)))
        if shown is None:
            return
        self.symbol.level = shown.level
        self.symbol.setAccessibleName(shown.word)
        self.symbol.update()
        self.word.setText(shown.word)
        self.word.setStyleSheet(f"color: {tone.ink};")
        self.sentence.tell(shown.sentence)
        self.sentence.setStyleSheet(f"color: {INK};")
        self.setAccessibleName(f"{w.VERDICT.of(language)}: {shown.word}. {shown.sentence}")
