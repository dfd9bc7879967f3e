"""How a package comes into the window: which file, which password or key file, tried beside the window.

What is shown before, meanwhile and afterwards is window.py's.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QFileDialog

from orvault.container.keyfiles import read_private_key
from orvault.container.keys import PrivateKey
from orvault.container.package import Label, PackageReader
from orvault.errors import ErrorKind, OrvaultError
from orvault.text import printable
from player.session import Session
from player.window import words as w
from player.window.task import Task

if TYPE_CHECKING:
    from player.window.window import Window

_BY_LABEL = (ErrorKind.EXPIRED, ErrorKind.NOT_YET_VALID)
_AGAIN = {ErrorKind.WRONG_PASSWORD: w.WRONG_PASSWORD, ErrorKind.NOT_FOR_YOU: w.NOT_FOR_YOU}


class Door:
    """One thing at a time: while a file is being opened or a secret tried, nothing else is taken."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._task: Task[Session] | Task[str] | None = None

    @property
    def busy(self) -> bool:
        """Whether something is being tried right now."""
        return self._task is not None

    def open_file(self, path: Path) -> None:
        """Close what is open, and open this."""
        if self.busy:
            return
        window, setup = self._window, self._window.setup
        window.begin_opening()
        self._task = Task(
            lambda: setup.open_session(path, setup.clock),
            lambda session: self._on_opened(path, session),
            lambda error: self._refuse(path, error),
        )

    def choose_file(self) -> None:
        """Ask which package."""
        name = self._ask(w.OPEN, f"{w.PACKAGES.of(self._window.language)};;* (*)")
        if name:
            self.open_file(Path(name))

    def choose_key(self) -> None:
        """Ask for a key file, and try it."""
        name = self._ask(w.USE_KEY, w.KEY_FILES.of(self._window.language), self._window.setup.key)
        if name:
            self.try_key_file(Path(name))

    def try_key_file(self, path: Path) -> None:
        """Unlock with a key file."""
        try:
            key = read_private_key(path)
        except OrvaultError:
            named = w.NO_KEY_FILE.filled(file=printable(path.name))
            self._window.unlock.refuse(named, self._window.language)
            return
        self.try_secret(key)

    def try_secret(self, secret: str | PrivateKey) -> None:
        """Unlock with a password or a key."""
        opened = self._window.opened
        if opened is None or self.busy:
            return
        self._window.unlock.busy(True)
        self._task = Task(opened.unlocking(secret), self._on_unlocked, self._on_wrong)

    def _ask(self, caption: w.Text, kinds: str, at: Path | None = None) -> str:
        words, first = caption.of(self._window.language), "" if at is None else str(at)
        name, _ = QFileDialog.getOpenFileName(self._window, words, first, kinds)
        return name

    def _on_opened(self, path: Path, session: Session) -> None:
        self._task = None
        self._window.ask_secret(path, session)
        key = self._window.setup.key
        # Where somebody is asked, a person reads first whom.
        if key is not None and session.reader.label.activation is None:
            self.try_key_file(key)

    def _on_unlocked(self, thumbprint: str) -> None:
        self._task = None
        self._window.ask_terms(thumbprint)

    def _on_wrong(self, error: OrvaultError) -> None:
        self._task = None
        if error.kind in _AGAIN:
            self._window.unlock.refuse(_AGAIN[error.kind], self._window.language)
        elif self._window.opened is not None:
            self._window.refuse(self._window.opened.file, error)

    def _refuse(self, path: Path, error: OrvaultError) -> None:
        self._task = None
        self._window.refuse(path, error, _label_of(path) if error.kind in _BY_LABEL else None)


def _label_of(path: Path) -> Label | None:
    """The signed label of a package that is not opened, for the dates in what is said of it."""
    try:
        with PackageReader.open(path, partial=True) as reader:
            return reader.label
    except OrvaultError:
        return None  # it was there a moment ago; the verdict stands without dates
