"""The report on paper: no page ends with a heading, and each says which it is."""

from __future__ import annotations

import os
import re

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")  # before Qt is loaded

import pytest
from PySide6.QtCore import QSizeF
from PySide6.QtGui import QFont, QTextBlock, QTextDocument
from PySide6.QtWidgets import QApplication

from player.window import look, report
from player.window.facts import Section

LINES = range(20, 60)  # of the first section: the second's heading comes by every place at a page's foot


@pytest.fixture(autouse=True)
def app() -> QApplication:
    made = QApplication.instance() or QApplication([])
    assert isinstance(made, QApplication)
    look.dress(made)
    return made


def _sections(lines: int) -> list[Section]:
    rows = tuple((f"Row {number}", "value") for number in range(lines))
    return [Section("First", rows), Section("Second", (("Row", "value"),))]


def _document(lines: int) -> QTextDocument:
    document = QTextDocument()
    document.setHtml(report.html("Report", _sections(lines), "Foot"))
    document.setPageSize(QSizeF(600, 800))
    return document


def _heading(document: QTextDocument) -> QTextBlock:
    block = document.begin()
    while block.text() != "Second":
        block = block.next()
    return block


def test_a_heading_stands_on_the_page_of_what_follows_it() -> None:
    alone = moved = 0
    for lines in LINES:
        document = _document(lines)
        heading = _heading(document)
        alone += report.page_of(heading) < report.page_of(heading.next())
        moved += report.keep_headings(document)
        heading = _heading(document)
        assert report.page_of(heading) == report.page_of(heading.next())
    assert moved == alone > 0, "only what stood alone was moved, and some did"


@pytest.mark.parametrize(("lines", "pages"), [(3, 1), (120, 3)])
def test_every_page_is_there(lines: int, pages: int) -> None:
    data = report.pdf("Report", _sections(lines), "Foot", QFont(), "case " * 60)
    assert len(re.findall(rb"/Type /Page\s", data)) == pages
