"""The player's window without a screen: every verdict, terms before pictures, several cameras in step."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta, timezone
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")  # before Qt is loaded

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QTimer, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QDialog,
    QLabel,
    QLineEdit,
    QMessageBox,
    QSlider,
    QWidget,
)

from orvault.clock import US_PER_S, FakeClock, SystemClock
from orvault.container.activation import Activation
from orvault.container.keyfiles import read_public_key, write_key_pair
from orvault.container.keys import Recipient
from orvault.container.trust import create_root
from orvault.errors import ErrorKind, OrvaultError
from orvault.text import grouped
from player import roots
from player.activation import ACTIVATION, HospitalLease
from player.seen import SeenClock
from player.session import Session
from player.window import capture, facts, papers
from player.window.dialogs import Details, Help
from player.window.keys import Act
from player.window.timeline import TimeLine
from player.window.times import clock_time, date
from player.window.verdicts import Level
from player.window.words import Language

from .container_support import DAY_US, Made, hospital, make_package
from .window_support import CAMERAS, TITLES, Desk, case

SECOND = US_PER_S


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return case(tmp_path_factory.mktemp("case"))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.leave()


def _level(desk: Desk) -> Level:
    known = desk.window.known()
    assert known is not None
    return known.shown.level


def _start(made: Made, desk: Desk) -> int:
    assert desk.window.opened is not None and desk.window.opened.playback is not None
    return desk.window.opened.playback.clock.first_us


def test_from_the_file_to_the_picture(desk: Desk, made: Made) -> None:
    desk.shot("01-welcome")
    desk.open(made.path)
    assert "Checking: so far intact" in desk.title and _level(desk) is Level.CHECKING
    desk.shot("02-password")
    desk.unlock("not the right one")
    assert "try again" in desk.window.unlock.wrong.text() and desk.window.unlock.password.text() == ""
    assert not desk.window.unlock.reveal.isChecked(), "Enter showed what is typed next"
    desk.shot("03-wrong-password")
    desk.unlock()
    assert desk.window.pages.currentWidget() is desk.window.terms and desk.window.stage is None
    desk.shot("04-terms")
    QTest.mouseClick(desk.window.terms.accept, Qt.MouseButton.LeftButton)
    desk.wait(lambda: desk.window.stage is not None and all(desk.times()))
    desk.wait(lambda: _level(desk) is Level.GENUINE)
    assert desk.title == "case.orvault · Genuine · OR Vault Player"
    assert desk.times() == [_start(made, desk)] * 2
    desk.shot("05-watching")


def test_terms_that_are_declined_show_nothing_and_close_the_package(desk: Desk, made: Made) -> None:
    desk.open(made.path)
    desk.unlock()
    assert (
        desk.window.terms.area.widget()
        .findChildren(type(desk.window.terms.hint))[0]
        .text()
        .startswith("For the")
    )
    QTest.mouseClick(desk.window.terms.decline, Qt.MouseButton.LeftButton)
    assert desk.window.opened is None and desk.window.pages.currentWidget() is desk.window.welcome


def test_two_cameras_play_in_step_and_stand_at_the_end(desk: Desk, made: Made) -> None:
    desk.watch(made.path)
    start_us = _start(made, desk)
    for _ in range(2):
        desk.window.act(Act.FASTER)
    desk.press(Qt.Key.Key_Space)
    desk.wait(lambda: all((at or 0) > start_us + 2 * SECOND for at in desk.times()))
    desk.press(Qt.Key.Key_Space)
    desk.wait(lambda: len({at for at in desk.times()}) == 1)
    assert desk.window.opened is not None and desk.window.opened.playback is not None
    clock = desk.window.opened.playback.clock
    assert clock.speed == 4.0 and not clock.running
    desk.press(Qt.Key.Key_End)
    desk.wait(lambda: all((at or 0) > start_us + 9 * SECOND for at in desk.times()))
    assert clock.position_us == clock.last_us


def test_seeking_stepping_and_gaps(desk: Desk, made: Made) -> None:
    desk.watch(made.path)
    start_us, stage = _start(made, desk), desk.window.stage
    assert stage is not None
    desk.press(Qt.Key.Key_N)  # to the gap
    desk.wait(lambda: stage.line._position_us == start_us + 4 * SECOND)
    assert "Recorded gap" in stage.screens[0]._message and stage.screens[1]._message == ""
    desk.shot("06-gap")
    desk.press(Qt.Key.Key_Right)
    desk.wait(lambda: desk.times() == [start_us + 9 * SECOND] * 2)
    before = desk.times()[0] or 0
    desk.press(Qt.Key.Key_Period)
    desk.wait(lambda: all((at or 0) > before for at in desk.times()))
    desk.press(Qt.Key.Key_Comma)
    desk.wait(lambda: desk.times() == [before] * 2)
    QTest.mouseClick(stage.line, Qt.MouseButton.LeftButton, pos=QPoint(stage.line.width() // 2, 17))
    desk.wait(lambda: abs((desk.times()[1] or 0) - start_us - 6 * SECOND) < SECOND // 5)


def test_a_small_picture_stands_over_the_time_line(desk: Desk, made: Made) -> None:
    desk.watch(made.path)
    assert desk.window.stage is not None
    line = desk.window.stage.line
    QTest.mouseMove(line, QPoint(line.width() // 4, 17))
    QTest.mouseMove(line, QPoint(line.width() // 3, 17))
    desk.wait(lambda: not line._peek.picture.pixmap().isNull())
    assert line._peek.isVisible() and line._peek.picture.pixmap().width() == 200
    desk.shot("07-thumbnail", line._peek)
    stop = "Stop signal (by pedal)"
    for twelfths, named in (
        (9, []),
        (8, [stop]),
        (5, ["Gap (no pictures)"]),
    ):  # the gap: 4 to 5 of 12 seconds
        QTest.mouseMove(line, QPoint(10 + (line.width() - 20) * twelfths // 12, 17))
        desk.wait(lambda named=named: line._peek.told.text().splitlines()[1:] == named)  # type: ignore[misc]
    desk.shot("07-time-line", line)
    line.hide_peek()
    assert line._peek.picture.pixmap().isNull()


def test_events_are_jumped_to_and_told(desk: Desk, made: Made) -> None:
    desk.watch(made.path)
    start_us, stage = _start(made, desk), desk.window.stage
    assert stage is not None and stage.happening.accessibleName() == "Start signal (by gesture)"
    for told in ("", "Stop signal (by pedal)", "Stop signal (by pedal) · Recording stopped (or1, by pedal)"):
        desk.press(Qt.Key.Key_N)  # the first is the gap
        desk.wait(lambda told=told: stage.happening.accessibleName() == told)  # type: ignore[misc]
    assert stage.line._position_us == start_us + 10 * SECOND
    desk.shot("06-events")
    desk.window.speak(Language.KOREAN)
    desk.press(Qt.Key.Key_P)
    desk.wait(lambda: stage.happening.accessibleName() == "정지 신호 (발판)")
    desk.shot("06-events-ko")


def test_an_altered_package_says_what_and_stops_that_camera(desk: Desk, made: Made, tmp_path: Path) -> None:
    data = bytearray(made.data)
    data[-5000] ^= 1  # in the last chunks of the second camera
    path = tmp_path / "altered.orvault"
    path.write_bytes(data)
    desk.watch(path)
    desk.wait(lambda: _level(desk) is Level.ALTERED)
    assert desk.title.startswith("altered.orvault · Altered")
    assert "media/or2.mp4.enc" in desk.window.banner.sentence.text()
    desk.press(Qt.Key.Key_End)
    assert desk.window.stage is not None
    screens = desk.window.stage.screens
    desk.wait(lambda: "stopped" in screens[1]._message)
    assert screens[1].at_us is None and "no pictures at this time" in screens[0]._message
    desk.wait(
        lambda: "stopped" in screens[1].accessibleDescription()
    )  # a screen reader says no picture's time
    desk.shot("08-altered")
    desk.window.speak(Language.KOREAN)
    assert "변조됨" in desk.title and "서명된 것과 다릅니다" in desk.window.banner.sentence.text()
    desk.shot("08-altered-ko")


def test_what_is_altered_is_the_verdict_whatever_was_found_before(
    desk: Desk, made: Made, tmp_path: Path
) -> None:
    data = bytearray(made.data[:-200_000])
    data[100_000] ^= 1  # in the first camera
    path = tmp_path / "cut-and-altered.orvault"
    path.write_bytes(data)
    desk.open(path)
    assert _level(desk) is Level.DAMAGED
    desk.unlock()
    desk.wait(lambda: _level(desk) is Level.ALTERED)
    assert "media/or1.mp4.enc" in desk.window.banner.sentence.text()
    assert desk.window.opened is not None
    desk.window.opened.play().stopped.emit(1, OrvaultError(ErrorKind.DAMAGED, "It ends.", where="or2"))
    assert _level(desk) is Level.ALTERED and "or1" in desk.window.banner.sentence.text()


def test_what_is_altered_stays_the_verdict_when_the_time_is_over(desk: Desk, made: Made) -> None:
    desk.watch(made.path)
    assert desk.window.opened is not None
    altered = OrvaultError(ErrorKind.ALTERED, "Not what was signed.", where="or1")
    desk.window.opened.playback.stopped.emit(0, altered)  # type: ignore[union-attr]
    desk.window.refuse(made.path, OrvaultError(ErrorKind.EXPIRED, "It is over.", where=ACTIVATION))
    assert desk.window.opened is None and desk.window.pages.currentWidget() is desk.window.refusal
    assert _level(desk) is Level.ALTERED and desk.window.refusal.word.text() == "Altered"
    desk.window.speak(Language.KOREAN)
    assert desk.window.refusal.word.text() == "변조됨"


def test_a_package_says_whether_the_viewer_moves_over_it_and_by_which_clock_it_is_told(
    desk: Desk, tmp_path: Path
) -> None:
    desk.watch(case(tmp_path, overlay=False, utc_offset_min=-330).path)
    stage, opened = desk.window.stage, desk.window.opened
    assert stage is not None and opened is not None
    assert all(screen._who is None for screen in stage.screens)
    assert stage.now.text().endswith("(-05:30)")
    here = clock_time(stage.line._position_us, timezone(timedelta(minutes=-330)))
    assert here in stage.line.accessibleDescription()
    known = desk.window.known()
    assert known is not None
    rows = [row for part in facts.sections(known, Language.ENGLISH) for row in part.rows]
    assert ("Over the pictures", "nothing (the hospital's choice)") in rows
    assert all("(-05:30)" in value for label, value in rows if label in ("Period", "When and what"))
    desk.shot("12-no-overlay")


def test_without_another_wish_the_viewer_moves_over_the_pictures(desk: Desk, made: Made) -> None:
    desk.watch(made.path)
    assert desk.window.stage is not None and desk.window.opened is not None
    assert {screen._who for screen in desk.window.stage.screens} == {desk.window.opened.who}
    assert desk.window.stage.now.text().endswith("(+09:00)")


def test_more_cameras_than_fit_are_shown_in_groups(desk: Desk, tmp_path: Path) -> None:
    clips = {f"or{number:02d}": next(iter(CAMERAS.values())) for number in range(11)}
    now_us = SystemClock().now_us()
    infos = {name: {"start_us": now_us, "end_us": now_us + SECOND} for name in clips}
    valid = {"issued_us": now_us - 9, "not_before_us": now_us - 9, "not_after_us": now_us + DAY_US}
    path = make_package(tmp_path, clips=clips, infos=infos, **valid).path  # type: ignore[arg-type]
    desk.open(path)
    desk.unlock()
    QTest.mouseClick(desk.window.terms.accept, Qt.MouseButton.LeftButton)
    desk.wait(lambda: desk.window.stage is not None and all(desk.times()[:9]))
    assert desk.window.stage is not None and desk.window.opened is not None
    stage, playback = desk.window.stage, desk.window.opened.playback
    assert playback is not None and set(playback._followers) == set(range(9))
    assert stage.which.text() == "Camera 1–9 of 11" and stage.which.isVisible()
    desk.shot("13-nine-of-eleven")
    desk.press(Qt.Key.Key_C)
    desk.wait(lambda: all(desk.times()[9:]))
    assert set(playback._followers) == {9, 10} == {playback.lead, 10}
    assert desk.times()[:9] == [None] * 9 and stage.which.text() == "Camera 10–11 of 11"
    assert [screen.isVisible() for screen in stage.screens] == [False] * 9 + [True] * 2
    desk.press(Qt.Key.Key_C)
    desk.wait(lambda: desk.times()[0])
    assert set(playback._followers) == {0} and stage.which.text() == "Camera 1 of 11"


def test_what_small_pictures_find_altered_is_told(desk: Desk, made: Made) -> None:
    desk.watch(made.path)
    desk.wait(lambda: _level(desk) is Level.GENUINE)
    assert desk.window.opened is not None and desk.window.opened.playback is not None
    small = desk.window.opened.playback._small
    small._failed(OrvaultError(ErrorKind.BAD_MEDIA, "No video.", where="or1"))
    assert _level(desk) is Level.GENUINE
    small._failed(OrvaultError(ErrorKind.ALTERED, "Not what was signed.", where="or1"))
    assert _level(desk) is Level.ALTERED and desk.window.opened.playback.lead == 0


def test_a_camera_that_was_stopped_leaves_the_lead_to_one_that_plays(desk: Desk, made: Made) -> None:
    desk.watch(made.path)
    assert desk.window.opened is not None and desk.window.opened.playback is not None
    playback, start_us = desk.window.opened.playback, _start(made, desk)
    playback._followers[0].leave()
    playback._followers[0].wait()
    playback.stopped.emit(0, OrvaultError(ErrorKind.ALTERED, "Not what was signed.", where="or1"))
    assert playback.lead == 1
    desk.press(Qt.Key.Key_Period)
    desk.wait(lambda: (desk.times()[1] or 0) > start_us)
    playback.set_lead(0)
    assert playback.lead == 1


def test_a_case_of_months_has_a_time_line(desk: Desk) -> None:
    line = TimeLine()
    for days in (1, 25, 400):
        line.set_span(0, days * DAY_US, ())
        for share in (0, 1, 2):
            line.set_position(days * DAY_US * share // 2)
            assert line.value() * 2 // max(line.maximum(), 1) == share and line.maximum() > 10**7


def test_small_pictures_are_kept_out_of_captures_too(
    desk: Desk, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(capture, "discourage", lambda window_id: asked.append(window_id))
    desk.watch(made.path)
    assert desk.window.stage is not None
    peek = desk.window.stage.line._peek
    peek.show()
    assert asked == [int(peek.winId())] != [int(desk.window.winId())]


def test_a_password_does_not_come_back(desk: Desk, made: Made) -> None:
    field = desk.window.unlock.password
    desk.open(made.path)
    desk.unlock("not the right one")
    assert not field.isUndoAvailable()
    QTest.keyClick(field, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert field.text() == ""
    desk.unlock()
    assert field.text() == "" and not field.isUndoAvailable()
    desk.open(made.path)
    QTest.keyClicks(field, "typed, and then closed")
    desk.window.close_package()
    assert field.text() == "" and not field.isUndoAvailable()


def test_an_unknown_issuer_is_never_called_genuine(tmp_path: Path, made: Made) -> None:
    desk = Desk(tmp_path, pinned=False)
    desk.watch(made.path)
    desk.wait(lambda: _level(desk) is Level.UNKNOWN)
    assert "Intact, issuer unknown" in desk.title and "Genuine" not in desk.title
    known = desk.window.known()
    assert known is not None and hospital()[0].fingerprint[:4].upper() in str(
        facts.sections(known, Language.ENGLISH)
    )
    desk.shot("09-unknown-issuer")
    desk.leave()


def test_a_root_is_pinned_only_when_its_fingerprint_was_said_to_be_that_on_paper(
    tmp_path: Path, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(roots.HOME_VARIABLE, str(tmp_path / "home"))
    pem = tmp_path / "root.pem"
    pem.write_bytes(hospital()[0].certificate_pem)
    desk = Desk(tmp_path, pinned=False)
    desk.watch(made.path)
    monkeypatch.setattr(papers.QFileDialog, "getOpenFileName", lambda *_: (str(pem), ""))
    asked: list[str] = []

    def answer(says_same: bool) -> None:
        def click() -> None:
            box = next(each for each in desk.app.topLevelWidgets() if isinstance(each, QMessageBox))
            asked.append(box.text())
            box.buttons()[0 if says_same else 1].click()

        QTimer.singleShot(50, click)
        desk.window.papers.trust_root(QDialog(desk.window))

    answer(says_same=False)
    assert roots.pinned(lambda _: None) == [] and grouped(hospital()[0].fingerprint) in asked[0]
    answer(says_same=True)
    assert [root.fingerprint for root in roots.pinned(lambda _: None)] == [hospital()[0].fingerprint]
    desk.wait(lambda: desk.window.pages.currentWidget() is desk.window.unlock)  # it is opened anew
    desk.leave()


FORGER = "Seoul<br x>Fingerprint:<br x>AAAA BBBB<!-- "  # what Qt took for markup hid the rest of the question


def test_a_name_cannot_hide_the_fingerprint_that_is_to_be_compared(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(roots.HOME_VARIABLE, str(tmp_path / "home"))
    root, pem = create_root(FORGER, SystemClock()), tmp_path / "root.pem"
    pem.write_bytes(root.certificate_pem)
    monkeypatch.setattr(papers.QFileDialog, "getOpenFileName", lambda *_: (str(pem), ""))
    seen: list[tuple[Qt.TextFormat, str]] = []

    def look() -> None:
        box = next(each for each in desk.app.topLevelWidgets() if isinstance(each, QMessageBox))
        desk.shot("16-forged-name", box)
        seen.extend((label.textFormat(), label.text()) for label in box.findChildren(QLabel) if label.text())
        box.buttons()[1].click()

    QTimer.singleShot(50, look)
    desk.window.papers.trust_root(QDialog(desk.window))
    (told,) = seen
    assert told[0] is Qt.TextFormat.PlainText
    assert FORGER in told[1] and grouped(root.fingerprint) in told[1]
    assert roots.pinned(lambda _: None) == []


def test_no_words_of_the_window_are_taken_for_markup(desk: Desk, made: Made) -> None:
    desk.watch(made.path)
    known = desk.window.known()
    assert known is not None
    details = Details(desk.window, desk.window.papers.sections(known), Language.KOREAN)
    for top in (desk.window, details, Help(desk.window, Language.KOREAN)):
        for words in top.findChildren(QLabel):
            assert words.textFormat() is Qt.TextFormat.PlainText, words.text()
        for widget in top.findChildren(QWidget):
            assert "<" not in widget.toolTip(), "tool tips always take markup: they hold our own words only"


NOW_US = SystemClock().now_us()
SHUT: dict[str, tuple[dict[str, int], str, str]] = {
    "expired": ({"not_after_us": NOW_US - DAY_US // 2}, "Expired", "만료"),
    "not-yet-valid": ({"not_before_us": NOW_US + DAY_US // 2}, "Not yet valid", "열람 기간 전"),
}


@pytest.mark.parametrize("name", SHUT)
def test_outside_its_time_a_package_stays_shut(desk: Desk, tmp_path: Path, name: str) -> None:
    changes, words, korean = SHUT[name]
    desk.open(case(tmp_path, **changes).path)
    assert desk.window.pages.currentWidget() is desk.window.refusal and words in desk.title
    desk.shot(f"10-{name}")
    desk.window.speak(Language.KOREAN)
    assert korean in desk.title and "+09:00" in desk.window.refusal.sentence.text()


def test_an_expired_package_without_its_end_says_until_when_it_could_be_opened(
    desk: Desk, tmp_path: Path
) -> None:
    made = case(tmp_path, not_after_us=NOW_US - DAY_US // 2)
    made.path.write_bytes(made.data[:-200_000])
    desk.open(made.path)
    desk.window.speak(Language.KOREAN)
    assert date(NOW_US - DAY_US // 2) in desk.window.refusal.sentence.text()


def test_what_is_no_package_stays_shut(desk: Desk) -> None:
    desk.open(Path(__file__))
    assert "Not a package" in desk.title and desk.window.pages.currentWidget() is desk.window.refusal


def test_a_package_without_its_end_plays_what_is_there(desk: Desk, made: Made, tmp_path: Path) -> None:
    cut, size = tmp_path / "cut.orvault", len(made.data) - 200_000
    cut.write_bytes(made.data[:size])
    desk.watch(cut)
    assert "Damaged" in desk.title and f"ends after {size}" in desk.window.banner.sentence.text()
    assert desk.window.stage is not None
    stage, start_us = desk.window.stage, _start(made, desk)
    desk.press(Qt.Key.Key_End)
    desk.wait(lambda: "stopped" in stage.screens[1]._message)
    desk.press(Qt.Key.Key_Home)
    desk.wait(lambda: desk.times()[0] == start_us)
    desk.shot("15-damaged")


def test_a_package_that_expires_while_it_is_watched_is_shut(tmp_path: Path) -> None:
    clock = FakeClock(us=NOW_US)
    made = case(tmp_path, now_us=NOW_US)
    desk = Desk(tmp_path, clock=clock)
    desk.watch(made.path)
    clock.us = NOW_US + 2 * DAY_US
    desk.wait(lambda: desk.window.pages.currentWidget() is desk.window.refusal)
    assert "Expired" in desk.title and desk.window.opened is None and desk.window.stage is None
    clock.us = NOW_US  # the clock is turned back: what was seen counts
    desk.open(made.path)
    assert "Expired" in desk.title
    known = desk.window.known()
    assert known is not None
    told = dict(desk.window.papers.sections(known)[-1].rows)
    assert "behind a time" in told["Clock"]
    desk.leave()


def test_a_key_file_opens_it_and_a_foreign_one_does_not(desk: Desk, tmp_path: Path) -> None:
    mine, foreign = tmp_path / "mine.key", tmp_path / "foreign.key"
    for path in (mine, foreign):
        write_key_pair(path)
    public = read_public_key(tmp_path / "mine.key.pub")
    made = case(tmp_path, recipients=(Recipient("Lee", public),))
    desk.open(made.path)
    assert not desk.window.unlock.password.isVisible()
    desk.window.door.try_key_file(foreign)
    desk.wait(lambda: "made for another key" in desk.window.unlock.wrong.text())
    desk.shot("11-key-file")
    desk.window.door.try_key_file(tmp_path / "mine.key.pub")
    told = desk.window.unlock.wrong.text()
    desk.window.speak(Language.KOREAN)
    korean = desk.window.unlock.wrong.text()
    assert told.startswith("mine.key.pub cannot") and korean.startswith("mine.key.pub: 키") and told != korean
    desk.window.door.try_key_file(mine)
    desk.wait(lambda: desk.window.pages.currentWidget() is desk.window.terms)
    assert desk.window.opened is not None and f"key {public.thumbprint[:8].upper()}" in desk.window.opened.who


def test_a_key_file_is_not_tried_before_a_person_read_whom_it_asks(desk: Desk, tmp_path: Path) -> None:
    key = tmp_path / "mine.key"
    write_key_pair(key)
    desk.window.setup = replace(desk.window.setup, key=key)
    recipients = (Recipient("Lee", read_public_key(tmp_path / "mine.key.pub")),)
    desk.open(case(tmp_path, recipients=recipients, activation=Activation("https://127.0.0.1:9")).path)
    assert desk.window.pages.currentWidget() is desk.window.unlock
    assert "127.0.0.1" in desk.window.unlock.hint.text()
    desk.open(case(tmp_path, recipients=recipients).path)
    desk.wait(lambda: desk.window.pages.currentWidget() is desk.window.terms)


def test_pictures_vanish_with_the_lease_though_nothing_plays(desk: Desk, made: Made) -> None:
    desk.watch(made.path)
    opened = desk.window.opened
    assert opened is not None and opened.playback is not None
    opened.playback.pause()
    desk.wait(lambda: _level(desk) is Level.GENUINE)
    opened.session.reader._lease = HospitalLease(b"s" * 32, 0, None, ends_s=0.0)
    desk.wait(lambda: desk.window.pages.currentWidget() is desk.window.refusal)
    assert "Expired" in desk.title and desk.window.opened is None and desk.window.stage is None


def test_a_fault_of_the_player_is_told_and_keeps_nobody_waiting(
    desk: Desk, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised: list[object] = []
    monkeypatch.setattr(threading, "excepthook", lambda fault: raised.append(fault.exc_type))

    def fail(_path: Path, _clock: SeenClock) -> Session:
        raise RecursionError("words that nobody is to read")

    desk.window.setup = replace(desk.window.setup, open_session=fail)
    desk.open(made.path)
    assert desk.window.pages.currentWidget() is desk.window.refusal and raised == [RecursionError]
    known = desk.window.known()
    assert known is not None and "RecursionError" in known.shown.sentence
    assert "nobody is to read" not in known.shown.sentence


def test_a_dropped_file_is_opened(desk: Desk, made: Made) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(made.path))])
    event = QDropEvent(
        QPointF(5, 5),
        Qt.DropAction.CopyAction,
        mime,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    desk.window.dropEvent(event)
    desk.wait(lambda: desk.window.pages.currentWidget() is desk.window.unlock)


def test_no_control_is_without_a_name_in_either_language(desk: Desk, made: Made) -> None:
    desk.watch(made.path)
    for language in Language:
        desk.window.speak(language)
        for kind in (QAbstractButton, QLineEdit, QComboBox, QSlider):
            for widget in desk.window.findChildren(kind):
                name = widget.accessibleName() or (
                    widget.text() if isinstance(widget, QAbstractButton) else ""
                )
                assert name or widget.parent() in desk.window.findChildren(QComboBox), widget
        assert desk.window.stage is not None
        for screen, title in zip(desk.window.stage.screens, TITLES.values(), strict=True):
            assert title in screen.accessibleName()
    desk.shot("12-korean" if desk.window.language is Language.KOREAN else "12-english")


def test_details_and_report_tell_all_in_both_languages(desk: Desk, made: Made) -> None:
    desk.watch(made.path)
    desk.wait(lambda: _level(desk) is Level.GENUINE)
    for language, word in ((Language.ENGLISH, "Genuine"), (Language.KOREAN, "진본")):
        desk.window.speak(language)
        known = desk.window.known()
        assert known is not None
        told = "\n".join(
            f"{name}: {value}" for part in facts.sections(known, language) for name, value in part.rows
        )
        for expected in (
            word,
            "req-1",
            "Kim 김, Court",
            "court",
            "head, solid",
            "OR Vault req-1 환자",
            "seg-0",
            "ABAB",
        ):
            assert expected in told
        dialog = Details(desk.window, desk.window.papers.sections(known), language)
        dialog.show()
        desk.shot(f"13-details-{language}", dialog)
        dialog.close()
        keys = Help(desk.window, language)
        keys.show()
        desk.shot(f"14-keys-{language}", keys)
        keys.close()
        pdf = desk.window.papers.pdf(known)
        assert pdf.startswith(b"%PDF-") and pdf.rstrip().endswith(b"%%EOF") and b"NanumBarunGothic" in pdf


ALTERED = OrvaultError(ErrorKind.ALTERED, "Not what was signed.", where="media/or1.mp4.enc")


def _told(dialog: QWidget) -> str:
    return "\n".join(words.text() for words in dialog.findChildren(QLabel))


def test_details_that_are_open_follow_the_verdict(desk: Desk, made: Made) -> None:
    desk.watch(made.path)
    desk.wait(lambda: _level(desk) is Level.GENUINE)
    told: list[str] = []

    def look() -> None:
        assert desk.window.opened is not None and desk.window.opened.playback is not None
        dialog = next(each for each in desk.app.topLevelWidgets() if isinstance(each, Details))
        told.append(_told(dialog))
        desk.window.opened.playback.stopped.emit(0, ALTERED)
        told.append(_told(dialog))
        desk.window.close_package()
        told.append(str(dialog.isVisible()))
        dialog.close()

    QTimer.singleShot(50, look)
    desk.window.act(Act.DETAILS)
    assert "Genuine." in told[0] and "Altered." in told[1] and "Genuine." not in told[1]
    assert told[2] == "False"


def test_a_report_says_what_is_known_when_it_is_written_and_replaces_nothing_unasked(
    desk: Desk, made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.watch(made.path)
    desk.wait(lambda: _level(desk) is Level.GENUINE)
    other, wanted = tmp_path / "report.pdf", tmp_path / "report.v1.pdf"
    other.write_text("another report")

    def choose(*_: object) -> tuple[str, str]:
        assert desk.window.opened is not None and desk.window.opened.playback is not None
        desk.window.opened.playback.stopped.emit(0, ALTERED)  # while the person looks for a folder
        return str(tmp_path / "report.v1"), ""

    monkeypatch.setattr(papers.QFileDialog, "getSaveFileName", choose)
    monkeypatch.setattr(papers.report, "pdf", lambda title, found, *_: str(found).encode())
    said: list[str] = []

    def save(button: int) -> None:
        def click() -> None:
            box = next(each for each in desk.app.topLevelWidgets() if isinstance(each, QMessageBox))
            said.append(box.text())
            box.buttons()[button].click()
            box.deleteLater()

        QTimer.singleShot(50, click)
        desk.window.act(Act.REPORT)
        QTest.qWait(1)

    save(0)
    assert said == [f"Saved: {wanted}"] and "Altered" in wanted.read_text()
    wanted.write_text("an older report")
    save(1)
    assert "Replace it?" in said[1] and wanted.read_text() == "an older report"
    assert other.read_text() == "another report"


def test_a_root_that_is_believed_for_this_run_is_not_called_pinned(desk: Desk, made: Made) -> None:
    desk.window.setup = replace(desk.window.setup, for_this_run=lambda fingerprint: True)
    desk.watch(made.path)
    desk.wait(lambda: _level(desk) is Level.GENUINE)
    for language, wrong, right in (
        (Language.ENGLISH, "is pinned here", "for this run"),
        (Language.KOREAN, "등록되어 있으며", "이번 실행에만"),
    ):
        desk.window.speak(language)
        known = desk.window.known()
        assert known is not None
        rows = [dict(part.rows) for part in facts.sections(known, language)]
        assert right in known.shown.sentence and wrong not in known.shown.sentence
        assert any(right in row.get("Root certificate", row.get("루트 인증서", "")) for row in rows)


def test_nothing_of_a_package_stays_when_another_is_opened(desk: Desk, made: Made) -> None:
    desk.watch(made.path)
    opened, stage = desk.window.opened, desk.window.stage
    assert opened is not None and stage is not None
    desk.open(Path(__file__))
    assert opened.session.reader._key == b"" and opened.session.reader._file.closed
    assert all(screen._image is None for screen in stage.screens)


def test_no_words_can_be_copied_and_no_menu_opens(desk: Desk, made: Made) -> None:
    desk.watch(made.path)
    assert desk.window.contextMenuPolicy() is Qt.ContextMenuPolicy.NoContextMenu
    labels = desk.window.findChildren(type(desk.window.banner.sentence))
    assert labels and all(
        label.textInteractionFlags() & Qt.TextInteractionFlag.TextSelectableByMouse
        == Qt.TextInteractionFlag.NoTextInteraction
        for label in labels
    )
    QApplication.clipboard().setText("before")
    for key in (Qt.Key.Key_C, Qt.Key.Key_X, Qt.Key.Key_A):
        QTest.keyClick(desk.window, key, Qt.KeyboardModifier.ControlModifier)
    assert QApplication.clipboard().text() == "before"


def test_what_a_package_says_is_shown_as_text_only(desk: Desk, tmp_path: Path) -> None:
    made = case(tmp_path, terms_text="<b>bold</b> <img src=x>\nGenuine", legal_basis="<h1>Genuine</h1>")
    desk.watch(made.path)
    known = desk.window.known()
    assert known is not None
    told = [value for part in desk.window.papers.sections(known) for _, value in part.rows]
    assert "<h1>Genuine</h1>" in told
    assert b"%PDF-" in desk.window.papers.pdf(known)[:8]


def test_without_qt_the_command_line_says_so_plainly(made: Made) -> None:
    code = (
        "import sys; sys.modules['PySide6'] = None\n"
        "import importlib.util as u; real = u.find_spec\n"
        "u.find_spec = lambda name, *more: None if name == 'PySide6' else real(name, *more)\n"
        f"import player.__main__ as m; sys.argv[1:] = [{str(made.path)!r}]; m.main()"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (
        result.returncode == 1 and "The window needs Qt" in result.stderr and "Traceback" not in result.stderr
    )


def test_the_command_line_loads_no_qt() -> None:
    code = "import sys, player.__main__; print('PySide6' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"
