"""Temporary folders in memory, where the machine has a file system for that.

Every act of custody is a transaction, and a disk has to write each of them through. Tests of whole sites keep to it.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

IN_MEMORY = "/dev/shm"  # Linux's
ROOM_BYTES = 2 << 30  # what the tests of parts need, with room to spare


def folder_in_memory() -> str | None:
    """Where temporary folders go; None: where they always do."""
    if not os.access(IN_MEMORY, os.W_OK):
        return None
    return IN_MEMORY if shutil.disk_usage(IN_MEMORY).free >= ROOM_BYTES else None


class Folders:
    """What stands for pytest's own factory; everything is gone when its block ends."""

    def __init__(self, base: Path) -> None:
        self._base, self._number = base, count()

    def mktemp(self, basename: str, numbered: bool = True) -> Path:
        """A new folder; another one each time, as long as it is to have a number."""
        made = self._base / (f"{basename}{next(self._number)}" if numbered else basename)
        made.mkdir(mode=0o700)
        return made

    def getbasetemp(self) -> Path:
        """What holds them all."""
        return self._base


@pytest.fixture(scope="session")
def tmp_path_factory() -> Iterator[Folders]:
    base = Path(tempfile.mkdtemp(prefix="orv-tests-", dir=folder_in_memory()))
    yield Folders(base)
    shutil.rmtree(base, ignore_errors=True)


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, tmp_path_factory: Folders) -> Iterator[Path]:
    made = tmp_path_factory.mktemp(re.sub(r"\W", "_", request.node.name)[:30])
    yield made
    shutil.rmtree(made, ignore_errors=True)
