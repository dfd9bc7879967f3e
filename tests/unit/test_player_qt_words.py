"""Qt's own file dialog, which is shown where the system has none, speaks the window's language."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")  # before Qt is loaded

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton, QFileDialog, QLabel, QLineEdit, QTreeView

from player.window.keys import Act
from player.window.words import Language

from .window_support import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.leave()


def _told(desk: Desk, mode: QFileDialog.AcceptMode, folder: Path) -> list[str]:
    """What the dialog says on buttons, beside fields, over columns and in the menu of its field."""
    dialog = QFileDialog(desk.window, "", str(folder), "*.pdf")
    dialog.setOption(QFileDialog.Option.DontUseNativeDialog)
    dialog.setAcceptMode(mode)
    dialog.setViewMode(QFileDialog.ViewMode.Detail)
    dialog.show()
    desk.shot(f"20-file-{mode.name}-{desk.window.language}", dialog)
    told = [each.text() for each in dialog.findChildren(QLabel)]
    told += [part for each in dialog.findChildren(QAbstractButton) for part in (each.text(), each.toolTip())]
    columns = dialog.findChildren(QTreeView)[0].model()
    told += [str(columns.headerData(at, Qt.Orientation.Horizontal)) for at in range(columns.columnCount())]
    menu = dialog.findChildren(QLineEdit)[0].createStandardContextMenu()
    told += [each.text() for each in menu.actions()]
    menu.deleteLater()
    dialog.close()
    dialog.deleteLater()
    return [each for each in told if each]


def test_its_own_dialogs_speak_the_windows_language(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "report.pdf").touch()
    for language in (Language.ENGLISH, Language.KOREAN, Language.ENGLISH):
        if desk.window.language is not language:
            desk.window.act(Act.LANGUAGE)
        for mode in (QFileDialog.AcceptMode.AcceptOpen, QFileDialog.AcceptMode.AcceptSave):
            told = _told(desk, mode, tmp_path)
            assert len(told) > 18, "buttons, fields, columns and a menu"
            korean = [each for each in told if re.search("[가-힣]", each)]
            assert korean == (told if language is Language.KOREAN else [])
