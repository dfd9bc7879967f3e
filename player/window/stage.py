"""The page on which a package is watched: the cameras side by side, time line and controls below."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timezone

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from orvault.clock import US_PER_S
from orvault.container.package import MediaInfo
from orvault.errors import OrvaultError
from orvault.text import printable
from player.reel import Picture
from player.window import icons
from player.window import words as w
from player.window.budget import View
from player.window.clockwork import SPEEDS, PlayClock
from player.window.happenings import event_list
from player.window.keys import KEYS, Act
from player.window.look import STAGE
from player.window.marks import NEAR_US, Events, Gaps, Mark
from player.window.screen import Screen
from player.window.timeline import TimeLine
from player.window.times import HOSPITAL, clock_time, date_time
from player.window.verdicts import failed
from player.window.words import Language, Text

COLUMNS = {1: 1, 2: 2, 3: 2, 4: 2}  # more: three
LINGERS_US = 3 * US_PER_S  # an event is told so long after it
MOST_EVENTS = 8  # named at once


class Stage(QWidget):
    """Shows what playback gives it. `acted(Act)` and `speed_chosen(float)` are what a person did with the mouse."""

    acted = Signal(object)
    speed_chosen = Signal(float)

    def __init__(
        self,
        media: Sequence[MediaInfo],
        marks: Sequence[Mark],
        clock: PlayClock,
        who: str | None,
        zone: timezone = HOSPITAL,
    ) -> None:
        super().__init__()
        self._zone = zone
        self._media, self._clock, self.marks = list(media), clock, marks
        self._language = Language.KOREAN
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._errors: dict[int, OrvaultError] = {}
        self._gaps, self._events = [Gaps(info.gaps) for info in media], Events(marks)
        self.screens = [Screen(info, who, zone) for info in media]
        self.line = TimeLine()
        self.line.set_span(clock.first_us, clock.last_us, marks, zone)
        self.now = QLabel()
        self.now.setObjectName("clock")
        self.now.setTextFormat(Qt.TextFormat.PlainText)
        self.happening = QLabel()  # the events of this moment; it takes room where a package tells any
        if not self._events:
            self.happening.hide()
        self.happening.setObjectName("pale")
        self.happening.setTextFormat(Qt.TextFormat.PlainText)
        self.happening.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.which, self._chosen = QLabel(), tuple(range(len(media)))
        self.which.setTextFormat(Qt.TextFormat.PlainText)
        self.speed = QComboBox()
        for speed in SPEEDS:
            self.speed.addItem(f"{speed:g}×", speed)
        self.speed.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.speed.activated.connect(lambda at: self.speed_chosen.emit(SPEEDS[at]))
        self._buttons = self._make_buttons(has_marks=bool(marks))
        self._arrange()

    def show_picture(self, number: int, picture: Picture) -> None:
        """A camera's new picture."""
        self.screens[number].show_picture(picture)
        self._word_screen(number, self._clock.position_us)

    def stop_camera(self, number: int, error: OrvaultError) -> None:
        """A camera cannot go on; the others can."""
        self._errors[number] = error
        self.screens[number].drop()
        self._word_screen(number, self._clock.position_us)

    def refresh(self) -> None:
        """Show where the clock is."""
        here = self._clock.position_us
        self.line.set_position(here)
        self.now.setText(date_time(here, self._zone, tenths=True))
        self._tell_events(here)
        running = self._clock.running
        play = self._buttons[Act.PLAY]
        play.setIcon(self._pause_icon if running else self._play_icon)
        _name(play, w.PAUSE if running else w.PLAY, Act.PLAY, self._language)
        self.speed.setCurrentIndex(SPEEDS.index(self._clock.speed))
        for number in range(len(self.screens)):
            self._word_screen(number, here)

    def tick(self, now_us: int) -> None:
        """The present time, once a second."""
        for screen in self.screens:
            screen.tick(now_us)
            screen.speak(self._language)
        self.line.speak(self._language)

    def speak(self, language: Language) -> None:
        """Word everything."""
        self._language = language
        for act, text in _BUTTONS.items():
            _name(self._buttons[act], text, act, language)
        self.speed.setAccessibleName(w.SPEED.of(language))
        self.speed.setToolTip(w.SPEED.of(language))
        for screen in self.screens:
            screen.speak(language)
        self.line.speak(language)
        self._tell_chosen()
        self.refresh()

    def choose(self, chosen: View) -> None:
        """Show these cameras; of the others no picture is held."""
        self._chosen, columns = chosen, COLUMNS.get(len(chosen), 3)
        for number, screen in enumerate(self.screens):
            self._grid.removeWidget(screen)
            if number not in chosen:
                screen.drop()
            screen.setVisible(number in chosen)
        for at, number in enumerate(chosen):
            self._grid.addWidget(self.screens[number], at // columns, at % columns)
        self._tell_chosen()

    def _tell_chosen(self) -> None:
        first, last, count = self._chosen[0] + 1, self._chosen[-1] + 1, len(self.screens)
        which = str(first) if first == last else f"{first}–{last}"
        told = w.WHICH_CAMERAS.of(self._language, which=which, count=count)
        self.which.setText(told)
        self.which.setToolTip(w.WHICH_CAMERAS_HINT.of(self._language))
        self.which.setAccessibleName(f"{told}. {self.which.toolTip()}")
        self.which.setVisible(len(self._chosen) < count)

    def drop(self) -> None:
        """Hold no picture any more."""
        self.line.hide_peek()
        for screen in self.screens:
            screen.drop()

    def _tell_events(self, here: int) -> None:
        found, more = self._events.between(here - LINGERS_US, here + NEAR_US, MOST_EVENTS)
        told = " · ".join(event_list(found, more, self._language))
        if told != self.happening.accessibleName():
            self.happening.setAccessibleName(told)
            self.happening.setToolTip(told)
        fits = self.happening.fontMetrics().elidedText(
            told, Qt.TextElideMode.ElideRight, self.happening.width()
        )
        self.happening.setText(fits)

    def _word_screen(self, number: int, here: int) -> None:
        screen, info, language = self.screens[number], self._media[number], self._language
        error, gap = self._errors.get(number), self._gaps[number].at(here)
        if error is not None:
            shown = failed(error, None, language)
            screen.say(f"{w.STOPPED.of(language)}\n\n{shown.word}. {printable(shown.sentence)}")
        elif gap is not None:
            begin, end = (clock_time(us, self._zone) for us in gap)
            screen.say(w.IN_GAP.of(language, from_=begin, to=end))
        elif not info.start_us <= here <= info.end_us:
            screen.say(w.OUTSIDE.of(language))
        else:
            screen.say("" if screen.at_us is not None else w.LOADING.of(language))

    def _make_buttons(self, *, has_marks: bool) -> dict[Act, QToolButton]:
        self._play_icon, self._pause_icon = icons.play(), icons.pause()
        made = {
            Act.MARK_BACK: self._button(Act.MARK_BACK, icons.mark(forward=False)),
            Act.STEP_BACK: self._button(Act.STEP_BACK, icons.step(forward=False)),
            Act.PLAY: self._button(Act.PLAY, self._play_icon),
            Act.STEP_ON: self._button(Act.STEP_ON, icons.step(forward=True)),
            Act.MARK_ON: self._button(Act.MARK_ON, icons.mark(forward=True)),
            Act.FULL_SCREEN: self._button(Act.FULL_SCREEN, icons.full_screen()),
        }
        for act in (Act.MARK_BACK, Act.MARK_ON):
            made[act].setEnabled(has_marks)
        return made

    def _button(self, act: Act, icon: QIcon) -> QToolButton:
        button = QToolButton()
        button.setIcon(icon)
        button.setIconSize(QSize(icons.SIZE, icons.SIZE))
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.clicked.connect(lambda: self.acted.emit(act))
        return button

    def _arrange(self) -> None:
        grid_of = QWidget()
        grid_of.setStyleSheet(f"background: {STAGE};")
        self._grid = QGridLayout(grid_of)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(2)
        for (
            screen
        ) in self.screens:  # theirs from now on: shown without a parent each would be a window of its own
            self._grid.addWidget(screen, 0, 0)
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addWidget(self.now)
        row.addStretch(1)
        for act, button in self._buttons.items():
            if act is Act.FULL_SCREEN:
                row.addStretch(1)
                row.addWidget(self.which)
                row.addWidget(self.speed)
            row.addWidget(button)
        controls = QWidget()
        controls.setObjectName("controls")
        below = QVBoxLayout(controls)
        below.setContentsMargins(12, 4, 12, 10)
        below.setSpacing(4)
        below.addWidget(self.happening)
        below.addWidget(self.line)
        below.addLayout(row)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(0)
        box.addWidget(grid_of, 1)
        box.addWidget(controls)


_BUTTONS: dict[Act, Text] = {
    Act.MARK_BACK: w.MARK_BACK,
    Act.STEP_BACK: w.STEP_BACK,
    Act.PLAY: w.PLAY,
    Act.STEP_ON: w.STEP_FORWARD,
    Act.MARK_ON: w.MARK_FORWARD,
    Act.FULL_SCREEN: w.FULL_SCREEN,
}


def _name(button: QToolButton, text: Text, act: Act, language: Language) -> None:
    told = text.of(language)
    if button.accessibleName() != told:
        button.setAccessibleName(told)
        button.setToolTip(f"{told} ({KEYS[act].shown})")
