"""What may be inside a built player: nothing of the server, no decoder under the GPL."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from player.window import qt_words

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts" / "player"
LGPL = b"configuration: --enable-shared\0libavcodec license: LGPL version 2.1 or later\0"


def _script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"player_{name}", SCRIPTS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


contents = _script("contents")
notices = _script("notices")


@pytest.fixture
def decoder(tmp_path: Path) -> Path:
    path = tmp_path / "libavcodec-c4.so.62"
    path.write_bytes(LGPL)
    return path


def test_a_player_of_its_own_parts_is_let_through(decoder: Path) -> None:
    contents.check(["player.reel", "orvault.container.frame", "cv2", "rayleigh", "avatar"], [decoder])


@pytest.mark.parametrize(
    "name", ["ray", "ray.serve", "sqlalchemy.orm", "av.codec", "orvault.ledger.tables", "api"]
)
def test_a_part_of_the_server_stops_the_build(decoder: Path, name: str) -> None:
    with pytest.raises(SystemExit, match=name):
        contents.check(["player.reel", name], [decoder])


@pytest.mark.parametrize("name", ["libx264-d6.so.165", "libx265.dll", "libreadline.so.8"])
def test_a_library_under_the_gpl_stops_the_build(decoder: Path, name: str) -> None:
    with pytest.raises(SystemExit, match="under the GPL"):
        contents.check(["player.reel"], [decoder, decoder.with_name(name)])


@pytest.mark.parametrize(
    "library",
    [
        b"libavcodec license: GPL version 2 or later\0",
        LGPL + b"--enable-gpl --enable-libx264\0",
        b"says nothing",
    ],
)
def test_a_decoder_that_is_not_under_the_lgpl_stops_the_build(decoder: Path, library: bytes) -> None:
    decoder.write_bytes(library)
    with pytest.raises(SystemExit, match="LGPL was expected"):
        contents.check(["player.reel"], [decoder])


PLUGINS = "PySide6/Qt/plugins/"


@pytest.mark.parametrize("name", ["mypy.build", "hypothesis", "librt", "sortedcontainers", "mypyc"])
def test_a_part_of_the_development_environment_stops_the_build(decoder: Path, name: str) -> None:
    with pytest.raises(SystemExit, match=name):
        contents.check(["player.reel", name], [decoder])


@pytest.mark.parametrize(
    "name",
    [
        PLUGINS + "platforms/libqvnc.so",
        "PySide6\\plugins\\platforms\\qvnc.dll",
        PLUGINS + "platforms/libqlinuxfb.so",
        PLUGINS + "platforms/libqeglfs.so",
        PLUGINS + "platforms/libqminimalegl.so",
        PLUGINS + "platformthemes/libqgtk3.so",
        PLUGINS + "networkinformation/libqglib.so",
        PLUGINS + "generic/libqtuiotouchplugin.so",
        PLUGINS + "unheard/libof.so",
        "PySide6/Qt/lib/libQt6Network.so.6",
        "libgtk-3.so.0",
        "libpangocairo-1.0.so.0",
        "libgio-2.0.so.0",
    ],
)
def test_what_serves_the_screen_or_brings_gtk_stays_out(name: str) -> None:
    assert contents.is_left_out(name)
    with pytest.raises(SystemExit, match="look at what it does"):
        contents.check_names([name])


def test_of_qts_own_words_only_those_that_the_window_speaks_are_carried() -> None:
    for folder in ("PySide6/Qt/translations/", "PySide6\\translations\\"):
        assert not contents.is_left_out(f"{folder}{qt_words._FILE}.qm")
        for name in ("qtbase_de", "qt_ko", "qt_help_ko", "assistant_zh_TW", "qtbase_ko_KR"):
            assert contents.is_left_out(f"{folder}{name}.qm")


def test_what_a_window_needs_stays() -> None:
    names = [
        PLUGINS + "platforms/libqxcb.so",
        "PySide6\\plugins\\platforms\\qwindows.dll",
        PLUGINS + "wayland-shell-integration/libxdg-shell.so",
        PLUGINS + "xcbglintegrations/libqxcb-glx-integration.so",
        "PySide6/Qt/lib/libQt6Gui.so.6",
        "numpy.libs/libgfortran-040039e1.so.5",
        "libglib-2.0.so.0",
        "libstdc++.so.6",
        "libpython3.11.so.1.0",
        "cv2/cv2.abi3.so",
    ]
    assert not any(map(contents.is_left_out, names))
    contents.check_names(names)
    with pytest.raises(SystemExit, match="libunheard"):
        contents.check_names([*names, "libunheard.so.1"])


def test_a_build_without_a_decoder_is_none() -> None:
    with pytest.raises(SystemExit, match="no decoder"):
        contents.check(["player.reel"], [])


def test_notices_name_what_is_inside_with_its_licence() -> None:
    words = notices.text(["numpy.linalg", "cryptography", "player.reel", "json"])
    assert "numpy 2" in words and "cryptography" in words
    assert "GNU LESSER GENERAL PUBLIC LICENSE" in words
    assert "rich 1" not in words
