"""One process at a time runs a site of one machine: a second would take its place in `cluster.address`, and write
beside it. What is in a cluster of several machines is told apart by Ray's own names."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orvault.errors import ErrorKind, OrvaultError

LOCK = (
    "running.lock"  # holds the process id, for a person; the lock is the kernel's and goes with its process
)


@contextmanager
def alone(data: Path) -> Iterator[None]:
    """Hold this site's data folder. Errors: CONFLICT (it runs already), STORAGE."""
    path = data / LOCK
    try:
        data.mkdir(parents=True, exist_ok=True)
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "r+")
    except OSError as error:
        raise OrvaultError(
            ErrorKind.STORAGE, f"It could not be opened: {error.strerror}.", where=str(path)
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = file.read(20).strip() or "unknown"
            raise OrvaultError(
                ErrorKind.CONFLICT,
                f"this site runs already (process {holder}).",
                where=str(data),
                advice="End that `orvault up` first.",
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
