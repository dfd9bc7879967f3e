"""Finds the TCP connection to a camera, which FFmpeg makes and keeps to itself, and makes room there for what waits.

It reads and writes nothing on it: FFmpeg does.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Container
from contextlib import suppress
from pathlib import Path

from orvault.video.pacing import FRESH_BYTES

_DESCRIPTORS = Path("/proc/self/fd")
_ASKED_BYTES = 208 * 1024  # what Linux grants everybody (net.core.rmem_max)
_TCP_WINDOW_CLAMP = 10  # of linux/tcp.h; Python does not name it


def let_wait(connection: socket.socket) -> int:
    """Let more of a camera's pictures wait in the system than in a fresh connection; how many bytes can."""
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _ASKED_BYTES)
        # Half of what it tells is for overhead.
        granted = connection.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2
        # Before Linux 6 a connection kept to the window it had begun with, however large its buffer.
        connection.setsockopt(socket.IPPROTO_TCP, _TCP_WINDOW_CLAMP, granted)
    except OSError:  # whatever is wrong with it, its reader finds it out
        return FRESH_BYTES
    return granted


def open_sockets() -> dict[int, int]:
    """This process's sockets: inode, which is each one's own, to descriptor. Empty where the system lists none."""
    found = {}
    with suppress(OSError):  # only Linux lists them; and a process may have no descriptor left to look with
        for entry in _DESCRIPTORS.iterdir():
            with suppress(OSError):  # closed since it was listed, as the listing's own descriptor
                status = os.fstat(int(entry.name))
                if stat.S_ISSOCK(status.st_mode):
                    found[status.st_ino] = int(entry.name)
    return found


def connected_since(before: Container[int], host: str, port: int) -> socket.socket | None:
    """The one TCP connection to this address that is not among `before`, as a descriptor of our own.

    None when there is none, or more than one: another thread may have connected to the same address meanwhile, and
    hanging up on the wrong one would be worse than not knowing.
    """
    try:
        peers = {info[4][:2] for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except OSError:
        return None
    new = [number for inode, number in open_sockets().items() if inode not in before]
    found = [made for number in new if (made := _connection(number, peers)) is not None]
    if len(found) == 1:
        return found[0]
    for connection in found:
        connection.close()
    return None


def _connection(number: int, peers: Container[object]) -> socket.socket | None:
    """Another descriptor of this socket, if it is a TCP connection to one of these."""
    try:
        copy = os.dup(number)
    except OSError:  # closed since
        return None
    try:
        made = socket.socket(fileno=copy)
    except OSError:  # its number is something else's by now
        os.close(copy)
        return None
    try:
        if made.type == socket.SOCK_STREAM and made.getpeername()[:2] in peers:
            return made
    except OSError:  # not connected
        pass
    made.close()
    return None
