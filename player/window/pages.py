"""The pages before the pictures: welcome, password or key, terms of use, and why a package stays shut."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from orvault.container.package import PackageTerms
from orvault.text import printable
from player.window import words as w
from player.window.banner import Symbol
from player.window.facts import terms_rows
from player.window.verdicts import Shown
from player.window.words import Language

_WIDE = 560


def label(text: str = "", name: str = "") -> QLabel:
    """Words that nobody can select or follow: no rich text out of files, no clipboard."""
    made = QLabel(text)
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setWordWrap(True)
    made.setObjectName(name)
    return made


def rows_grid(rows: Sequence[tuple[str, str]], label_px: int = 130) -> QGridLayout:
    """Labels, and behind each what it stands for."""
    grid = QGridLayout()
    grid.setHorizontalSpacing(18)
    grid.setVerticalSpacing(5)
    grid.setColumnStretch(1, 1)
    for at, (name, value) in enumerate(rows):
        left, right = label(name, "label"), label(value)
        left.setMinimumWidth(label_px)
        grid.addWidget(left, at, 0, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(right, at, 1, Qt.AlignmentFlag.AlignTop)
    return grid


class _Column(QWidget):
    """A page with a narrow column in its middle."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("page")
        inside = QWidget()
        inside.setMaximumWidth(_WIDE)
        inside.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.column = QVBoxLayout(inside)
        self.column.setSpacing(14)
        across = QHBoxLayout(self)
        across.setContentsMargins(24, 16, 24, 16)
        across.addStretch(1)
        across.addWidget(inside, 6, Qt.AlignmentFlag.AlignVCenter)
        across.addStretch(1)


class Welcome(_Column):
    """Nothing is open yet."""

    def __init__(self) -> None:
        super().__init__()
        self.heading, self.hint, self.note = label(name="heading"), label(), label(name="pale")
        self.open = QPushButton()
        self.open.setObjectName("main")
        frame = QFrame()
        frame.setObjectName("drop")
        box = QVBoxLayout(frame)
        box.setContentsMargins(28, 30, 28, 30)
        box.setSpacing(14)
        for each in (self.heading, self.hint, self.note):
            each.setAlignment(Qt.AlignmentFlag.AlignCenter)
        box.addWidget(self.heading)
        box.addWidget(self.hint)
        box.addWidget(self.open, alignment=Qt.AlignmentFlag.AlignCenter)
        self.column.addWidget(frame)
        self.column.addWidget(self.note)

    def speak(self, language: Language) -> None:
        """Word it."""
        self.heading.setText(w.WELCOME.of(language))
        self.hint.setText(w.DROP_HERE.of(language))
        self.open.setText(w.OPEN.of(language))
        self.note.setText(w.NOTHING_STORED.of(language))


class _Password(QLineEdit):
    """A hidden line that keeps Enter: passed on, it presses whatever has the focus while the password is tried."""

    def __init__(self) -> None:
        super().__init__()
        self.setEchoMode(QLineEdit.EchoMode.Password)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """As any line; Enter ends here."""
        super().keyPressEvent(event)
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            event.accept()


class Unlock(_Column):
    """Asks for the password or a key file. `typed(str)`; `key` is the button for a file."""

    typed = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.heading, self.hint, self.wrong = label(name="heading"), label(), label(name="wrong")
        self.password, self.reveal = _Password(), QCheckBox()
        self.reveal.toggled.connect(self._reveal)
        self.unlock, self.key = QPushButton(), QPushButton()
        self.unlock.setObjectName("main")
        self.unlock.clicked.connect(self._send)
        self.password.returnPressed.connect(self._send)
        buttons = QHBoxLayout()
        buttons.addWidget(self.unlock)
        buttons.addWidget(self.key)
        buttons.addStretch(1)
        for each in (self.heading, self.hint, self.password, self.reveal, self.wrong):
            self.column.addWidget(each)
        self.column.addLayout(buttons)
        self._by_password, self._asks = True, ""
        self._problem: w.Text | None = None

    def begin(self, by_password: bool, language: Language, asks: str = "") -> None:
        """Another package; `by_password`: somebody opens it so; `asks`: the hospital's address, if it is asked."""
        self._by_password, self._problem, self._asks = by_password, None, asks
        self.forget()
        self.reveal.setChecked(False)
        for each in (self.password, self.reveal, self.unlock):
            each.setVisible(by_password)
        self.speak(language)
        self.busy(False)

    def forget(self) -> None:
        """Drop what was typed. `clear` would keep it for Ctrl+Z."""
        self.password.setText("")

    def busy(self, on: bool) -> None:
        """While a secret is being tried."""
        for each in (self.password, self.unlock, self.key):
            each.setEnabled(not on)
        if not on:
            (self.password if self._by_password else self.key).setFocus()

    def refuse(self, problem: w.Text, language: Language) -> None:
        """Say what was wrong with the secret, and take another."""
        self._problem = problem
        self.forget()
        self.busy(False)
        self.speak(language)

    def speak(self, language: Language) -> None:
        """Word it."""
        self.heading.setText(w.UNLOCK.of(language))
        hint = (w.UNLOCK_HINT if self._by_password else w.UNLOCK_KEY_HINT).of(language)
        asks = f"\n\n{w.ASKS_HOSPITAL.of(language, address=self._asks)}" if self._asks else ""
        self.hint.setText(hint + asks)
        for name in (self.password.setPlaceholderText, self.password.setAccessibleName):
            name(w.PASSWORD.of(language))
        self.reveal.setText(w.SHOW_PASSWORD.of(language))
        self.unlock.setText(w.UNLOCK_DO.of(language))
        self.key.setText(w.USE_KEY.of(language))
        problem = self._problem
        told = "" if problem is None else problem.of(language)
        self.wrong.setText(told)
        self.wrong.setAccessibleName(told)
        self.wrong.setVisible(bool(told))

    def _reveal(self, on: bool) -> None:
        self.password.setEchoMode(QLineEdit.EchoMode.Normal if on else QLineEdit.EchoMode.Password)

    def _send(self) -> None:
        text = self.password.text()
        if text:
            self.typed.emit(text)


class TermsPage(QWidget):
    """The terms of use, to accept before any picture. `accept` and `decline` are its buttons."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("page")
        self.heading, self.hint = label(name="heading"), label()
        self.accept, self.decline = QPushButton(), QPushButton()
        self.accept.setObjectName("main")
        self.area = QScrollArea()
        self.area.setWidgetResizable(True)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self.decline)
        buttons.addWidget(self.accept)
        column = QVBoxLayout(self)
        column.setContentsMargins(28, 18, 28, 18)
        column.setSpacing(10)
        column.addWidget(self.heading)
        column.addWidget(self.hint)
        column.addWidget(self.area, 1)
        column.addLayout(buttons)
        self._terms: PackageTerms | None = None

    def begin(self, terms: PackageTerms, language: Language) -> None:
        """Show these."""
        self._terms = terms
        self.speak(language)

    def speak(self, language: Language) -> None:
        """Word it."""
        self.heading.setText(w.TERMS.of(language))
        self.hint.setText(w.TERMS_HINT.of(language))
        self.accept.setText(w.ACCEPT.of(language))
        self.decline.setText(w.DECLINE.of(language))
        self.area.setAccessibleName(w.TERMS.of(language))
        if self._terms is None:
            return
        inside = QWidget()
        inside.setObjectName("inside")
        box = QVBoxLayout(inside)
        box.setContentsMargins(16, 14, 16, 14)
        box.setSpacing(14)
        box.addWidget(label(printable(self._terms.terms_text, lines=True)))
        line = QFrame()
        line.setFrameShape(QFrame.Shape.HLine)
        line.setStyleSheet("color: #d5dade;")
        box.addWidget(line)
        box.addLayout(rows_grid(terms_rows(self._terms, language)))
        box.addStretch(1)
        self.area.setWidget(inside)


class Refusal(_Column):
    """A package that stays shut, and why."""

    def __init__(self) -> None:
        super().__init__()
        self.symbol, self.word, self.sentence = Symbol(72), label(name="heading"), label()
        self.another = QPushButton()
        centre = Qt.AlignmentFlag.AlignCenter
        self.column.addWidget(self.symbol, alignment=centre)
        for each in (self.word, self.sentence):
            each.setAlignment(centre)
            self.column.addWidget(each)
        self.column.addSpacing(8)
        self.column.addWidget(self.another, alignment=centre)

    def show_verdict(self, shown: Shown) -> None:
        """Why."""
        self.symbol.level = shown.level
        self.symbol.update()
        self.word.setText(shown.word)
        self.sentence.setText(shown.sentence)

    def speak(self, language: Language) -> None:
        """Word the button."""
        self.another.setText(w.OPEN_ANOTHER.of(language))


class Waiting(_Column):
    """While a package is being opened."""

    def __init__(self) -> None:
        super().__init__()
        self.told = label(name="heading")
        self.told.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.column.addWidget(self.told)

    def speak(self, language: Language) -> None:
        """Word it."""
        self.told.setText(w.OPENING.of(language))
