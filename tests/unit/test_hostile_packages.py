"""What the fuzzer found or began with, again: nothing but OrvaultError, and memory that stays small."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import fuzz_seeds, fuzz_targets
from orvault.errors import ErrorKind, OrvaultError
from tests.vectors import hostile_videos

ROOT = Path(__file__).resolve().parents[2]
INPUTS = sorted(hostile_videos.FOLDER.glob("*.bin"))


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: path.stem)
def test_a_hostile_input_ends_in_an_error_of_ours(path: Path) -> None:
    data = path.read_bytes()
    target = fuzz_targets.TARGETS[data[0] % len(fuzz_targets.TARGETS)]
    with pytest.raises(OrvaultError) as raised:
        target(data[1:])
    assert raised.value.kind in (
        ErrorKind.BAD_MEDIA,
        ErrorKind.ALTERED,
        ErrorKind.DAMAGED,
        ErrorKind.NOT_A_PACKAGE,
    )


def test_the_good_video_they_were_made_from_plays() -> None:
    fuzz_targets.video(hostile_videos.VIDEO.read_bytes())


def test_all_of_them_together_stay_within_a_small_memory() -> None:
    """In a process that could not have more: what asks for the 4 GB that a header promises, dies."""
    code = (
        "import resource, sys, pathlib\n"
        "from benchmarks import fuzz_targets\n"
        "fuzz_targets.video(pathlib.Path(sys.argv[1]).read_bytes())\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * 4096\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + (256 << 20),) * 2)\n"
        "for path in sys.argv[2:]: fuzz_targets.run(pathlib.Path(path).read_bytes())\n"
    )
    command = [sys.executable, "-c", code, str(hostile_videos.VIDEO), *map(str, INPUTS)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def test_the_fuzzer_begins_with_papers_that_its_targets_take(tmp_path: Path) -> None:
    fuzz_seeds.write(tmp_path)
    good = [path for path in tmp_path.iterdir() if path.suffix != ".bin"]
    met = set()
    for path in good:
        data = path.read_bytes()
        target = fuzz_targets.TARGETS[data[0]]
        target(data[1:])
        met.add(target)
    assert met == set(fuzz_targets.TARGETS) and len(list(tmp_path.iterdir())) == len(good) + len(INPUTS)
