"""Cameras that are no longer shown: the window waits for no decoder of theirs, and the next one takes its memory."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")  # before Qt is loaded

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication

from orvault.container.package import MediaInfo
from player.reel import Picture
from player.window import playback as playback_module
from player.window.closing import Closing
from player.window.playback import Playback

from .container_support import CLIP, media_info

LONGEST_WAIT_S = 60


class Reels:
    """Reels that look for their picture until they are let go."""

    def __init__(self) -> None:
        self.held = threading.Event()
        self.told: list[tuple[str, str]] = []

    def __call__(self, session: object, info: MediaInfo) -> Slow:
        self.told.append(("opened", info.camera_id))
        return Slow(self, info)

    def count(self, what: str) -> int:
        return sum(each == what for each, _ in self.told)


class Slow:
    """One of them."""

    def __init__(self, reels: Reels, info: MediaInfo) -> None:
        self._reels, self._info = reels, info

    def seek(self, at_us: int) -> Picture:
        self._reels.told.append(("asked", self._info.camera_id))
        assert self._reels.held.wait(LONGEST_WAIT_S)
        return Picture(np.zeros((2, 2, 3), np.uint8), at_us, 0)

    def next(self) -> None:
        return None

    previous = next

    def thumbnail(self, at_us: int, width_px: int) -> Picture:
        return self.seek(at_us)

    def close(self) -> None:
        self._reels.told.append(("closed", self._info.camera_id))


@pytest.fixture
def reels(monkeypatch: pytest.MonkeyPatch) -> Reels:
    made = Reels()
    monkeypatch.setattr(playback_module, "Reel", made)
    return made


@pytest.fixture
def playback(reels: Reels) -> Iterator[Playback]:
    _application()
    made = Playback(None, [media_info(f"or{n}", CLIP) for n in range(3)])  # type: ignore[arg-type]
    yield made
    reels.held.set()
    for each in made.leave():
        each.wait()


def _application() -> QApplication:
    made = QApplication.instance() or QApplication([])
    assert isinstance(made, QApplication)
    return made


def _until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + LONGEST_WAIT_S
    while not holds():
        assert time.monotonic() < until
        _application().processEvents()
        time.sleep(0.01)


def test_the_window_waits_for_no_decoder_that_it_lets_go(playback: Playback, reels: Reels) -> None:
    _until(lambda: reels.count("asked") == 3)
    playback.watch((1,))
    playback.watch((0,))
    assert reels.count("closed") == 0, "it came back while all of them were at work"
    assert reels.count("opened") == 3, "the next decoder takes no memory beside them"
    reels.held.set()
    _until(lambda: reels.count("opened") == 4)
    opened = reels.told.index(("opened", "or0"), 3)
    assert sorted(reels.told[opened - 3 : opened]) == [("closed", f"or{n}") for n in range(3)]


def test_cameras_that_were_passed_over_open_no_decoder(playback: Playback, reels: Reels) -> None:
    _until(lambda: reels.count("asked") == 3)
    for chosen in ((0,), (1,), (2,), (0, 1), (2,)):
        playback.watch(chosen)
    reels.held.set()
    _until(lambda: reels.count("asked") == 4)
    assert [camera for what, camera in reels.told if what == "opened"][3:] == ["or2"]


def test_a_package_is_closed_once_nobody_reads_it_and_the_next_one_waits_for_that(
    playback: Playback, reels: Reels
) -> None:
    closed: list[int] = []
    _until(lambda: reels.count("asked") == 3)
    closing = Closing(playback.leave(), lambda: closed.append(reels.count("closed")))
    following = Playback(None, [media_info("or9", CLIP)], [closing])  # type: ignore[arg-type]
    assert not closing.gone and closed == [], "it came back while all of them were at work"
    assert ("opened", "or9") not in reels.told
    reels.held.set()
    _until(lambda: closing.gone and ("opened", "or9") in reels.told)
    assert closed == [3] and reels.told.index(("opened", "or9")) > 5
    for each in following.leave():
        each.wait()


def test_a_picture_under_way_of_a_camera_that_is_gone_is_not_shown(playback: Playback, reels: Reels) -> None:
    shown: list[int] = []
    playback.shown.connect(lambda number, picture: shown.append(number))
    _until(lambda: reels.count("asked") == 3)
    box = playback._mail[0]
    playback.watch((1, 2))
    assert box.put(Picture(np.zeros((2, 2, 3), np.uint8), 0, 0), False)
    playback._arrived.emit(0)  # as its thread would have, had it been a moment earlier
    reels.held.set()
    _until(lambda: {1, 2} <= set(shown))
    assert 0 not in shown


def test_a_small_picture_of_another_camera_is_not_shown(playback: Playback, reels: Reels) -> None:
    shown: list[int] = []
    playback.small.connect(lambda asked_us, picture: shown.append(asked_us))
    playback.ask_small(7)
    _until(lambda: reels.count("opened") == 4)
    playback.set_lead(1)
    playback.ask_small(8)
    reels.held.set()
    _until(lambda: 8 in shown)
    assert shown == [8]
