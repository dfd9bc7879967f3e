"""What an actor is made of, in one value: alike for alike, another for any difference."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from actors import fingerprint as module
from actors.facades import SegmentsHandle
from actors.fingerprint import fingerprint
from actors.handles import Placed
from cluster.custody import LedgerAddress, open_custody
from orvault.clock import SystemClock
from orvault.custody.ports import CameraInfo
from orvault.custody.terms import Masking

ADDRESS = LedgerAddress("sqlite:///ledger", None)
CAMERA = CameraInfo("wall", "Wall", "OR 1", "node-1")


def made(
    camera: CameraInfo = CAMERA,
    address: LedgerAddress = ADDRESS,
    place: str = "node:1",
    root: Path = Path("a"),
) -> str:
    custody = partial(open_custody, address, ("wall",))
    parts = (custody, [camera], root, Masking.HEAD, SystemClock(), SegmentsHandle(), {"k": {1, 2}}, b"x")
    return fingerprint(SystemClock, Placed({place: 0.1}), 2, parts, {})


def test_what_is_made_of_the_same_has_the_same() -> None:
    assert made() == made(camera=replace(CAMERA)) and len(made()) == 64


@pytest.mark.parametrize(
    "other",
    [
        lambda: made(camera=replace(CAMERA, title="Ceiling")),
        lambda: made(address=replace(ADDRESS, url="sqlite:///other")),  # though its repr does not show it
        lambda: made(address=replace(ADDRESS, password_file=Path("p"))),
        lambda: made(place="node:2"),
        lambda: made(root=Path("b")),
    ],
)
def test_every_difference_shows(other: Callable[[], str]) -> None:
    assert other() != made()


def test_types_count() -> None:
    assert (
        len({fingerprint(1), fingerprint("1"), fingerprint(True), fingerprint(Path("1")), fingerprint(None)})
        == 5
    )


def test_another_version_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    before = made()
    monkeypatch.setattr(module, "__version__", "99")
    assert made() != before


def test_it_is_the_same_in_every_process() -> None:
    program = "from actors.fingerprint import fingerprint; print(fingerprint({'a', 'b', 'c', 'd'}, {'k': 1}))"
    runs = [subprocess.run([sys.executable, "-c", program], capture_output=True, text=True) for _ in range(2)]
    (told,) = {run.stdout.strip() for run in runs}
    assert told == fingerprint({"d", "c", "b", "a"}, {"k": 1})
