"""The window: which page is shown, which verdict stands above it, and what a key or a button does.

Opening and unlocking are door.py's, playing is playback.py's; this joins them to the pages.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QKeyEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QAbstractButton, QMainWindow, QStackedWidget, QVBoxLayout, QWidget

from orvault.container.package import Label
from orvault.errors import OrvaultError
from orvault.text import printable
from player.seen import SeenClock
from player.session import Session
from player.window import capture, qt_words, verdicts
from player.window import words as w
from player.window.banner import Banner
from player.window.closing import Closing
from player.window.dialogs import Help
from player.window.door import Door
from player.window.facts import Known
from player.window.keys import KEYS, Act
from player.window.opened import Opened
from player.window.pages import Refusal, TermsPage, Unlock, Waiting, Welcome
from player.window.papers import Papers
from player.window.stage import Stage
from player.window.steering import Steering
from player.window.words import Language

FRAME_MS, SECOND_MS = 33, 1000
KEEP_TIME_EVERY_S = 300
ALWAYS = {Act.OPEN, Act.DETAILS, Act.REPORT, Act.LANGUAGE, Act.HELP}  # the rest: while a package is watched


@dataclass(frozen=True)
class Setup:
    """What the window is started with; `for_this_run`: whether a root (fingerprint) is believed but not pinned."""

    open_session: Callable[[Path, SeenClock], Session]
    clock: SeenClock
    language: Language
    key: Path | None = None
    for_this_run: Callable[[str], bool] = lambda fingerprint: False
    keep_language: Callable[[Language], None] = lambda language: None


class Window(QMainWindow):
    """The player's one window."""

    def __init__(self, setup: Setup) -> None:
        super().__init__()
        self.setup, self.language, self.clock = setup, setup.language, setup.clock
        self.opened: Opened | None = None
        self.stage: Stage | None = None
        self._failed: tuple[Path, OrvaultError, Label | None] | None = None  # a package that stays shut
        self._clock_problem: OrvaultError | None = None
        self._closing: list[Closing] = []  # packages that were shown before
        self._seconds = 0
        self._watching: list[QShortcut] = []
        self.banner, self.pages = Banner(), QStackedWidget()
        self.welcome, self.waiting, self.unlock = Welcome(), Waiting(), Unlock()
        self.terms, self.refusal = TermsPage(), Refusal()
        self.door, self.steering, self.papers = Door(self), Steering(self), Papers(self)
        self._build()
        self._connect()
        self.speak(self.language)
        self._show(self.welcome)

    # --- one package after another ---

    def begin_opening(self) -> None:
        """Another package is being opened."""
        self.close_package()
        self._failed = None
        self._show(self.waiting)

    def ask_secret(self, path: Path, session: Session) -> None:
        """Its label and papers fit: what opens it?"""
        self.opened = Opened(path, session, self.setup.for_this_run(session.issuer.fingerprint))
        self.opened.changed.connect(self.show_verdict)
        self._note_time(session.reader.label.issued_us if session.issuer.pinned else 0)
        self._show(self.unlock)
        asked = session.reader.label.activation
        address = "" if asked is None else printable(asked.address)
        self.unlock.begin(session.reader.wants_password, self.language, address)
        self.show_verdict()

    def ask_terms(self, thumbprint: str) -> None:
        """It is unlocked: are its terms accepted?"""
        if self.opened is None:
            return
        self.unlock.begin(True, self.language)  # drops the password from its field
        self.opened.unlock_done(thumbprint)
        self.terms.begin(self.opened.session.reader.manifest.terms, self.language)
        self._show(self.terms)

    def refuse(self, path: Path, error: OrvaultError, label: Label | None = None) -> None:
        """The package stays shut, or is shut now: that something in it is altered outweighs why."""
        if self.opened is not None:
            label = self.opened.session.reader.label
            error = self.opened.weightier(error)
        self._note_time()
        self.close_package()
        self._failed = (path, error, label)
        self.refusal.show_verdict(verdicts.failed(error, label, self.language))
        self.show_verdict()
        self._show(self.refusal)

    def close_package(self) -> None:
        """Nothing of a package is shown any more; its threads end, and then its key is dropped, behind the window."""
        self.unlock.forget()
        self.steering.drop()
        if self.stage is not None:
            self.stage.drop()
            self.pages.removeWidget(self.stage)
            self.stage.deleteLater()
            self.stage = None
        if self.opened is not None:
            self._closing = [*(each for each in self._closing if not each.gone), self.opened.leave()]
            self.opened = None
        self.show_verdict()

    def _on_accepted(self) -> None:
        if self.opened is None:
            return
        opened, playback = self.opened, self.opened.play(self._closing)
        self.stage = Stage(playback.media, opened.marks, playback.clock, opened.overlay, opened.zone)
        self.pages.addWidget(self.stage)
        self.steering.take(playback, self.stage)
        self.stage.speak(self.language)
        self.stage.tick(self.clock.now_us())
        self._show(self.stage)

    # --- what is shown ---

    def known(self) -> Known | None:
        """What details and report tell; None while nothing is open."""
        if self.opened is not None:
            return replace(self.opened.known(self.language), here=self.papers.here())
        if self._failed is not None:
            path, error, label = self._failed
            return Known(path, verdicts.failed(error, label, self.language), label, here=self.papers.here())
        return None

    def show_verdict(self) -> None:
        """The banner and the window's title say what is known by now."""
        known = self.known()
        share = self.opened.share if self.opened is not None and self.opened.error is None else None
        self.banner.show_verdict(known.shown if known else None, share, self.language)
        what = f"{printable(known.file.name)} · {known.shown.word} · " if known else ""
        self.setWindowTitle(what + w.TITLE.of(self.language))
        self.papers.refresh(known)

    def speak(self, language: Language) -> None:
        """Word everything in this language."""
        self.language = language
        qt_words.speak(language)
        for page in (self.welcome, self.waiting, self.unlock, self.terms, self.refusal, self.banner):
            page.speak(language)
        if self._failed is not None:
            self.refusal.show_verdict(verdicts.failed(self._failed[1], self._failed[2], language))
        if self.stage is not None:
            self.stage.speak(language)
        self.show_verdict()

    def _switch_language(self) -> None:
        self.speak(self.language.other)
        self.setup.keep_language(self.language)

    def act(self, act: Act) -> None:
        """Do what a key or a button stands for."""
        always: dict[Act, Callable[[], object]] = {
            Act.OPEN: self.door.choose_file,
            Act.DETAILS: self.papers.details,
            Act.REPORT: self.papers.save_report,
            Act.LANGUAGE: self._switch_language,
            Act.HELP: lambda: Help(self, self.language).exec(),
        }
        if act in ALWAYS:
            always[act]()
        elif self.stage is not None:
            self.steering.act(act)

    def _show(self, page: QWidget) -> None:
        self.pages.setCurrentWidget(page)
        for shortcut in self._watching:
            shortcut.setEnabled(page is self.stage)
        welcome, refusal, terms = self.welcome, self.refusal, self.terms
        inner = {welcome: welcome.open, refusal: refusal.another, terms: terms.area}
        if page is not self.unlock:
            inner.get(page, page).setFocus()

    # --- time ---

    def _on_second(self) -> None:
        self._seconds += 1
        if self._seconds % KEEP_TIME_EVERY_S == 0:
            self._note_time()
        if self.opened is None:
            return
        try:
            self.opened.check_time(self.clock.now_us())
        except OrvaultError as error:
            if not self.door.busy:
                self.refuse(self.opened.file, error)
            return
        if self.stage is not None:
            self.stage.tick(self.clock.machine_us())

    def _note_time(self, issued_us: int = 0) -> None:
        try:
            self.clock.note(issued_us)
        except OrvaultError as error:
            # Told in the details: a full disk is no reason not to see one's own video.
            self._clock_problem = error

    @property
    def clock_problem(self) -> OrvaultError | None:
        """Why the latest time could not be kept, if it could not."""
        return self._clock_problem

    # --- Qt ---

    def _build(self) -> None:
        for page in (self.welcome, self.waiting, self.unlock, self.terms, self.refusal):
            self.pages.addWidget(page)
        middle = QWidget()
        box = QVBoxLayout(middle)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(0)
        box.addWidget(self.banner)
        box.addWidget(self.pages, 1)
        self.setCentralWidget(middle)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)
        self.setAcceptDrops(True)
        self.setMinimumSize(720, 420)  # fits a laptop's screen at 200 %
        room = self.screen().availableSize()
        self.resize(min(1120, room.width()), min(720, room.height() - 40))  # 40: the system's own title bar
        self.capture_asked = capture.discourage(int(self.winId()))

    def _connect(self) -> None:
        for act, key in KEYS.items():
            for sequence in key.sequences:
                shortcut = QShortcut(QKeySequence(sequence), self)
                shortcut.activated.connect(lambda act=act: self.act(act))
                if act not in ALWAYS:
                    self._watching.append(shortcut)  # elsewhere the same keys scroll a page
        banner = self.banner
        for button, act in (
            (banner.details, Act.DETAILS), (banner.open_file, Act.OPEN), (banner.language, Act.LANGUAGE),
            (banner.help, Act.HELP), (self.welcome.open, Act.OPEN), (self.refusal.another, Act.OPEN),
        ):  # fmt: skip
            button.clicked.connect(lambda _=False, act=act: self.act(act))
        self.unlock.typed.connect(self.door.try_secret)
        self.unlock.key.clicked.connect(self.door.choose_key)
        self.terms.accept.clicked.connect(self._on_accepted)
        self.terms.decline.clicked.connect(self._on_declined)
        for every_ms, work in ((FRAME_MS, self.steering.on_frame), (SECOND_MS, self._on_second)):
            timer = QTimer(self)
            timer.timeout.connect(work)
            timer.start(every_ms)

    def _on_declined(self) -> None:
        self.close_package()
        self._show(self.welcome)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802 - Qt's name
        """One file may be dropped."""
        urls = event.mimeData().urls()
        if len(urls) == 1 and urls[0].isLocalFile():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802 - Qt's name
        """Open it."""
        self.door.open_file(Path(event.mimeData().urls()[0].toLocalFile()))

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Enter presses the focused button, as the space bar does; elsewhere the space bar plays."""
        focused = self.focusWidget()
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and isinstance(focused, QAbstractButton):
            focused.click()
        elif event.key() == Qt.Key.Key_Space and self.stage is not None:
            self.act(Act.PLAY)
        else:
            super().keyPressEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802 - Qt's name
        """Nothing stays behind: the program ends once threads have; the window is gone meanwhile."""
        self._note_time()
        self.close_package()
        self.hide()
        for each in self._closing:
            each.wait()
        super().closeEvent(event)
