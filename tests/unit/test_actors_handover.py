"""Handing bytes to another process in a file without a name: found while offered, gone afterwards."""

from __future__ import annotations

import hashlib
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from actors.handover import offered, taken
from orvault.errors import ErrorKind, OrvaultError

DATA = os.urandom(3_000_000)
READ = "import sys, hashlib; print(hashlib.sha256(open(sys.argv[1], 'rb').read()).hexdigest())"


def handles() -> set[Path]:
    return set(Path("/proc/self/fd").iterdir())


def test_another_process_finds_what_is_offered() -> None:
    with offered(bytearray(DATA)) as place:
        assert taken(place) == DATA == taken(place)
        found = subprocess.run(
            [sys.executable, "-c", READ, place], capture_output=True, text=True, check=True
        )
    assert found.stdout.strip() == hashlib.sha256(DATA).hexdigest()


def test_nothing_is_left_when_the_offer_is_over() -> None:
    before = handles()
    with pytest.raises(ZeroDivisionError), offered(DATA) as place:
        raise ZeroDivisionError
    assert handles() == before
    with pytest.raises(OrvaultError) as caught:
        taken(place)
    assert caught.value.kind is ErrorKind.UNAVAILABLE


def test_a_process_that_may_open_no_more_files_says_so_and_can_try_again() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(OrvaultError) as caught, offered(DATA):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert caught.value.kind is ErrorKind.UNAVAILABLE and "files" in caught.value.message
    with offered(DATA) as place:
        assert taken(place) == DATA
