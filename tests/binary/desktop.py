"""A screen in memory, and a person before it: keys and clicks as the system gives them, the eyes of a screen reader.

Needs Xvfb, xdotool, dbus-daemon, ffmpeg and the system's Python with GLib (scripts/debian-packages.sh).
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np

from .cell import BUS, HOME, SCREENS, Cell

READER = Path(__file__).with_name("screen_reader.py")
SYSTEM_PYTHON = Path("/usr/bin/python3")
WIDTH, HEIGHT = 1280, 800
LONGEST_WAIT_S = 60.0
T = TypeVar("T")
_PROGRAMS = ("Xvfb", "xdotool", "dbus-daemon", "ffmpeg")
# Whoever reaches the socket may talk: the player has another user number in its name space.
_BUS_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={path}</listen>
  <auth>ANONYMOUS</auth>
  <auth>EXTERNAL</auth>
  <allow_anonymous/>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
    <allow user="*"/>
  </policy>
</busconfig>
"""


def missing() -> str:
    """What there is not of what this needs."""
    absent = [name for name in _PROGRAMS if shutil.which(name) is None]
    has_glib = (
        SYSTEM_PYTHON.exists()
        and not subprocess.run(
            [SYSTEM_PYTHON, "-c", "from gi.repository import Gio"], capture_output=True, check=False
        ).returncode
    )
    return ", ".join([*absent, *([] if has_glib else ["python3-gi"])])


@contextlib.contextmanager
def screen() -> Iterator[str]:
    """A screen of this test's own, as DISPLAY names it; the server picks a free number."""
    read, write = os.pipe()
    size = f"{WIDTH}x{HEIGHT}x24"
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", size, "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL)
    os.close(write)
    try:
        with os.fdopen(read) as told:
            number = told.readline().strip()
        assert (SCREENS / f"X{number}").is_socket()
        yield f":{number}"
    finally:
        _end(server)


@contextlib.contextmanager
def message_bus(cell: Cell) -> Iterator[str]:
    """A bus that the player in this cell finds; its address for who is outside."""
    path = cell.outside(BUS)
    path.unlink(missing_ok=True)
    config = cell.folder.with_suffix(".bus")
    config.write_text(_BUS_CONFIG.format(path=path))
    command = ["dbus-daemon", f"--config-file={config}", "--nofork", "--print-address"]
    daemon = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert daemon.stdout is not None
        yield daemon.stdout.readline().strip()
    finally:
        _end(daemon)


def _end(process: subprocess.Popen[Any]) -> None:
    process.terminate()
    process.wait(timeout=20)


@dataclass(frozen=True)
class Control:
    """What a screen reader says of a control; `place`: x, y, width, height on the screen, in pixels."""

    role: str
    name: str
    description: str
    place: tuple[int, int, int, int]


class Person:
    """Sits before one screen with one player. `keep`: a folder for pictures of what they saw."""

    def __init__(self, display: str, bus: str, player: subprocess.Popen[bytes], keep: Path) -> None:
        self._display, self._bus, self._player, self._keep = display, bus, player, keep
        keep.mkdir(parents=True, exist_ok=True)

    def type(self, text: str) -> None:
        """Type this, and Enter."""
        self._xdotool("type", "--delay", "20", text)
        self.press("Return")

    def press(self, *keys: str) -> None:
        """Keys by X's names, one after the other."""
        self._xdotool("key", "--delay", "20", *keys)

    def click(self, name: str) -> None:
        """Click the middle of what has this name."""
        x, y, width, height = self.wait_for(lambda: self.find(name)).place
        self._xdotool("mousemove", str(x + width // 2), str(y + height // 2), "click", "1")

    def listen(self) -> list[Control]:
        """Everything that is shown, as a screen reader tells it."""
        run = subprocess.run([SYSTEM_PYTHON, READER, self._bus], capture_output=True, text=True, check=True)
        return [Control(**each | {"place": tuple(each["place"])}) for each in json.loads(run.stdout)]

    def find(self, name: str) -> Control | None:
        """What is shown under this name."""
        return next((each for each in self.listen() if each.name == name), None)

    def title(self) -> str:
        """The title of the window."""
        return next((each.name for each in self.listen() if each.role in ("frame", "window")), "")

    def wait_for(self, look: Callable[[], T | None]) -> T:
        """What `look` finds, once it does."""
        end_s = time.monotonic() + LONGEST_WAIT_S
        while not (found := look()):
            assert self._player.poll() is None, f"the player ended by itself: {self._player.returncode}"
            assert time.monotonic() < end_s, [each.name for each in self.listen() if each.name]
            time.sleep(0.3)
        return found

    def shot(self, name: str) -> np.ndarray:
        """The screen as it is now, kept as NAME.png: height, width, blue-green-red."""
        path = self._keep / f"{name}.png"
        size = ["-f", "x11grab", "-draw_mouse", "0", "-video_size", f"{WIDTH}x{HEIGHT}", "-i", self._display]
        quiet = ["ffmpeg", "-nostdin", "-loglevel", "error", "-y"]
        subprocess.run([*quiet, *size, "-frames:v", "1", path], check=True, timeout=60)
        picture = cv2.imread(str(path))
        assert picture is not None
        return picture

    def _xdotool(self, *arguments: str) -> None:
        environment = os.environ | {"DISPLAY": self._display}
        subprocess.run(["xdotool", *arguments], env=environment, check=True, timeout=60)


@contextlib.contextmanager
def before(cell: Cell, keep: Path, language: str, *arguments: str) -> Iterator[Person]:
    """A person before the player, which was started with these arguments; both are gone afterwards."""
    with screen() as display, message_bus(cell) as bus:
        player = cell.start(_environment(display, language), *arguments)
        try:
            yield Person(display, bus, player, keep)
        finally:
            player.kill()  # `unshare` is deaf to anything softer; what it started dies with it
            player.wait(timeout=20)


def _environment(display: str, language: str) -> Mapping[str, str]:
    """All that the player is given: no path, nothing of Python's, nothing of this process's."""
    return {
        "HOME": str(HOME),
        "LANG": "C.UTF-8",
        "DISPLAY": display,
        "AT_SPI_BUS_ADDRESS": f"unix:path={BUS}",
        "ORVAULT_PLAYER_LANGUAGE": language,
    }
