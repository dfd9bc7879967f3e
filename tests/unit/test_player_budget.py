"""Which cameras are shown at once, and what the window remembers of itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from player import roots
from player.boxes import MAX_PIXELS
from player.window import remembered
from player.window.budget import MOST_CAMERAS, MOST_PIXELS, views
from player.window.words import Language

from .container_support import CLIP, media_info


def _media(*sizes: tuple[int, int]) -> list[object]:
    return [media_info(f"or{n}", CLIP, width=width, height=height) for n, (width, height) in enumerate(sizes)]


def test_few_cameras_are_shown_together_and_then_each_alone() -> None:
    assert views(_media((640, 360))) == [(0,)]  # type: ignore[arg-type]
    assert views(_media(*[(1920, 1080)] * 3)) == [(0, 1, 2), (0,), (1,), (2,)]  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(640, 360), (1920, 1080), (4096, 2304), (16_384, 16_384)])
def test_many_cameras_come_in_groups_that_a_computer_and_a_window_can_bear(size: tuple[int, int]) -> None:
    media = _media(*[size] * 64)
    found = views(media)  # type: ignore[arg-type]
    groups = found[: next(at + 1 for at, group in enumerate(found) if 63 in group)]
    assert [number for group in groups for number in group] == list(range(64))
    assert {(number,) for number in range(64)} <= set(found) and len(set(found)) == len(found)
    for group in groups:
        pixels = len(group) * size[0] * size[1]
        assert len(group) <= MOST_CAMERAS and (pixels <= MOST_PIXELS or len(group) == 1)
    assert MOST_PIXELS == 4 * MAX_PIXELS


def test_the_language_is_remembered_and_nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(roots.HOME_VARIABLE, str(tmp_path))
    assert remembered.language() is None
    for language in (Language.ENGLISH, Language.KOREAN):
        remembered.keep_language(language)
        assert remembered.language() is language
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("language", "ko")]
    for content in (b"", b"fr", b"\xff\xfe", b"k" * 9):
        (tmp_path / "language").write_bytes(content)
        assert remembered.language() is None
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv(roots.HOME_VARIABLE, str(tmp_path / "a file"))
    remembered.keep_language(Language.ENGLISH)  # a folder that takes nothing: it is forgotten, and no more
    assert remembered.language() is None
