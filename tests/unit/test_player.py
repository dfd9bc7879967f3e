"""The player as people meet it: a program, its words and its exit codes; real packages, real processes."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import BasicConstraints, CertificateBuilder, KeyUsage, Name, NameAttribute
from cryptography.x509.oid import NameOID

from orvault.clock import US_PER_S, SystemClock
from orvault.container.keyfiles import read_public_key
from orvault.container.keys import Recipient
from orvault.container.package import PackageBuilder
from orvault.container.trust import Issuer
from orvault.errors import ErrorKind, OrvaultError
from orvault.text import grouped, printable
from player import roots
from player.verdict import of_error, of_issuer
from player.window.launch import open_window
from tests.processes import run_player

from .container_support import CLIP as CLIP_1
from .container_support import (
    DAY_US,
    PASSWORD,
    Made,
    clip_frames,
    hospital,
    make_package,
    media_info,
    password_person,
    terms,
)
from .container_support import OTHER_CLIP as CLIP_2

NOW_US = SystemClock().now_us()
TIMES = {"issued_us": NOW_US - DAY_US, "not_before_us": NOW_US - DAY_US, "not_after_us": NOW_US + 30 * DAY_US}
START_US = 1_700_000_100 * US_PER_S  # long ago, yet within the life of the certificates
LONG_AGO = {"issued_us": START_US, "not_before_us": START_US, "not_after_us": START_US + DAY_US}
ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 120.0


@dataclass
class Player:
    """Runs the program as a person would, with a configuration folder of its own."""

    folder: Path
    made: Made

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """With all it needs loaded already."""
        return _told(run_player(list(map(str, arguments)), self.folder, self._environment(), LIMIT_S))

    def start(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """From nothing: every command once, what depends on how Python starts, and all that decodes.

        A process of tests has loaded the server's decoder too, and the player's own does not work beside it.
        """
        command = [sys.executable, "-m", "player", *map(str, arguments)]
        environment = self._environment() | {"PYTHONPATH": str(ROOT)}
        return _told(
            subprocess.run(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=LIMIT_S,
                cwd=self.folder,
                check=False,
            )
        )

    def _environment(self) -> dict[str, str]:
        return os.environ | {"ORVAULT_PLAYER_HOME": str(self.folder / "home"), "COLUMNS": "80"}

    def password(self, text: str = PASSWORD + "\n") -> list[str]:
        path = self.folder / "password.txt"
        path.write_text(text)
        return ["--password-file", str(path)]

    def root(self) -> list[str]:
        path = self.folder / "root.pem"
        path.write_bytes(hospital()[0].certificate.public_bytes(Encoding.PEM))
        return ["--root", str(path)]

    def verify(self, path: Path, password: str = PASSWORD) -> subprocess.CompletedProcess[str]:
        return self.run("verify", path, *self.root(), *self.password(password))


def _told(result: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
    for told in (result.stdout, result.stderr):
        assert "Traceback" not in told, told
        assert PASSWORD not in told
    return result


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_package(tmp_path_factory.mktemp("player"), **TIMES)  # type: ignore[arg-type]


@pytest.fixture
def player(tmp_path: Path, made: Made) -> Player:
    return Player(tmp_path, made)


def _changed(player: Player, change: Callable[[bytearray], object]) -> Path:
    data = bytearray(player.made.data)
    change(data)
    path = player.folder / "changed.orvault"
    path.write_bytes(data)
    return path


def _flip(data: bytearray, at: int) -> None:
    data[at] ^= 1


def test_a_genuine_package(player: Player) -> None:
    result = player.start("verify", player.made.path, *player.root(), *player.password())
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1].startswith("Genuine: issued by Seoul Hospital export")
    for word in ("pkg-1", "case-1", "Kim 김", "court", "head, solid", "Destroy it afterwards."):
        assert word in result.stdout


def test_playing_decodes_every_frame_and_ends_with_the_verdict(player: Player) -> None:
    result = player.start(
        "play", player.made.path, "--headless", "--accept-terms", *player.root(), *player.password()
    )
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    frames, _, _, fps = clip_frames(CLIP_1)
    assert f"Played:       or1: {frames} frames, {frames / fps:.1f} s" in lines
    assert any(line.startswith(f"Played:       or2: {clip_frames(CLIP_2)[0]} frames") for line in lines)
    assert lines[-1].startswith("Genuine")
    assert "Playing or1" in result.stderr and "100%" in result.stderr
    only = player.start(
        "play",
        player.made.path,
        "--headless",
        "--accept-terms",
        "--camera",
        "or2",
        *player.root(),
        *player.password(),
    )
    assert only.returncode == 0 and "or1:" not in only.stdout
    written = {str(path.relative_to(player.folder)) for path in player.folder.rglob("*") if path.is_file()}
    assert written == {"password.txt", "root.pem", "home/latest-time"}, "of clocks alone it keeps what it saw"


def test_nothing_is_played_before_the_terms_are_accepted(player: Player) -> None:
    for more in ((), ("--json",)):
        result = player.start(
            "play", player.made.path, "--headless", *player.root(), *player.password(), *more
        )
        told = result.stdout + result.stderr
        assert result.returncode != 0 and "terms of use were not accepted" in " ".join(told.split())
        assert "Played" not in told and '"played"' not in told


def test_a_verdict_goes_to_a_file_whatever_the_code_page(
    player: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redirected on Windows it would be written in cp1252, which has no Hangul."""
    monkeypatch.setenv("PYTHONIOENCODING", "cp1252")
    result = player.start("verify", player.made.path, *player.root(), *player.password())
    assert result.returncode == 0 and "Kim 김" in result.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux")
def test_a_crash_leaves_no_core_file_and_hands_none_over() -> None:
    """Where core files go to a program, their size limit is not asked for: the process must not be dumpable."""
    code = (
        "import ctypes, resource\nfrom player import process\nprocess.keep_out_of_core_files()\n"
        "print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), resource.getrlimit(resource.RLIMIT_CORE))"
    )
    command = [sys.executable, "-c", code]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT, check=True).stdout
    assert told == "0 (0, 0)\n"


def test_json_is_one_line_for_programs(player: Player) -> None:
    result = player.start(
        "play", player.made.path, "--headless", "--accept-terms", "--json", *player.root(), *player.password()
    )
    told = json.loads(result.stdout)
    assert told["verdict"] == "genuine" and told["issuer"]["given"] and not told["issuer"]["pinned"]
    assert told["played"][0]["frames"] == clip_frames(CLIP_1)[0]
    failed = player.run("verify", player.made.path, "--json", *player.password("wrong password"))
    assert json.loads(failed.stdout)["verdict"] == "wrong-password" and failed.returncode == 15


def test_without_a_key_all_bytes_are_verified_and_none_is_opened(player: Player) -> None:
    result = player.run("verify", player.made.path, *player.root(), "--without-key")
    assert result.returncode == 0 and "no key was given" in result.stdout and "case-1" not in result.stdout
    size = len(player.made.data)
    altered = _changed(player, lambda data: _flip(data, size // 2))
    assert player.run("verify", altered, *player.root(), "--without-key").returncode == 10


def test_a_missing_secret_is_wrong_usage(player: Player) -> None:
    result = player.run("verify", player.made.path)
    assert result.returncode == 2 and "--password-file" in result.stderr


Act = Callable[[Player], subprocess.CompletedProcess[str]]


def _cut(player: Player) -> Path:
    return _changed(player, lambda data: data.__delitem__(slice(300_000, None)))


def _flipped(player: Player) -> Path:
    return _changed(player, lambda data: _flip(data, len(data) - 5000))


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo terminals")
def test_a_typed_password_is_asked_for_and_never_shown(player: Player) -> None:
    import fcntl
    import pty
    import termios

    outer, inner = pty.openpty()
    command = [sys.executable, "-m", "player", "verify", str(player.made.path), *player.root()]
    process = subprocess.Popen(
        command,
        stdin=inner,
        stdout=subprocess.PIPE,
        stderr=inner,
        env=os.environ | {"ORVAULT_PLAYER_HOME": str(player.folder), "PYTHONPATH": str(ROOT)},
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    try:
        os.close(inner)
        seen = b""
        while b"Password" not in seen:
            seen += os.read(outer, 1000)
        while termios.tcgetattr(outer)[3] & termios.ECHO and process.poll() is None:
            time.sleep(0.01)  # what is typed before the echo is off would be thrown away
        os.write(outer, PASSWORD.encode() + b"\n")
        told, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    try:
        while piece := os.read(outer, 1000):
            seen += piece
    except OSError:  # the other end is closed: Linux' way to say "no more"
        pass
    os.close(outer)
    assert process.returncode == 0 and "Genuine" in told.decode()
    assert PASSWORD.encode() not in seen + told


FAILURES: dict[str, tuple[int, str, Act]] = {
    "altered": (10, "Altered: media/or2.mp4.enc: Chunk", lambda p: p.verify(_flipped(p))),
    "truncated": (11, "Damaged: The file ends after 300000 of ", lambda p: p.verify(_cut(p))),
    "expired": (12, "Expired: ", lambda p: p.verify(_made(p, **LONG_AGO))),
    "early": (13, "Not yet valid: ", lambda p: p.verify(_made(p, not_before_us=NOW_US + DAY_US))),
    "password": (15, "Wrong password: ", lambda p: p.verify(p.made.path, "not the right one")),
    "unknown issuer": (16, "Intact, issuer unknown: ", lambda p: p.run("verify", p.made.path, *p.password())),
    "no package": (17, "Not a package: ", lambda p: p.verify(Path(__file__))),
    "missing": (18, "Not found: ", lambda p: p.verify(p.folder / "nothing.orvault")),
    "no password file": (
        18,
        "none",
        lambda p: p.run("verify", p.made.path, "--password-file", p.folder / "none"),
    ),
}


def _made(player: Player, **changes: int) -> Path:
    return make_package(player.folder, **(TIMES | changes)).path  # type: ignore[arg-type]


@pytest.mark.parametrize("name", FAILURES)
def test_every_failure_has_its_own_words_and_exit_code(player: Player, name: str) -> None:
    code, words, act = FAILURES[name]
    result = act(player)
    assert result.returncode == code, result.stdout + result.stderr
    told = [line for line in (result.stdout + result.stderr).splitlines() if words in line]
    assert len(told) == 1, result.stdout + result.stderr


def test_exit_codes_differ() -> None:
    verdicts = {name: code for name, (code, _, _) in FAILURES.items() if name != "no password file"}
    assert len(set(verdicts.values())) == len(verdicts)


def test_an_alteration_stops_the_playing_of_that_camera(player: Player) -> None:
    altered = _changed(player, lambda data: _flip(data, len(data) - 5000))
    result = player.start("play", altered, "--headless", "--accept-terms", *player.root(), *player.password())
    assert result.returncode == 10 and "media/or2.mp4.enc" in result.stderr
    assert "Genuine" not in result.stdout


def test_a_foreign_key_and_ones_own(player: Player) -> None:
    made_key = player.start("keygen", "mine.key")
    assert made_key.returncode == 0
    private = player.folder / "mine.key"
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    again = player.run("keygen", "mine.key")
    assert again.returncode == 1 and "is not overwritten" in again.stderr
    foreign = player.run("verify", player.made.path, *player.root(), "--key", private)
    assert foreign.returncode == 14 and "Not for you" in foreign.stderr
    public = read_public_key(private.with_name("mine.key.pub"))
    mine = make_package(player.folder, recipients=(Recipient("me", public), password_person()), **TIMES)  # type: ignore[arg-type]
    result = player.run("verify", mine.path, *player.root(), "--key", private)
    assert result.returncode == 0, result.stderr
    assert player.run("verify", mine.path, "--key", player.made.path).returncode == 1


def test_a_pinned_root_is_remembered_shown_and_removed(player: Player) -> None:
    root = hospital()[0]
    _, pem = player.root()
    added = player.start("trust", "add", pem)
    assert added.returncode == 0 and grouped(root.fingerprint) in added.stdout
    assert grouped(root.fingerprint) in player.run("trust", "list").stdout
    assert player.run("verify", player.made.path, *player.password()).returncode == 0
    assert player.run("trust", "remove", root.fingerprint[:4]).returncode == 18
    assert player.run("trust", "remove", grouped(root.fingerprint)[:14]).returncode == 0
    assert player.run("verify", player.made.path, *player.password()).returncode == 16
    leaf = player.folder / "leaf.pem"
    leaf.write_bytes(hospital()[1].certificate.public_bytes(Encoding.PEM))
    assert player.run("trust", "add", leaf).returncode == 16
    assert player.run("trust", "add", player.made.path).returncode in (1, 20)


def test_a_root_whose_name_cannot_be_shown_is_not_pinned(player: Player) -> None:
    key, name = Ed25519PrivateKey.generate(), Name([NameAttribute(NameOID.ORGANIZATION_NAME, "x" * 64)] * 9)
    now = datetime.now(UTC)
    made = (
        CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=9))
        .add_extension(BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(KeyUsage(*[False] * 5, True, True, False, False), critical=True)
        .sign(key, None)
    )
    pem = player.folder / "nameless.pem"
    pem.write_bytes(made.public_bytes(Encoding.PEM))
    refused = player.run("trust", "add", pem)
    assert refused.returncode == 16 and "name is not 1 to 64 printable" in refused.stderr
    assert "xxxx" not in refused.stderr + refused.stdout


def test_info_asks_nothing_and_tells_no_secret(player: Player) -> None:
    result = player.start("info", player.made.path, *player.root())
    assert (
        result.returncode == 0
        and "pkg-1" in result.stdout
        and "1 by password, 1 by key file" in result.stdout
    )
    assert "Kim" not in result.stdout and "case-1" not in result.stdout
    last = result.stdout.splitlines()[-1]
    assert last.startswith("Label intact: as Seoul Hospital export") and "nothing was verified" in last
    altered = _changed(player, lambda data: _flip(data, len(data) - 5000))
    for more, code, verdict in (
        (player.root(), 0, "label intact"),
        ([], 16, "label intact, issuer unknown"),
    ):  # of the video it says nothing, and does not seem to
        seen = player.run("info", altered, "--json", *more)
        assert (seen.returncode, json.loads(seen.stdout)["verdict"]) == (code, verdict)
    cut = _changed(player, lambda data: data.__delitem__(slice(300_000, None)))
    damaged = player.run("info", cut, "--json")
    assert damaged.returncode == 11
    told = json.loads(damaged.stdout)
    assert told["verdict"] == "damaged" and told["package_id"] == "pkg-1"


def test_info_goes_by_the_latest_time_that_was_seen(player: Player) -> None:
    later_us = TIMES["not_after_us"] + 1
    seen = player.folder / "home/latest-time"
    seen.parent.mkdir(exist_ok=True)
    seen.write_text(str(later_us))
    assert player.run("info", player.made.path, *player.root()).returncode == 12


@pytest.mark.parametrize("command", ["info", "verify"])
def test_the_command_line_remembers_when_it_looked(player: Player, command: str) -> None:
    """Also at what has expired: else a clock that is turned back now would open it."""
    more = [] if command == "info" else player.password()
    assert player.run(command, _made(player, **LONG_AGO), *player.root(), *more).returncode == 12
    assert int((player.folder / "home/latest-time").read_text()) >= NOW_US


def test_a_manifest_that_promises_other_frames_is_found_out(player: Player) -> None:
    lying = make_package(player.folder, infos={"or1": {"frames": 9}}, **TIMES)  # type: ignore[arg-type]
    result = player.start(
        "play", lying.path, "--headless", "--accept-terms", *player.root(), *player.password()
    )
    assert result.returncode == 11 and "the manifest has 9" in result.stderr


def test_what_is_no_video_is_said_to_be_none(player: Player, tmp_path: Path) -> None:
    noise = tmp_path / "noise.bin"
    noise.write_bytes(bytes(range(256)) * 300)
    info = {"frames": 1, "width": 1, "height": 1, "fps": 1.0, "start_us": NOW_US, "end_us": NOW_US}

    with PackageBuilder(player.folder, hospital()[1], terms(**TIMES)) as builder:
        with builder.media_sink("or1") as sink:
            sink.write(noise.read_bytes())
        path = player.folder / "noise.orvault"
        builder.finish(path, [media_info("or1", CLIP_1, **info)], [password_person()])
    result = player.start("play", path, "--headless", "--accept-terms", *player.root(), *player.password())
    assert result.returncode == 1 and "does not begin as a fragmented MP4 does" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("Cannot be played: ")


def test_what_a_file_says_cannot_steer_the_terminal() -> None:
    assert printable("a\x1b[31mred\u202egnp\x9b1m") == "a\ufffd[31mred\ufffdgnp\ufffd1m"
    assert printable("수술실 1\nOR 1", lines=True) == "수술실 1\nOR 1"
    assert printable("1.\tof use", lines=True) == "1. of use" and printable("1.\tX") == "1.\ufffdX"
    assert printable("X\nGenuine: issued by A") == "X\ufffdGenuine: issued by A"


def test_what_a_package_says_begins_no_line(player: Player) -> None:
    forged = "line one\nGenuine: issued by A, whose root certificate is pinned here; all is well."
    made = make_package(player.folder, terms_text=forged, purpose=forged, legal_basis=forged, **TIMES)
    result = player.run("verify", made.path, *player.root(), *player.password())
    assert result.returncode == 0, result.stderr
    assert sum(line.startswith("Genuine") for line in result.stdout.splitlines()) == 1
    assert " " * 14 + "Genuine: issued by A" in result.stdout  # the terms, with their lines
    assert result.stdout.count("\ufffdGenuine") == 2


def test_a_verdict_is_one_line_whatever_the_issuer_is_called() -> None:
    issuer = Issuer("X\nGenuine: issued by A", "ab" * 32, pinned=False)
    for sentence in (
        of_issuer(issuer, "checked").sentence,
        of_error(OrvaultError(ErrorKind.UNTRUSTED, "by X\nGenuine")).sentence,
    ):
        assert len(sentence.splitlines()) == 1


def test_a_root_of_the_command_line_is_not_called_pinned(player: Player) -> None:
    given = player.verify(player.made.path)
    assert "(given on the command line)" in given.stdout and "pinned here)" not in given.stdout
    assert "was given on the command line and is not pinned here" in given.stdout.splitlines()[-1]
    told = json.loads(player.run("info", player.made.path, *player.root(), "--json").stdout)
    assert (told["issuer"]["pinned"], told["issuer"]["given"]) == (False, True)
    assert "was given on the command line" in told["message"]
    assert player.run("trust", "add", player.root()[1]).returncode == 0
    pinned = player.verify(player.made.path)
    assert "(pinned here)" in pinned.stdout and "given on the command line" not in pinned.stdout


def test_an_unreadable_file_among_the_roots_is_named_and_costs_nothing_else(player: Player) -> None:
    root = hospital()[0]
    assert player.run("trust", "add", player.root()[1]).returncode == 0
    bad = player.folder / "home/roots" / f"{'ab' * 32}.pem"
    bad.write_text("no certificate")
    verified = player.run("verify", player.made.path, *player.password())
    assert verified.returncode == 0 and f"Skipped: {bad}" in verified.stderr.replace("\n", "")
    listed = player.run("trust", "list")
    assert listed.returncode == 0 and grouped(root.fingerprint) in listed.stdout
    assert player.run("trust", "remove", "ab" * 4).returncode == 0 and not bad.exists()
    assert player.run("trust", "remove", root.fingerprint[:8]).returncode == 0
    assert list((player.folder / "home/roots").iterdir()) == []


def test_what_was_checked_is_what_is_pinned(
    player: Player, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(roots.HOME_VARIABLE, str(tmp_path / "home"))
    pem, read = Path(player.root()[1]), roots.read_bounded

    def read_and_swap(path: Path, *more: Any) -> bytes:
        data = read(path, *more)
        path.write_bytes(hospital("Another Hospital")[0].certificate_pem)
        return data

    with monkeypatch.context() as swapping:
        swapping.setattr(roots, "read_bounded", read_and_swap)
        added = roots.add(pem)
    skipped: list[OrvaultError] = []
    assert [root.fingerprint for root in roots.pinned(skipped.append)] == [added.fingerprint] and not skipped
    assert added.fingerprint == hospital()[0].fingerprint


@pytest.mark.parametrize(("more", "allowed"), [("", []), (", player.reel", ["cv2"])])
def test_the_player_loads_nothing_of_the_server(more: str, allowed: list[str]) -> None:
    server = ("av", "cv2", "pydantic", "ray", "sqlalchemy", "fastapi")
    code = f"import sys, player.__main__{more}; print([name for name in {server} if name in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert result.stdout.strip() == str(allowed)


def test_a_window_without_a_screen_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(OrvaultError) as caught:
        open_window(None, [])
    assert caught.value.kind is ErrorKind.UNAVAILABLE and "play --headless" in caught.value.advice
