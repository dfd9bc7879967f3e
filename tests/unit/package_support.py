"""A package to be looked into, altered copies of it, and how their verification ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orvault.container import frame
from orvault.container.package import PackageReader
from orvault.errors import OrvaultError

from .container_support import (
    NOW_US,
    PASSWORD,
    Made,
    make_package,
)

MEDIA_1 = "media/or1.mp4.enc"
LEAVES_1 = "media/or1.leaves"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_package(tmp_path_factory.mktemp("package"))


def failure_of(path: Path, root: bytes, secret: object = PASSWORD, now_us: int = NOW_US) -> OrvaultError:
    """The error that a full verification of a package ends with."""
    with pytest.raises(OrvaultError) as caught, PackageReader.open(path) as reader:
        reader.verify_label([root], now_us)
        reader.unlock(secret)  # type: ignore[arg-type]
        reader.verify_all()
    return caught.value


def altered_copy(made: Made, tmp_path: Path, change: Callable[[bytearray], object]) -> Path:
    data = bytearray(made.data)
    change(data)
    path = tmp_path / "altered.orvault"
    path.write_bytes(data)
    return path


def entries_of(made: Made) -> dict[str, frame.Entry]:
    with PackageReader.open(made.path) as reader:
        return dict(reader._frame.entries)
