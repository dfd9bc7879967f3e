"""One camera's picture: drawn to fit, its name and time over it, and who is looking, in every picture.

Holds the picture that is shown and no other.
"""

from __future__ import annotations

from datetime import timezone

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from orvault.container.package import MediaInfo
from orvault.text import printable
from player.reel import Picture
from player.window import words as w
from player.window.look import ON_STAGE, STAGE
from player.window.overlay import lines, place_at
from player.window.times import HOSPITAL, clock_time
from player.window.words import Language

_MARGIN = 8


class Screen(QWidget):
    """Where one camera is seen. Without a picture it says why there is none.

    `who` moves over the pictures with the present time; None: nothing does. `zone` is the camera's wall clock.
    """

    def __init__(self, info: MediaInfo, who: str | None, zone: timezone = HOSPITAL) -> None:
        super().__init__()
        self.info, self._who, self._zone = info, who, zone
        self.title = printable(info.title or info.camera_id)
        self.setMinimumSize(200, 112)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._image: QImage | None = None
        self._pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]] | None = None  # the image lies in them
        self._message, self._now_us = "", 0
        self.at_us: int | None = None
        self.chosen = False

    def show_picture(self, picture: Picture) -> None:
        """Take the place of the picture before; that one is dropped."""
        height, width, _ = picture.pixels.shape
        pixels = np.ascontiguousarray(picture.pixels)
        self._image = QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_BGR888)
        self._pixels, self.at_us = pixels, picture.at_us
        self.update()

    def say(self, message: str) -> None:
        """Words in place of the picture; none: the picture."""
        if message != self._message:
            self._message = message
            self.update()

    def drop(self) -> None:
        """Show no picture any more, and hold none."""
        self._image = self._pixels = self.at_us = None
        self.update()

    def tick(self, now_us: int) -> None:
        """The present time, for the overlay."""
        self._now_us = now_us
        self.update()

    def speak(self, language: Language) -> None:
        """Word what screen readers say."""
        self.setAccessibleName(w.CAMERA.of(language, title=self.title))
        told = self._message
        if self.at_us is not None and not told:
            told = w.PICTURE_AT.of(language, title=self.title, time=clock_time(self.at_us, self._zone))
        self.setAccessibleDescription(told)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw it all."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.fillRect(self.rect(), QColor(STAGE))
        place = self._place()
        if self._image is not None and not self._message:
            painter.drawImage(place, self._image)
            if self._who is not None:
                self._draw_who(painter, self._who, place)
        else:
            painter.setPen(QColor(ON_STAGE))
            text = self.rect().adjusted(16, 16, -16, -16)
            flags = int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap)
            painter.drawText(text, flags, self._message)
        self._draw_name(painter)
        if self.chosen:
            painter.setPen(QColor("#5b9bd5"))
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        painter.end()

    def _place(self) -> QRectF:
        """Where the picture goes: as large as fits, in its own shape."""
        scale = min(self.width() / self.info.width, self.height() / self.info.height)
        width, height = self.info.width * scale, self.info.height * scale
        return QRectF((self.width() - width) / 2, (self.height() - height) / 2, width, height)

    def _draw_name(self, painter: QPainter) -> None:
        name = self.title
        if self.at_us is not None and not self._message:
            name += f"  {clock_time(self.at_us, self._zone)}"
        font = QFont(self.font())
        font.setPointSizeF(9.5)
        painter.setFont(font)
        metrics = QFontMetricsF(font)
        shown = metrics.elidedText(name, Qt.TextElideMode.ElideRight, self.width() - 4 * _MARGIN)
        box = QRectF(_MARGIN, _MARGIN, metrics.horizontalAdvance(shown) + 2 * _MARGIN, metrics.height() + 6)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(0, 0, 0, 150))
        painter.drawRoundedRect(box, 4, 4)
        painter.setPen(QColor("white"))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, shown)

    def _draw_who(self, painter: QPainter, who: str, place: QRectF) -> None:
        font = QFont(self.font())
        font.setPixelSize(max(11, int(place.height() / 26)))
        metrics = QFontMetricsF(font)
        told = [
            metrics.elidedText(each, Qt.TextElideMode.ElideRight, place.width() - 2 * _MARGIN)
            for each in lines(who, self._now_us)
        ]
        width = max(metrics.horizontalAdvance(each) for each in told)
        height = metrics.height() * len(told)
        x, y = place_at(self._now_us)
        left = place.x() + x * max(place.width() - width, 0)
        top = place.y() + y * max(place.height() - height, 0)
        painter.setFont(font)
        for number, each in enumerate(told):
            at = QPointF(left, top + metrics.ascent() + number * metrics.height())
            painter.setPen(QColor(0, 0, 0, 140))
            painter.drawText(at + QPointF(1, 1), each)
            painter.setPen(QColor(255, 255, 255, 165))
            painter.drawText(at, each)
