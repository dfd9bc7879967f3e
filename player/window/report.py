"""The report as PDF, set by Qt in our own font: no further library in the player.

It holds words only, never a picture. What stands in it is facts.py's.
"""

from __future__ import annotations

from html import escape
from pathlib import Path

from PySide6.QtCore import QBuffer, QIODevice, QMarginsF, QSizeF
from PySide6.QtGui import QFont, QPageLayout, QPageSize, QPdfWriter, QTextDocument

from orvault.container.files import storage_error
from player.window.facts import Section

_DPI = 300
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


def pdf(title: str, found: list[Section], foot: str, font: QFont) -> bytes:
    """The report's bytes, A4."""
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    writer = QPdfWriter(buffer)
    writer.setResolution(_DPI)
    writer.setTitle(title)
    writer.setPageSize(QPageSize(QPageSize.PageSizeId.A4))
    writer.setPageMargins(QMarginsF(18, 16, 18, 16), QPageLayout.Unit.Millimeter)
    document = QTextDocument()
    document.documentLayout().setPaintDevice(writer)
    document.setDefaultFont(QFont(font.family(), 10))
    document.setDefaultStyleSheet(_CSS)
    document.setHtml(html(title, found, foot))
    page = writer.pageLayout().paintRectPixels(_DPI).size()
    document.setPageSize(QSizeF(page))
    document.print_(writer)
    del writer  # writes the trailer
    return bytes(buffer.data().data())


def save(path: Path, data: bytes) -> None:
    """Write the report where the person said. Errors: STORAGE."""
    try:
        path.write_bytes(data)
    except OSError as error:
        raise storage_error(path, error) from error
