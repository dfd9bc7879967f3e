"""A site of one machine is run by one process at a time, and its key store is left alone meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.alone import LOCK, alone
from orvault.errors import ErrorKind, OrvaultError


def test_a_second_process_is_refused_and_told_who_runs_it(tmp_path: Path) -> None:
    with alone(tmp_path / "data"):
        with (
            pytest.raises(OrvaultError, match=f"runs already.*{os.getpid()}") as caught,
            alone(tmp_path / "data"),
        ):
            pass
        assert caught.value.kind is ErrorKind.CONFLICT
    with alone(tmp_path / "data"):
        assert (tmp_path / "data" / LOCK).read_text() == f"{os.getpid()}\n"


def test_what_a_killed_process_held_is_free(tmp_path: Path) -> None:
    held = "\n".join(
        (
            "import os",
            "from pathlib import Path",
            "from cluster.alone import alone",
            f"with alone(Path({str(tmp_path)!r})):",
            "    os.kill(os.getpid(), 9)",
        )
    )
    assert subprocess.run([sys.executable, "-c", held], check=False).returncode == -9
    assert (tmp_path / LOCK).exists()
    with alone(tmp_path):
        pass


def test_no_folder_to_lock_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OrvaultError, match="file") as caught, alone(tmp_path / "file" / "data"):
        pass
    assert caught.value.kind is ErrorKind.STORAGE
