"""What most tests of custody begin with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes import World, make_world, sqlite_url


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A world of its own for each test, on SQLite."""
    return make_world(sqlite_url(tmp_path))
