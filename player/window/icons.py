"""The controls' signs, drawn: no picture files, sharp at every scaling."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPainterPath, QPen, QPixmap, QPolygonF

from player.window.look import INK, TONES
from player.window.verdicts import Level

SIZE = 20  # in units in which the signs below are drawn
_SHARP = 4  # drawn so many times larger


def _triangle(painter: QPainter, *points: tuple[float, float]) -> None:
    painter.drawPolygon(QPolygonF([QPointF(x, y) for x, y in points]))


def _play(painter: QPainter) -> None:
    _triangle(painter, (6, 3.5), (16.5, 10), (6, 16.5))


def _pause(painter: QPainter) -> None:
    painter.drawRoundedRect(QRectF(5, 4, 3.6, 12), 1, 1)
    painter.drawRoundedRect(QRectF(11.4, 4, 3.6, 12), 1, 1)


def _step(painter: QPainter) -> None:
    painter.drawRoundedRect(QRectF(4.5, 4.5, 2.4, 11), 1, 1)
    _triangle(painter, (8.5, 4.5), (16, 10), (8.5, 15.5))


def _mark(painter: QPainter) -> None:
    painter.drawRoundedRect(QRectF(14.4, 3.5, 2, 13), 1, 1)
    _triangle(painter, (3, 4.8), (8.6, 10), (3, 15.2))
    _triangle(painter, (8.2, 4.8), (13.8, 10), (8.2, 15.2))


def _full(painter: QPainter) -> None:
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(QColor(INK), 1.8, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
    for x, y, dx, dy in ((4, 4, 1, 1), (16, 4, -1, 1), (4, 16, 1, -1), (16, 16, -1, -1)):
        painter.drawLine(QPointF(x, y), QPointF(x + 4 * dx, y))
        painter.drawLine(QPointF(x, y), QPointF(x, y + 4 * dy))


def _icon(draw: Callable[[QPainter], None], mirrored: bool = False) -> QIcon:
    pixmap = QPixmap(QSize(SIZE, SIZE) * _SHARP)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.scale(_SHARP, _SHARP)
    if mirrored:
        painter.translate(SIZE, 0)
        painter.scale(-1, 1)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(INK))
    draw(painter)
    painter.end()
    return QIcon(pixmap)


def play() -> QIcon:
    """A triangle."""
    return _icon(_play)


def pause() -> QIcon:
    """Two bars."""
    return _icon(_pause)


def step(forward: bool) -> QIcon:
    """A bar and a triangle."""
    return _icon(_step, mirrored=not forward)


def mark(forward: bool) -> QIcon:
    """Two triangles and a bar."""
    return _icon(_mark, mirrored=not forward)


def full_screen() -> QIcon:
    """Four corners."""
    return _icon(_full)


def draw_symbol(painter: QPainter, level: Level, place: QRectF) -> None:
    """A verdict's symbol: white in a disc of its colour."""
    tone = TONES[level]
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(tone.ink))
    painter.drawEllipse(place)
    side = place.width()
    pen = QPen(QColor("white"), side * 0.1, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    strokes = _STROKES.get(tone.symbol)
    if strokes is None:
        font = painter.font()
        font.setPixelSize(int(side * 0.66))
        font.setBold(True)
        painter.setFont(font)
        painter.drawText(place, Qt.AlignmentFlag.AlignCenter, tone.symbol)
        return
    path = QPainterPath()
    for stroke in strokes:
        for number, (x, y) in enumerate(stroke):
            point = QPointF(place.x() + x * side, place.y() + y * side)
            path.lineTo(point) if number else path.moveTo(point)
    painter.drawPath(path)


# Signs that fonts draw too differently, in shares of the disc.
_STROKES: dict[str, tuple[tuple[tuple[float, float], ...], ...]] = {
    "✓": (((0.28, 0.53), (0.44, 0.69), (0.73, 0.34)),),
    "✕": (((0.34, 0.34), (0.66, 0.66)), ((0.66, 0.34), (0.34, 0.66))),
    "–": (((0.30, 0.50), (0.70, 0.50)),),
    "…": (((0.27, 0.5), (0.275, 0.5)), ((0.5, 0.5), (0.505, 0.5)), ((0.73, 0.5), (0.735, 0.5))),
}
