"""Pieces of a rendering side by side, in threads: how many at once, and what becomes of all when one fails.

What a piece is, and where it is kept, it does not know.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from types import TracebackType

CORES_EACH = 2  # what a piece keeps busy: its own thread, and the coder's, which need a little more
MOST_AT_ONCE = (
    8  # Python runs in one thread at a time: more of them wait for it (docs/perf/2026-11-export.md)
)
MEMORY_MB = 1150  # for all of them, of the 1.5 GB of an export
COPY_MB_PER_MEGAPIXEL = 75  # what one holds for each of its copies, coder and all; measured there too


def own_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def pieces_at_once(cores: int, copies: int, width: int, height: int) -> int:
    """How many pieces of this picture size are rendered side by side: as the cores allow, and the memory."""
    each_mb = copies * COPY_MB_PER_MEGAPIXEL * width * height / 1e6
    return max(1, min(cores // CORES_EACH, MOST_AT_ONCE, int(MEMORY_MB / each_mb)))


class _StoppedError(Exception):
    """Another one failed."""


class SideBySide:
    """Runs work in threads, to be used as a context; the first that fails stops the others at their next `check`.

    The context is left when no thread is at work any more, with the error of the first that failed.
    """

    def __init__(self, at_once: int) -> None:
        self._most = 2 * at_once  # as many again that are made, and whose last answer is awaited
        # One more for what is done beside.
        self._pool = ThreadPoolExecutor(self._most + 1, "pieces")
        self._turn = threading.Semaphore(at_once)
        self._pieces: list[Future[None]] = []
        self._beside: list[Future[None]] = []
        self._lock = threading.Lock()
        self._failed: BaseException | None = None

    def beside(self, work: Callable[[], None]) -> None:
        """Begin one thing that is no piece."""
        self._beside.append(self._pool.submit(self._carry_out, work))

    def begin(self, piece: Callable[[], None]) -> None:
        """Begin the next piece; waits while there are enough. Errors: of any that failed."""
        while len(self._pieces) >= self._most:
            self._wait()
        self._pieces.append(self._pool.submit(self._carry_out, piece))

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Round that part of a piece which is work for the processor: `at_once` are in it."""
        with self._turn:
            self.check()
            yield

    def check(self) -> None:
        """Called often by all that runs: ends it where another one failed."""
        if self._failed is not None:
            raise _StoppedError

    def _carry_out(self, work: Callable[[], None]) -> None:
        try:
            self.check()
            work()
        except BaseException as error:
            with self._lock:
                self._failed = self._failed or error
            raise

    def _wait(self) -> None:
        under_way = self._pieces + self._beside
        done, _ = wait(under_way, return_when=FIRST_COMPLETED)
        self._pieces = [each for each in self._pieces if each not in done]
        self._beside = [each for each in self._beside if each not in done]
        self._raise()

    def _raise(self) -> None:
        if self._failed is not None:
            raise self._failed

    def __enter__(self) -> SideBySide:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            with self._lock:
                self._failed = self._failed or error
        self._pool.shutdown(wait=True, cancel_futures=error is not None)
        if self._failed is not error:
            self._raise()
