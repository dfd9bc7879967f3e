"""The report as PDF, set by Qt in our own font: no further library in the player.

It holds words only, never a picture. What stands in it is facts.py's.
"""

from __future__ import annotations

from html import escape
from pathlib import Path

from PySide6.QtCore import QBuffer, QIODevice, QMarginsF, QRectF, QSizeF, Qt
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QPageLayout,
    QPageSize,
    QPainter,
    QPdfWriter,
    QTextBlock,
    QTextCursor,
    QTextDocument,
    QTextFormat,
)

from orvault.container.files import storage_error
from player.window.facts import Section

_DPI = 300
_BELOW_PX = 100  # kept at a page's foot for its number
_CSS = """
h1 { font-size: 17pt; font-weight: normal; margin-bottom: 4px; }
h2 { font-size: 11.5pt; font-weight: normal; color: #1f4e79; margin-top: 14px; margin-bottom: 2px; }
td { font-size: 9.5pt; padding: 2px 10px 2px 0; }
.label { color: #5b6570; }
p.foot { font-size: 8pt; color: #5b6570; margin-top: 18px; }
"""


def html(title: str, found: list[Section], foot: str) -> str:
    """The report as Qt's rich text; every text in it is escaped."""
    parts = [f"<h1>{escape(title)}</h1>"]
    for section in found:
        parts.append(f"<h2>{escape(section.title)}</h2><table width='100%' cellspacing='0'>")
        for label, value in section.rows:
            told = escape(value).replace("\n", "<br>")
            parts.append(f"<tr><td class='label' width='30%'>{escape(label)}</td><td>{told}</td></tr>")
        parts.append("</table>")
    parts.append(f"<p class='foot'>{escape(foot)}</p>")
    return "".join(parts)


def pdf(title: str, found: list[Section], foot: str, font: QFont, name: str) -> bytes:
    """The report's bytes, A4; `name` and the page's number stand on each page, as pages come apart."""
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    writer = QPdfWriter(buffer)
    writer.setResolution(_DPI)
    writer.setTitle(title)
    writer.setPageSize(QPageSize(QPageSize.PageSizeId.A4))
    writer.setPageMargins(QMarginsF(18, 16, 18, 12), QPageLayout.Unit.Millimeter)
    document = QTextDocument()
    document.documentLayout().setPaintDevice(writer)
    document.setDefaultFont(QFont(font.family(), 10))
    document.setDefaultStyleSheet(_CSS)
    document.setHtml(html(title, found, foot))
    page = QSizeF(writer.pageLayout().paintRectPixels(_DPI).size())
    document.setPageSize(QSizeF(page.width(), page.height() - _BELOW_PX))
    keep_headings(document)
    _paint(document, writer, page, QFont(font.family(), 8), name)
    del writer  # writes the trailer
    return bytes(buffer.data().data())


def keep_headings(document: QTextDocument) -> int:
    """Let no page end with a heading; how many were moved to the next."""
    moved, block = 0, document.begin()
    while block.isValid():
        following = block.next()
        heading = block.blockFormat().headingLevel() > 1 and following.isValid()
        if heading and page_of(block) < page_of(following):
            form = block.blockFormat()
            form.setPageBreakPolicy(QTextFormat.PageBreakFlag.PageBreak_AlwaysBefore)
            QTextCursor(block).setBlockFormat(form)
            moved += 1
        block = following
    return moved


def page_of(block: QTextBlock) -> int:
    """The page on which a block begins, from 0."""
    document = block.document()
    top = document.documentLayout().blockBoundingRect(block).top()
    return int(top // document.pageSize().height())


def _paint(document: QTextDocument, writer: QPdfWriter, page: QSizeF, font: QFont, name: str) -> None:
    body = document.pageSize()
    below = QRectF(0, body.height(), page.width(), _BELOW_PX)
    width = 0.8 * page.width()
    named = QFontMetricsF(font, writer).elidedText(name, Qt.TextElideMode.ElideMiddle, width)
    painter = QPainter(writer)
    for number in range(document.pageCount()):
        if number:
            writer.newPage()
        painter.save()
        painter.translate(0, -number * body.height())
        document.drawContents(painter, QRectF(0, number * body.height(), body.width(), body.height()))
        painter.restore()
        painter.setFont(font)
        painter.setPen(QColor("#5b6570"))
        told = f"{named} · {number + 1} / {document.pageCount()}"
        painter.drawText(below, Qt.AlignmentFlag.AlignBottom | Qt.AlignmentFlag.AlignRight, told)
    painter.end()


def save(path: Path, data: bytes) -> None:
    """Write the report where the person said. Errors: STORAGE."""
    try:
        path.write_bytes(data)
    except OSError as error:
        raise storage_error(path, error) from error
