"""Joins keys and controls to the playback of the package that is being watched."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QMainWindow

from orvault.clock import US_PER_S
from player.window.budget import View, views
from player.window.clockwork import PlayClock
from player.window.keys import Act
from player.window.marks import next_mark, previous_mark
from player.window.playback import Playback
from player.window.stage import Stage


class Steering:
    """What `Act` does while a package is watched."""

    def __init__(self, window: QMainWindow) -> None:
        self._window = window
        self._playback: Playback | None = None
        self._stage: Stage | None = None
        self._views: list[View] = []
        self._view = 0  # which of them is shown

    def take(self, playback: Playback, stage: Stage) -> None:
        """A package is watched from now on."""
        self._playback, self._stage = playback, stage
        self._views, self._view = views(playback.media), 0
        stage.choose(self._views[0])
        playback.shown.connect(stage.show_picture)
        playback.stopped.connect(stage.stop_camera)
        playback.small.connect(lambda at_us, picture: stage.line.show_thumbnail(at_us, picture.pixels))
        playback.moved.connect(stage.refresh)
        stage.line.sought.connect(playback.seek)
        stage.line.peeked.connect(playback.ask_small)
        stage.acted.connect(self.act)
        stage.speed_chosen.connect(lambda speed: playback.change_speed(lambda clock: clock.set_speed(speed)))

    def drop(self) -> None:
        """Nothing is watched any more."""
        self._leave()
        self._playback = self._stage = None

    def act(self, act: Act) -> None:
        """Do it, if a package is watched."""
        if self._playback is None:
            return
        playback, clock = self._playback, self._playback.clock
        doings: dict[Act, Callable[[], object]] = {
            Act.PLAY: playback.toggle,
            Act.BACK_5: lambda: playback.seek_by(-5 * US_PER_S),
            Act.ON_5: lambda: playback.seek_by(5 * US_PER_S),
            Act.BACK_60: lambda: playback.seek_by(-60 * US_PER_S),
            Act.ON_60: lambda: playback.seek_by(60 * US_PER_S),
            Act.STEP_BACK: lambda: playback.step(forward=False),
            Act.STEP_ON: lambda: playback.step(forward=True),
            Act.MARK_BACK: lambda: self._to_mark(forward=False),
            Act.MARK_ON: lambda: self._to_mark(forward=True),
            Act.START: lambda: playback.seek(clock.first_us),
            Act.END: lambda: playback.seek(clock.last_us),
            Act.SLOWER: lambda: playback.change_speed(PlayClock.slower),
            Act.FASTER: lambda: playback.change_speed(PlayClock.faster),
            Act.NORMAL: lambda: playback.change_speed(lambda clock: clock.set_speed(1.0)),
            Act.CAMERA: self._next_camera,
            Act.FULL_SCREEN: self._full_screen,
            Act.LEAVE: self._leave,
        }
        if act in doings:
            doings[act]()

    def on_frame(self) -> None:
        """Show where the clock is; thirty times a second."""
        if self._stage is not None:
            self._stage.refresh()

    def _to_mark(self, *, forward: bool) -> None:
        assert self._playback is not None and self._stage is not None
        find = next_mark if forward else previous_mark
        mark = find(self._stage.marks, self._playback.clock.position_us)
        if mark is not None:
            self._playback.seek(mark.from_us)

    def _next_camera(self) -> None:
        """All cameras, group by group where they are too many, then each alone, then all again."""
        assert self._playback is not None and self._stage is not None
        if len(self._views) == 1:
            return
        self._view = (self._view + 1) % len(self._views)
        chosen = self._views[self._view]
        self._playback.watch(chosen)
        self._playback.set_lead(chosen[0])
        self._stage.choose(chosen)

    def _full_screen(self) -> None:
        if self._window.isFullScreen():
            self._leave()
        elif self._stage is not None:
            self._window.showFullScreen()

    def _leave(self) -> None:
        if self._window.isFullScreen():
            self._window.showNormal()
