"""The time line: where the clock is, gaps and other marks, a small picture of what lies below the pointer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timezone

import numpy as np
from PySide6.QtCore import QEvent, QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QEnterEvent,
    QImage,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPixmap,
    QResizeEvent,
    QShowEvent,
)
from PySide6.QtWidgets import QLabel, QSlider, QVBoxLayout, QWidget

from player.window import capture
from player.window import words as w
from player.window.happenings import event_list
from player.window.look import ACCENT, CLEAR, COVERED, EVENT, GAP, LINE
from player.window.marks import Columns, Events, Held, Mark, MarkKind, runs
from player.window.times import HOSPITAL, clock_time
from player.window.words import Language, Text

THUMBNAIL_PX = 200
_EDGE, _TRACK, _KNOB = 10, 6, 7
_LEAST_WIDE, _NEAR = 3, 4  # of a mark, in pixels
_MOST_TICKS = 2**31 - 1
_MOST_EVENTS = 5  # named at one place
_COLOURS = {MarkKind.GAP: GAP, MarkKind.CLEAR: CLEAR, MarkKind.COVERED: COVERED, MarkKind.EVENT: EVENT}
KIND_WORDS: dict[MarkKind, Text] = {
    MarkKind.GAP: w.GAP,
    MarkKind.CLEAR: w.LEFT_CLEAR,
    MarkKind.COVERED: w.COVERED,
}


class Peek(QWidget):
    """The small picture over the time line, with its time."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.ToolTip)
        self.setObjectName("page")
        self.picture, self.told = QLabel(), QLabel()
        for each in (self.picture, self.told):
            each.setTextFormat(Qt.TextFormat.PlainText)
        self.told.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.picture.setFixedWidth(THUMBNAIL_PX)
        box = QVBoxLayout(self)
        box.setContentsMargins(5, 5, 5, 4)
        box.setSpacing(3)
        box.addWidget(self.picture)
        box.addWidget(self.told)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        """A window of its own to the system, which keeps only those out of captures that ask for it."""
        capture.discourage(int(self.winId()))
        super().showEvent(event)


class TimeLine(QSlider):
    """`sought(us)`: a person chose a time; `peeked(us)`: a small picture of it is wanted.

    A slider to screen readers; its value is ticks from the beginning: milliseconds, unless a slider's 31 bits hold
    fewer than the case is long.
    """

    sought = Signal(object)
    peeked = Signal(object)

    def __init__(self) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.setMouseTracking(True)
        self.setMinimumHeight(34)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # the keys work everywhere in the window
        self._first_us, self._last_us, self._position_us, self._tick_us = 0, 1, 0, 1000
        self._count, self._columns, self._events = 0, Columns((), 0, 1), Events(())
        self._held: dict[MarkKind, Held] = {}
        self._language, self._zone = Language.KOREAN, HOSPITAL
        self._peek = Peek(self)
        self._hover_us: int | None = None

    def set_span(self, first_us: int, last_us: int, marks: Sequence[Mark], zone: timezone = HOSPITAL) -> None:
        """What it stands for; times are told by the clock of `zone`."""
        self._zone = zone
        self._first_us, self._last_us, self._count = first_us, max(last_us, first_us + 1), len(marks)
        self._columns, self._events = Columns(marks, self._first_us, self._last_us), Events(marks)
        self._place_marks()
        span_us = self._last_us - first_us
        self._tick_us = max(1000, -(-span_us // _MOST_TICKS))
        self.setRange(0, span_us // self._tick_us)
        self.set_position(first_us)

    def set_position(self, at_us: int) -> None:
        """Move the knob."""
        self._position_us = at_us
        self.setValue((at_us - self._first_us) // self._tick_us)
        self.update()

    def speak(self, language: Language) -> None:
        """Word what screen readers say."""
        self._language = language
        self.setAccessibleName(w.TIME_LINE.of(language))
        now = clock_time(self._position_us, self._zone)
        self.setAccessibleDescription(w.TIME_LINE_SAYS.of(language, now=now, marks=self._count))

    def show_thumbnail(self, asked_us: int, pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> None:
        """The small picture that was wanted, if it still is."""
        if self._hover_us is None or asked_us != self._hover_us:
            return
        height, width, _ = pixels.shape
        image = QImage(
            np.ascontiguousarray(pixels).data, width, height, 3 * width, QImage.Format.Format_BGR888
        )
        self._peek.picture.setPixmap(QPixmap.fromImage(image))
        self._peek.picture.setFixedSize(QSize(width, height))
        self._place_peek()

    def hide_peek(self) -> None:
        """Drop the small picture."""
        self._hover_us = None
        self._peek.picture.clear()
        self._peek.hide()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw track, marks and knob."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        middle, here = self.height() / 2, self._x_of(self._position_us)
        top = middle - _TRACK / 2
        painter.setBrush(QColor(LINE))
        painter.drawRoundedRect(QRectF(_EDGE, top, self.width() - 2 * _EDGE, _TRACK), 3, 3)
        painter.setBrush(QColor(ACCENT))
        painter.drawRoundedRect(QRectF(_EDGE, top, here - _EDGE, _TRACK), 3, 3)
        for kind, held in self._held.items():
            self._draw_marks(painter, kind, held, middle)
        painter.setPen(QColor("white"))
        painter.setBrush(QColor(ACCENT))
        painter.drawEllipse(QRectF(here - _KNOB, middle - _KNOB, 2 * _KNOB, 2 * _KNOB))
        painter.end()

    @staticmethod
    def _draw_marks(painter: QPainter, kind: MarkKind, held: Held, middle: float) -> None:
        painter.setBrush(QColor(_COLOURS[kind]))
        for left, right in runs(held):
            if kind is MarkKind.GAP:
                painter.drawRect(QRectF(_EDGE + left, middle - 7, right - left, 14))
            elif kind is MarkKind.EVENT:
                painter.drawRoundedRect(QRectF(_EDGE + left, middle + 8, right - left, 8), 1, 1)
            else:
                painter.drawRoundedRect(QRectF(_EDGE + left, middle - 13, right - left, 4), 2, 2)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """Every mark has its place anew."""
        self._place_marks()
        super().resizeEvent(event)

    def _place_marks(self) -> None:
        self._held = self._columns.held(max(self.width() - 2 * _EDGE, _LEAST_WIDE), _LEAST_WIDE)

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Jump there."""
        if event.button() is Qt.MouseButton.LeftButton:
            self.sought.emit(self._us_at(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Show what is there; with the button held, go along."""
        at_us = self._us_at(event.position().x())
        if event.buttons() & Qt.MouseButton.LeftButton:
            self.sought.emit(at_us)
        self._hover_us = at_us
        self._peek.told.setText("\n".join([clock_time(at_us, self._zone), *self._named(at_us)]))
        self._place_peek()
        self.peeked.emit(at_us)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Nothing is left to do: it jumped when it was pressed."""

    def enterEvent(self, event: QEnterEvent) -> None:  # noqa: N802 - Qt's name
        """The pointer came."""
        self._peek.show()

    def leaveEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """The pointer went."""
        self.hide_peek()

    def _named(self, at_us: int) -> list[str]:
        """What stands below the pointer."""
        language = self._language
        kinds = [kind for kind in KIND_WORDS if kind in self._held and self._near(kind, at_us)]
        x = self._x_of(at_us)
        found, more = self._events.between(
            self._us_at(x - _NEAR - 1), self._us_at(x + _NEAR + 1), _MOST_EVENTS
        )
        return [*(KIND_WORDS[kind].of(language) for kind in kinds), *event_list(found, more, language)]

    def _near(self, kind: MarkKind, at_us: int) -> bool:
        here = int(self._x_of(at_us)) - _EDGE
        return bool(self._held[kind][max(here - _NEAR, 0) : here + _NEAR + 1].any())

    def _place_peek(self) -> None:
        if self._hover_us is None:
            return
        self._peek.adjustSize()
        half = self._peek.width() // 2
        x = min(max(int(self._x_of(self._hover_us)), half), max(self.width() - half, half))
        self._peek.move(self.mapToGlobal(QPoint(x - half, -self._peek.height() - 6)))
        self._peek.show()

    def _x_of(self, at_us: int) -> float:
        share = (at_us - self._first_us) / (self._last_us - self._first_us)
        return _EDGE + min(max(share, 0.0), 1.0) * (self.width() - 2 * _EDGE)

    def _us_at(self, x: float) -> int:
        share = min(max((x - _EDGE) / max(self.width() - 2 * _EDGE, 1), 0.0), 1.0)
        return self._first_us + round(share * (self._last_us - self._first_us))
