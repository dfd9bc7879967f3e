"""Sees to it that one process at a time writes below a segment store's root; readers need no leave.

After a node's raylet died its workers were seen answering for about a second, while their successors started.

Layout: ROOT/.writer, which holds the process id of the last writer, for a person. The lock is the kernel's (flock)
and goes with its process, however that ends.
"""

from __future__ import annotations

import fcntl
import logging
import os
from pathlib import Path
from typing import IO

from orvault.clock import Clock
from orvault.errors import ErrorKind, OrvaultError

NAME = ".writer"  # no case has this id
WAIT_S = 10.0  # a dying predecessor takes about a second; a disk that hangs may take its process minutes
LOOK_S = 0.1

log = logging.getLogger(__name__)


def writing_below(root: Path, clock: Clock, wait_s: float | None = None) -> IO[str] | None:
    """What holds the root for this process until it is closed, or the process ends.

    Waits for a predecessor, and says so. None where the lock cannot be had for another reason (a disk that refuses,
    a file system without locks), which the log is told: recording goes on, and `store` replaces no file.
    Errors: UNAVAILABLE when the predecessor does not end; try again.
    """
    try:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = os.fdopen(os.open(root / NAME, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "r+")
    except OSError as error:
        log.error("%s: nothing keeps a second writer away: %s", root, error)
        return None
    try:
        if not _taken(file, root, clock, WAIT_S if wait_s is None else wait_s):
            raise _busy(root, file)
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
    except OSError as error:
        log.error("%s: nothing keeps a second writer away: %s", root, error)
    except OrvaultError:
        file.close()
        raise
    return file


def _taken(file: IO[str], root: Path, clock: Clock, wait_s: float) -> bool:
    for attempt in range(round(wait_s / LOOK_S) + 1):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not attempt:
                log.warning("%s: another process writes there; waiting for its end", root)
            clock.sleep(LOOK_S)
        else:
            return True
    return False


def _busy(root: Path, file: IO[str]) -> OrvaultError:
    message = (
        f"Another process (id {file.read(20).strip() or 'unknown'}) still writes to this node's segments."
    )
    advice = "It is waited for. If it does not end, its disk may hang; end that process."
    log.error("%s: %s %s", root, message, advice)
    return OrvaultError(ErrorKind.UNAVAILABLE, message, where=str(root), advice=advice)
