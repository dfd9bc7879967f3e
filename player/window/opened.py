"""A package in the window from its opening to its closing: session, verdict so far, playback, verification behind it.

Decides what the verdict is at any moment; shows nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timezone
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from orvault.clock import SystemClock
from orvault.container.keys import PrivateKey
from orvault.errors import ErrorKind, OrvaultError
from player.activation import Activator
from player.session import Session
from player.window import overlay, verdicts
from player.window.checker import Checker
from player.window.closing import Closing, Leaving
from player.window.facts import Known
from player.window.marks import Mark, marks_of
from player.window.playback import Playback
from player.window.times import zone_of
from player.window.verdicts import Shown
from player.window.words import Language


class Opened(QObject):
    """`changed()` says that the verdict, or how far it is, is another one."""

    changed = Signal()
    _progressed = Signal(float)
    _checked = Signal(object)

    def __init__(self, file: Path, session: Session, for_this_run: bool = False) -> None:
        super().__init__()
        self.file, self.session, self._for_this_run = file, session, for_this_run
        self.share: float | None = None  # how much has been verified; None: it is not going on
        self.error = session.damage  # what is there of a file without its end is played all the same
        self.playback: Playback | None = None
        self.unlocked = False
        self._whole = self._left = False
        self._thumbprint = ""
        self._checker: Checker | None = None
        self._progressed.connect(self._on_progress)
        self._checked.connect(self._on_checked)

    def unlocking(self, secret: str | PrivateKey) -> Callable[[], str]:
        """The work of trying a secret, for a thread; gives the thumbprint of the key file, if it was one."""

        def work() -> str:
            issuer = self.session.issuer
            # Whom it asks, the page said before the secret was typed.
            self.session.unlock(secret, Activator(issuer, SystemClock(), lambda words: None))
            return "" if isinstance(secret, str) else secret.public().thumbprint

        return work

    def check_time(self, now_us: int) -> None:
        """NOT_YET_VALID or EXPIRED once it may not be seen: nobody reads, and notices, while it is paused."""
        self.session.reader.check_time(now_us)
        self.session.reader.check_lease()

    def unlock_done(self, thumbprint: str) -> None:
        """The secret was right: the rest is verified from here on, whatever is watched."""
        self.unlocked, self._thumbprint = True, thumbprint
        self.share = 0.0
        self._checker = Checker(self.session, self._progressed.emit, self._checked.emit)
        self.changed.emit()

    def play(self, after: Sequence[Leaving] = ()) -> Playback:
        """The terms were accepted: decoders start, once those are gone `after` which they come."""
        self.playback = Playback(self.session, self.session.cameras(), after)
        self.playback.stopped.connect(self._on_stopped)
        self.playback.altered.connect(self._on_altered)
        return self.playback

    @property
    def who(self) -> str:
        """Who is watching."""
        return overlay.who(self.session.reader.manifest.terms.recipients, self._thumbprint)

    @property
    def overlay(self) -> str | None:
        """What moves over the pictures; None where the package asks for nothing."""
        return self.who if self.session.reader.manifest.terms.overlay else None

    @property
    def zone(self) -> timezone:
        """The wall clock of the room."""
        return zone_of(self.session.reader.manifest.terms)

    @property
    def marks(self) -> list[Mark]:
        """What the time line can jump to."""
        return marks_of(self.session.reader.manifest)

    def shown(self, language: Language) -> Shown:
        """The verdict by now."""
        issuer, reader = self.session.issuer, self.session.reader
        if self.error is not None:
            return verdicts.failed(self.error, reader.label, language)
        if self._whole:
            return verdicts.verified(issuer, reader.proven, language, self._for_this_run)
        if self.share is None:
            return verdicts.locked(issuer, language)
        return verdicts.checking(issuer, self.share, language)

    def known(self, language: Language) -> Known:
        """What details and report tell."""
        reader = self.session.reader
        return Known(
            file=self.file,
            shown=self.shown(language),
            label=reader.label,
            issuer=self.session.issuer,
            manifest=reader.manifest if self.unlocked else None,
            proven=reader.proven,
            for_this_run=self._for_this_run,
        )

    def weightier(self, error: OrvaultError) -> OrvaultError:
        """What was found altered before, if anything was; else this."""
        before = self.error
        return before if before is not None and before.kind is ErrorKind.ALTERED else error

    def leave(self) -> Closing:
        """End every thread, then drop the key and close the file; nothing is told any more."""
        self._left = True
        leaving: list[Leaving] = [] if self.playback is None else [*self.playback.leave()]
        if self._checker is not None:
            self._checker.leave()
            leaving.append(self._checker)
        return Closing(leaving, self.session.reader.close)

    def _on_progress(self, share: float) -> None:
        if not self._left and not self._whole and self.error is None:
            self.share = share
            self.changed.emit()

    def _on_checked(self, error: OrvaultError | None) -> None:
        if self._left:
            return
        self.share = None
        if error is None:
            self._whole = self.error is None
            self.changed.emit()
        else:
            self._on_stopped(-1, error)

    def _on_altered(self, error: OrvaultError) -> None:
        self._on_stopped(-1, error)

    def _on_stopped(self, _camera: int, error: OrvaultError) -> None:
        """The first thing that was found wrong is the verdict, until something proves to be altered: nothing weighs
        more. Playing stands still so that nobody overlooks it.
        """
        if self._left:
            return
        altered = error.kind is ErrorKind.ALTERED
        self.error = self.weightier(error) if altered else self.error or error
        if self.playback is not None:
            self.playback.pause()
        self.changed.emit()
