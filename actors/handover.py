"""Hands sealed bytes to another process of the same node in a file without a name, which lies on no disk.

A call's arguments are copied several times on their way through Ray; these are copied once (figures: docs/adr/0009).
It does not know what the bytes are: whoever takes them checks that they are the right ones.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orvault.container.wire import Bytes
from orvault.errors import ErrorKind, OrvaultError


@contextmanager
def offered(data: Bytes) -> Iterator[str]:
    """Where another process of this node and user finds `data`, for as long as the block lasts.

    Errors: UNAVAILABLE when this process has no room for it; it may be offered again.
    """
    try:
        handle = _written(data)
    except OSError as error:
        raise OrvaultError(
            ErrorKind.UNAVAILABLE, f"Sealed bytes cannot be handed over: {error.strerror}."
        ) from error
    try:
        yield f"/proc/{os.getpid()}/fd/{handle}"
    finally:
        os.close(handle)


def _written(data: Bytes) -> int:
    handle = os.memfd_create("sealed")
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(handle, left) :]
    except OSError:
        os.close(handle)
        raise
    return handle


def taken(place: str) -> bytes:
    """What is offered there. Errors: UNAVAILABLE when it is offered no more; it may be offered again."""
    try:
        return Path(place).read_bytes()
    except OSError as error:
        raise OrvaultError(
            ErrorKind.UNAVAILABLE, "Whoever offered these sealed bytes is gone, or gave up waiting."
        ) from error
