"""The window on a real X screen, as the program starts it: opened, unlocked, watched and refused by keys alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orvault.clock import SystemClock

from .container_support import DAY_US, PASSWORD, hospital
from .window_support import SCREENSHOTS, case

ROOT = Path(__file__).resolve().parents[2]
DRIVER = Path(__file__).with_name("xvfb_player.py")

pytestmark = pytest.mark.skipif(
    shutil.which("Xvfb") is None, reason="Xvfb is missing (scripts/debian-packages.sh)"
)


@pytest.fixture(scope="module")
def screen() -> Iterator[str]:
    """A screen of this test's own; the server picks a free number, and is ended by its process."""
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1920x1080x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL)
    os.close(write)
    try:
        with os.fdopen(read) as told:
            yield f":{told.readline().strip()}"
    finally:
        server.terminate()
        server.wait(timeout=20)


def _drive(screen: str, package: Path, home: Path, *, scale: str = "1", name: str = "") -> dict[str, str]:
    """What the window's title was at each step."""
    root = home / "root.pem"
    root.write_bytes(hospital()[0].certificate_pem)
    kept = os.environ.get(SCREENSHOTS)
    folder = [str(_made(Path(kept) / name))] if kept else []
    environment = os.environ | {
        "DISPLAY": screen,
        "QT_QPA_PLATFORM": "xcb",
        "QT_SCALE_FACTOR": scale,
        "ORVAULT_PLAYER_HOME": str(home),
        "ORVAULT_PLAYER_LANGUAGE": "en",
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, str(DRIVER), str(package), str(root), PASSWORD, *folder]
    result = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=200, check=False
    )
    assert result.returncode == 0, result.stderr
    return dict(line.split(": ", 1) for line in result.stdout.splitlines())


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.mark.parametrize("scale", ["1", "2"])  # 2: a laptop's screen at 200 %
def test_a_person_watches_a_package_by_keys_alone(screen: str, tmp_path: Path, scale: str) -> None:
    told = _drive(screen, case(tmp_path).path, tmp_path, scale=scale, name=f"scale-{scale}")
    assert told["platform"] == "xcb"
    assert "Checking: so far intact" in told["password"]
    assert told["watching"] == told["full-screen"] == "case.orvault · Genuine · OR Vault Player"
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["case.orvault", "latest-time", "root.pem"], "nothing else was written"


def test_an_expired_package_is_refused_on_the_screen(screen: str, tmp_path: Path) -> None:
    made = case(tmp_path, not_after_us=SystemClock().now_us() - DAY_US // 2)
    told = _drive(screen, made.path, tmp_path, name="expired")
    assert told["refused"].startswith("case.orvault · Expired") and "watching" not in told


def test_an_altered_package_is_told_on_a_screen_at_200_percent(screen: str, tmp_path: Path) -> None:
    made = case(tmp_path)
    data = bytearray(made.path.read_bytes())
    data[-5000] ^= 1  # in the last chunks of the second camera
    made.path.write_bytes(data)
    told = _drive(screen, made.path, tmp_path, scale="2", name="altered-scale-2")
    assert told["watching"].startswith("case.orvault · Altered") and "playing" not in told
