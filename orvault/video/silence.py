"""Hangs up on a camera that sends no picture any more, so that a reader which FFmpeg holds comes back.

FFmpeg's own limit counts every byte, and a camera whose pictures have stopped may still report its time (RTCP).
PyAV's counts pictures, but enters the interpreter at every network read, some 70 times a picture (docs/perf,
recording). A thread that looks once in the limit costs nothing; what it needs is the connection, which FFmpeg keeps
to itself (`connection`).
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TypeVar

P = TypeVar("P")


class SilenceWatch:
    """Shuts `connection` down when a reader has waited for its next picture for `limit_s` seconds.

    The connection becomes its own, to be closed by `close`; the other descriptors of it are only cut off.
    """

    def __init__(self, connection: socket.socket, limit_s: float) -> None:
        self._connection, self._limit_s = connection, limit_s
        self._waiting_since_s: float | None = None
        self._closed = threading.Event()
        self._closing = threading.Lock()  # a descriptor that is closed may be another connection's at once
        self.hung_up = False  # why the reader's connection ended
        threading.Thread(target=self._watch, name="silence", daemon=True).start()

    def over(self, raw: Iterable[P]) -> Iterator[P]:
        """The same pictures; the time that whoever takes them needs does not count as the camera's silence."""
        pictures = iter(raw)
        while True:
            self._waiting_since_s = time.monotonic()
            try:
                picture = next(pictures)
            except StopIteration:
                return
            finally:
                self._waiting_since_s = None
            yield picture

    def close(self) -> None:
        """Watch no more; call it when the reader has closed its side."""
        self._closed.set()
        with self._closing:
            self._connection.close()

    def _watch(self) -> None:
        wait_s = self._limit_s
        while not self._closed.wait(wait_s):
            since_s = self._waiting_since_s
            silent_s = 0.0 if since_s is None else time.monotonic() - since_s
            if silent_s >= self._limit_s:
                self._hang_up()
                return
            wait_s = self._limit_s - silent_s

    def _hang_up(self) -> None:
        with self._closing, suppress(OSError):  # gone by itself in the same moment
            if not self._closed.is_set():
                self.hung_up = True
                self._connection.shutdown(socket.SHUT_RDWR)
