"""How the window looks: colours and symbols of verdicts, font, style sheet. Calm, and readable from afar.

A verdict never stands on its colour alone: symbol and word say the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import as_file, files

from PySide6.QtGui import QColor, QFont, QFontDatabase, QPalette
from PySide6.QtWidgets import QApplication

from player.window.verdicts import Level

INK, PALE_INK, LINE, PAPER, PANEL = "#1b2127", "#56616c", "#d5dade", "#ffffff", "#f5f7f8"
ACCENT, STAGE, ON_STAGE = "#1f5b92", "#12161a", "#c9d1d8"
GAP, CLEAR, COVERED, EVENT = "#c2410c", "#7a5cc0", "#4a6f8a", "#1b2127"
POINT_SIZE = 11.0


@dataclass(frozen=True)
class Tone:
    """Colour of symbol and word, colour behind them, and the symbol."""

    ink: str
    back: str
    symbol: str


TONES: dict[Level, Tone] = {
    Level.CHECKING: Tone("#1f5b92", "#eaf2f9", "…"),
    Level.GENUINE: Tone("#17693a", "#e7f4ec", "✓"),
    Level.UNKNOWN: Tone("#7d5200", "#fdf3dd", "?"),
    Level.ALTERED: Tone("#a1131d", "#fdeaeb", "✕"),
    Level.CLOSED: Tone("#444b54", "#eceff2", "–"),
    Level.DAMAGED: Tone("#8f3d00", "#fdefe3", "!"),
}

_SHEET = f"""
QWidget {{ color: {INK}; }}
QMainWindow, QDialog, QWidget#page {{ background: {PAPER}; }}
QLabel#heading {{ font-size: 20pt; }}
QLabel#word {{ font-size: 14pt; font-weight: 600; }}
QLabel#pale, QLabel#label {{ color: {PALE_INK}; }}
QLabel#section {{ color: {ACCENT}; font-size: 12.5pt; font-weight: 600; }}
QLabel#wrong {{ color: #a1131d; }}
QLabel#clock {{ font-size: 13pt; }}
QPushButton, QToolButton {{
    background: {PAPER}; border: 1px solid #b8c1c9; border-radius: 6px; padding: 6px 14px; min-height: 22px;
}}
QToolButton {{ padding: 5px 7px; }}
QPushButton:hover, QToolButton:hover {{ background: #edf2f6; border-color: #8fa0ae; }}
QPushButton:pressed, QToolButton:pressed {{ background: #dfe7ee; }}
QPushButton:focus, QToolButton:focus, QLineEdit:focus {{ border: 2px solid {ACCENT}; }}
QPushButton:disabled, QToolButton:disabled {{ color: #98a2ab; background: {PANEL}; }}
QPushButton#main {{
    background: {ACCENT}; border-color: {ACCENT}; color: white; font-weight: 600; padding: 8px 22px;
}}
QPushButton#main:hover {{ background: #184a78; }}
QPushButton#main:focus {{ border: 2px solid #0b2f50; }}
QPushButton#main:disabled {{ background: #a9bccd; border-color: #a9bccd; color: white; }}
QPushButton#quiet {{ border-color: transparent; background: transparent; color: {ACCENT}; padding: 6px 8px; }}
QPushButton#quiet:hover {{ background: rgba(31, 91, 146, 28); }}
QPushButton#quiet:focus {{ border: 2px solid {ACCENT}; }}
QLineEdit {{ border: 1px solid #98a5b1; border-radius: 6px; padding: 8px 10px; font-size: 13pt; background: white; }}
QScrollBar:vertical {{ background: transparent; width: 12px; margin: 2px; }}
QScrollBar::handle:vertical {{ background: #b3bdc6; border-radius: 4px; min-height: 32px; }}
QScrollBar::add-line, QScrollBar::sub-line, QScrollBar::add-page, QScrollBar::sub-page {{
    background: none; border: none; height: 0;
}}
QScrollArea {{ border: 1px solid {LINE}; border-radius: 6px; background: {PANEL}; }}
QScrollArea:focus {{ border-color: {ACCENT}; }}
QWidget#inside {{ background: {PANEL}; }}
QScrollArea#bare {{ border: none; background: {PAPER}; }}
QProgressBar {{ border: none; border-radius: 2px; background: rgba(31, 91, 146, 40); max-height: 4px; }}
QProgressBar::chunk {{ background: {ACCENT}; border-radius: 2px; }}
QToolTip {{ color: {INK}; background: white; border: 1px solid {LINE}; padding: 4px; }}
#controls {{ background: {PANEL}; border-top: 1px solid {LINE}; }}
#drop {{ border: 2px dashed #aab6c0; border-radius: 12px; background: {PANEL}; }}
"""


def font_family() -> str:
    """Load our font; its family. The program carries it, so it is there."""
    with as_file(files("player.window") / "fonts" / "NanumBarunGothic.ttf") as path:
        number = QFontDatabase.addApplicationFont(str(path))
    families = QFontDatabase.applicationFontFamilies(number)
    assert families, "the player's own font cannot be read"
    return families[0]


def dress(app: QApplication) -> None:
    """Give the application its look; the same on every system, whatever its theme."""
    app.setStyle("Fusion")
    font = QFont(font_family())
    font.setPointSizeF(POINT_SIZE)
    app.setFont(font)
    palette = QPalette()
    roles = QPalette.ColorRole
    for role, colour in (
        (roles.Window, PAPER), (roles.Base, PAPER), (roles.AlternateBase, PANEL), (roles.Button, PAPER),
        (roles.WindowText, INK), (roles.Text, INK), (roles.ButtonText, INK), (roles.PlaceholderText, PALE_INK),
        (roles.Highlight, ACCENT), (roles.HighlightedText, PAPER), (roles.ToolTipBase, PAPER),
        (roles.ToolTipText, INK),
    ):  # fmt: skip
        palette.setColor(role, QColor(colour))
    app.setPalette(palette)
    app.setStyleSheet(_SHEET)
