"""The built player's window before a person, on a real X screen, in a place where there is no Python.

Both forms: the folder in English, the one file in Korean. What they were given is in cell.py; keys and clicks are the
X server's, what is read is what a screen reader is told (AT-SPI), pictures are the screen's own pixels. The screen of
each step is kept in the folder ORVAULT_SCREENSHOTS, or with the test's own files.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("cells and Xvfb are Linux's", allow_module_level=True)

import av
import cv2
import numpy as np

from orvault.clock import SystemClock
from player.window import words as w
from player.window.words import Language, Text
from tests.unit.container_support import DAY_US, PASSWORD, hospital
from tests.unit.window_support import CAMERAS, SCREENSHOTS, TITLES, case

from . import cell, desktop
from .cell import HOME, Cell
from .desktop import Control, Person
from .test_player_binary import BINARIES

LANGUAGES = {"folder": Language.ENGLISH, "one file": Language.KOREAN}
VERDICTS = {
    "genuine": Text("진본 확인 (병원 발급본)", "Genuine"),
    "altered": Text("변조됨", "Altered"),
    "expired": Text("열람 기간 만료", "Expired"),
}
FILE_NAME = Text("파일 이름", "File name")  # Qt's own words, in its own dialog: the cell has no desktop's
CAMERA = "or2"  # it has no gap: its pictures are the clip's, at the clip's own times
SECONDS = 12.0
NEAR_S = 0.5
_THUMB = (64, 36)

if not all(path.exists() for path in BINARIES.values()):
    pytest.skip("not built; `make player` builds and tries it", allow_module_level=True)
if why := cell.missing():
    pytest.skip(why, allow_module_level=True)
if absent := desktop.missing():
    pytest.skip(f"missing: {absent} (scripts/debian-packages.sh)", allow_module_level=True)


@dataclass(frozen=True)
class Stand:
    """One form of the player in its cell, with three packages in the viewer's home folder."""

    cell: Cell
    language: Language
    pictures: Path

    def before(self, *arguments: str) -> AbstractContextManager[Person]:
        """A person before the player, started so; the hospital's root is given."""
        root = ("--root", str(HOME / "root.pem"))
        return desktop.before(self.cell, self.pictures, self.language, "open", *arguments, *root)

    def said(self, text: Text, **fields: object) -> str:
        return text.of(self.language, **fields)

    def title(self, file: str, verdict: str) -> str:
        return f"{file} · {self.said(VERDICTS[verdict])} · {self.said(w.TITLE)}"

    def accept(self, person: Person) -> None:
        """From the password to the pictures."""
        person.wait_for(lambda: person.find(self.said(w.UNLOCK)))
        person.type(PASSWORD)
        person.wait_for(lambda: person.find(self.said(w.TERMS_HINT)))
        person.click(self.said(w.ACCEPT))
        person.wait_for(lambda: self.screen(person))

    def screen(self, person: Person) -> Control | None:
        """Where the camera's pictures are shown."""
        return person.find(self.said(w.CAMERA, title=TITLES[CAMERA]))


@pytest.fixture(scope="module", params=list(BINARIES))
def stand(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Stand:
    form: str = request.param
    folder = tmp_path_factory.mktemp("cell")
    place = Cell.make(folder / "c", BINARIES[form], BINARIES["folder"].parent)
    good = case(place.home).path
    data = bytearray(good.read_bytes())
    data[-5000] ^= 1  # in the last chunks of the second camera
    (place.home / "altered.orvault").write_bytes(data)
    past_us = SystemClock().now_us() - DAY_US // 2
    case(folder, not_after_us=past_us).path.rename(place.home / "expired.orvault")
    (place.home / "root.pem").write_bytes(hospital()[0].certificate_pem)
    kept = os.environ.get(SCREENSHOTS)
    pictures = Path(kept) / f"binary-{form.replace(' ', '-')}" if kept else folder / "pictures"
    return Stand(place, LANGUAGES[form], pictures)


@pytest.fixture(scope="module")
def clip() -> np.ndarray:
    """The camera's pictures, small: number, height, width, blue-green-red."""
    with av.open(str(CAMERAS[CAMERA])) as film:
        return np.stack([_small(frame.to_ndarray(format="bgr24")) for frame in film.decode(video=0)])


def _small(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(picture, _THUMB, interpolation=cv2.INTER_AREA).astype(np.float32)


@dataclass(frozen=True)
class Eyes:
    """Tells from the screen's pixels which moment of the clip is shown."""

    stand: Stand
    person: Person
    clip: np.ndarray

    def moment_s(self, name: str) -> float:
        """Seconds from the clip's beginning to the picture that is most like the one that is shown."""
        shown = self.stand.screen(self.person)
        assert shown is not None
        x, y, width, height = shown.place
        screen = self.person.shot(name)[y : y + height, x : x + width]
        inner = round(width * 9 / 16)  # the clip's shape; bars above and below it
        top = (height - inner) // 2
        difference = np.abs(self.clip - _small(screen[top : top + inner])).mean(axis=(1, 2, 3))
        return float(difference.argmin()) * SECONDS / len(self.clip)

    def until(self, holds: Callable[[float], bool], name: str) -> float:
        """Look until the moment that is shown is such a one."""
        found: list[float] = []
        self.person.wait_for(lambda: found.append(self.moment_s(name)) or holds(found[-1]))
        return found[-1]


def test_there_is_no_python_around_it(stand: Stand) -> None:
    others = [
        path.relative_to(stand.cell.folder)
        for path in stand.cell.folder.rglob("*")
        if path.is_file() and "player" not in path.relative_to(stand.cell.folder).parts
    ]
    assert not [path for path in others if "python" in path.name.lower() or "bin" in path.parts]
    assert {path.parts[0] for path in others} <= {"lib", "lib64", "usr", "dev", "home"}


def test_from_the_file_to_the_pictures(stand: Stand, clip: np.ndarray) -> None:
    before = _files(stand.cell)
    with stand.before() as person:
        person.wait_for(lambda: person.find(stand.said(w.WELCOME)))
        person.shot("01-open")
        person.click(stand.said(w.OPEN))
        person.wait_for(lambda: any(each.role == "dialog" for each in person.listen()))
        person.wait_for(lambda: any(stand.said(FILE_NAME) in each.name for each in person.listen()))
        person.shot("02-file")
        person.type(str(HOME / "case.orvault"))
        person.wait_for(lambda: person.find(stand.said(w.UNLOCK)))
        person.shot("03-password")
        person.type("not the right one")
        person.wait_for(lambda: person.find(stand.said(w.WRONG_PASSWORD)))
        person.shot("04-wrong-password")
        person.type(PASSWORD)
        person.wait_for(lambda: person.find(stand.said(w.TERMS_HINT)))
        assert stand.screen(person) is None, "no picture before the terms are accepted"
        person.shot("05-terms")
        person.click(stand.said(w.ACCEPT))
        person.wait_for(lambda: person.title() == stand.title("case.orvault", "genuine"))
        _watch(person, Eyes(stand, person, clip))
        _read(stand, person)
        assert {path.name for path in _files(stand.cell) - before} <= {"latest-time"}, (
            "nothing else is written"
        )


def _watch(person: Person, eyes: Eyes) -> None:
    assert eyes.until(lambda at: at < NEAR_S, "06-watching") < NEAR_S
    person.press("space")
    first = eyes.until(lambda at: at > 1, "07-playing")
    assert eyes.until(lambda at: at > first + 1, "07-playing-on") > first
    person.press("space", "Home", "Right")
    eyes.until(lambda at: abs(at - 5) < NEAR_S, "08-seek-5-s")
    person.press("End")
    eyes.until(lambda at: at > SECONDS - NEAR_S, "09-seek-end")


def _read(stand: Stand, person: Person) -> None:
    person.press("d")
    person.wait_for(lambda: person.find(stand.said(w.SAVE_REPORT)))
    person.shot("10-details")
    person.press("Escape")
    person.wait_for(lambda: person.find(stand.said(w.SAVE_REPORT)) is None)
    person.click(
        stand.said(w.HELP)
    )  # a key would need a window manager, who gives the focus back to the window
    person.wait_for(lambda: person.find(stand.said(w.HELP_FOOT)))
    person.shot("11-help")
    person.press("Escape")


def _files(place: Cell) -> set[Path]:
    """All that lies in the cell, except where the one-file form unpacks itself."""
    found = (path for path in place.folder.rglob("*") if path.is_file())
    return {path for path in found if not any(part.startswith("_MEI") for part in path.parts)}


def test_an_altered_package_says_where(stand: Stand) -> None:
    with stand.before(str(HOME / "altered.orvault")) as person:
        stand.accept(person)
        person.wait_for(lambda: person.title() == stand.title("altered.orvault", "altered"))
        person.press("End")
        told = person.wait_for(partial(_verdict, person, stand.said(VERDICTS["altered"])))
        person.shot("12-altered")
        assert "media/or2.mp4.enc" in told


def test_an_expired_package_stays_shut(stand: Stand) -> None:
    with stand.before(str(HOME / "expired.orvault")) as person:
        person.wait_for(lambda: person.title() == stand.title("expired.orvault", "expired"))
        person.wait_for(lambda: person.find(stand.said(w.OPEN_ANOTHER)))
        person.shot("13-expired")
        assert person.find(stand.said(w.UNLOCK)) is None and stand.screen(person) is None


def _verdict(person: Person, word: str) -> str:
    """What the banner says aloud, once it begins with this word."""
    return next((each.name for each in person.listen() if f": {word}. " in each.name), "")
