"""The built player, as a stranger has it: no Python, no path, no home, nothing of this repository beside it.

`make player` builds it and runs these; they need neither the server's packages nor its tests.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from orvault.clock import US_PER_S, SystemClock
from orvault.container.keys import Argon2idParams, password_recipient
from orvault.container.package import MediaInfo, PackageBuilder, PackageTerms
from orvault.container.trust import create_root, issue

ROOT = Path(__file__).resolve().parents[2]
SUFFIX = ".exe" if sys.platform == "win32" else ""
BINARIES = {
    "folder": ROOT / "dist" / "orvault-player" / f"orvault-player{SUFFIX}",
    "one file": ROOT / "dist" / f"orvault-player-one{SUFFIX}",
}
VIDEO = ROOT / "tests" / "media" / "bars.mp4"
WIDTH, HEIGHT, FPS, FRAMES = 64, 48, 25.0, 60
PASSWORD = "correct horse battery"
DAY_US = 86_400 * US_PER_S

pytestmark = pytest.mark.skipif(
    not all(path.exists() for path in BINARIES.values()),
    reason="not built; `make player` builds and tries it",
)


@dataclass(frozen=True)
class Stand:
    folder: Path
    binary: Path

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        needed = {name: os.environ[name] for name in ("SYSTEMROOT", "TEMP", "TMP") if name in os.environ}
        return subprocess.run(
            [str(self.binary), *map(str, arguments)],
            env=needed | {"PATH": "", "ORVAULT_PLAYER_HOME": str(self.folder / "home")},
            cwd=self.folder,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )

    def told(self, command: str, *arguments: object) -> tuple[int, dict[str, object]]:
        """Exit code and JSON of a command over a package."""
        result = self.run(command, *arguments, "--root", self.folder / "root.pem", "--json")
        assert "Traceback" not in result.stderr
        return result.returncode, json.loads(result.stdout.splitlines()[-1])

    def secret(self, word: str = PASSWORD) -> list[object]:
        path = self.folder / f"{len(word)}.txt"
        path.write_text(word, "utf-8")
        return ["--password-file", path]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three packages: one to be opened now, one that expired, one of which a bit was changed."""
    folder = tmp_path_factory.mktemp("stand")
    clock = SystemClock()
    root = create_root("Seoul Hospital root", clock)
    server = issue(root, "Seoul Hospital export", "export-server", clock, 30)
    (folder / "root.pem").write_bytes(root.certificate.public_bytes(Encoding.PEM))
    now_us = clock.now_us() + US_PER_S
    good = _package(folder, server, "good", now_us, now_us - US_PER_S, now_us + DAY_US)
    _package(folder, server, "expired", now_us, now_us - 2 * US_PER_S, now_us - US_PER_S)
    data = bytearray(good.read_bytes())
    data[-len(VIDEO.read_bytes()) // 2] ^= 1
    (folder / "altered.orvault").write_bytes(data)
    (folder / "cut.orvault").write_bytes(good.read_bytes()[: -len(VIDEO.read_bytes()) // 2])
    return folder


def _package(folder: Path, server: object, name: str, issued_us: int, from_us: int, until_us: int) -> Path:
    terms = PackageTerms(
        "pkg-1", "req-1", "case-1", "court order", "court", ("Kim 김",), "For the named purpose only.",
        "head, solid", "OR Vault req-1", from_us, until_us, issued_us,
    )  # fmt: skip
    end_us = issued_us + round(FRAMES / FPS * US_PER_S)
    source = {"segment_id": "seg-0", "digest": "ab" * 32}
    info = MediaInfo("or1", "Ceiling", WIDTH, HEIGHT, FPS, FRAMES, issued_us, end_us, (), (source,))
    path = folder / f"{name}.orvault"
    recipient = password_recipient("Kim 김", PASSWORD, Argon2idParams(8 * 1024, 1, 1))
    with PackageBuilder(folder, server, terms, 4096) as builder:  # type: ignore[arg-type]
        with builder.media_sink("or1") as sink:
            sink.write(VIDEO.read_bytes())
        builder.finish(path, [info], [recipient])
    return path


@pytest.fixture(params=list(BINARIES))
def stand(request: pytest.FixtureRequest, folder: Path) -> Stand:
    return Stand(folder, BINARIES[request.param])


def test_it_looks_into_a_package_without_a_secret(stand: Stand) -> None:
    code, told = stand.told("info", stand.folder / "good.orvault")
    assert (code, told["verdict"], told["package_id"]) == (0, "label intact", "pkg-1")


def test_it_verifies_every_byte(stand: Stand) -> None:
    code, told = stand.told("verify", stand.folder / "good.orvault", *stand.secret())
    assert (code, told["verdict"]) == (0, "genuine")


def test_it_plays_every_picture(stand: Stand) -> None:
    code, told = stand.told(
        "play", stand.folder / "good.orvault", "--headless", "--accept-terms", *stand.secret()
    )
    assert code == 0
    assert told["played"] == [{"camera_id": "or1", "frames": FRAMES, "seconds": FRAMES / FPS}]


@pytest.mark.parametrize(
    ("name", "word", "code", "verdict"),
    [
        ("good", "another password", 15, "wrong-password"),
        ("expired", PASSWORD, 12, "expired"),
        ("altered", PASSWORD, 10, "altered"),
        ("cut", PASSWORD, 11, "damaged"),
    ],
)
def test_what_is_wrong_has_its_word_and_exit_code(
    stand: Stand, name: str, word: str, code: int, verdict: str
) -> None:
    found, told = stand.told("verify", stand.folder / f"{name}.orvault", *stand.secret(word))
    assert (found, told["verdict"]) == (code, verdict)


def test_its_notices_ship_with_it() -> None:
    for path in (ROOT / "dist" / "NOTICES.txt", *(ROOT / "dist" / "orvault-player").rglob("NOTICES.txt")):
        words = path.read_text("utf-8")
        for each in (
            "FFmpeg",
            "LESSER GENERAL PUBLIC LICENSE",
            "cryptography",
            "numpy",
            "opencv-python-headless",
        ):
            assert each in words


def test_the_window_is_inside_with_its_font() -> None:
    assert list((ROOT / "dist" / "orvault-player").rglob("NanumBarunGothic.ttf"))
    modules = (ROOT / "build" / "orvault_player" / "MODULES.txt").read_text("utf-8").splitlines()
    assert "player.window.app" in modules
