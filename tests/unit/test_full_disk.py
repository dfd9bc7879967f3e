"""A real small file system that fills up under a recording: a clear stop, a gap that says so, and on by itself."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orvault.recording.room import RESERVE_BYTES
from tests.unit.actors_support import CalmClock, eventually, make_node, order
from tests.unit.line_support import Bench, pieces

SIZE = RESERVE_BYTES + (8 << 20)
DISK_FULL = "The disk is full; what is left is kept for gap records."


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of 72 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=700", "orvault-test", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if mounted.returncode:
        pytest.skip(f"mounting is not allowed here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_disk_that_fills_up_stops_a_recording_clearly_and_it_goes_on_when_there_is_room(
    small: Path,
) -> None:
    clock = CalmClock()
    bench = Bench(make_node(small / "node"), clock)
    bench.line.start(order())
    bench.put(*pieces(2))
    bench.sealed(2)
    before = {path: path.read_bytes() for path in bench.node.root.rglob("*.seg")}

    filler = small / "filler"
    filler.write_bytes(bytes(8 << 20))
    asked = bench.node.keeper.calls.count("tail")
    bench.put(*pieces(3, first=2))
    eventually(lambda: "disk is full" in bench.line.trouble, "it says so in its status")
    eventually(lambda: bench.node.keeper.calls.count("tail") == asked + 3, "all three were refused")
    assert {path: path.read_bytes() for path in bench.node.root.rglob("*.seg")} == before, (
        "none half, none lost"
    )
    assert not list(bench.node.root.rglob("*.part"))

    filler.unlink()
    bench.put(*pieces(2, first=5))
    bench.line.stop("run-1", "")
    assert len(bench.node.stored()) == 4, "numbered and chained without a hole"
    assert bench.node.clear()[2:] == [piece.data for piece in pieces(2, first=5)]
    (gap,) = bench.node.gaps()
    assert (gap.reason, gap.to_us - gap.from_us) == (DISK_FULL, 6_000_000)
    assert bench.line.trouble == ""
    clock.over = True


def test_the_gap_of_a_recording_that_ends_on_a_full_disk_is_written_from_the_reserve(small: Path) -> None:
    clock = CalmClock()
    bench = Bench(make_node(small / "node"), clock)
    bench.line.start(order())
    bench.put(*pieces(1))
    bench.sealed(1)
    (small / "filler").write_bytes(bytes(8 << 20))
    bench.put(*pieces(2, first=1))
    eventually(lambda: "disk is full" in bench.line.trouble, "it says so in its status")
    bench.line.stop("run-1", "")
    (gap,) = bench.node.gaps()
    assert gap.reason == DISK_FULL and gap.to_us == clock.us
    clock.over = True
